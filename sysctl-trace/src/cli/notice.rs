//! What is told on standard error. Writing there may fail; that changes nothing.

use std::{
    fmt,
    io::{self, Write as _},
};

/// Tells why this process fails: the error and its causes on one line.
pub fn error(error: &anyhow::Error) {
    text(format_args!("sysctl-trace: {error:#}\n"));
}

/// Tells something as it stands.
pub fn text(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}
