//! Many answers, a row each.

use comfy_table::Cell;

use super::{
    answer::{Look, confidence_word},
    grid,
    text::push,
    who,
};
use crate::{answer::Answer, event::Owner, node::Namespace, verdict::Confidence};

/// A namespace, and one of its keys; absent where it could not be read.
#[derive(Debug)]
pub struct Row<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The answer.
    pub answer: Option<Answer>,
}

impl Row<'_> {
    /// Whether the value is another one than the node's.
    pub fn differs(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| {
            let setting = &answer.sysctl;
            setting.node.is_some() && setting.node != setting.value
        })
    }
}

/// A row for each namespace and key.
pub fn table(rows: &[Row<'_>], look: Look) -> String {
    let answers = || rows.iter().filter_map(|row| row.answer.as_ref());
    let key = answers().next().map(|answer| &answer.sysctl.key);
    let has_one_key = answers().all(|answer| Some(&answer.sysctl.key) == key);
    let mut table = grid::empty(look, 0);
    let mut header = vec!["NETNS"];
    if !has_one_key {
        header.push("KEY");
    }
    header.extend(["VALUE", "NODE", "SET BY", "OWNER", "CREATOR", "PROCESSES"]);
    table.set_header(header);
    for row in rows {
        let mut cells = vec![Cell::new(row.namespace.inum)];
        let answer = row.answer.as_ref();
        let setting = answer.map(|answer| &answer.sysctl);
        if !has_one_key {
            cells.push(cell(setting.map(|setting| &*setting.key), look));
        }
        let owner = owner(row);
        cells.extend([
            cell(setting.and_then(|setting| setting.value.as_deref()), look),
            cell(setting.and_then(|setting| setting.node.as_deref()), look),
            cell(answer.map(by).as_deref(), look),
            Cell::new(owner_text(row.namespace, owner, look)),
            cell(owner.and_then(|owner| owner.creator.as_deref()), look),
            Cell::new(processes(row.namespace)),
        ]);
        table.add_row(cells);
    }
    let mut out = String::new();
    grid::push(&mut out, table, 0);
    out
}

/// A row for each key of one namespace.
pub fn keys(answers: &[Answer], look: Look) -> String {
    let mut table = grid::empty(look, 0);
    table.set_header(["KEY", "VALUE", "NODE", "SET BY", "CONFIDENCE"]);
    for answer in answers {
        let setting = &answer.sysctl;
        table.add_row(vec![
            cell(Some(&setting.key), look),
            cell(setting.value.as_deref(), look),
            cell(setting.node.as_deref(), look),
            cell(Some(&answer.verdict.word), look),
            Cell::new(confidence_word(answer.verdict.confidence)),
        ]);
    }
    let mut out = String::new();
    grid::push(&mut out, table, 0);
    out
}

fn cell(text: Option<&str>, look: Look) -> Cell {
    let mut out = String::new();
    match text {
        // The kernel puts tabs between numbers.
        Some(text) => push(&mut out, &text.replace('\t', " "), look.charset),
        None => out.push('-'),
    }
    Cell::new(out)
}

/// A component, with a mark where it is inferred.
fn by(answer: &Answer) -> String {
    let word = &answer.verdict.word;
    match answer.verdict.confidence {
        Confidence::Observed | Confidence::Unknown => word.clone(),
        Confidence::Inferred => format!("{word}?"),
    }
}

fn owner<'a>(row: &'a Row<'_>) -> Option<&'a Owner> {
    let seen = row.answer.as_ref()?.netns.as_ref()?.owner.as_ref();
    seen.map(|owner| owner.value())
}

fn owner_text(namespace: &Namespace, seen: Option<&Owner>, look: Look) -> String {
    if namespace.is_node {
        return "the node".to_owned();
    }
    let mut out = String::new();
    let owner = seen.unwrap_or(&namespace.owner);
    if let Some(container) = &owner.container {
        who::push_name(&mut out, container, owner.k8s.as_ref(), look.charset);
    } else if let Some(pin) = owner.pin.as_ref().or(namespace.pins.first()) {
        push(&mut out, pin, look.charset);
    } else {
        out.push('-');
    }
    out
}

/// How many, and the first.
fn processes(namespace: &Namespace) -> String {
    match (namespace.pids.len(), namespace.pids.first()) {
        (0, _) | (_, None) => "-".to_owned(),
        (1, Some(pid)) => format!("pid {pid}"),
        (count, Some(pid)) => format!("{count}, pid {pid} first"),
    }
}
