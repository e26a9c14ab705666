//! Which other keys a write reaches. Some functions of the kernel that handle writes to one key change
//! others, too; nothing is written to these.
//!
//! The rules are those of the kernel's source. Read for them were `inet_forward_change` and
//! `devinet_copy_dflt_conf` (net/ipv4/devinet.c), `addrconf_fixup_forwarding`, `addrconf_disable_ipv6`,
//! `addrconf_fixup_linkdown`, `addrconf_sysctl_addr_gen_mode` and `addrconf_sysctl_stable_secret`
//! (net/ipv6/addrconf.c), `neigh_copy_dflt_parms` and `proc_unres_qlen` (net/core/neighbour.c), and the
//! handlers of `dirty_*` (mm/page-writeback.c) and `overcommit_*` (mm/util.c). The rules for watchdogs,
//! huge pages, MPTCP, congestion control, conntrack and routes were not compared with the source, and
//! there may be other keys that reach some.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Drift, Entry, History, Memory, Namespace, Window, Write};

/// What a write to one key does to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// They are two names of one value.
    Same,
    /// They are one value in two units.
    OtherUnit,
    /// It sets the value of every device and the default.
    Fans,
    /// It makes the other 0.
    Resets,
    /// The other becomes 1 where this one is 0, and 0 where it is not.
    Opposes,
    /// It makes the other this number.
    Makes(u32),
    /// Devices get it whose own value was never written.
    MayCopy,
    /// The other may change.
    May,
}

/// Through which key a write came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Through {
    /// The key that was written.
    pub key: SmolStr,
    /// What that does.
    pub effect: Effect,
}

impl Effect {
    /// In words, behind the key that was written.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Same => "which is another name of it",
            Self::OtherUnit => "which is the same value in another unit",
            Self::Fans => "which sets every device",
            Self::Resets => "which makes it 0",
            Self::Opposes => "which makes it the opposite",
            Self::Makes(_) => "which sets it, too",
            Self::MayCopy => "which is copied to devices that have no value of their own",
            Self::May => "which may change it",
        }
    }

    /// Whether it is certain that the other changes.
    const fn is_certain(self) -> bool {
        match self {
            Self::Same | Self::Fans | Self::Resets | Self::Opposes | Self::Makes(_) => true,
            Self::OtherUnit | Self::MayCopy | Self::May => false,
        }
    }

    /// What the other becomes.
    fn value(self, written: Option<&SmolStr>) -> Option<SmolStr> {
        match self {
            Self::Same | Self::Fans | Self::MayCopy => written.cloned(),
            Self::Resets => Some(SmolStr::new_static("0")),
            Self::Opposes => written.map(|value| match value.as_str() {
                "0" => SmolStr::new_static("1"),
                _ => SmolStr::new_static("0"),
            }),
            Self::Makes(number) => Some(number.to_string().into()),
            Self::OtherUnit | Self::May => None,
        }
    }
}

/// A rule that fits, and whether it takes a new value for it to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    effect: Effect,
    on_change_only: bool,
    /// The function that does it, where others have keys of such a name, too.
    handler: Option<&'static str>,
}

impl Rule {
    const fn always(effect: Effect) -> Self {
        Self {
            effect,
            on_change_only: false,
            handler: None,
        }
    }

    const fn on_change(effect: Effect) -> Self {
        Self {
            on_change_only: true,
            ..Self::always(effect)
        }
    }
}

/// Pairs of which a write to either makes the other 0; whether the kernel does it at each write or only
/// where the value changes.
const RESETTING: [(&str, &str, bool); 3] = [
    ("vm.overcommit_ratio", "vm.overcommit_kbytes", false),
    (
        "vm.dirty_background_ratio",
        "vm.dirty_background_bytes",
        false,
    ),
    ("vm.dirty_ratio", "vm.dirty_bytes", true),
];

/// Keys that turn each other on and off.
const WATCHDOGS: [&str; 3] = [
    "kernel.watchdog",
    "kernel.nmi_watchdog",
    "kernel.soft_watchdog",
];

/// Other keys whose reach goes by their names alone.
const PAIRED: [&str; 10] = [
    IPV4_FORWARD,
    IPV4_FORWARDING,
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_allowed_congestion_control",
    "net.mptcp.path_manager",
    "net.mptcp.pm_type",
    "net.nf_conntrack_max",
    "net.netfilter.nf_conntrack_max",
    "vm.nr_hugepages",
    "vm.nr_hugepages_mempolicy",
];

const IPV4_FORWARD: &str = "net.ipv4.ip_forward";
const IPV4_FORWARDING: &str = "net.ipv4.conf.all.forwarding";

