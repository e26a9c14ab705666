//! The programs, what each hangs on, and which of them work together.

use sysctl_trace_ebpf::settings::Program;

/// How the probes hang in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// BTF trampolines; the one at the return of writes follows typed pointers by plain loads.
    Typed,
    /// BTF trampolines that read by helper (5.10: no typed current task).
    Trampoline,
    /// kprobes and kretprobes.
    Kprobe,
}

/// One program of the object and what it hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Its place in the maps that have one for each.
    pub program: Program,
    /// Its name in the object.
    pub name: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// Entry or return.
    pub at: At,
    /// By what.
    pub by: By,
}

/// Which end of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first instruction.
    Entry,
    /// After the last.
    Return,
}

/// By what a program hangs on a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A BTF trampoline.
    Trampoline,
    /// A kprobe or kretprobe.
    Kprobe,
}

/// The functions that are watched.
pub const FUNCTIONS: [&str; 3] = [COPY_NET_NS, SYSCTL_CORE_NET_EXIT, PROC_SYS_WRITE];

const COPY_NET_NS: &str = "copy_net_ns";
const SYSCTL_CORE_NET_EXIT: &str = "sysctl_core_net_exit";
const PROC_SYS_WRITE: &str = "proc_sys_write";

impl Mode {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Typed => "fentry/fexit",
            Self::Trampoline => "fentry/fexit, reading by helper",
            Self::Kprobe => "kprobe/kretprobe",
        }
    }

    /// What has to be attached, in this order. Returns come before the entries that they belong
    /// to, so that no entry waits for a return that nobody sees.
    pub const fn probes(self) -> [Probe; 4] {
        match self {
            Self::Typed => [CREATE, DESTROY, RETURN_TYPED, ENTER],
            Self::Trampoline => [CREATE, DESTROY, RETURN, ENTER],
            Self::Kprobe => [CREATE_KPROBE, DESTROY_KPROBE, RETURN_KPROBE, ENTER_KPROBE],
        }
    }

    /// What is attached beside these where the kernel allows it: kprobes that tell of the writes
    /// for which it passes over a trampoline. A preemptible kernel does that while another task is
    /// stopped within the trampoline's program on the same CPU; within a kprobe none is stopped.
    pub const fn beside(self) -> &'static [Probe] {
        match self {
            Self::Typed | Self::Trampoline => &[RETURN_KPROBE, ENTER_KPROBE],
            Self::Kprobe => &[],
        }
    }
}

const CREATE: Probe = Probe {
    program: Program::NetnsCreate,
    name: "netns_create_fexit",
    function: COPY_NET_NS,
    at: At::Return,
    by: By::Trampoline,
};

const CREATE_KPROBE: Probe = Probe {
    name: "netns_create_kretprobe",
    by: By::Kprobe,
    ..CREATE
};

const DESTROY: Probe = Probe {
    program: Program::NetnsDestroy,
    name: "netns_destroy_fentry",
    function: SYSCTL_CORE_NET_EXIT,
    at: At::Entry,
    by: By::Trampoline,
};

const DESTROY_KPROBE: Probe = Probe {
    name: "netns_destroy_kprobe",
    by: By::Kprobe,
    ..DESTROY
};

const ENTER: Probe = Probe {
    program: Program::EnterTrampoline,
    name: "sysctl_write_fentry",
    function: PROC_SYS_WRITE,
    at: At::Entry,
    by: By::Trampoline,
};

const ENTER_KPROBE: Probe = Probe {
    program: Program::EnterKprobe,
    name: "sysctl_write_kprobe",
    by: By::Kprobe,
    ..ENTER
};

const RETURN: Probe = Probe {
    program: Program::ReturnTrampoline,
    name: "sysctl_write_fexit",
    function: PROC_SYS_WRITE,
    at: At::Return,
    by: By::Trampoline,
};

const RETURN_TYPED: Probe = Probe {
    name: "sysctl_write_fexit_typed",
    ..RETURN
};

const RETURN_KPROBE: Probe = Probe {
    program: Program::ReturnKprobe,
    name: "sysctl_write_kretprobe",
    by: By::Kprobe,
    ..RETURN
};
