//! What the host and the guest of the test harness say to each other.
//!
//! The host leaves a [`Plan`] in the guest's initramfs; from then on both exchange [`Frame`]s over
//! the second serial port. A frame is one tag byte, the payload's length (u32, little endian) and
//! the payload, so that output of any kind passes unchanged and cannot be mistaken for a report.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where the guest finds its plan.
pub const PLAN_PATH: &str = "/plan.json";

/// The serial port that carries the frames. The first one is the kernel's console.
pub const PORT_PATH: &str = "/dev/ttyS1";

/// The longest payload a frame may have; longer output is sent in pieces.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// What a guest is booted for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The kernel's label on the host, such as `6.12`; cases are declared for labels.
    pub kernel: String,
    /// The user land to go on in; without one the guest stays in its initramfs.
    pub userland: Option<Userland>,
    /// What to do once the guest is set up.
    pub action: Action,
}

/// A Debian user land on the guest's first disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Userland {
    /// The suite that it is made of, such as `trixie`; what a user land lacks is declared for
    /// suites.
    pub suite: String,
    /// The kernel modules that its disk takes, in the order in which they are loaded: paths in the
    /// initramfs.
    pub modules: Vec<String>,
}

/// How a user land is booted. Scenarios that want the same share a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavour {
    /// With cgroup version 2 alone, as Debian does by itself.
    Unified,
    /// The same, with a tracer that is attached before systemd-sysctl begins.
    Traced,
    /// With the controllers of cgroup version 1 and systemd's own hierarchy of version 2.
    Hybrid,
}

/// What the guest does once it is set up; it powers off afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Nothing: the boot itself was the question.
    PowerOff,
    /// Run these test cases in this order.
    Cases(Vec<String>),
    /// Run the scenarios of these numbers in this order.
    Scenarios(Vec<u8>),
    /// Run a command with its input and output connected to the host.
    Command(CommandPlan),
}

/// A command to run in the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The host's terminal, when there is one: the command then gets a terminal of its own.
    pub terminal: Option<Terminal>,
}

/// The host's terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// Height in lines.
    pub rows: u16,
    /// Width in columns.
    pub columns: u16,
    /// The value of `TERM`.
    pub kind: String,
}

/// A test case as the guest program lists it (`guest list`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseInfo {
    /// Its name.
    pub name: String,
    /// The labels of the kernels it is declared for; absent when it is for all of them.
    pub kernels: Option<Vec<String>>,
    /// How long it may take, in seconds.
    pub deadline_s: u64,
}

/// Everything that `guest list` lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The cases.
    pub cases: Vec<CaseInfo>,
    /// The scenarios.
    pub scenarios: Vec<ScenarioInfo>,
}

/// A scenario with real runtimes as the guest program lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioInfo {
    /// Its number, by which it is asked for.
    pub number: u8,
    /// What it is about.
    pub name: String,
    /// How the user land is booted for it.
    pub flavour: Flavour,
    /// How long it may take, in seconds.
    pub deadline_s: u64,
    /// The user lands that cannot run it.
    pub lacking: Vec<Lacking>,
}

/// What a user land lacks for a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lacking {
    /// The user land's suite.
    pub suite: String,
    /// What is lacking there.
    pub what: String,
}

impl ScenarioInfo {
    /// What the user land of this suite lacks for it; `None` when it can run there.
    #[must_use]
    pub fn lacking_in(&self, suite: &str) -> Option<&str> {
        self.lacking
            .iter()
            .find(|lacking| lacking.suite == suite)
            .map(|lacking| lacking.what.as_str())
    }

    /// What it is called in reports and in the table of results.
    #[must_use]
    pub fn title(&self) -> String {
        scenario_title(self.number, &self.name)
    }
}

/// What a scenario is called in reports and in the table of results.
#[must_use]
pub fn scenario_title(number: u8, name: &str) -> String {
    format!("{number} {name}")
}

impl CaseInfo {
    /// Whether the case is declared for the kernel with this label.
    #[must_use]
    pub fn is_for(&self, kernel: &str) -> bool {
        self.kernels
            .as_ref()
            .is_none_or(|only| only.iter().any(|label| label == kernel))
    }
}

/// News from the guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// The guest is set up and begins with its plan.
    Ready {
        /// The running kernel's release, as `uname -r` has it.
        release: String,
    },
    /// A case or scenario begins; its output follows as frames.
    CaseStarted {
        /// The case's name, or the scenario's title.
        name: String,
    },
    /// A case or scenario came to an end.
    CaseEnded {
        /// The case's name, or the scenario's title.
        name: String,
        /// What it ended with.
        outcome: Outcome,
        /// How long it took by the guest's clock.
        seconds: f64,
    },
    /// The command came to an end.
    CommandEnded {
        /// Its exit status, or 128 plus the number of the signal that ended it.
        status: u8,
    },
    /// The plan is carried out; the guest powers off.
    Done,
    /// The guest could not be set up or could not go on; it powers off.
    Broken {
        /// The reason, for people.
        reason: String,
    },
}

/// What a case ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Everything it asserts holds.
    Passed,
    /// It does not, for the reason given.
    Failed(String),
}

/// One message on the serial port.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Guest to host: news.
    Report(Report),
    /// Guest to host: standard output of what runs.
    Stdout(Vec<u8>),
    /// Guest to host: standard error of what runs.
    Stderr(Vec<u8>),
    /// Host to guest: standard input for what runs; empty at its end.
    Stdin(Vec<u8>),
}

impl Frame {
    /// Writes the frame.
    ///
    /// # Errors
    /// When the writer fails, or the payload is longer than [`MAX_PAYLOAD`].
    pub fn write_to(&self, writer: &mut impl Write) -> io::Result<()> {
        let json;
        let (tag, payload): (u8, &[u8]) = match self {
            Self::Report(report) => {
                json = serde_json::to_vec(report)?;
                (b'R', &json)
            }
            Self::Stdout(bytes) => (b'O', bytes),
            Self::Stderr(bytes) => (b'E', bytes),
            Self::Stdin(bytes) => (b'I', bytes),
        };
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|_| payload.len() <= MAX_PAYLOAD)
            .ok_or_else(|| invalid(format!("a payload of {} bytes is too long", payload.len())))?;
        let mut bytes = Vec::with_capacity(5 + payload.len());
        bytes.push(tag);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(payload);
        writer.write_all(&bytes)?;
        writer.flush()
    }

    /// Reads the next frame; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the reader fails, the stream ends within a frame, or what was read is no frame.
    pub fn read_from(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let mut tag = [0; 1];
        if let Err(error) = reader.read_exact(&mut tag) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(None),
                _ => Err(error),
            };
        }
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_PAYLOAD {
            return Err(invalid(format!("a frame announces {length} bytes")));
        }
        let mut payload = vec![0; length];
        reader.read_exact(&mut payload)?;
        Ok(Some(match tag[0] {
            b'R' => Self::Report(from_json(&payload)?),
            b'O' => Self::Stdout(payload),
            b'E' => Self::Stderr(payload),
            b'I' => Self::Stdin(payload),
            other => return Err(invalid(format!("a frame begins with {other:#04x}"))),
        }))
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| invalid(format!("a report is damaged: {error}")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
