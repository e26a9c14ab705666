//! Text on standard output, all at once.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::Context as _;

use super::{args, terminal};
use crate::{
    inquiry::live::Recorder,
    output::answer::Look,
    recorder::{self, client},
};

/// Writes text. A reader who is gone is no failure.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How text is to look on standard output.
pub fn look(color: args::Color) -> Look {
    let stdout = io::stdout();
    let width = stdout.is_terminal().then(|| {
        // Serial lines have no size.
        let size = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
        if size > 0 { size.into() } else { 80 }
    });
    Look {
        charset: terminal::charset(),
        width,
        colour: terminal::colour_of(color, stdout.is_terminal()),
    }
}

/// The recorder to be asked: the one named, or the usual one, if it is there.
pub fn recorder(args: &args::Ask) -> Result<Option<Recorder>, client::Error> {
    match &args.socket {
        Some(path) => Recorder::at(path).map(Some),
        None if args.no_recorder => Ok(None),
        None => match Recorder::at(Path::new(recorder::SOCKET)) {
            Ok(recorder) => Ok(Some(recorder)),
            Err(client::Error::Absent { .. }) => Ok(None),
            Err(error) => Err(error),
        },
    }
}
