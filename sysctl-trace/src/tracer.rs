//! Attached probes as a stream of events: the one door that the commands use.

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use smol_str::SmolStr;
use tokio::time::{Instant, sleep_until};

use crate::{
    attribute::{
        assemble::{Assembled, Assembler, Keys},
        attributor::Attributor,
        memory::Memory,
        process::Processes,
    },
    decode,
    event::{Action, Boot, Event, Host, Lost, Netns, NetnsId},
    kernel::{
        clock,
        load::{self, Attached, Facts},
        loss::{self, ByAction},
        netns,
        probes::Mode,
        refusal,
        ring::{self, Ring},
    },
    node::shared,
    rendered::Rendered,
    time::{Clock, Epoch},
};

/// How often the loss counts are looked at and the clocks compared.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a record may take from the clock to its place in the ring buffer: its probe may be
/// preempted on the way.
const ON_THE_WAY_NS: u64 = 20_000_000;

/// How to attach, and with what.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which kind of probe to use.
    pub attach: Attach,
    /// BTF file to use in place of /sys/kernel/btf/vmlinux.
    pub btf: Option<PathBuf>,
    /// Size of the ring buffer in bytes: a power of two and a multiple of the page size.
    pub buffer_bytes: u32,
    /// What to tell of argument vectors.
    pub args: Args,
    /// How long an event may wait for what is not known of its container yet.
    pub settle: Duration,
    /// Whether to ask the kernel which keys are shared and which are the same, for `trace-start`.
    pub survey: bool,
}

/// Which kind of probe to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Attach {
    /// BTF trampolines; kprobes where they cannot attach.
    Auto,
    /// BTF trampolines or nothing.
    Fentry,
    /// kprobes and kretprobes.
    Kprobe,
}

impl Attach {
    /// What to try, in this order.
    pub const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Auto => &[Mode::Typed, Mode::Trampoline, Mode::Kprobe],
            Self::Fentry => &[Mode::Typed, Mode::Trampoline],
            Self::Kprobe => &[Mode::Kprobe],
        }
    }
}

/// What to tell of argument vectors, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Args {
    /// Arguments with what looks like a secret blanked.
    Redacted,
    /// Arguments as they are.
    Full,
    /// No arguments.
    None,
}

/// Attached probes. Dropping it detaches them.
pub struct Tracer {
    ring: Ring,
    attached: Attached,
    assembler: Assembler,
    attributor: Attributor,
    /// Records that were no records: the probes and this program do not fit together.
    undecodable: u64,
    told: ByAction,
    /// When that was counted.
    told_at_ns: u64,
    look_at: Instant,
    settle: Duration,
    /// Moments up to which everything was read, in nanoseconds since boot, and when that was so.
    read_until: VecDeque<(std::time::Instant, u64)>,
    whole_until_ns: u64,
    /// Tells that the probes are attached, until that is handed over.
    start: Option<Event>,
    /// The network namespace that the survey of keys made: it may end only now.
    own: Option<NetnsId>,
}

