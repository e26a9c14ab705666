//! The figures as tables, and the page that has them.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use sysctl_trace_tests::bench::terms::{GROUP, Side, Work};

use super::{
    figures::{Figures, SideFigures},
    goals,
};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// All figures, in Markdown.
pub fn tables(figures: &Figures) -> Result<String> {
    let nothing = figures.nothing()?;
    let mut text = String::new();
    writeln!(
        text,
        "Kernel {}, QEMU {}, bpftrace {}; the least of {} rounds.\n",
        figures.kernel,
        figures.qemu,
        figures.bpftrace.as_deref().unwrap_or("not measured"),
        figures.rounds
    )?;
    let goals = goals::rows(figures);
    if !goals.is_empty() {
        let mut table = table(&["goal", "at most", "sysctl-trace, JSON", "bpftrace", "met"]);
        for row in goals {
            table.add_row(row);
        }
        writeln!(text, "{table}\n")?;
    }
    writeln!(
        text,
        "Instructions for one operation; what a tool adds to it.\n"
    )?;
    writeln!(text, "{}\n", costs(figures, nothing))?;
    writeln!(
        text,
        "Where they go: charged to the process that acts (the probes run in it), charged to the \
         tool's process, and the rest, which is the kernel's between them. For a thousand \
         operations, how often the tool was woken.\n"
    )?;
    writeln!(text, "{}\n", parts(figures, nothing))?;
    write!(text, "{}", tools(figures))?;
    Ok(text)
}

/// Puts the tables into the page: where it is.
pub fn write(figures: &Figures) -> Result<PathBuf> {
    write_between(BEGIN, END, &tables(figures)?)
}

/// Puts a text into the page, between two markers.
pub fn write_between(begin: &str, end: &str, text: &str) -> Result<PathBuf> {
    let path = super::page_path()?;
    let context = || format!("writing {}", path.display());
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let replaced = replace(&page, begin, end, text)
        .with_context(|| format!("{} has no {begin} and {end}", path.display()))?;
    fs::write(&path, replaced).with_context(context)?;
    Ok(path)
}

/// The page with something else between the markers.
fn replace(page: &str, begin: &str, end: &str, text: &str) -> Option<String> {
    let (head, rest) = page.split_once(begin)?;
    let (_, tail) = rest.split_once(end)?;
    Some(format!("{head}{begin}\n{}\n{end}{tail}", text.trim_end()))
}

fn costs(figures: &Figures, nothing: &SideFigures) -> Table {
    let others = figures.sides.get(1..).unwrap_or_default();
    let floor = figures.find(|side| *side == Side::Floor);
    let bpftrace = figures.find(|side| *side == Side::Bpftrace);
    let ours = figures.json();
    let mut head = vec!["operation".to_owned(), "nothing".to_owned()];
    head.extend(others.iter().map(|side| format!("{} adds", side.name)));
    head.extend(["JSON ÷ nothing", "JSON ÷ floor", "JSON ÷ bpftrace"].map(str::to_owned));
    let mut table = table(&head);
    for work in nothing.costs.keys().copied() {
        let mut row = vec![work_name(work), shown(nothing.each(work), 0)];
        row.extend(
            others
                .iter()
                .map(|side| shown(goals::added(nothing, side, work), 0)),
        );
        let share = |of: Option<f64>| {
            let ours = goals::added(nothing, ours?, work)?;
            // What is next to nothing has no ratio that means anything.
            let of = of.filter(|of| of.abs() >= 100.0)?;
            Some(ours / of)
        };
        let total = ours.and_then(|ours| Some(ours.each(work)? / nothing.each(work)?));
        row.push(shown(total, 3));
        row.push(shown(
            share(floor.and_then(|side| goals::added(nothing, side, work))),
            2,
        ));
        row.push(shown(
            share(bpftrace.and_then(|side| goals::added(nothing, side, work))),
            2,
        ));
        table.add_row(row);
    }
    table
}

fn parts(figures: &Figures, nothing: &SideFigures) -> Table {
    let mut table = table(&[
        "operation",
        "tool",
        "actor",
        "of it eBPF",
        "tool's process",
        "rest",
        "wake-ups",
    ]);
    for (work, base) in &nothing.costs {
        for side in figures.sides.get(1..).unwrap_or_default() {
            let Some(cost) = side.costs.get(work) else {
                continue;
            };
            let count = f64::from(cost.operations);
            let each = |ns: u64, base: u64| (ns as f64 - base as f64) / count;
            let (all, actor) = (
                each(cost.busy_ns, base.busy_ns),
                each(cost.actor_ns, base.actor_ns),
            );
            let tool = each(cost.tool_ns, 0);
            table.add_row([
                work_name(*work),
                side.name.clone(),
                number(actor, 0),
                shown(cost.probes_ns.map(|ns| each(ns, 0)), 0),
                number(tool, 0),
                number(all - actor - tool, 0),
                number(cost.tool_wakeups as f64 / count * 1000.0, 1),
            ]);
        }
    }
    table
}

fn tools(figures: &Figures) -> Table {
    let mut table = table(&[
        "tool",
        "attached after, ms",
        "resident, MB",
        "at most, MB",
        "of it anonymous",
        "of it mapped files and ring",
        "lost of 40,000",
    ]);
    for side in figures.sides.get(1..).unwrap_or_default() {
        let megabytes = |kib: Option<u64>| shown(kib.map(|kib| kib as f64 * 1024.0 / 1e6), 1);
        let memory = side.memory;
        table.add_row([
            side.name.clone(),
            shown(side.attached_ns.map(|ns| ns as f64 / 1e6), 0),
            megabytes(memory.map(|memory| memory.resident)),
            megabytes(memory.map(|memory| memory.peak)),
            megabytes(memory.map(|memory| memory.anonymous)),
            megabytes(memory.map(|memory| memory.file)),
            shown(side.lost.map(|lost| lost as f64), 0),
        ]);
    }
    table
}

fn work_name(work: Work) -> String {
    match work {
        Work::Write => "write, back to back".to_owned(),
        Work::Paced => format!("write, in groups of {GROUP}"),
        Work::Alone => "write, one at a time".to_owned(),
        Work::Process => "process that writes once".to_owned(),
        Work::Read => "read".to_owned(),
        Work::Netns => "new network namespace".to_owned(),
        Work::Exec => "program executed".to_owned(),
        Work::ExecInside => "program executed in another netns".to_owned(),
    }
}

fn table<T: ToString>(head: &[T]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(head.iter().map(ToString::to_string));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| number(value, decimals))
}

/// With thousands set apart.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (text.as_str(), String::new()),
    };
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
