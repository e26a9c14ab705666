//! What is told on standard error. Writing there may fail; that changes nothing.

use std::{
    error::Error,
    fmt::{self, Write as _},
    io::{self, Write as _},
};

/// Tells why this process fails: the error and its causes on one line, each once.
pub fn error(error: &anyhow::Error) {
    let mut reason = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some errors have their cause in their own text.
        if reason.contains(&cause) {
            continue;
        }
        if !reason.is_empty() {
            reason.push_str(": ");
        }
        reason.push_str(&cause);
    }
    text(format_args!("sysctl-trace: {reason}\n"));
}

/// Tells that the trace came to an end before the command did.
pub fn stopped(error: &dyn Error) {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String can't fail.
        let _ = write!(reason, ": {error}");
        cause = error.source();
    }
    text(format_args!(
        "sysctl-trace: tracing stopped, the command goes on: {reason}\n"
    ));
}

/// Tells something as it stands.
pub fn text(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}
