//! `bench why`: how long an answer from a long recording takes, and how much memory; and how long `ls`
//! takes over many network namespaces.

mod listing;
mod stream;

use std::{
    fs::{self, File},
    io::{BufWriter, Read as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use sysctl_trace_tests::bench::terms::Listing;

use super::page;
use crate::{
    build::{self, Profile},
    command::tell,
    paths,
    vm::DEFAULT_SHAPE,
};
use stream::{Container, Stream};

/// What is asked about.
const KEY: &str = "net.core.somaxconn";
/// An answer may take so long, and so much memory.
const TIME_MAX: Duration = Duration::from_secs(2);
const MEMORY_MAX_KIB: u64 = 64 * 1024;
/// A change of what [`stream`] writes needs another number here, so that it is written anew.
const STREAM_VERSION: u32 = 3;

const BEGIN: &str = "<!-- bench-why:begin -->";
const END: &str = "<!-- bench-why:end -->";

/// Measure how long `why --from FILE` and `ls` take, and write it into docs/performance.md
///
/// `why` on this machine, with the static program: the recording is made first, and kept in
/// target/bench. `ls` in a guest, over 2,000 network namespaces.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events the recording has
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// How often each question is asked; the median counts, of memory the most
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure everything, but leave docs/performance.md alone
    #[arg(long)]
    no_page: bool,
}

/// What is asked, and how it should end.
struct Question {
    name: &'static str,
    target: String,
    status: i32,
}

/// What one answer took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    elapsed: Duration,
    memory_kib: u64,
}

/// What was measured of a question.
struct Answered {
    question: Question,
    median: Duration,
    memory_kib: u64,
}

impl Answered {
    fn is_good(&self) -> bool {
        self.median <= TIME_MAX && self.memory_kib <= MEMORY_MAX_KIB
    }
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    ensure!(args.rounds > 0, "no rounds, no figures");
    ensure!(
        args.events > 1,
        "a recording has a first line and a last one"
    );
    let artefacts = build::build(Profile::Release)?;
    let program = artefacts.program("sysctl-trace")?;
    let recording = Recording::obtain(args.events)?;
    let answered: Vec<Answered> = recording
        .questions()
        .into_iter()
        .map(|question| ask(program, &recording.path, question, args.rounds))
        .collect::<Result<_>>()?;
    let listing = listing::measure(artefacts)?;
    let text = tables(&recording, args.rounds, &answered, listing)?;
    println!("{text}");
    if !args.no_page {
        let path = page::write_between(BEGIN, END, &text)?;
        tell(&format!("{} has the figures", path.display()));
    }
    let is_good = answered.iter().all(Answered::is_good);
    Ok(ExitCode::from(u8::from(!is_good)))
}

/// A recording on disk.
struct Recording {
    path: PathBuf,
    events: u64,
    containers: u64,
}

impl Recording {
    fn obtain(events: u64) -> Result<Self> {
        let folder = paths::workspace()?.join("target/bench");
        paths::make_folder(&folder)?;
        let path = folder.join(format!("why-{STREAM_VERSION}-{events}.json"));
        let noted = path.with_extension("containers");
        if let Some(containers) = paths::read_json(&noted).filter(|_| path.is_file()) {
            return Ok(Self {
                path,
                events,
                containers,
            });
        }
        tell(&format!("writing a recording of {events} events"));
        let context = || format!("writing {}", path.display());
        let file = File::create(&path).with_context(context)?;
        let out = BufWriter::with_capacity(1 << 20, file);
        let containers = Stream::write(out, events).with_context(context)?;
        paths::write_json(&noted, &containers)?;
        Ok(Self {
            path,
            events,
            containers,
        })
    }

    fn questions(&self) -> Vec<Question> {
        let of = |name, target, status| Question {
            name,
            target,
            status,
        };
        // The last ones may be written in part.
        let last = self.containers.saturating_sub(10);
        vec![
            of(
                "a container at the beginning, by its id",
                short(Container(10)),
                0,
            ),
            of(
                "a pod in the middle",
                pod(Container(self.containers / 2)),
                0,
            ),
            of(
                "a container at the end, by its id",
                short(Container(last)),
                0,
            ),
            of("the node", "node".to_owned(), 0),
            of("a name that nobody has", "no-such-cart".to_owned(), 1),
        ]
    }
}

