//! Text from the traced side, made harmless for a terminal.
//!
//! Names and values come from whoever is traced, containers included. What a terminal would obey
//! (escape sequences), hide (zero width) or reorder (bidirectional controls) is shown by its
//! number. A backslash is doubled, so that what is shown always means one thing.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// ASCII only: the locale is not UTF-8.
    Ascii,
    /// All of Unicode.
    Unicode,
}

/// Appends `text`, harmless.
pub fn push(out: &mut String, text: &str, charset: Charset) {
    for char in text.chars() {
        push_char(out, char, charset);
    }
}

/// Appends `text` in double quotes, harmless; quotes within it are marked.
pub fn push_quoted(out: &mut String, text: &str, charset: Charset) {
    out.push('"');
    for char in text.chars() {
        if char == '"' {
            out.push('\\');
        }
        push_char(out, char, charset);
    }
    out.push('"');
}

fn push_char(out: &mut String, char: char, charset: Charset) {
    match char {
        '\\' => out.push_str("\\\\"),
        ' '..='~' => out.push(char),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{1b}' => out.push_str("\\e"),
        char if charset == Charset::Unicode && is_plain(char) => out.push(char),
        char => {
            // Writing to a String can't fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        }
    }
}

/// Whether a character that is not ASCII stands for itself: neither a control nor a format
/// character, neither unassigned nor private, no kind of blank, and not drawn onto its neighbour.
/// The standard library knows most: it escapes all others.
pub(super) fn is_plain(char: char) -> bool {
    // Letters and symbols that are drawn as nothing.
    let blank = matches!(char, '\u{115f}' | '\u{2800}' | '\u{1d159}');
    !blank && char.escape_debug().len() == 1 && char.width().is_some_and(|width| width > 0)
}

/// How many columns of a terminal the text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

/// Cuts `text` to at most `columns`, and marks the cut.
pub(super) fn cut(text: &mut String, columns: usize, charset: Charset) {
    if width(text) <= columns {
        return;
    }
    let mark = match charset {
        Charset::Ascii => '~',
        Charset::Unicode => '…',
    };
    let mut taken = 0;
    let mut end = 0;
    for (at, char) in text.char_indices() {
        taken += char.width().unwrap_or(0);
        if taken + 1 > columns {
            break;
        }
        end = at + char.len_utf8();
    }
    text.truncate(end);
    if columns > 0 {
        text.push(mark);
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
