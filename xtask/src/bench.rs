//! `bench`: what tracing costs, counted in instructions in a guest, side by side with others.

mod bpftrace;
mod figures;
mod goals;
mod page;
mod profile;
mod why;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use sysctl_trace_tests::{
    bench::terms::{Answer, FLOOR_PATH, Request, SCRIPT_PATH, Side, Work},
    protocol::{Action, CommandPlan, Frame, Plan, Report},
};

use crate::{
    build::{self, Profile},
    command::{self, tell},
    machine::{
        Parts,
        guest::{BOOT_DEADLINE, Guest},
        kernels,
        qemu::{Accelerator, PROGRAM as QEMU, Shape},
    },
    paths,
};
use bpftrace::Bpftrace;
use figures::{Figures, SideFigures};
use profile::Symbols;

/// One processor: everything that costs anything costs time on it.
const SHAPE: Shape = Shape {
    processors: 1,
    memory_mib: 4096,
};

/// An emulated machine on a busy host takes its time.
const DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);

/// The script for bpftrace.
const SCRIPT: &str = "tests/bench/sysctl.bt";

/// Measure what tracing costs, and write docs/performance.md
///
/// In a guest that counts instructions, side by side: nothing attached, the least there can be,
/// bpftrace, and sysctl-trace. The page is written only when everything is measured.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    topic: Option<Topic>,
    /// How often everything is measured; the least counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Measure only some of it
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    only: Vec<What>,
    /// Compare only some tools; nothing attached is always measured
    #[arg(long, value_delimiter = ',', value_name = "TOOL")]
    tools: Vec<Tool>,
    /// Compare also `sysctl-trace watch -o FILE ARGS`
    #[arg(long = "with", value_name = "ARGS", allow_hyphen_values = true)]
    with: Vec<String>,
    /// Tell where the time goes, which takes time itself
    #[arg(long)]
    profile: bool,
    /// Measure everything, but leave docs/performance.md alone
    #[arg(long)]
    no_page: bool,
}

/// What else can be measured.
#[derive(Debug, clap::Subcommand)]
enum Topic {
    Why(why::Args),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Writes back to back; memory and loss come with them
    Write,
    /// Writes in groups
    Paced,
    /// Writes one at a time
    Alone,
    /// Processes that write once
    Process,
    /// Reads
    Read,
    /// New network namespaces
    Netns,
    /// Programs executed on the node
    Exec,
    /// Programs executed in another network namespace
    ExecInside,
    /// Time until attached (measured in any case)
    Start,
}

