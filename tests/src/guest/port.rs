//! The serial port that carries the frames.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};

use crate::protocol::{Frame, PORT_PATH};

/// The open port; clones share it, and frames of several threads do not mix.
#[derive(Clone, Debug)]
pub struct Port {
    writer: Arc<Mutex<File>>,
}

impl Port {
    /// Opens the port and turns off everything a terminal would do to the bytes.
    pub fn open() -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(PORT_PATH)
            .with_context(|| format!("opening {PORT_PATH}"))?;
        let mut settings = tcgetattr(&file).context("asking for the port's settings")?;
        cfmakeraw(&mut settings);
        // The speed stays: QEMU transmits as fast as it can, whatever is set.
        tcsetattr(&file, SetArg::TCSANOW, &settings).context("setting the port raw")?;
        Ok(Self {
            writer: Arc::new(Mutex::new(file)),
        })
    }

    /// Sends a frame and waits until it is out.
    pub fn send(&self, frame: &Frame) -> Result<()> {
        let mut file = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        frame.write_to(&mut *file).context("sending to the host")?;
        if matches!(frame, Frame::Report(_)) {
            tcdrain(&*file).context("waiting for the port")?;
        }
        Ok(())
    }

    /// A second handle, to read frames from the host.
    pub fn reader(&self) -> Result<File> {
        let file = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        file.try_clone().context("duplicating the port")
    }
}
