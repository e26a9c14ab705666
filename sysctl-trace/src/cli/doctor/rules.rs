//! From facts to checks: what each means for tracing, and how to mend it. Pure.

use serde::Serialize;

use crate::kernel::{
    probes::{At, Mode, Without},
    refusal::Error,
    support::{Support, Trial, names},
};

/// How a check ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is there.
    Ok,
    /// Tracing works, but less well.
    Warn,
    /// Tracing does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// All checks, in the order of what rests on what.
pub fn checks(support: &Support) -> Vec<Check> {
    let mut checks = vec![
        kernel(support),
        capabilities(support),
        processes(support),
        pid_namespace(support),
        lockdown(support),
    ];
    checks.extend(facts(support));
    let works = support.modes.iter().any(Trial::works);
    for (index, trial) in support.modes.iter().enumerate() {
        let better = support.modes[..index].iter().any(Trial::works);
        checks.extend(attach(trial, works, better));
    }
    checks
}

fn check(name: &str, status: Status, found: impl Into<String>, fix: Option<&str>) -> Check {
    Check {
        name: name.into(),
        status,
        found: found.into(),
        fix: fix.map(Into::into),
    }
}

fn kernel(support: &Support) -> Check {
    let found = format!("Linux {} on {}", support.release, support.machine);
    if support.machine == "x86_64" {
        check("kernel", Status::Ok, found, None)
    } else {
        let fix = "none known; the text of writes by splice is not read on this architecture";
        check(
            "kernel",
            Status::Warn,
            format!("{found}, which is not tested"),
            Some(fix),
        )
    }
}

fn capabilities(support: &Support) -> Check {
    let missing = &support.missing_required;
    if missing.is_empty() {
        return check(
            "capabilities",
            Status::Ok,
            "those to load and attach are there",
            None,
        );
    }
    let fix = "run as root, for example with sudo; in a container, add these capabilities";
    check(
        "capabilities",
        Status::Fail,
        format!("missing: {}", names(missing)),
        Some(fix),
    )
}

fn processes(support: &Support) -> Check {
    let missing = &support.missing_useful;
    if missing.is_empty() {
        return check(
            "processes",
            Status::Ok,
            "arguments and paths of all can be read",
            None,
        );
    }
    let found = format!(
        "missing: {}; arguments and paths of other users' processes stay unknown",
        names(missing)
    );
    check(
        "processes",
        Status::Warn,
        found,
        Some("run as root, or add these capabilities"),
    )
}

fn pid_namespace(support: &Support) -> Check {
    if support.initial_pid_namespace {
        return check("pid namespace", Status::Ok, "the initial one", None);
    }
    let found = "not the initial one: process ids in events are not those of this /proc, so \
                 arguments and paths stay unknown";
    check(
        "pid namespace",
        Status::Warn,
        found,
        Some("share the node's (hostPID, --pid=host)"),
    )
}

fn lockdown(support: &Support) -> Check {
    match support.lockdown.as_deref() {
        Some("confidentiality") => check(
            "lockdown",
            Status::Fail,
            "confidentiality: the kernel lets nobody read its memory",
            Some("boot with lockdown=integrity, or without Secure Boot"),
        ),
        Some(other) => check("lockdown", Status::Ok, other, None),
        None => check("lockdown", Status::Ok, "none", None),
    }
}

/// BTF and symbols. Later ones are not looked at when an earlier one is missing.
fn facts(support: &Support) -> Vec<Check> {
    let btf = |found: &str| {
        check(
            "BTF",
            Status::Ok,
            format!("{}: {found}", support.btf.display()),
            None,
        )
    };
    let all = "all fields found";
    let error = match &support.facts {
        Ok(handlers) => {
            let found = format!("addresses visible; {handlers} handlers of keys understood");
            return vec![btf(all), check("symbols", Status::Ok, found, None)];
        }
        Err(error) => error,
    };
    let text = error.to_string();
    match error {
        // Told under capabilities already.
        Error::Capabilities(_) => Vec::new(),
        Error::Btf { .. } | Error::BadBtf { .. } => vec![check(
            "BTF",
            Status::Fail,
            text,
            Some(
                "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, or give the BTF of this very kernel with --btf FILE",
            ),
        )],
        Error::Missing(_) => {
            vec![check(
                "BTF",
                Status::Fail,
                text,
                Some("report this kernel's version as a bug"),
            )]
        }
        _ => vec![
            btf(all),
            check(
                "symbols",
                Status::Fail,
                text,
                Some("sysctl -w kernel.kptr_restrict=1, and run as root"),
            ),
        ],
    }
}

/// One way to attach. Where another works, its failure is only a remark; kprobes are wanted beside
/// trampolines, too.
fn attach(trial: &Trial, works: bool, better: bool) -> Vec<Check> {
    let name = match trial.mode {
        Mode::Typed => "fentry/fexit",
        Mode::Trampoline => "fentry by helper",
        Mode::Kprobe => "kprobe/kretprobe",
    };
    let worst = if !works {
        Status::Fail
    } else if better && trial.mode != Mode::Kprobe {
        Status::Ok
    } else {
        Status::Warn
    };
    let hooks = match &trial.outcome {
        Ok(hooks) => hooks,
        Err(error) => {
            let fix = if error.is_refusal() { REFUSED } else { MEND };
            return vec![check(name, worst, error.to_string(), Some(fix))];
        }
    };
    if trial.works() {
        let mut functions: Vec<String> = Vec::new();
        for hook in hooks.iter().filter(|hook| hook.outcome.is_ok()) {
            let function = format!("{} ({})", hook.function, end(hook.at));
            // Some have a kprobe beside the trampoline.
            if !functions.contains(&function) {
                functions.push(function);
            }
        }
        let status = if better { Status::Ok } else { Status::Warn };
        let failed = hooks
            .iter()
            .filter_map(|hook| Some((hook.without?, hook.outcome.as_ref().err()?)));
        let failed = failed.map(|(without, error)| {
            let found = format!("{error}\n{}", lost(without));
            check(name, status, found, (!better).then_some(MEND))
        });
        let ok = check(name, Status::Ok, functions.join(", "), None);
        return std::iter::once(ok).chain(failed).collect();
    }
    // Where the kernel refuses one for want of permission, it refuses all, with the same words.
    let refused = hooks
        .iter()
        .filter_map(|hook| hook.outcome.as_ref().err())
        .all(Error::is_refusal);
    hooks
        .iter()
        .filter(|hook| !hook.is_bearable())
        .filter_map(|hook| hook.outcome.as_ref().err())
        .take(if refused { 1 } else { usize::MAX })
        .map(|error| {
            let fix = if refused { REFUSED } else { MEND };
            check(
                name,
                worst,
                error.to_string(),
                (worst != Status::Ok).then_some(fix),
            )
        })
        .collect()
}

const MEND: &str = "needs CONFIG_BPF_SYSCALL, CONFIG_KPROBES and, for trampolines, \
                    CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS";
const REFUSED: &str = "run on the node itself, outside of the container or sandbox, or in a \
                       virtual machine";

/// What a trace lacks.
const fn lost(without: Without) -> &'static str {
    match without {
        Without::Preempted => {
            "without it a preemptible kernel may pass over writes, which is counted as loss"
        }
        Without::Births => {
            "without it keys that come and go with devices and modules are not told, and no answer \
             about such a key is observed"
        }
    }
}

const fn end(at: At) -> &'static str {
    match at {
        At::Entry => "entry",
        At::Return => "return",
        At::Tracepoint => "tracepoint",
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