/// Why the probes could not be attached or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They could not be attached.
    #[error(transparent)]
    Load(#[from] refusal::Error),
    /// They could not be read.
    #[error(transparent)]
    Ring(#[from] ring::Error),
}

impl Tracer {
    /// Loads and attaches the probes. Returns when all of them are in place. Must be called within
    /// an event loop.
    pub fn attach(options: &Options) -> Result<Self, Error> {
        let facts = Facts::gather(options.btf.as_ref())?;
        let mut ebpf = load::open(&facts, options.buffer_bytes)?;
        // Before the probes hang: they would see it. Without an answer the stream says less.
        let survey = || shared::survey(&mut ebpf, &facts).ok();
        let surveyed = options.survey.then(survey).flatten();
        let (keys, own) = surveyed.map(|found| (found.keys, found.fresh)).unzip();
        let modes = options.attach.modes();
        let mut attached = load::attach(&facts, modes, ebpf, options.buffer_bytes)?;
        drop(facts);
        give_back_memory();
        let ring = Ring::open(&mut attached.ebpf)?;
        let epoch = Epoch(clock::realtime_minus_boottime_ns());
        let host = host();
        let boot = host
            .boot
            .id
            .split('-')
            .next()
            .map(SmolStr::new)
            .unwrap_or_default();
        let mut assembler = Assembler {
            host: Arc::new(Rendered::new(host)),
            session: Arc::new(Rendered::new(session())),
            processes: Processes::new(epoch, boot, options.args),
            keys: Keys::default(),
            clock: Clock::new(epoch),
            memory: Memory::default(),
            hz: clock::ticks_per_second(),
        };
        let begun_ns = clock::boottime_ns();
        let mut start = assembler.start(node_netns(), attached.watched(), begun_ns);
        start.trace.keys = keys.map(Box::new);
        Ok(Self {
            ring,
            attached,
            assembler,
            attributor: Attributor::new(options.settle),
            undecodable: 0,
            told: ByAction::default(),
            told_at_ns: begun_ns,
            look_at: Instant::now() + LOOK_EVERY,
            settle: options.settle,
            read_until: VecDeque::new(),
            whole_until_ns: begun_ns,
            start: Some(start),
            own,
        })
    }

    /// In words, how the probes are attached.
    pub fn attached_as(&self) -> &'static str {
        self.attached.mode.name()
    }

    /// Waits until there are events and appends them, oldest first. `event.sequence` is 0: the
    /// number is given where a line is written. Loss is told within a second as an event. Safe to
    /// cancel: nothing is lost.
    pub async fn next(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        if let Some(start) = self.start.take() {
            events.push(start);
            return Ok(());
        }
        let wake_at = self.wake_at();
        tokio::select! {
            readable = self.ring.readable() => {
                readable?;
                self.take(events);
            }
            () = sleep_until(wake_at) => {}
        }
        if Instant::now() >= self.look_at {
            self.look(events)?;
        }
        self.attributor
            .release(events, &self.assembler.processes.homes);
        Ok(())
    }

    /// When there is something to do, records or not.
    fn wake_at(&self) -> Instant {
        match self.attributor.due() {
            Some(due) => self.look_at.min(Instant::from_std(due)),
            None => self.look_at,
        }
    }

    /// Appends what has come and need not wait, loss not told yet included, without waiting:
    /// [`Tracer::whole_until_ns`] moves on. One batch at most, so it may have to be called again.
    pub fn catch_up(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        events.extend(self.start.take());
        let now_ns = clock::boottime_ns();
        let is_more = self.take(events);
        self.look(events)?;
        if !is_more {
            let until_ns = now_ns.saturating_sub(ON_THE_WAY_NS);
            self.read_until
                .push_back((std::time::Instant::now(), until_ns));
        }
        let now = std::time::Instant::now();
        self.attributor
            .release(events, &self.assembler.processes.homes);
        let is_released = self.attributor.due().is_none();
        // What was read before has left the queue, or had its time.
        while let Some((read_at, until_ns)) = self.read_until.front()
            && (is_released || *read_at + self.settle <= now)
        {
            self.whole_until_ns = self.whole_until_ns.max(*until_ns);
            self.read_until.pop_front();
        }
        Ok(())
    }

    /// All that happened up to this moment, in nanoseconds since boot, has been handed over, or told
    /// as lost.
    pub const fn whole_until_ns(&self) -> u64 {
        self.whole_until_ns
    }

    /// Appends what the kernel has recorded up to now, without waiting; loss not told yet comes
    /// last.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        events.extend(self.start.take());
        let now_ns = clock::boottime_ns();
        while self.take(events) {}
        self.look(events)?;
        self.attributor
            .release_all(events, &self.assembler.processes.homes);
        let until_ns = now_ns.saturating_sub(ON_THE_WAY_NS);
        self.whole_until_ns = self.whole_until_ns.max(until_ns);
        Ok(())
    }

    /// Everything lost since the start, as far as it has been told.
    pub fn lost(&self) -> Lost {
        self.told.total()
    }

    /// A batch; whether there may be more.
    fn take(&mut self, events: &mut Vec<Event>) -> bool {
        let Self {
            ring,
            assembler,
            attributor,
            undecodable,
            own,
            ..
        } = self;
        ring.take(|bytes| match decode::record(bytes) {
            Ok(record) => {
                let assembled = assembler.event(record);
                if let Some(id) = *own
                    && is_about(id, &assembled.event)
                {
                    *own = None;
                    // Any other event is about another namespace, which has its number by now.
                    if assembled.event.event.action == Action::NetnsDestroy {
                        return;
                    }
                }
                attributor.take(assembled, &mut assembler.processes.homes, events);
            }
            Err(_) => *undecodable += 1,
        })
    }

    fn look(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        self.look_at = Instant::now() + LOOK_EVERY;
        self.assembler
            .clock
            .set(Epoch(clock::realtime_minus_boottime_ns()));
        let now_ns = clock::boottime_ns();
        // In this order: what was passed over has been made good when that is asked for.
        let passed_over = self.attached.passed_over();
        let mut lost = loss::lost(&self.ring.counted()?, &passed_over);
        lost.undecodable = self.undecodable;
        let since = lost.since(&self.told);
        if since.total().total() > 0 {
            let span_ns = (self.told_at_ns, clock::boottime_ns());
            let event = self.assembler.loss(since.total(), since.counts(), span_ns);
            let homes = &mut self.assembler.processes.homes;
            self.attributor.take(Assembled::from(event), homes, events);
            self.told.add(&since);
        }
        self.told_at_ns = now_ns;
        Ok(())
    }
}

/// Whether an event is about a network namespace.
fn is_about(own: NetnsId, event: &Event) -> bool {
    let is_own = |netns: &Netns| {
        let id = netns.id();
        // Some kernels do not tell those who ask for the cookie that is in their records.
        let is_told = id.cookie != 0 && own.cookie != 0;
        id.inum == own.inum && (!is_told || id.cookie == own.cookie)
    };
    event.netns.as_ref().is_some_and(is_own)
}

/// The node's own network namespace: that of the first process.
fn node_netns() -> Option<Netns> {
    let inode = fs::metadata("/proc/1/ns/net").ok()?.ino();
    let inum = u32::try_from(inode).ok()?;
    let own = netns::current().ok().filter(|own| own.inum == inum);
    Some(Netns {
        inum: Some(inum),
        cookie: own
            .filter(|own| own.cookie != 0)
            .map(|own| decode::decimal(own.cookie)),
        user_ns: None,
        owner: None,
    })
}

/// Loading takes memory that tracing does not need: what the allocator keeps of it goes back.
fn give_back_memory() {
    // SAFETY: only touches what nobody has allocated.
    unsafe { libc::malloc_trim(0) };
}

fn host() -> Host {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = rustix::system::uname();
    Host {
        name: name.nodename().to_string_lossy().into_owned(),
        boot: Boot {
            id: id.trim().to_owned(),
        },
    }
}

/// A name for this run that no other run on this machine has: start in nanoseconds and own pid.
fn session() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}
