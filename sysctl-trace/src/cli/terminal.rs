//! Facts about the reader's side: locale and wish for colour.

use std::env;

use anstream::ColorChoice;

use crate::{
    cli::args::Color,
    output::{sink::Sink, text::Charset},
};

/// What the locale can show.
pub fn charset() -> Charset {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"];
    charset_of(variables.map(|name| env::var(name).ok()))
}

/// The first variable that is set and not empty decides.
fn charset_of(variables: [Option<String>; 3]) -> Charset {
    let locale = variables
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") {
        Charset::Unicode
    } else {
        Charset::Ascii
    }
}

/// Whether to colour what goes to the sink.
pub fn colour(color: Color, sink: &Sink) -> bool {
    colour_of(color, sink.is_terminal())
}

/// Whether to colour what goes to a terminal, or to something else.
pub fn colour_of(color: Color, is_terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        // Asks NO_COLOR, CLICOLOR and TERM. It also asks whether standard output is a terminal:
        // the sink may be another.
        Color::Auto => {
            is_terminal
                && match anstream::AutoStream::choice(&std::io::stdout()) {
                    ColorChoice::Always | ColorChoice::AlwaysAnsi | ColorChoice::Auto => true,
                    ColorChoice::Never => false,
                }
        }
    }
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
