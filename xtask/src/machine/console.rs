//! What a guest's console says about its kernel. Pure: text in, verdict out.

use std::fmt;

/// What went wrong in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It gave up.
    Panic,
    /// It hit a bug of its own (oops, BUG, general protection fault).
    Oops,
    /// A processor does not come back from the kernel.
    SoftLockup,
    /// A processor does not even take interrupts, or RCU waits for ever.
    Stall,
    /// A process waits within the kernel and is not woken.
    HungTask,
    /// Memory ran out and a process was ended for it.
    OutOfMemory,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "kernel panic",
            Self::Oops => "kernel oops",
            Self::SoftLockup => "soft lockup",
            Self::Stall => "stalled processor",
            Self::HungTask => "hung task",
            Self::OutOfMemory => "out of memory",
        })
    }
}

/// Trouble found on a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it began with: a panic that follows an oops is the oops' doing.
    pub kind: Kind,
    /// The line that says so.
    pub line: String,
    /// Whether the kernel gave up over it.
    pub fatal: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.line)
    }
}

/// What gives trouble away, the more particular first.
const SIGNS: &[(&str, Kind)] = &[
    ("BUG: soft lockup", Kind::SoftLockup),
    ("BUG: workqueue lockup", Kind::SoftLockup),
    ("Watchdog detected hard LOCKUP", Kind::Stall),
    ("detected stalls on CPU", Kind::Stall),
    ("self-detected stall on CPU", Kind::Stall),
    ("detected expedited stalls on CPU", Kind::Stall),
    ("blocked for more than", Kind::HungTask),
    ("Kernel panic - not syncing", Kind::Panic),
    ("BUG: ", Kind::Oops),
    ("kernel BUG at", Kind::Oops),
    ("Oops: ", Kind::Oops),
    ("general protection fault", Kind::Oops),
    ("double fault:", Kind::Oops),
    ("Out of memory: Killed process", Kind::OutOfMemory),
];

/// Looks for the first trouble in what the console showed.
pub fn verdict(text: &str) -> Option<Trouble> {
    let mut found = text.lines().filter_map(|line| {
        let message = message(line);
        let kind = SIGNS.iter().find(|(sign, _)| message.contains(sign))?.1;
        Some((kind, message))
    });
    let (kind, line) = found.next()?;
    let fatal = kind == Kind::Panic || found.any(|(kind, _)| kind == Kind::Panic);
    Some(Trouble {
        kind,
        line: line.to_owned(),
        fatal,
    })
}

/// The last lines of what the console showed, without control characters.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let mut tail = all[all.len().saturating_sub(lines)..].join("\n");
    tail.retain(|c| c == '\n' || c == '\t' || !c.is_control());
    tail
}

/// The line without the kernel's time stamp.
fn message(line: &str) -> &str {
    let line = line.trim();
    match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, message)) => message.trim(),
        None => line,
    }
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
