//! Events for the tests of this crate: one of each kind, with every field filled somewhere.

use std::sync::Arc;

use crate::{
    event::{
        Action, Ancestor, Binding, Boot, Capabilities, Category, Class, Component, Confidence,
        Container, End, EndReason, Enrichment, Error, Event, Host, Id, Image, Kind, Kubernetes,
        Lost, Named, Namespaces, Nested, Netns, Outcome, Owner, Pod, Process, Schema, Stage,
        Sureness, Sysctl, Table, Thread, Told, Trace, Type, ValueType,
    },
    rendered::Rendered,
};

/// A process `name[pid]` below `containerd-shim[200]`.
pub(crate) fn process(pid: u32, name: &str) -> Process {
    let parent = ancestor(200, "containerd-shim");
    Process {
        pid,
        name: name.into(),
        executable_name: Some("runc".into()),
        executable_mnt: None,
        executable: Some("/usr/sbin/runc".into()),
        args: Some(vec!["runc".into(), "init".into()]),
        start: "2026-11-22T07:40:34.900000000Z".into(),
        entity_id: entity(pid),
        thread: Thread {
            id: pid,
            capabilities: Capabilities {
                effective: vec!["CAP_NET_ADMIN".into(), "CAP_SYS_ADMIN".into()],
            },
        },
        user: Id { id: "0".into() },
        group: Id { id: "0".into() },
        parent: Some(parent.clone()),
        ancestors: vec![parent, ancestor(1, "systemd")],
        cgroup: Some("/system.slice/docker-0a1b.scope".into()),
        namespaces: Namespaces {
            net: Some(4026532281),
            pid: Some(4026532279),
            mnt: Some(4026532277),
            user: Some(4026531837),
            cgroup: Some(4026532280),
        },
        enrichment: Enrichment::Complete,
    }
}

/// An ancestor as [`process`] makes them.
pub(crate) fn ancestor(pid: u32, name: &str) -> Ancestor {
    Ancestor {
        pid,
        name: name.into(),
        executable_name: Some(name.into()),
        executable_mnt: None,
        start: "2026-11-22T07:39:00.000000000Z".into(),
        entity_id: entity(pid),
    }
}

/// The identity that [`process`] and [`ancestor`] give to a pid.
pub(crate) fn entity(pid: u32) -> String {
    format!("5ec3f0b5-{pid}-1234567890")
}

/// A write of `requested` to net.core.somaxconn that took the value from `old` to `new`.
pub(crate) fn write(requested: &str, old: &str, new: &str) -> Event {
    let event = event(
        Kind::Event,
        Category::Configuration,
        Type::Change,
        Action::SysctlWrite,
        Outcome::Success,
    );
    Event {
        process: Some(Arc::new(Rendered::new(process(296, "runc:[2:INIT]")))),
        container: Told::Nothing,
        netns: Some(netns()),
        sysctl: Some(Sysctl {
            key: "net.core.somaxconn".into(),
            path: "net/core/somaxconn".into(),
            type_: ValueType::Int,
            requested: Some(requested.into()),
            old: Some(old.into()),
            new: Some(new.into()),
            init_netns: None,
            position: Some(0),
            size: Some(requested.len() as u64),
            written: Some(requested.len() as u64),
            requester: None,
            handler: None,
            memory: None,
        }),
        event: Class {
            duration: Some(0),
            ..event.event
        },
        ..event
    }
}

/// A write that the kernel refused with `code`.
pub(crate) fn refused(code: &str, requested: &str, value: &str) -> Event {
    let mut event = write(requested, value, value);
    event.event.outcome = Outcome::Failure;
    event.event.duration = Some(8_192);
    event.error = Some(Error { code: code.into() });
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.written = None;
    event
}

/// A write to a key whose value the tracer does not decode, nor belongs to a namespace.
pub(crate) fn not_decoded() -> Event {
    let mut event = write("core.%e", "", "");
    event.netns = None;
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.key = "kernel.core_pattern".into();
    sysctl.path = "kernel/core_pattern".into();
    sysctl.type_ = ValueType::NotDecoded;
    sysctl.old = None;
    sysctl.new = None;
    event
}

