//! Puts an event together from a record and what is known of this machine.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    iter,
    rc::Rc,
    sync::Arc,
};

use nix::errno::Errno;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use sysctl_trace_ebpf::{
    record::{
        self, CUT_ANCESTORS, CUT_CGROUP, CUT_EXECUTABLE, CUT_NEW, CUT_NEW_UNREADABLE, CUT_OLD,
        CUT_OLD_UNREADABLE, CUT_PATH, CUT_REQUESTED, CUT_REQUESTED_UNREADABLE, CUT_TABLE, Header,
    },
    settings::ValueKind,
};

use super::{
    memory::Memory,
    process::{Actor, Processes},
};
use crate::{
    decode::{Deed, EnteredBy, Record, decimal, dotted, slashed, value, value_kind, value_type},
    event::{
        Action, Category, Class, Error, Event, Host, Kind, Lost, Netns, NetnsId, Outcome,
        SOMAXCONN, Schema, Sysctl, Table, Told, Trace, Type, ValueType,
    },
    kernel::handlers,
    rendered::Rendered,
    time::Clock,
};

const SOMAXCONN_PATH: &str = "net/core/somaxconn";

/// What is the same for all events of a run, and the processes seen in it.
pub struct Assembler {
    /// The machine.
    pub host: Arc<Rendered<Host>>,
    /// Names this run.
    pub session: Arc<Rendered<String>>,
    /// Actors.
    pub processes: Processes,
    /// Names of keys.
    pub keys: Keys,
    /// Time of day.
    pub clock: Clock,
    /// Names of the memory that keys are held in.
    pub memory: Memory,
    /// Kernel ticks per second.
    pub hz: u64,
}

/// How many keys are remembered. When there are more, all are forgotten and made anew.
const KEYS_MAX: usize = 4096;

/// Names of keys, dotted and slashed, by the bytes of their paths in the records.
#[derive(Debug, Default)]
pub struct Keys(HashMap<Box<[u8]>, (SmolStr, SmolStr)>);

impl Keys {
    fn of(&mut self, deed: &Deed<'_>) -> (SmolStr, SmolStr) {
        let bytes = deed.text(deed.acted.deed.path);
        if let Some(names) = self.0.get(bytes) {
            return names.clone();
        }
        if self.0.len() >= KEYS_MAX {
            self.0.clear();
        }
        let names = (dotted(deed.path()), slashed(deed.path()));
        self.0.insert(bytes.into(), names.clone());
        names
    }
}

const REQUESTED: &str = "sysctl.requested";

/// Which bits of a record name which field as cut.
const CUT_FIELDS: [(u32, &str); 8] = [
    (CUT_TABLE, "table"),
    (CUT_REQUESTED, REQUESTED),
    (CUT_PATH, "sysctl.path"),
    (CUT_OLD, "sysctl.old"),
    (CUT_NEW, "sysctl.new"),
    (CUT_CGROUP, "process.cgroup"),
    (CUT_EXECUTABLE, "process.executable_name"),
    (CUT_ANCESTORS, "process.ancestors"),
];

/// An event, and what more its record told.
#[derive(Debug)]
pub struct Assembled {
    /// The event, with nothing said of containers yet.
    pub event: Event,
    /// Who did it.
    pub actor: Option<Rc<Actor>>,
    /// The namespace that the event is about.
    pub netns: Option<NetnsId>,
    /// How a task came to be in it.
    pub entered: Option<EnteredBy>,
}

impl From<Event> for Assembled {
    /// Nobody in particular did it.
    fn from(event: Event) -> Self {
        Self {
            event,
            actor: None,
            netns: None,
            entered: None,
        }
    }
}

impl Assembler {
    /// The event that a record tells of.
    pub fn event(&mut self, record: Record<'_>) -> Assembled {
        match record {
            Record::NetnsDestroy(destroy) => Assembled {
                netns: netns_id(&destroy.netns),
                ..Assembled::from(Event {
                    netns: netns(&destroy.netns),
                    ..self.frame(&destroy.header, Action::NetnsDestroy)
                })
            },
            Record::NetnsCreate(deed) => {
                self.acted(&deed, Action::NetnsCreate, Some(created(&deed)))
            }
            Record::NetnsEnter(deed) => self.acted(&deed, Action::NetnsEnter, None),
            Record::SysctlWrite(deed) => {
                let sysctl = self.written(&deed);
                self.acted(&deed, Action::SysctlWrite, Some(sysctl))
            }
            Record::TableRegister(deed) => self.changed(&deed, Action::SysctlRegister),
            Record::TableUnregister(deed) => self.changed(&deed, Action::SysctlUnregister),
        }
    }

