//! The programs, what each hangs on, and which of them work together.

use sysctl_trace_ebpf::settings::Program;

use crate::event::Action;

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
    /// The kernel function or tracepoint.
    pub function: &'static str,
    /// Where of it.
    pub at: At,
    /// By what.
    pub by: By,
}

/// Which end of a function, or that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first instruction.
    Entry,
    /// After the last.
    Return,
    /// A tracepoint.
    Tracepoint,
}

/// By what a program hangs on a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A BTF trampoline.
    Trampoline,
    /// A kprobe or kretprobe.
    Kprobe,
    /// The tracepoint's own list of those who want to know, which every kernel has.
    RawTracepoint,
}

/// The functions that programs are loaded for.
pub const FUNCTIONS: [&str; 7] = [
    SURVEY_TARGET,
    COPY_NET_NS,
    SYSCTL_CORE_NET_EXIT,
    NETNS_INSTALL,
    PROC_SYS_WRITE,
    REGISTER_TABLE,
    UNREGISTER_TABLE,
];

/// What the survey of keys walks over: all open files.
pub const SURVEY_TARGET: &str = "bpf_iter_task_file";
const COPY_NET_NS: &str = "copy_net_ns";
const SYSCTL_CORE_NET_EXIT: &str = "sysctl_core_net_exit";
const NETNS_INSTALL: &str = "netns_install";
const SCHED_PROCESS_EXEC: &str = "sched_process_exec";
const PROC_SYS_WRITE: &str = "proc_sys_write";
const REGISTER_TABLE: &str = "__register_sysctl_table";
const UNREGISTER_TABLE: &str = "unregister_sysctl_table";

/// The action that a program tells of.
pub const fn action(program: Program) -> Action {
    match program {
        Program::NetnsCreate => Action::NetnsCreate,
        Program::NetnsDestroy => Action::NetnsDestroy,
        Program::EnterTrampoline
        | Program::EnterKprobe
        | Program::ReturnTrampoline
        | Program::ReturnKprobe => Action::SysctlWrite,
        Program::NetnsEnter | Program::NetnsExec => Action::NetnsEnter,
        Program::TableRegister => Action::SysctlRegister,
        Program::TableUnregister => Action::SysctlUnregister,
    }
}

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
    pub const fn probes(self) -> &'static [Probe] {
        match self {
            Self::Typed => &[CREATE, DESTROY, INSTALL, EXEC, RETURN_TYPED, ENTER],
            Self::Trampoline => &[CREATE, DESTROY, INSTALL, EXEC, RETURN, ENTER],
            Self::Kprobe => &[
                CREATE_KPROBE,
                DESTROY_KPROBE,
                INSTALL_KPROBE,
                INSTALL_BEGIN_KPROBE,
                EXEC,
                RETURN_KPROBE,
                ENTER_KPROBE,
            ],
        }
    }

    /// What is attached beside these where the kernel allows it. First kprobes that tell of the writes
    /// for which it passes over a trampoline: a preemptible kernel does that while another task is
    /// stopped within the trampoline's program on the same CPU; within a kprobe none is stopped. Then
    /// what tells of keys that come and go, without which answers about such keys say less.
    pub const fn beside(self) -> &'static [Probe] {
        match self {
            Self::Typed | Self::Trampoline => &[RETURN_KPROBE, ENTER_KPROBE, REGISTER, UNREGISTER],
            Self::Kprobe => &[REGISTER_KPROBE, UNREGISTER_KPROBE],
        }
    }

    /// What is lost without this probe; absent where nothing can be traced without it.
    pub fn without(self, probe: &Probe) -> Option<Without> {
        if !self.beside().iter().any(|beside| beside.name == probe.name) {
            return None;
        }
        Some(match probe.program {
            Program::TableRegister | Program::TableUnregister => Without::Births,
            Program::EnterTrampoline
            | Program::EnterKprobe
            | Program::ReturnTrampoline
            | Program::ReturnKprobe
            | Program::NetnsCreate
            | Program::NetnsDestroy
            | Program::NetnsEnter
            | Program::NetnsExec => Without::Preempted,
        })
    }
}

/// What is lost without a probe that is attached where the kernel allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// Writes during which a preemptible kernel passes over a trampoline.
    Preempted,
    /// When keys of devices and modules come and go.
    Births,
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

const INSTALL: Probe = Probe {
    program: Program::NetnsEnter,
    name: "netns_enter_fexit",
    function: NETNS_INSTALL,
    at: At::Return,
    by: By::Trampoline,
};

const INSTALL_KPROBE: Probe = Probe {
    name: "netns_enter_kretprobe",
    by: By::Kprobe,
    ..INSTALL
};

/// A kretprobe is not given the arguments.
const INSTALL_BEGIN_KPROBE: Probe = Probe {
    name: "netns_enter_kprobe",
    at: At::Entry,
    ..INSTALL_KPROBE
};

const EXEC: Probe = Probe {
    program: Program::NetnsExec,
    name: "netns_exec",
    function: SCHED_PROCESS_EXEC,
    at: At::Tracepoint,
    by: By::RawTracepoint,
};

const REGISTER: Probe = Probe {
    program: Program::TableRegister,
    name: "table_register_fexit",
    function: REGISTER_TABLE,
    at: At::Return,
    by: By::Trampoline,
};

const REGISTER_KPROBE: Probe = Probe {
    name: "table_register_kretprobe",
    by: By::Kprobe,
    ..REGISTER
};

const UNREGISTER: Probe = Probe {
    program: Program::TableUnregister,
    name: "table_unregister_fentry",
    function: UNREGISTER_TABLE,
    at: At::Entry,
    by: By::Trampoline,
};

const UNREGISTER_KPROBE: Probe = Probe {
    name: "table_unregister_kprobe",
    by: By::Kprobe,
    ..UNREGISTER
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
