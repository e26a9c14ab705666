//! `vm`: boots a guest with the tracer in it, for a shell or for one command.

use std::{
    env,
    io::{self, IsTerminal as _, Read as _},
    process::{self, ChildStdin, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::termios::{self, OptionalActions, Termios};
use sysctl_trace_tests::protocol::{
    Action, CommandPlan, Flavour, Frame, MAX_PAYLOAD, Plan, Report, Terminal,
};

use crate::{
    build::{self, Profile},
    command::tell,
    machine::{
        Parts, accelerator,
        guest::{BOOT_DEADLINE, Failure, Guest},
        kernels,
        qemu::{Accelerator, Shape},
        userland::{self, Userland},
    },
};

/// Exit status when the guest failed, not the command in it.
const GUEST_FAILED: u8 = 125;

/// Ctrl-], as in telnet.
const ESCAPE: u8 = 0x1d;

/// Run a command, or a shell, in a virtual machine with the tracer in it
///
/// The command's exit status is passed on; 125 means that the machine failed.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Kernel to boot, such as 5.10 or 6.12
    #[arg(long, value_name = "VERSION", default_value = kernels::DEFAULT)]
    pub kernel: String,
    /// Run it in a Debian user land with real runtimes, such as trixie, with the kernel of that
    /// suite; without a name in that of the kernel
    #[arg(long, value_name = "SUITE", num_args = 0..=1)]
    pub userland: Option<Option<String>>,
    /// Boot the user land with the controllers of cgroup version 1
    #[arg(long, requires = "userland")]
    pub hybrid: bool,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_SHAPE.memory_mib)]
    pub memory: u32,
    /// Processors
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SHAPE.processors)]
    pub cpus: u32,
    /// Let the guest's clock count instructions (emulated, one processor)
    #[arg(long)]
    pub icount: bool,
    /// End the guest after this time
    #[arg(long, value_name = "SECONDS")]
    pub deadline: Option<u64>,
    /// Command to run; a shell when there is none
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// The size of a guest unless told otherwise.
pub const DEFAULT_SHAPE: Shape = Shape {
    processors: 2,
    memory_mib: 2048,
};

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    let parts = Parts::gather(build::build(Profile::Quick)?)?;
    run_in_guest(&parts, args)
}

/// Boots the guest that the arguments describe, and runs their command in it.
pub fn run_in_guest(parts: &Parts, args: &Args) -> Result<ExitCode> {
    let wanted = match &args.userland {
        Some(Some(suite)) => userland::kernel_of(suite)?,
        Some(None) | None => kernels::find(&args.kernel)?,
    };
    let kernel = kernels::obtain(&wanted)?;
    let userland = match &args.userland {
        Some(_) => Some(userland::obtain(&wanted, &kernel)?),
        None => None,
    };
    let accelerator = match args.icount {
        true => Accelerator::TcgCounted,
        false => accelerator::choose(parts, &kernel)?,
    };
    let shape = Shape {
        processors: if args.icount { 1 } else { args.cpus },
        memory_mib: args.memory,
    };
    let terminal = host_terminal();
    let interactive = terminal.is_some();
    let argv = match args.command.as_slice() {
        [] => vec!["sh".to_owned()],
        command => command.to_vec(),
    };
    let plan = Plan {
        kernel: kernel.label.clone(),
        userland: userland.as_ref().map(Userland::plan).transpose()?,
        action: Action::Command(CommandPlan { argv, terminal }),
    };
    tell(&format!(
        "booting kernel {} ({accelerator})",
        kernel.release
    ));
    let flavour = match args.hybrid {
        true => Flavour::Hybrid,
        false => Flavour::Unified,
    };
    let mut guest = Guest::boot(
        &kernel,
        parts.initramfs(&plan)?,
        accelerator,
        shape,
        userland.as_ref().map(|userland| (userland, flavour)),
    )?;
    let deadline = args
        .deadline
        .map(|limit| Instant::now() + Duration::from_secs(limit));
    match converse(&mut guest, interactive, deadline) {
        Ok(status) => {
            guest.finish()?;
            Ok(ExitCode::from(status))
        }
        Err(error) => match error.downcast::<Failure>() {
            Ok(failure) => {
                eprintln!("error: {failure}");
                Ok(ExitCode::from(GUEST_FAILED))
            }
            Err(error) => Err(error),
        },
    }
}

fn converse(guest: &mut Guest, interactive: bool, deadline: Option<Instant>) -> Result<u8> {
    guest.ready(BOOT_DEADLINE)?;
    let raw = match interactive {
        true => {
            tell("Ctrl-] ends the machine");
            Some(RawTerminal::enter()?)
        }
        false => None,
    };
    let input = guest.take_input().context("the guest's input is taken")?;
    let original = raw.as_ref().map(|raw| raw.original.clone());
    thread::spawn(move || forward_input(input, original));
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    loop {
        match guest.next(deadline)? {
            Frame::Stdout(bytes) => pass_on(&mut stdout, &bytes)?,
            Frame::Stderr(bytes) => pass_on(&mut stderr, &bytes)?,
            Frame::Report(Report::CommandEnded { status }) => return Ok(status),
            Frame::Report(_) | Frame::Stdin(_) => {}
        }
    }
}

fn pass_on(stream: &mut impl io::Write, bytes: &[u8]) -> Result<()> {
    stream
        .write_all(bytes)
        .and_then(|()| stream.flush())
        .context("passing on the guest's output")
}

/// Sends standard input to the guest, to its end.
fn forward_input(mut guest: ChildStdin, original: Option<Termios>) {
    let mut buffer = vec![0; MAX_PAYLOAD];
    let mut stdin = io::stdin().lock();
    loop {
        let length = stdin.read(&mut buffer).unwrap_or(0);
        let bytes = &buffer[..length];
        if let Some(original) = &original
            && bytes.contains(&ESCAPE)
        {
            restore(original);
            // QEMU ends with this process.
            process::exit(i32::from(GUEST_FAILED));
        }
        if Frame::Stdin(bytes.to_vec()).write_to(&mut guest).is_err() {
            return;
        }
        if length == 0 {
            // Closing QEMU's input is not the guest's business.
            loop {
                thread::park();
            }
        }
    }
}

/// The terminal, when both input and output are one.
fn host_terminal() -> Option<Terminal> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !stdin.is_terminal() || !stdout.is_terminal() {
        return None;
    }
    let size = termios::tcgetwinsize(&stdout).ok()?;
    let kind = env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
    Some(Terminal {
        rows: size.ws_row,
        columns: size.ws_col,
        kind,
    })
}

/// The host's terminal, passing every key to the guest until dropped.
struct RawTerminal {
    original: Termios,
}

impl RawTerminal {
    fn enter() -> Result<Self> {
        let context = "setting the terminal up";
        let original = termios::tcgetattr(io::stdin()).context(context)?;
        let mut raw = original.clone();
        raw.make_raw();
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &raw).context(context)?;
        Ok(Self { original })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore(&self.original);
    }
}

fn restore(original: &Termios) {
    // There is nothing left to do about a terminal that refuses.
    let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, original);
}
