//! The actor of an event beside what the task knew about itself.

use super::fields::{CLOCK_SLACK_NS, Check};
use crate::{
    trace::{self, Process},
    workload::log::{self, Actor, Begin},
};

/// How many ancestors a trace names.
const ANCESTORS_LIMIT: usize = 8;

/// Names of the bits, in their order: capability.h.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

fn capabilities(bits: u64) -> Vec<String> {
    (0..u64::BITS as usize)
        .filter(|bit| bits & (1 << bit) != 0)
        .map(|bit| {
            CAPABILITIES
                .get(bit)
                .map_or_else(|| bit.to_string(), ToString::to_string)
        })
        .collect()
}

impl Check<'_> {
    /// Who did it.
    pub fn actor(&mut self, actor: &Actor, process: &Process) {
        let name = Some(file_name(&actor.executable));
        self.equal("process.pid", &actor.pid, &process.pid);
        self.equal("process.executable_name", &name, &process.executable_name);
        self.equal("process.user.id", &actor.uid.to_string(), &process.user.id);
        self.equal(
            "process.group.id",
            &actor.gid.to_string(),
            &process.group.id,
        );
        self.equal(
            "process.cgroup",
            &Some(actor.cgroup.clone()),
            &process.cgroup,
        );
        self.equal(
            "process.thread.capabilities.effective",
            &capabilities(actor.capabilities),
            &process.thread.capabilities.effective,
        );
        self.equal(
            "process.namespaces",
            &namespaces(actor),
            &process.namespaces,
        );
        match &actor.thread {
            log::Thread::Caller { tid, comm } => {
                self.equal("process.thread.id", tid, &process.thread.id);
                self.equal("process.name", comm, &process.name);
            }
            log::Thread::IoWorker { tids, comm } => {
                let known = tids.contains(&process.thread.id);
                self.is(known, "process.thread.id", tids, process.thread.id);
                self.equal("process.name", comm, &process.name);
            }
        }
        self.enrichment(actor, process);
        self.ancestors(actor, process);
    }

    /// When the actor and its ancestors started.
    pub fn starts(&mut self, begin: &Begin, actor: &Actor, process: &Process) {
        self.start(begin, "process.start", actor.start_ticks, &process.start);
        for (expected, found) in actor.ancestors.iter().zip(&process.ancestors) {
            self.start(
                begin,
                "process.ancestors.start",
                expected.start_ticks,
                &found.start,
            );
        }
    }

    /// A start time is told in nanoseconds, and /proc shows the tick that it lies in.
    fn start(&mut self, begin: &Begin, field: &'static str, ticks: u64, start: &str) {
        let realtime = self.event.realtime_ns().unwrap_or_default();
        let offset = realtime - i128::from(self.event.event.boottime_ns);
        let since_boot = trace::nanoseconds(start).unwrap_or_default() - offset;
        let slack = i128::from(CLOCK_SLACK_NS);
        let from = i128::from(ticks * begin.tick_ns) - slack;
        let to = i128::from((ticks + 1) * begin.tick_ns) + slack;
        self.is(
            (from..to).contains(&since_boot),
            field,
            from..to,
            since_boot,
        );
    }

    fn enrichment(&mut self, actor: &Actor, process: &Process) {
        match process.enrichment.as_str() {
            "complete" => {
                let executable = Some(actor.executable.clone());
                self.equal("process.executable", &executable, &process.executable);
                self.equal("process.args", &Some(actor.args.clone()), &process.args);
            }
            "process-ended" | "image-replaced" => {}
            other => self.wrong("process.enrichment", "complete".into(), other.into()),
        }
    }

    /// What is cut: `own` of the event, and what a trace does not name of the actor.
    pub fn truncated(&mut self, actor: &Actor, own: Option<&str>) {
        let is_long = actor.ancestors.len() > ANCESTORS_LIMIT;
        let expected: Vec<&str> = own
            .into_iter()
            .chain(is_long.then_some("process.ancestors"))
            .collect();
        let found = &self.event.trace.truncated;
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        self.equal("trace.truncated", &expected, &found);
    }

    fn ancestors(&mut self, actor: &Actor, process: &Process) {
        let expected = actor.ancestors.iter().take(ANCESTORS_LIMIT);
        let expected: Vec<_> = expected
            .map(|a| (a.pid, a.comm.as_str(), a.executable_name.as_deref()))
            .collect();
        let found: Vec<_> = process
            .ancestors
            .iter()
            .map(|a| (a.pid, a.name.as_str(), a.executable_name.as_deref()))
            .collect();
        self.equal("process.ancestors", &expected, &found);
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn namespaces(actor: &Actor) -> trace::Namespaces {
    let log::Namespaces {
        net,
        pid,
        mnt,
        user,
        cgroup,
    } = actor.namespaces;
    trace::Namespaces {
        net: Some(net),
        pid: Some(pid),
        mnt: Some(mnt),
        user: Some(user),
        cgroup: Some(cgroup),
    }
}