impl What {
    fn work(self) -> Option<Work> {
        match self {
            Self::Write => Some(Work::Write),
            Self::Paced => Some(Work::Paced),
            Self::Alone => Some(Work::Alone),
            Self::Process => Some(Work::Process),
            Self::Read => Some(Work::Read),
            Self::Netns => Some(Work::Netns),
            Self::Exec => Some(Work::Exec),
            Self::ExecInside => Some(Work::ExecInside),
            Self::Start => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// The least there can be
    Floor,
    /// bpftrace
    Bpftrace,
    /// sysctl-trace, JSON
    Json,
    /// sysctl-trace, table
    Table,
}

impl Tool {
    const ALL: [Self; 4] = [Self::Floor, Self::Bpftrace, Self::Json, Self::Table];

    fn side(self) -> SideFigures {
        let tracer = |args: &[&str]| Side::Tracer(args.iter().map(ToString::to_string).collect());
        let (name, side) = match self {
            Self::Floor => ("floor", Side::Floor),
            Self::Bpftrace => ("bpftrace", Side::Bpftrace),
            Self::Json => ("sysctl-trace, JSON", tracer(&["--json"])),
            Self::Table => ("sysctl-trace, table", tracer(&[])),
        };
        SideFigures::new(name, side)
    }
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.topic {
        Some(Topic::Why(args)) => why::run(args),
        None => tracing(args),
    }
}

fn tracing(args: &Args) -> Result<ExitCode> {
    ensure!(args.rounds > 0, "no rounds, no figures");
    let whole = args.only.is_empty() && args.tools.is_empty() && !args.profile;
    let sides = sides(args);
    let works = match args.only.as_slice() {
        [] => Work::ALL.to_vec(),
        only => only.iter().filter_map(|what| what.work()).collect(),
    };
    let bpftrace = if sides.iter().any(|side| side.side == Side::Bpftrace) {
        Some(bpftrace::obtain()?)
    } else {
        None
    };
    let figures = measure(args, sides, works, bpftrace)?;
    println!("{}", page::tables(&figures)?);
    if whole && !args.no_page {
        let path = page::write(&figures)?;
        tell(&format!("{} has the figures", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn sides(args: &Args) -> Vec<SideFigures> {
    let tools = match args.tools.as_slice() {
        [] => &Tool::ALL,
        some => some,
    };
    let mut sides = vec![SideFigures::new("nothing", Side::Nothing)];
    sides.extend(tools.iter().map(|tool| tool.side()));
    sides.extend(args.with.iter().map(|text| {
        let words = text.split_whitespace().map(str::to_owned).collect();
        SideFigures::new(text, Side::Tracer(words))
    }));
    sides
}

fn measure(
    args: &Args,
    sides: Vec<SideFigures>,
    works: Vec<Work>,
    bpftrace: Option<Bpftrace>,
) -> Result<Figures> {
    let rounds = args.rounds;
    let artefacts = match args.profile {
        true => build::build(Profile::Named)?,
        false => build::build(Profile::Release)?,
    };
    // Now: another build may replace the program meanwhile.
    let symbols = match args.profile {
        true => Some(Symbols::read(artefacts.program("sysctl-trace")?)?),
        false => None,
    };
    let parts = Parts::gather(artefacts)?;
    let floor = build::floor()?;
    let kernel = kernels::obtain(&kernels::find(kernels::DEFAULT)?)?;
    let request = Request {
        rounds,
        sides: sides.iter().map(|side| side.side.clone()).collect(),
        works,
        profile: args.profile,
    };
    let request = serde_json::to_string(&request).context("writing the request")?;
    let plan = Plan {
        kernel: kernel.label.clone(),
        userland: None,
        action: Action::Command(CommandPlan {
            argv: ["/bin/bench".to_owned(), "run".to_owned(), request].into(),
            terminal: None,
        }),
    };
    let mut initramfs = parts.initramfs(&plan)?;
    initramfs.add_program(&FLOOR_PATH[1..], &floor)?;
    let script = paths::workspace()?.join(SCRIPT);
    initramfs.add_program(&SCRIPT_PATH[1..], &script)?;
    if let Some(bpftrace) = &bpftrace {
        bpftrace.add_to(&mut initramfs)?;
    }

    tell(&format!(
        "booting kernel {} to measure, {rounds} times each",
        kernel.release
    ));
    let mut figures = Figures {
        kernel: kernel.release.clone(),
        qemu: qemu_version()?,
        bpftrace: bpftrace.map(|bpftrace| bpftrace.version),
        rounds,
        sides,
    };
    let mut guest = Guest::boot(&kernel, initramfs, Accelerator::TcgCounted, SHAPE, None)?;
    guest.ready(BOOT_DEADLINE)?;
    converse(&mut guest, &mut figures, symbols.as_ref())?;
    guest.finish()?;
    Ok(figures)
}

fn converse(guest: &mut Guest, figures: &mut Figures, symbols: Option<&Symbols>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let mut begun = Vec::new();
    loop {
        match guest.next(Some(deadline))? {
            Frame::Stdout(bytes) => {
                begun.extend_from_slice(&bytes);
                while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = begun.drain(..=end).collect();
                    let answer: Answer =
                        serde_json::from_slice(&line).context("what the guest answers")?;
                    tell(&figures.add(&answer)?);
                    if let (Answer::Profile { samples, .. }, Some(symbols)) = (&answer, symbols) {
                        println!("{}", profile::table(samples, symbols));
                    }
                }
            }
            Frame::Stderr(bytes) => eprint!("{}", String::from_utf8_lossy(&bytes)),
            Frame::Report(Report::CommandEnded { status: 0 }) => return Ok(()),
            Frame::Report(Report::CommandEnded { status }) => {
                bail!("the benchmark in the guest failed with status {status}")
            }
            Frame::Report(_) | Frame::Stdin(_) => {}
        }
    }
}

fn qemu_version() -> Result<String> {
    let text = command::output(Command::new(QEMU).arg("--version"))?;
    let version = text
        .split_once("version ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    Ok(version
        .context("QEMU does not tell its version")?
        .to_owned())
}

/// The page that the figures are written to.
fn page_path() -> Result<PathBuf> {
    Ok(paths::workspace()?.join("docs/performance.md"))
}
