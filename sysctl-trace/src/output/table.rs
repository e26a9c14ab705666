//! Events as rows for readers.
//!
//! The table is a stream: its columns are fixed by the width of the terminal, not by what will
//! come. On a terminal cells are cut to their column; in a file or pipe nothing is cut.

use std::{fmt::Write as _, io::Write as _};

use anstyle::{AnsiColor, Style};

use crate::{
    event::{Event, Process},
    output::{
        layout::{Column, Layout},
        story::{self, Tone},
        text::{Charset, cut, push, width},
        who,
    },
};

/// Turns events into rows.
#[derive(Debug)]
pub struct Table {
    layout: Layout,
    charset: Charset,
    colour: bool,
    cell: String,
}

impl Table {
    /// For a terminal of `width` columns, or for a file or pipe.
    pub fn new(width: Option<usize>, charset: Charset, colour: bool) -> Self {
        Self {
            layout: layout(width),
            charset,
            colour,
            cell: String::new(),
        }
    }

    /// Follows the terminal to another width. Returns whether the columns are others now, so
    /// that a header is due.
    pub fn resize(&mut self, width: usize) -> bool {
        let new = layout(Some(width));
        let changed = self.layout != new;
        self.layout = new;
        changed
    }

    /// Appends the line that names the columns.
    pub fn push_header(&mut self, out: &mut Vec<u8>) {
        let bold = |_| Style::new().bold();
        self.push_row(out, bold, |cell, column, charset| {
            cell.push_str(match column {
                Column::Time => "TIME (UTC)",
                Column::Action => "ACTION",
                Column::Key => "KEY",
                Column::Value => match charset {
                    Charset::Ascii => "OLD -> NEW",
                    Charset::Unicode => "OLD → NEW",
                },
                Column::Pid => "PID",
                Column::Comm => "COMM",
                Column::Component => "COMPONENT",
                Column::Container => "CONTAINER",
                Column::Netns => "NETNS",
                Column::Parent => "PARENT",
            });
        });
    }

    /// Appends the row of an event.
    pub fn push_event(&mut self, out: &mut Vec<u8>, event: &Event) {
        let tone = story::tone(event);
        let style = |column| style(tone, column);
        let cuts = self.layout.cuts;
        self.push_row(out, style, |cell, column, charset| {
            push_cell(cell, column, event, cuts, charset);
        });
    }

    fn push_row(
        &mut self,
        out: &mut Vec<u8>,
        style: impl Fn(Column) -> Style,
        fill: impl Fn(&mut String, Column, Charset),
    ) {
        let cell = &mut self.cell;
        let last = self.layout.columns.len() - 1;
        for (at, &(column, columns)) in self.layout.columns.iter().enumerate() {
            cell.clear();
            fill(cell, column, self.charset);
            if cell.is_empty() {
                cell.push('-');
            }
            if self.layout.cuts {
                cut(cell, columns, self.charset);
            }
            let padding = columns.saturating_sub(width(cell));
            if column == Column::Pid {
                pad(out, padding);
            }
            // Writing to a Vec can't fail.
            let _ = if self.colour {
                let style = style(column);
                write!(out, "{style}{cell}{style:#}")
            } else {
                out.write_all(cell.as_bytes())
            };
            if at < last {
                pad(out, 1 + if column == Column::Pid { 0 } else { padding });
            }
        }
        out.push(b'\n');
    }
}

fn layout(width: Option<usize>) -> Layout {
    match width {
        Some(width) => Layout::terminal(width),
        None => Layout::piped(),
    }
}

fn pad(out: &mut Vec<u8>, blanks: usize) {
    out.resize(out.len() + blanks, b' ');
}

/// A row that matters little is dim as a whole; one that matters stands out by what happened.
fn style(tone: Tone, column: Column) -> Style {
    let colour = match tone {
        Tone::Quiet => return Style::new().dimmed(),
        Tone::Plain => return Style::new(),
        Tone::Changed => AnsiColor::Yellow,
        Tone::Created => AnsiColor::Green,
        Tone::Bad => AnsiColor::Red,
    };
    match column {
        Column::Action | Column::Value => colour.on_default(),
        Column::Time
        | Column::Key
        | Column::Pid
        | Column::Comm
        | Column::Component
        | Column::Container
        | Column::Netns
        | Column::Parent => Style::new(),
    }
}

fn push_cell(cell: &mut String, column: Column, event: &Event, short: bool, charset: Charset) {
    let process: Option<&Process> = event.process.as_ref().map(|process| &***process);
    // Writing to a String can't fail.
    match column {
        Column::Time => cell.push_str(if short {
            time_of_day(&event.timestamp)
        } else {
            &event.timestamp
        }),
        Column::Action => cell.push_str(event.event.action.name()),
        Column::Key => {
            if let Some(sysctl) = &event.sysctl {
                push(cell, &sysctl.key, charset);
            }
        }
        Column::Value => story::push_story(cell, event, charset),
        Column::Pid => {
            if let Some(process) = process {
                let _ = write!(cell, "{}", process.pid);
            }
        }
        Column::Comm => {
            if let Some(process) = process {
                push(cell, &process.name, charset);
            }
        }
        Column::Component => who::push_component(cell, event, charset),
        Column::Container => who::push_container(cell, event, charset),
        Column::Netns => {
            if let Some(inum) = event.netns.as_ref().and_then(|netns| netns.inum) {
                let _ = write!(cell, "{inum}");
            }
        }
        Column::Parent => {
            if let Some(parent) = process.and_then(|process| process.parent.as_ref()) {
                push(cell, &parent.name, charset);
                let _ = write!(cell, "[{}]", parent.pid);
            }
        }
    }
}

/// `07:40:34.939` of `2026-11-22T07:40:34.939150120Z`.
fn time_of_day(timestamp: &str) -> &str {
    timestamp.get(11..23).unwrap_or(timestamp)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
