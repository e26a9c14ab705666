//! Cells in columns, for texts that are known as a whole. No lines are drawn.

use comfy_table::{ContentArrangement, Table, presets};

use super::answer::Look;

/// How many blanks stand between columns.
const GAP: u16 = 2;

/// A grid without rows. On a terminal its text is broken to fit, less `indent`.
pub(super) fn empty(look: Look, indent: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match look.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width.saturating_sub(indent)).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// Appends the lines of a grid, each behind so many blanks.
pub(super) fn push(out: &mut String, mut table: Table, indent: usize) {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    for line in table.lines() {
        let line = format!("{:indent$}{line}", "");
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
