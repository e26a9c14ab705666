//! Where the time goes, by function.

use std::{collections::HashMap, path::Path, process::Command};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use sysctl_trace_tests::bench::terms::{Sample, TOOL};

use crate::command;

/// Functions that are shown.
const SHOWN: usize = 60;

/// A program's functions by address.
#[derive(Debug)]
pub struct Symbols(Vec<(u64, String)>);

impl Symbols {
    /// Reads them from the program's file.
    pub fn read(program: &Path) -> Result<Self> {
        let text = command::output(
            Command::new("nm")
                .args(["--defined-only", "--numeric-sort", "--demangle"])
                .arg(program),
        )?;
        let symbols = text.lines().filter_map(|line| {
            let (address, rest) = line.split_once(' ')?;
            let (kind, name) = rest.split_once(' ')?;
            let address = u64::from_str_radix(address, 16).ok()?;
            let is_code = kind.eq_ignore_ascii_case("t");
            is_code.then(|| (address, name.to_owned()))
        });
        Ok(Self(symbols.collect()))
    }

    fn name(&self, offset: u64) -> &str {
        let next = self.0.partition_point(|(start, _)| *start <= offset);
        let symbol = next.checked_sub(1).and_then(|index| self.0.get(index));
        symbol.map_or("unknown", |(_, name)| name)
    }
}

/// The samples by function, the most first.
pub fn table(samples: &[Sample], symbols: &Symbols) -> Table {
    let mut counts = HashMap::<String, u64>::new();
    for sample in samples {
        let place = if sample.place == TOOL {
            format!("{TOOL}: {}", symbols.name(sample.offset))
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
    table
}