/// As people copy it from a runtime's list.
fn short(container: Container) -> String {
    container.id().chars().take(12).collect()
}

fn pod(container: Container) -> String {
    format!("shop/{}", container.pod())
}

fn ask(program: &Path, recording: &Path, question: Question, rounds: usize) -> Result<Answered> {
    // So that it is measured with the file in memory, as after the tracer wrote it.
    read_through(recording)?;
    let mut costs = Vec::new();
    for _ in 0..rounds {
        costs.push(ask_once(program, recording, &question)?);
    }
    costs.sort_by_key(|cost| cost.elapsed);
    let median = costs[costs.len() / 2].elapsed;
    let memory_kib = costs.iter().map(|cost| cost.memory_kib).max();
    let answered = Answered {
        question,
        median,
        memory_kib: memory_kib.unwrap_or_default(),
    };
    tell(&format!(
        "{}: {:.2} s, {} KiB",
        answered.question.name,
        median.as_secs_f64(),
        answered.memory_kib
    ));
    Ok(answered)
}

fn read_through(path: &Path) -> Result<()> {
    let context = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer).with_context(context)? > 0 {}
    Ok(())
}

fn ask_once(program: &Path, recording: &Path, question: &Question) -> Result<Cost> {
    let complaints = tempfile::NamedTempFile::new().context("making a file for complaints")?;
    let begun = Instant::now();
    let child = Command::new(program)
        .args(["why", "--from"])
        .arg(recording)
        .args([&question.target, KEY])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(
            complaints
                .reopen()
                .context("opening the file for complaints")?,
        )
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let (status, memory_kib) = wait(child.id())?;
    let elapsed = begun.elapsed();
    let said = fs::read_to_string(complaints.path()).context("reading the complaints")?;
    if status != question.status || said.contains("not understood") {
        bail!(
            "`why --from {} {}` ended with status {status}: {}",
            recording.display(),
            question.target,
            said.trim()
        );
    }
    Ok(Cost {
        elapsed,
        memory_kib,
    })
}

/// Waits for a child; its exit status, or 128 and the signal, and the most memory it had.
fn wait(pid: u32) -> Result<(i32, u64)> {
    let pid = libc::pid_t::try_from(pid).context("a pid beyond all others")?;
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`, which holds nothing but numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables of these types that outlive the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    ensure!(
        waited == pid,
        "waiting for the answer: {}",
        std::io::Error::last_os_error()
    );
    let status = match libc::WIFEXITED(status) {
        true => libc::WEXITSTATUS(status),
        false => 128 + libc::WTERMSIG(status),
    };
    Ok((status, u64::try_from(usage.ru_maxrss).unwrap_or_default()))
}

fn tables(
    recording: &Recording,
    rounds: usize,
    answered: &[Answered],
    listing: Listing,
) -> Result<String> {
    let path = &recording.path;
    let bytes = fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["`why` about", "time, s", "memory, MiB", "at most", "met"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for each in answered {
        table.add_row([
            each.question.name.to_owned(),
            page::number(each.median.as_secs_f64(), 2),
            page::number(each.memory_kib as f64 / 1024.0, 1),
            format!("{} s, {} MiB", TIME_MAX.as_secs(), MEMORY_MAX_KIB / 1024),
            if each.is_good() { "yes" } else { "no" }.to_owned(),
        ]);
    }
    Ok(format!(
        "A recording of {} events of {} containers, {} MB; {processors} processors; the median of \
         {rounds} times, of memory the most.\n\n{table}\n\n`ls` over {} network namespaces, in an \
         emulated guest with {} processors: {} s, {} ms each.\n",
        page::number(recording.events as f64, 0),
        page::number(recording.containers as f64, 0),
        page::number(bytes.len() as f64 / 1e6, 0),
        page::number(f64::from(listing.namespaces), 0),
        DEFAULT_SHAPE.processors,
        page::number(listing.seconds, 1),
        page::number(listing.seconds * 1e3 / f64::from(listing.namespaces), 2),
    ))
}
