//! What the host asks the benchmark in the guest, and what that answers.

use serde::{Deserialize, Serialize};

/// What is to be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// How often everything is measured.
    pub rounds: u32,
    /// What is attached meanwhile, one after the other.
    pub sides: Vec<Side>,
    /// What is done meanwhile.
    pub works: Vec<Work>,
    /// Also tell where the time goes. That takes time itself.
    pub profile: bool,
}

/// What is attached while something is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Side {
    /// Nothing.
    Nothing,
    /// The least there can be: a record without content for each write, read and thrown away.
    Floor,
    /// bpftrace with the script at [`SCRIPT_PATH`].
    Bpftrace,
    /// `sysctl-trace watch` with these arguments; it writes to [`OUTPUT_PATH`] unless they say
    /// otherwise.
    Tracer(Vec<String>),
}

/// Where the guest has the floor's eBPF object.
pub const FLOOR_PATH: &str = "/lib/floor";
/// Where the guest has bpftrace's script.
pub const SCRIPT_PATH: &str = "/lib/sysctl.bt";
/// Where tools write their events: in memory.
pub const OUTPUT_PATH: &str = "/tmp/events";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Writes to one open file, back to back.
    Write,
    /// The same in groups of [`GROUP`], with a pause after each.
    Paced,
    /// The same with a pause after each write.
    Alone,
    /// Processes that open the file, write once and end.
    Process,
    /// Reads of one open file, back to back.
    Read,
    /// New network namespaces, each ending as the next one comes.
    Netns,
    /// Processes that execute a program, which ends at once.
    Exec,
    /// The same in a network namespace that is not the node's.
    ExecInside,
}

/// Writes between two pauses in [`Work::Paced`].
pub const GROUP: u32 = 100;

impl Work {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Write,
        Self::Paced,
        Self::Alone,
        Self::Process,
        Self::Read,
        Self::Netns,
        Self::Exec,
        Self::ExecInside,
    ];

    /// How often it is done in one batch.
    #[must_use]
    pub const fn count(self) -> u32 {
        match self {
            Self::Write => 40_000,
            Self::Paced => 100 * GROUP,
            Self::Alone => 300,
            Self::Process | Self::Exec | Self::ExecInside => 100,
            Self::Read => 20_000,
            Self::Netns => 80,
        }
    }

    /// How many batches there are in one round. The least of them counts: what the kernel's
    /// memory management happens to do differs by more than what a tool adds.
    #[must_use]
    pub const fn batches(self) -> u32 {
        match self {
            Self::Write | Self::Paced | Self::Alone | Self::Read => 1,
            Self::Process => 3,
            Self::Netns | Self::Exec | Self::ExecInside => 5,
        }
    }

    /// Whether the kernel counts the time of eBPF programs meanwhile. That makes them a little
    /// slower, and tells what they take where the operation itself varies by more than that.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        match self {
            Self::Write | Self::Paced | Self::Alone | Self::Process | Self::Read => false,
            Self::Netns | Self::Exec | Self::ExecInside => true,
        }
    }

    /// How often it is done before: what is found out once for each process is known then.
    #[must_use]
    pub const fn warm_up(self) -> u32 {
        match self {
            Self::Write | Self::Paced | Self::Alone | Self::Read => 100,
            Self::Process | Self::Exec | Self::ExecInside => 10,
            Self::Netns => 20,
        }
    }
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// A tool is attached.
    Attached {
        /// Index into [`Request::sides`].
        side: usize,
        /// From the start of its process to its notice, in nanoseconds.
        elapsed_ns: u64,
    },
    /// Something was done.
    Done {
        /// Index into [`Request::sides`].
        side: usize,
        /// What.
        work: Work,
        /// How long it took.
        cost: Cost,
    },
    /// Where the time went.
    Profile {
        /// Index into [`Request::sides`].
        side: usize,
        /// Doing what; absent for the time until it was attached.
        work: Option<Work>,
        /// How often the processor was where.
        samples: Vec<Sample>,
    },
    /// A tool has seen all of it and has nothing more to do.
    Resident {
        /// Index into [`Request::sides`].
        side: usize,
        /// Its memory.
        memory: Memory,
    },
    /// A tool has ended.
    Ended {
        /// Index into [`Request::sides`].
        side: usize,
        /// Writes in [`Work::Write`] of which it told nothing; absent where it cannot be known.
        lost: Option<u64>,
        /// What it said last.
        said: String,
    },
}

/// What a number of operations took, until the tool had nothing left to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// How many there were.
    pub operations: u32,
    /// The processor's time that was not idle: operations, tool and kernel together.
    pub busy_ns: u64,
    /// Of that, what was charged to the process that acted and to its children.
    pub actor_ns: u64,
    /// Of that, what was charged to the tool's process.
    pub tool_ns: u64,
    /// How often the tool waited and was woken.
    pub tool_wakeups: u64,
    /// What the kernel counts for the eBPF programs themselves; only where [`Work::is_counted`].
    pub probes_ns: Option<u64>,
}

/// Resident memory, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// VmRSS.
    pub resident: u64,
    /// VmHWM: the most it ever was.
    pub peak: u64,
    /// RssAnon.
    pub anonymous: u64,
    /// RssFile: mapped files, among them the ring buffer.
    pub file: u64,
    /// RssShmem.
    pub shared: u64,
}

/// A place where the processor was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Function of the kernel, [`TOOL`], or another program.
    pub place: String,
    /// For the tool: offset of the instruction from where its program begins.
    pub offset: u64,
    /// How often.
    pub count: u64,
}

/// [`Sample::place`] of the tool's own program.
pub const TOOL: &str = "tool";

/// What listing many network namespaces took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// How many were listed, the node's own among them.
    pub namespaces: u32,
    /// From start to end of `sysctl-trace ls`, in seconds.
    pub seconds: f64,
}