/// Folders with a folder for each device, one for all, and one that new devices begin with.
const DEVICE_FOLDERS: [&str; 4] = [
    "net.ipv4.conf.",
    "net.ipv6.conf.",
    "net.ipv4.neigh.",
    "net.ipv6.neigh.",
];

/// Of `net.ipv6.conf.all`, those that are set for every device.
const IPV6_FANNING: [&str; 4] = [
    "forwarding",
    "disable_ipv6",
    "ignore_routes_with_linkdown",
    "addr_gen_mode",
];

/// The key that a key of a device gets its first value from as the device comes to be: those below
/// `net.ipv4.conf` and `net.ipv6.conf` are copied from the namespace's own defaults, but for some that
/// depend on the device.
pub fn template(key: &str) -> Option<String> {
    let folder = ["net.ipv4.conf.", "net.ipv6.conf."]
        .into_iter()
        .find(|folder| key.starts_with(folder))?;
    let (device, name) = device(key, folder)?;
    let is_one = !["all", "default"].contains(&device);
    is_one.then(|| format!("{folder}default.{name}"))
}

/// Whether a key is a device's, or stands for all or new ones: each network namespace has its own. But
/// what the neighbour tables have for new devices is one for the whole node.
pub fn is_of_device(key: &str) -> bool {
    let folder = DEVICE_FOLDERS
        .into_iter()
        .find(|folder| key.starts_with(folder));
    folder.is_some_and(|folder| {
        let is_default = device(key, folder).is_some_and(|(device, _)| device == "default");
        folder.ends_with(".conf.") || !is_default
    })
}

/// What a write to `written` does to `reached`; nothing for the same key.
pub fn effect(written: &str, reached: &str) -> Option<Effect> {
    rule(written, reached).map(|rule| rule.effect)
}

/// Whether a write to some other key may reach this one, or one to this one another. Also for patterns
/// that begin as such keys do.
pub fn is_reachable(key: &str) -> bool {
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    is_of(&[
        "net.ipv4.conf.",
        "net.ipv6.conf.",
        "net.ipv4.neigh.",
        "net.ipv6.neigh.",
        "vm.dirty_",
        "vm.overcommit_",
        "vm.nr_hugepages",
        "net.mptcp.",
    ]) || WATCHDOGS.contains(&key)
        || [
            "net.ipv4.ip_forward",
            "net.ipv4.tcp_congestion_control",
            "net.ipv4.tcp_allowed_congestion_control",
            "net.nf_conntrack_max",
            "net.netfilter.nf_conntrack_max",
        ]
        .contains(&key)
        || key.ends_with(".route.gc_min_interval")
        || key.ends_with(".route.gc_min_interval_ms")
}

/// The keys a write to which may reach this one.
pub fn reaching(key: &str) -> impl Iterator<Item = String> {
    let pairs = RESETTING
        .into_iter()
        .flat_map(|(one, other, _)| [one, other]);
    let fixed = pairs.chain(WATCHDOGS).chain(PAIRED);
    let mut others: Vec<String> = fixed.map(str::to_owned).collect();
    let folder = DEVICE_FOLDERS
        .into_iter()
        .find(|folder| key.starts_with(folder));
    if let Some(folder) = folder
        && let Some((device, name)) = device(key, folder)
    {
        for device in ["all", "default", device] {
            let names = spellings(name)
                .into_iter()
                .chain(["stable_secret".to_owned(), "forwarding".to_owned()]);
            others.extend(names.map(|name| format!("{folder}{device}.{name}")));
        }
    }
    others.extend(spellings(key));
    others.sort_unstable();
    others.dedup();
    others
        .into_iter()
        .filter(|other| rule(other, key).is_some())
}

/// Names that a value has in other units, and the name itself.
fn spellings(name: &str) -> Vec<String> {
    let units = ["_ms", "_bytes"];
    let shorter = units.iter().filter_map(|unit| name.strip_suffix(unit));
    let mut all: Vec<String> = shorter.map(str::to_owned).collect();
    all.extend(units.iter().map(|unit| format!("{name}{unit}")));
    all.push(name.to_owned());
    all
}

fn rule(written: &str, reached: &str) -> Option<Rule> {
    if written == reached {
        return None;
    }
    of_pair(written, reached)
        .or_else(|| of_ipv4(written, reached))
        .or_else(|| of_ipv6(written, reached))
        .or_else(|| of_neighbours(written, reached))
}

