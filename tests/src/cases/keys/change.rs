//! Keys are changed for a try: memory must follow.

use std::fs;

use anyhow::Result;

use super::compare::{Line, file, shown, survey};

/// Not changed: what can't be undone, or ends or stalls the guest.
const NOT_TRIED: &[&str] = &[
    "kernel/kexec_load_limit_panic",
    "kernel/kexec_load_limit_reboot",
    // They begin with -1, which nobody can write.
    "kernel/msg_next_id",
    "kernel/sem_next_id",
    "kernel/shm_next_id",
    "kernel/unprivileged_bpf_disabled",
    "kernel/ftrace_enabled",
    "kernel/tainted",
    "kernel/usermodehelper/bset",
    "kernel/usermodehelper/inheritable",
    "net/core/bpf_jit_enable",
];

/// Handlers that hold a value in `ctl_table.data` by their very contract. Keys of all others are
/// changed.
const GENERAL: &[&str] = &[
    "proc_dointvec",
    "proc_dointvec_minmax",
    "proc_douintvec",
    "proc_douintvec_minmax",
    "proc_doulongvec_minmax",
    "proc_dou8vec_minmax",
    "proc_dobool",
    "proc_dointvec_jiffies",
    "proc_dointvec_ms_jiffies",
    "proc_dointvec_ms_jiffies_minmax",
    "proc_dointvec_userhz_jiffies",
    "proc_doulongvec_ms_jiffies_minmax",
    "proc_dostring",
];

/// What keys take that hold no numbers, by their handlers.
const WORDS: &[(&str, &[&str])] = &[
    ("proc_do_uts_string", &["other.example"]),
    ("proc_dostring_coredump", &["core.%p"]),
    ("proc_tcp_congestion_control", &["reno", "cubic"]),
    (
        "seccomp_actions_logged_handler",
        &["kill_process errno user_notif log"],
    ),
    ("set_default_qdisc", &["fq_codel", "pfifo_fast", "pfifo"]),
    ("devkmsg_sysctl_set_loglvl", &["ratelimit", "on"]),
    ("proc_watchdog_cpumask", &["0", "1"]),
];

/// A key that took another value.
struct Changed {
    path: String,
    before: String,
}

/// Gives other values to the keys that are not served by a general handler, compares memory and file,
/// and puts back what was there. How many took another value; what is wrong is added.
pub fn compare(wrong: &mut Vec<String>) -> Result<usize> {
    // All values first: a key may change with another.
    let keys: Vec<(Line, String)> = survey()?
        .into_values()
        .filter(is_tried)
        .filter_map(|line| {
            let before = shown(&line.path).ok()?;
            Some((line, before))
        })
        .collect();
    let mut changed = Vec::new();
    for (line, before) in &keys {
        let now = shown(&line.path);
        if others(line, before)
            .iter()
            .any(|other| write(&line.path, other) && shown(&line.path) != now)
        {
            changed.push(Changed {
                path: line.path.clone(),
                before: before.clone(),
            });
        }
    }
    let lines = survey()?;
    for Changed { path, .. } in &changed {
        let line = lines.get(path);
        let shown = shown(path);
        if line.and_then(Line::value) != shown.as_deref().ok() {
            wrong.push(format!(
                "{path} after a write: {line:?}, its file {shown:?}"
            ));
        }
    }
    // In this order: of two keys that reset each other, the first one's reset is undone. Again, as a value
    // may be allowed only with the former one of another key.
    for _ in 0..2 {
        for Changed { path, before } in &changed {
            if shown(path).as_ref() != Ok(before) {
                write(path, before);
            }
        }
    }
    for (line, before) in &keys {
        let now = shown(&line.path);
        if now.as_ref() != Ok(before) {
            wrong.push(format!("{} was {before:?} and is left {now:?}", line.path));
        }
    }
    Ok(changed.len())
}

fn is_tried(line: &Line) -> bool {
    line.value().is_some()
        && line
            .handler
            .as_deref()
            .is_some_and(|handler| !GENERAL.contains(&handler))
        && !NOT_TRIED.contains(&line.path.as_str())
}

/// Other values that a key may take.
fn others(line: &Line, before: &str) -> Vec<String> {
    let words = WORDS
        .iter()
        .filter(|(handler, _)| Some(*handler) == line.handler.as_deref())
        .flat_map(|(_, words)| words.iter().map(ToString::to_string));
    let mut others: Vec<String> = words.collect();
    let numbers: Option<Vec<i64>> = before.split('\t').map(|word| word.parse().ok()).collect();
    if let Some(numbers) = numbers {
        for step in [1, -1] {
            let all: Vec<_> = numbers
                .iter()
                .map(|number| number.saturating_add(step).to_string())
                .collect();
            others.push(all.join(" "));
        }
    }
    others
}

fn write(path: &str, value: &str) -> bool {
    fs::write(file(path), value).is_ok()
}