/// A new namespace with somaxconn 4096, on a node that says 2048.
pub(crate) fn created() -> Event {
    let mut event = write("", "", "4096");
    event.event.type_ = [Type::Creation];
    event.event.duration = None;
    event.event.action = Action::NetnsCreate;
    event.process = Some(Arc::new(Rendered::new(process(312, "unshare"))));
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.requested = None;
    sysctl.old = None;
    sysctl.init_netns = Some("2048".into());
    sysctl.position = None;
    sysctl.size = None;
    sysctl.written = None;
    event
}

/// A namespace that could not be made.
pub(crate) fn not_created() -> Event {
    let mut event = created();
    event.event.outcome = Outcome::Failure;
    event.error = Some(Error {
        code: "ENOSPC".into(),
    });
    event.netns = None;
    event.sysctl = None;
    event
}

/// The end of a namespace.
pub(crate) fn destroyed() -> Event {
    Event {
        netns: Some(netns()),
        ..event(
            Kind::Event,
            Category::Configuration,
            Type::Deletion,
            Action::NetnsDestroy,
            Outcome::Success,
        )
    }
}

/// The probes are attached.
pub(crate) fn started() -> Event {
    let mut event = event(
        Kind::Event,
        Category::Host,
        Type::Start,
        Action::TraceStart,
        Outcome::Success,
    );
    event.netns = Some(Netns {
        inum: Some(4026531840),
        cookie: Some("1".into()),
        user_ns: None,
        owner: None,
    });
    event.trace.filtered_by = Some(Vec::new());
    event.trace.watched = vec![
        Action::NetnsCreate,
        Action::NetnsDestroy,
        Action::SysctlWrite,
        Action::NetnsEnter,
        Action::NetnsBind,
        Action::SysctlRegister,
        Action::SysctlUnregister,
    ];
    event
}

/// The trace ended, with this as its last line.
pub(crate) fn ended(last: u64) -> Event {
    let mut event = event(
        Kind::Event,
        Category::Host,
        Type::End,
        Action::TraceEnd,
        Outcome::Success,
    );
    event.event.sequence = last;
    event.trace.end = Some(End {
        reason: EndReason::Signal,
        events: last,
        lost: Lost::default(),
    });
    event
}

/// A value is 4096 where writes had left 1024.
pub(crate) fn drifted() -> Event {
    let mut event = write("", "1024", "4096");
    event.event.action = Action::SysctlDrift;
    event.event.duration = None;
    event.event.outcome = Outcome::Unknown;
    event.process = None;
    event.container = Told::NotTold;
    event.netns.as_mut().unwrap().owner = Some(owner());
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.requested = None;
    sysctl.position = None;
    sysctl.size = None;
    sysctl.written = None;
    event
}

/// Loss of 12 events.
pub(crate) fn lost() -> Event {
    let mut event = event(
        Kind::Metric,
        Category::Host,
        Type::Info,
        Action::EventsLost,
        Outcome::Unknown,
    );
    event.trace.lost = Some(Lost {
        ring_full: 10,
        in_flight: 0,
        probe_missed: 2,
        unreadable: 0,
    });
    event.trace.lost_by_action = [(Action::SysctlWrite, 9), (Action::NetnsEnter, 3)].into();
    event.trace.since_boottime_ns = Some(23_456_789);
    event
}

/// A device's keys come to be.
pub(crate) fn registered() -> Event {
    Event {
        process: Some(Arc::new(Rendered::new(process(330, "ip")))),
        container: Told::Nothing,
        netns: Some(netns()),
        table: Some(Box::new(Table {
            path: "net/ipv4/conf/eth0.100".into(),
            values: [("forwarding", "0"), ("rp_filter", "2")]
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            unread: vec!["tag".into()],
        })),
        ..event(
            Kind::Event,
            Category::Configuration,
            Type::Creation,
            Action::SysctlRegister,
            Outcome::Success,
        )
    }
}

/// A container's first program in a namespace.
pub(crate) fn entered() -> Event {
    Event {
        process: Some(Arc::new(Rendered::new(process(320, "nginx")))),
        container: Told::Nothing,
        netns: Some(netns()),
        ..event(
            Kind::Event,
            Category::Configuration,
            Type::Info,
            Action::NetnsEnter,
            Outcome::Success,
        )
    }
}