fn of_pair(written: &str, reached: &str) -> Option<Rule> {
    for (one, other, on_change_only) in RESETTING {
        if (written, reached) == (one, other) || (written, reached) == (other, one) {
            return Some(Rule {
                on_change_only,
                ..Rule::always(Effect::Resets)
            });
        }
    }
    let is_pair = |one: &str, other: &str| {
        (written, reached) == (one, other) || (written, reached) == (other, one)
    };
    if WATCHDOGS.contains(&written) && WATCHDOGS.contains(&reached)
        || is_pair("net.mptcp.path_manager", "net.mptcp.pm_type")
        || (written, reached)
            == (
                "net.ipv4.tcp_congestion_control",
                "net.ipv4.tcp_allowed_congestion_control",
            )
    {
        return Some(Rule::always(Effect::May));
    }
    if is_pair("vm.nr_hugepages", "vm.nr_hugepages_mempolicy")
        || is_pair("net.nf_conntrack_max", "net.netfilter.nf_conntrack_max")
    {
        return Some(Rule::always(Effect::Same));
    }
    let in_ms = |one: &str, other: &str| other.strip_suffix("_ms") == Some(one);
    let is_in_two_units = |name: &str| {
        [
            ".route.gc_min_interval",
            ".retrans_time",
            ".base_reachable_time",
        ]
        .iter()
        .any(|end| name.trim_end_matches("_ms").ends_with(end))
    };
    let is_queue = |one: &str, other: &str| {
        one.ends_with(".unres_qlen") && other.strip_suffix("_bytes") == Some(one)
    };
    let is_one_value = is_in_two_units(written)
        && (in_ms(written, reached) || in_ms(reached, written))
        || is_queue(written, reached)
        || is_queue(reached, written);
    is_one_value.then_some(Rule::always(Effect::OtherUnit))
}

/// `net.ipv4.conf.eth0.forwarding` below `net.ipv4.conf.` is `eth0` and `forwarding`.
fn device<'a>(key: &'a str, folder: &str) -> Option<(&'a str, &'a str)> {
    key.strip_prefix(folder)?.rsplit_once('.')
}

fn of_ipv4(written: &str, reached: &str) -> Option<Rule> {
    const FOLDER: &str = "net.ipv4.conf.";
    if reached == IPV4_FORWARD {
        return (written == IPV4_FORWARDING).then_some(Rule::always(Effect::Same));
    }
    let (to, name) = device(reached, FOLDER)?;
    if written == IPV4_FORWARD && reached == IPV4_FORWARDING {
        return Some(Rule::always(Effect::Same));
    }
    if written == IPV4_FORWARD || written == IPV4_FORWARDING {
        // inet_forward_change, which is called where the value changes.
        return match (to, name) {
            ("all", "accept_redirects") => Some(Rule::on_change(Effect::Opposes)),
            (_, "forwarding") => Some(Rule::on_change(Effect::Fans)),
            _ => None,
        };
    }
    let (from, own) = device(written, FOLDER)?;
    let is_copied = from == "default" && to != "all" && own == name && own != "forwarding";
    is_copied.then_some(Rule {
        handler: Some("devinet_conf_proc"),
        ..Rule::always(Effect::MayCopy)
    })
}

fn of_ipv6(written: &str, reached: &str) -> Option<Rule> {
    const FOLDER: &str = "net.ipv6.conf.";
    let (from, own) = device(written, FOLDER)?;
    let (to, name) = device(reached, FOLDER)?;
    if from == "all" && own == name && IPV6_FANNING.contains(&own) {
        return Some(Rule::always(Effect::Fans));
    }
    // Since force_forwarding is there, forwarding of all takes it away from all.
    if from == "all"
        && name == "force_forwarding"
        && (own == "forwarding" || (own == name && to != from))
    {
        return Some(Rule::always(Effect::May));
    }
    let is_secret = (own, name) == ("stable_secret", "addr_gen_mode");
    let is_told = from == to && from != "default" || from == "default" && to != "all" && to != from;
    // IN6_ADDR_GEN_MODE_STABLE_PRIVACY
    (is_secret && is_told).then_some(Rule::always(Effect::Makes(2)))
}

fn of_neighbours(written: &str, reached: &str) -> Option<Rule> {
    let folder = ["net.ipv4.neigh.", "net.ipv6.neigh."]
        .into_iter()
        .find(|folder| written.starts_with(folder))?;
    let (from, own) = device(written, folder)?;
    let (_, name) = device(reached, folder)?;
    if from != "default" || own.starts_with("gc_") {
        return None;
    }
    if own == name {
        return Some(Rule::always(Effect::MayCopy));
    }
    let is_one_value = spellings(own).iter().any(|spelling| spelling == name);
    is_one_value.then_some(Rule::always(Effect::May))
}

