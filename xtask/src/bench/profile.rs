//! Where the time goes, by function.

use std::{collections::HashMap, path::Path, process::Command};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use sysctl_trace_tests::bench::terms::{Sample, TOOL};

use crate::command;

/// Functions that are shown.
const SHOWN: usize = 60;

/// The samples by function, the most first. `program` is the tool's, with symbols.
pub fn table(samples: &[Sample], program: &Path) -> Result<Table> {
    let symbols = symbols(program)?;
    let mut counts = HashMap::<String, u64>::new();
    for sample in samples {
        let place = if sample.place == TOOL {
            let next = symbols.partition_point(|(start, _)| *start <= sample.offset);
            let symbol = next.checked_sub(1).and_then(|index| symbols.get(index));
            format!("{TOOL}: {}", symbol.map_or("unknown", |(_, name)| name))
        } else {
            sample.place.clone()
        };
        *counts.entry(place).or_default() += sample.count;
    }
    let all: u64 = counts.values().sum();
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (place, count) in counts.iter().take(SHOWN) {
        let share = *count as f64 / all as f64 * 100.0;
        table.add_row([count.to_string(), format!("{share:.1} %"), place.clone()]);
    }
    for column in table.column_iter_mut().take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table)
}

/// The program's functions by address.
fn symbols(program: &Path) -> Result<Vec<(u64, String)>> {
    let text = command::output(
        Command::new("nm")
            .args(["--defined-only", "--numeric-sort", "--demangle"])
            .arg(program),
    )?;
    let symbols = text.lines().filter_map(|line| {
        let (address, rest) = line.split_once(' ')?;
        let (kind, name) = rest.split_once(' ')?;
        let address = u64::from_str_radix(address, 16).ok()?;
        kind.eq_ignore_ascii_case("t")
            .then(|| (address, name.to_owned()))
    });
    Ok(symbols.collect())
}