    /// The event that tells of loss after one moment and before another.
    ///
    /// `by_action`: of which action the events would have been, as far as that is known.
    pub fn loss(
        &mut self,
        lost: Lost,
        by_action: BTreeMap<Action, u64>,
        (since_boottime_ns, boottime_ns): (u64, u64),
    ) -> Event {
        let mut event = self.own(Action::EventsLost, boottime_ns);
        event.trace.lost = Some(lost);
        event.trace.lost_by_action = by_action;
        event.trace.since_boottime_ns = Some(since_boottime_ns);
        event
    }

    /// The event that tells that the probes are attached.
    ///
    /// `watched`: the actions that there are probes for.
    pub fn start(&mut self, node: Option<Netns>, watched: Vec<Action>, boottime_ns: u64) -> Event {
        let mut event = self.own(Action::TraceStart, boottime_ns);
        event.netns = node;
        event.trace.filtered_by = Some(Vec::new());
        event.trace.watched = watched;
        event
    }

    /// An event that no record tells of.
    fn own(&mut self, action: Action, boottime_ns: u64) -> Event {
        let header = Header {
            kind: 0,
            cut: 0,
            boottime_ns,
        };
        self.frame(&header, action)
    }

    fn acted(&mut self, deed: &Deed<'_>, action: Action, sysctl: Option<Sysctl>) -> Assembled {
        let actor = self.processes.of(deed);
        let mut event = Event {
            error: error(deed.acted.deed.result),
            process: Some(actor.process.clone()),
            netns: netns(&deed.acted.netns),
            sysctl,
            ..self.frame(&deed.acted.header, action)
        };
        if action == Action::SysctlWrite {
            let ended_ns = deed.acted.deed.ended_boottime_ns;
            event.event.duration = ended_ns.checked_sub(deed.acted.header.boottime_ns);
        }
        if event.error.is_some() {
            event.event.outcome = Outcome::Failure;
        }
        if deed.requested_is_whole() {
            event.trace.truncated.retain(|field| field != REQUESTED);
        }
        let cut = actor.cut.iter().copied().map(Cow::Borrowed);
        event.trace.truncated.extend(cut);
        Assembled {
            event,
            actor: Some(actor),
            netns: netns_id(&deed.acted.netns),
            entered: deed.entered_by(),
        }
    }

    fn written(&mut self, deed: &Deed<'_>) -> Sysctl {
        let (key, path) = self.keys.of(deed);
        let fixed = &deed.acted.deed;
        let kind = value_kind(fixed.value_kind, path.as_str());
        let read = |span, unreadable| {
            if deed.is_cut(unreadable) {
                None
            } else {
                value(kind, deed.text(span), self.hz)
            }
        };
        let readable = !deed.is_cut(CUT_REQUESTED_UNREADABLE);
        Sysctl {
            key,
            path,
            type_: value_type(kind),
            requested: readable.then(|| deed.requested()),
            old: read(fixed.old, CUT_OLD_UNREADABLE),
            new: read(fixed.new, CUT_NEW_UNREADABLE),
            init_netns: None,
            position: u64::try_from(fixed.position).ok(),
            size: Some(fixed.size),
            written: u64::try_from(fixed.result).ok(),
            requester: None,
            handler: handlers::name(fixed.handler).map(SmolStr::new_static),
            memory: (kind != ValueKind::NotDecoded)
                .then(|| self.memory.name(fixed.data, kind))
                .flatten(),
        }
    }

    /// Keys that come or go.
    fn changed(&mut self, deed: &Deed<'_>, action: Action) -> Assembled {
        let (_, path) = self.keys.of(deed);
        let mut table = Table {
            path,
            values: BTreeMap::new(),
            unread: Vec::new(),
        };
        for key in deed.table_keys() {
            let name = slashed(iter::once(key.name));
            let known = (!key.memory.is_empty()).then(|| value(key.kind, key.memory, self.hz));
            match known.flatten() {
                Some(value) => {
                    table.values.insert(name, value);
                }
                None => table.unread.push(name),
            }
        }
        let mut assembled = self.acted(deed, action, None);
        assembled.event.table = Some(Box::new(table));
        assembled
    }