/// What is known of a namespace for a question about one of its keys: the present life of the key, with
/// the writes that came through others. `held`: what is there now.
pub fn as_asked<'a>(
    window: &Window,
    namespace: &'a Namespace,
    key: &str,
    held: Option<&SmolStr>,
) -> Cow<'a, Namespace> {
    let born = namespace.table_of(key).filter(|table| {
        // What came with the namespace is told of by that.
        table.began_or_ended_ns().is_some()
    });
    let through: Vec<_> = namespace
        .keys
        .iter()
        .filter_map(|(written, history)| {
            let is_alias = window.aliases(key).any(|alias| alias == written);
            let rule = match is_alias {
                true => Some(Rule::always(Effect::Same)),
                false => rule(written, key),
            };
            Some((written, history, rule?))
        })
        .collect();
    if born.is_none() && through.is_empty() {
        return Cow::Borrowed(namespace);
    }
    let mut known = namespace.clone();
    let since_ns = born.map_or(0, |table| table.began_or_ended_ns().unwrap_or_default());
    if let Some(born) = born {
        known.be_reborn(key, born);
    }
    let mut history = known.keys.remove(key).unwrap_or_default();
    // What is missing or disputed of a key that reaches this one is so of this one.
    for (_, other, _) in &through {
        history.disputed_ns = history.disputed_ns.max(other.disputed_ns);
        history.forgotten_ns = history.forgotten_ns.max(other.forgotten_ns);
    }
    let mut reached: Vec<Write> = through
        .into_iter()
        .flat_map(|(written, other, rule)| {
            other
                .writes()
                .filter(move |write| write.at.boottime_ns >= since_ns)
                .filter_map(move |write| came_through(written, write, rule))
        })
        .collect();
    reached.sort_by_key(|write| write.at.boottime_ns);
    for write in reached {
        insert(&mut history, write, held);
    }
    drop_explained(&mut history);
    if history != History::default() || namespace.keys.contains_key(key) {
        known.keys.insert(SmolStr::new(key), history);
    }
    Cow::Owned(known)
}

/// The write as one to the key that it reaches. What it changed is not known yet.
fn came_through(written: &SmolStr, write: &Write, rule: Rule) -> Option<Write> {
    if write.error.is_some() || (rule.on_change_only && !write.is_change()) {
        return None;
    }
    if let (Some(needed), Some(found)) = (rule.handler, &write.handler)
        && needed != found
    {
        return None;
    }
    Some(Write {
        requested: rule.effect.value(write.left()),
        memory: Memory::NotDecoded,
        through: Some(Through {
            key: written.clone(),
            effect: rule.effect,
        }),
        ..write.clone()
    })
}

/// Puts a write that came through another key where it belongs, with what it changed.
fn insert(history: &mut History, mut write: Write, held: Option<&SmolStr>) {
    let Some(effect) = write.through.as_ref().map(|through| through.effect) else {
        return;
    };
    let at_ns = write.at.boottime_ns;
    let place = history
        .entries
        .partition_point(|entry| entry.at().boottime_ns <= at_ns);
    let (before, after) = history.entries.split_at(place);
    let old = before
        .iter()
        .rev()
        .find_map(Entry::left)
        .or_else(|| history.initial.as_ref().map(|initial| &initial.value));
    let found = after.iter().find_map(Entry::found).or(held);
    let new = write.requested.clone();
    if !effect.is_certain() {
        // What was found next tells whether it came to pass.
        let is_there = match (&new, found) {
            (Some(new), Some(found)) => new == found,
            (Some(_) | None, _) => old.is_none() || found != old,
        };
        if !is_there || (old.is_some() && old == new.as_ref()) {
            return;
        }
    } else if let (Some(old), Some(new)) = (old, new) {
        write.memory = Memory::Read {
            old: old.clone(),
            new,
        };
    }
    history.entries.insert(place, Entry::Write(write));
}

/// A value that was found without a write is no riddle where a write came through another key.
fn drop_explained(history: &mut History) {
    let mut left: Option<SmolStr> = None;
    history.entries.retain(|entry| {
        let is_explained = match entry {
            Entry::Drift(Drift { found, .. }) => left.as_ref() == Some(found),
            Entry::Write(_) => false,
        };
        if !is_explained {
            left = match entry {
                Entry::Write(write) if write.through.is_some() => write.left().cloned(),
                Entry::Write(_) | Entry::Drift(_) => None,
            };
        }
        !is_explained
    });
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