/// A pod's network namespace is entered by runc, for a container of that pod.
pub(crate) fn bound() -> Event {
    let mut event = Event {
        process: Some(Arc::new(Rendered::new(process(296, "runc:[2:INIT]")))),
        component: Some(Arc::new(Rendered::new(Component {
            name: "runc".into(),
            stage: Some(Stage::Init),
            confidence: Sureness::Observed,
            evidence: vec!["executable is runc, from the node's file system".into()],
        }))),
        container: Told::Is(Arc::new(Rendered::new(container("0a1b", Some("web"))))),
        k8s: Some(Arc::new(Rendered::new(kubernetes(Some("web"))))),
        netns: Some(netns()),
        ..event(
            Kind::Event,
            Category::Configuration,
            Type::Info,
            Action::NetnsBind,
            Outcome::Success,
        )
    };
    event.netns.as_mut().unwrap().owner = Some(owner());
    event
}

/// Whose the namespace of [`bound`] is.
pub(crate) fn owner() -> Arc<Rendered<Owner>> {
    Arc::new(Rendered::new(Owner {
        creator: Some("containerd".into()),
        pin: Some("/run/netns/cni-3f2a9c51".into()),
        bound_by: Some(Binding::Runtime),
        container: Some(container("ffee", None)),
        k8s: Some(kubernetes(None)),
    }))
}

fn container(digits: &str, name: Option<&str>) -> Container {
    Container {
        id: digits.repeat(16).into(),
        runtime: Some("containerd".into()),
        name: name.map(Into::into),
        image: Some(Image {
            name: "registry/web:1".into(),
        }),
        confidence: Confidence::StateVerified,
        nested: vec![Nested {
            id: "1234".repeat(16).into(),
            runtime: Some("docker".into()),
        }],
    }
}

fn kubernetes(app: Option<&str>) -> Kubernetes {
    let named = |name: &str| Named { name: name.into() };
    Kubernetes {
        pod: Pod {
            name: Some("shop-1".into()),
            uid: Some("eb052b63-ea96-4728-ab4a-64ab3babccd7".into()),
            labels: [("app".into(), "shop".into())].into(),
        },
        namespace: Some(named("default")),
        container: app.map(named),
    }
}

/// One event of each kind, as they come after the start.
pub(crate) fn all() -> Vec<Event> {
    vec![
        created(),
        write("1024", "4096", "1024"),
        refused("EINVAL", "abc", "1024"),
        not_decoded(),
        not_created(),
        entered(),
        bound(),
        drifted(),
        destroyed(),
        lost(),
    ]
}

fn netns() -> Netns {
    Netns {
        inum: Some(4026532281),
        cookie: Some("41".into()),
        user_ns: Some(4026531837),
        owner: None,
    }
}

fn event(kind: Kind, category: Category, type_: Type, action: Action, outcome: Outcome) -> Event {
    Event {
        timestamp: crate::time::Moment::new(1_795_333_234_939_150_120),
        schema: Schema::CURRENT,
        event: Class {
            kind,
            category: [category],
            type_: [type_],
            action,
            outcome,
            sequence: 0,
            boottime_ns: 123_456_789,
            duration: None,
        },
        host: Arc::new(Rendered::new(Host {
            name: "node1".into(),
            boot: Boot {
                id: "5ec3f0b5-5a0e-4b0c-9d0e-3a8f1f7f2b11".into(),
            },
        })),
        error: None,
        process: None,
        component: None,
        container: Told::NotTold,
        k8s: None,
        netns: None,
        sysctl: None,
        table: None,
        trace: Trace {
            session: Arc::new(Rendered::new("3f2a9c51".into())),
            truncated: Vec::new(),
            lost: None,
            since_boottime_ns: None,
            filters: std::collections::BTreeMap::new(),
            filtered_by: None,
            lost_by_action: std::collections::BTreeMap::new(),
            watched: Vec::new(),
            keys: None,
            end: None,
        },
    }
}