    /// An event without anything particular in it.
    fn frame(&mut self, header: &Header, action: Action) -> Event {
        let (kind, category, type_, outcome) = match action {
            Action::NetnsCreate => (
                Kind::Event,
                Category::Configuration,
                Type::Creation,
                Outcome::Success,
            ),
            Action::NetnsDestroy => (
                Kind::Event,
                Category::Configuration,
                Type::Deletion,
                Outcome::Success,
            ),
            Action::SysctlWrite => (
                Kind::Event,
                Category::Configuration,
                Type::Change,
                Outcome::Success,
            ),
            Action::NetnsEnter | Action::NetnsBind => (
                Kind::Event,
                Category::Configuration,
                Type::Info,
                Outcome::Success,
            ),
            Action::EventsLost => (Kind::Metric, Category::Host, Type::Info, Outcome::Unknown),
            Action::TraceStart => (Kind::Event, Category::Host, Type::Start, Outcome::Success),
            Action::SysctlDrift => (
                Kind::Event,
                Category::Configuration,
                Type::Change,
                Outcome::Unknown,
            ),
            Action::SysctlRegister => (
                Kind::Event,
                Category::Configuration,
                Type::Creation,
                Outcome::Success,
            ),
            Action::SysctlUnregister => (
                Kind::Event,
                Category::Configuration,
                Type::Deletion,
                Outcome::Success,
            ),
            Action::TraceEnd => (Kind::Event, Category::Host, Type::End, Outcome::Success),
        };
        let truncated = if header.cut == 0 {
            Vec::new()
        } else {
            CUT_FIELDS
                .iter()
                .filter(|(bits, _)| header.cut & bits != 0)
                .map(|&(_, name)| Cow::Borrowed(name))
                .collect()
        };
        Event {
            timestamp: self.clock.moment(header.boottime_ns),
            schema: Schema::CURRENT,
            event: Class {
                kind,
                category: [category],
                type_: [type_],
                action,
                outcome,
                sequence: 0,
                boottime_ns: header.boottime_ns,
                duration: None,
            },
            host: self.host.clone(),
            error: None,
            process: None,
            component: None,
            container: Told::NotTold,
            k8s: None,
            netns: None,
            sysctl: None,
            table: None,
            trace: Trace {
                truncated,
                ..Trace::of(self.session.clone())
            },
        }
    }
}

fn created(deed: &Deed<'_>) -> Sysctl {
    let fixed = &deed.acted.deed;
    Sysctl {
        key: SmolStr::new_static(SOMAXCONN),
        path: SmolStr::new_static(SOMAXCONN_PATH),
        type_: ValueType::Int,
        requested: None,
        old: None,
        new: (fixed.result == 0).then(|| fixed.somaxconn.to_smolstr()),
        init_netns: Some(fixed.init_somaxconn.to_smolstr()),
        position: None,
        size: None,
        written: None,
        requester: None,
        handler: None,
        memory: None,
    }
}

fn netns_id(netns: &record::Netns) -> Option<NetnsId> {
    (netns.inum != 0).then_some(NetnsId {
        inum: netns.inum,
        cookie: netns.cookie,
    })
}

fn netns(netns: &record::Netns) -> Option<Netns> {
    (netns.inum != 0).then(|| Netns {
        inum: Some(netns.inum),
        cookie: (netns.cookie != 0).then(|| decimal(netns.cookie)),
        user_ns: (netns.user_ns_inum != 0).then_some(netns.user_ns_inum),
        owner: None,
    })
}

/// A negative result as an error: the errno's name, or its number where it is one of those that
/// only the kernel uses.
fn error(result: i64) -> Option<Error> {
    let number = i32::try_from(result.checked_neg()?)
        .ok()
        .filter(|&number| number > 0)?;
    let code = match Errno::from_raw(number) {
        Errno::UnknownErrno => number.to_smolstr(),
        errno => format_smolstr!("{errno:?}"),
    };
    Some(Error { code })
}
