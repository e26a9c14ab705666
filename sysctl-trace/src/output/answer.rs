//! Answers for readers: the sentence, how sure it is, the evidence and the suspects.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, ColumnConstraint, Table, Width};

use crate::{
    answer::Answer,
    output::{
        grid,
        text::{Charset, push},
    },
    verdict::{Confidence, Evidence, Finding, Found, Reason, Suspect},
};

/// Blanks before the rows of a table.
const INDENT: usize = 3;

/// How an answer is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What the reader's terminal can show.
    pub charset: Charset,
    /// Its width in columns; nothing is broken where there is none.
    pub width: Option<usize>,
    /// Whether to use colour.
    pub colour: bool,
}

/// The answer as text, with a newline at the end.
pub fn text(answer: &Answer, look: Look) -> String {
    let mut out = String::new();
    let bold = style(look, Style::new().bold());
    let _ = writeln!(
        out,
        "{bold}{}{bold:#}",
        plain(&answer.verdict.sentence, look)
    );
    let tone = style(look, tone(answer.verdict.confidence));
    let _ = writeln!(
        out,
        "{tone}{}{tone:#}\n",
        confidence(answer.verdict.confidence, answer.verdict.reason)
    );
    push_table(&mut out, "evidence", evidence(answer, look));
    push_table(&mut out, "suspects", suspects(answer, look));
    if let Some(settle) = &answer.verdict.would_settle {
        let _ = writeln!(out, "to settle it: {settle}");
    }
    out
}

fn push_table(out: &mut String, title: &str, table: Table) {
    let _ = writeln!(out, "{title}");
    grid::push(out, table, INDENT);
    out.push('\n');
}

fn evidence(answer: &Answer, look: Look) -> Table {
    let mut table = columns(look);
    for (
        at,
        Evidence {
            at: moment, text, ..
        },
    ) in answer.verdict.evidence.iter().enumerate()
    {
        let moment = moment.as_ref().map_or("", |moment| &**moment);
        table.add_row(vec![
            Cell::new(at + 1),
            Cell::new(time_of_day(moment)),
            Cell::new(plain(text, look)),
        ]);
    }
    table
}

fn suspects(answer: &Answer, look: Look) -> Table {
    let mut table = columns(look);
    for Finding {
        suspect,
        finding,
        why,
    } in &answer.verdict.suspects
    {
        table.add_row(vec![
            Cell::new(suspect_words(*suspect)),
            Cell::new(finding_words(*finding)),
            Cell::new(plain(why, look)),
        ]);
    }
    table
}

/// The last column takes what is left; the others are never broken.
fn columns(look: Look) -> Table {
    let mut table = grid::empty(look, INDENT);
    table.set_constraints([
        ColumnConstraint::ContentWidth,
        ColumnConstraint::ContentWidth,
        ColumnConstraint::LowerBoundary(Width::Fixed(16)),
    ]);
    table
}

fn plain(text: &str, look: Look) -> String {
    let mut out = String::with_capacity(text.len());
    // The kernel puts tabs between numbers.
    push(&mut out, &text.replace('\t', " "), look.charset);
    out
}

fn style(look: Look, style: Style) -> Style {
    if look.colour { style } else { Style::new() }
}

const fn tone(confidence: Confidence) -> Style {
    match confidence {
        Confidence::Observed => AnsiColor::Green.on_default(),
        Confidence::Inferred => AnsiColor::Yellow.on_default(),
        Confidence::Unknown => AnsiColor::Red.on_default(),
    }
}

/// How sure a verdict is, in a word.
pub const fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Observed => "observed",
        Confidence::Inferred => "inferred",
        Confidence::Unknown => "unknown",
    }
}

/// How sure a verdict is, in words.
const fn confidence(confidence: Confidence, reason: Option<Reason>) -> &'static str {
    match confidence {
        Confidence::Observed => "observed: it was seen, and nothing was missed since",
        Confidence::Inferred if matches!(reason, Some(Reason::ComponentInferred)) => {
            "inferred: the write was seen; what the writer is, only its name tells"
        }
        Confidence::Inferred => "inferred: it was not seen as a whole",
        Confidence::Unknown => "unknown: there is not enough evidence",
    }
}

const fn suspect_words(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::Specification => "specification",
        Suspect::Kubelet => "kubelet",
        Suspect::Dockerd => "dockerd",
        Suspect::Containerd => "containerd",
        Suspect::Engine => "container engine",
        Suspect::Runtime => "OCI runtime",
        Suspect::Cni => "CNI plugin",
        Suspect::Process => "a process",
        Suspect::Kernel => "the kernel",
    }
}

const fn finding_words(finding: Found) -> &'static str {
    match finding {
        Found::SetIt => "set it",
        Found::PassedItOn => "passed it on",
        Found::Eliminated => "eliminated",
        Found::CannotSay => "cannot say",
    }
}

/// `07:40:34.939150` of `2026-11-22T07:40:34.939150120Z`.
fn time_of_day(timestamp: &str) -> &str {
    timestamp.get(11..26).unwrap_or(timestamp)
}
