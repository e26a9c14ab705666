//! What a scenario expects of the tracer's events, by the tests' own types of them.
//!
//! Scenarios say all that they know; [`Expect::differs`] is the one place that compares it with
//! what the stream has to say.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use crate::trace::{self, Action, Event, Kubernetes, Process};

/// The events of a watch.
#[derive(Clone, Debug)]
pub struct Trace {
    /// In the order of the stream.
    pub events: Vec<Event>,
}

/// The events that are meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// The creation of the network namespace with this inode number.
    Created {
        /// The inode number.
        netns: u32,
    },
    /// The event that ties a network namespace to a container.
    Bound {
        /// The inode number.
        netns: u32,
    },
    /// Successful writes to a key.
    Wrote {
        /// The network namespace that the write lands in; absent for keys of the whole node, and
        /// where the namespace does not matter.
        netns: Option<u32>,
        /// The key, with dots.
        key: &'a str,
        /// The value it has afterwards.
        new: &'a str,
    },
}

/// What is known of a container.
#[derive(Clone, Copy, Debug, Default)]
pub struct Container<'a> {
    /// Its ID as the runtime itself reports it.
    pub id: &'a str,
    /// The runtime, by the name in the stream.
    pub runtime: &'a str,
    /// Its name, where the runtime has names.
    pub name: Option<&'a str>,
    /// Its image's name, where it has an image.
    pub image: Option<&'a str>,
    /// How sure the tracer is.
    pub confidence: Option<&'a str>,
}

/// What is known of a pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pod<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its UID.
    pub uid: &'a str,
}

/// An expectation: every event that is meant says this, and there is one at least.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The events that are meant.
    pub which: Which<'a>,
    /// How many there are, where that is known.
    pub times: Option<usize>,
    /// The comm of the process, where that is known.
    pub process: Option<&'a str>,
    /// What the process is.
    pub component: Option<&'a str>,
    /// The stage that a runtime was in.
    pub stage: Option<&'a str>,
    /// How sure the tracer is of the component.
    pub confidence: Option<&'a str>,
    /// The container that the process is in: `Some(None)` is none.
    pub container: Option<Option<Container<'a>>>,
    /// The pod that the process is in.
    pub pod: Option<Pod<'a>>,
    /// The container that the network namespace belongs to.
    pub owner: Option<Container<'a>>,
    /// The pod that the network namespace belongs to.
    pub owner_pod: Option<Pod<'a>>,
    /// The component that made the network namespace.
    pub creator: Option<&'a str>,
}

impl Container<'_> {
    /// What is said of a container otherwise.
    fn differs(&self, found: Option<&trace::Container>) -> Result<()> {
        let found = found.with_context(|| format!("none, not {}", self.id))?;
        let image = found.image.as_ref().map(|image| image.name.as_str());
        let confidence = Some(found.confidence.as_str());
        ensure!(
            found.id == self.id && found.runtime.as_deref() == Some(self.runtime),
            "{found:?}, not {self:?}"
        );
        ensure!(
            (self.name.is_none() || found.name.as_deref() == self.name)
                && (self.image.is_none() || image == self.image)
                && (self.confidence.is_none() || confidence == self.confidence),
            "{found:?}, not {self:?}"
        );
        Ok(())
    }
}

impl Pod<'_> {
    /// What is said of a pod otherwise.
    fn differs(&self, found: Option<&Kubernetes>) -> Result<()> {
        let found = found.with_context(|| format!("none, not {}", self.name))?;
        let namespace = found.namespace.as_ref().map(|named| named.name.as_str());
        ensure!(
            found.pod.name.as_deref() == Some(self.name)
                && found.pod.uid.as_deref() == Some(self.uid)
                && namespace == Some(self.namespace),
            "{found:?}, not {self:?}"
        );
        Ok(())
    }
}

impl<'a> Expect<'a> {
    /// Expects these events, whatever they say.
    #[must_use]
    pub const fn of(which: Which<'a>) -> Self {
        Self {
            which,
            times: None,
            process: None,
            component: None,
            stage: None,
            confidence: None,
            container: None,
            pod: None,
            owner: None,
            owner_pod: None,
            creator: None,
        }
    }

    /// The creation of a network namespace.
    #[must_use]
    pub const fn created(netns: u32) -> Self {
        let mut expect = Self::of(Which::Created { netns });
        expect.times = Some(1);
        expect
    }

    /// The event that ties a network namespace to a container.
    #[must_use]
    pub const fn bound(netns: u32) -> Self {
        let mut expect = Self::of(Which::Bound { netns });
        expect.times = Some(1);
        expect
    }

    /// Writes of this value to a key of a network namespace.
    #[must_use]
    pub const fn wrote(netns: u32, key: &'a str, new: &'a str) -> Self {
        let netns = Some(netns);
        Self::of(Which::Wrote { netns, key, new })
    }

    fn is_meant(&self, event: &Event) -> bool {
        let inum = event.netns.as_ref().and_then(|netns| netns.inum);
        match self.which {
            Which::Created { netns } => {
                event.event.action == Action::NetnsCreate && inum == Some(netns)
            }
            Which::Bound { netns } => {
                event.event.action == Action::NetnsBind && inum == Some(netns)
            }
            Which::Wrote { netns, key, new } => {
                event.event.action == Action::SysctlWrite
                    && event.event.outcome == "success"
                    && (netns.is_none() || netns == inum)
                    && event.sysctl.as_ref().is_some_and(|sysctl| {
                        sysctl.key == key && sysctl.new.as_deref() == Some(new)
                    })
            }
        }
    }

    /// What the event says otherwise.
    fn differs(&self, event: &Event) -> Result<()> {
        let Some(process) = &event.process else {
            bail!("no process")
        };
        if let Some(expected) = self.process {
            ensure!(
                process.name == expected,
                "the process is {:?}, not {expected:?}",
                process.name
            );
        }
        let component = event.component.as_ref().context("no component")?;
        let found = (
            Some(component.name.as_str()),
            component.stage.as_deref(),
            Some(component.confidence.as_str()),
        );
        for (what, expected, found) in [
            ("component", self.component, found.0),
            ("stage", self.stage, found.1),
            ("confidence", self.confidence, found.2),
        ] {
            ensure!(
                expected.is_none() || expected == found,
                "{what} is {found:?}, not {expected:?}: {:?}",
                component.evidence
            );
        }
        match (self.container, &event.container) {
            (None, _) | (Some(None), None) => {}
            (Some(None), Some(found)) => bail!("the process is in container {found:?}"),
            (Some(Some(expected)), found) => {
                expected.differs(found.as_ref()).context("container")?;
            }
        }
        if let Some(expected) = self.pod {
            expected.differs(event.k8s.as_ref()).context("pod")?;
        }
        let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
        if let Some(expected) = self.owner {
            let found = owner.and_then(|owner| owner.container.as_ref());
            expected.differs(found).context("owner")?;
        }
        if let Some(expected) = self.owner_pod {
            let found = owner.and_then(|owner| owner.k8s.as_ref());
            expected.differs(found).context("the owner's pod")?;
        }
        if let Some(expected) = self.creator {
            let found = owner.and_then(|owner| owner.creator.as_deref());
            ensure!(found == Some(expected), "made by {found:?}, not {expected}");
        }
        Ok(())
    }
}

impl Trace {
    /// Asserts the expectation; the events that it is about.
    ///
    /// # Errors
    /// When there are no such events, or too many, or one says otherwise.
    pub fn expect(&self, expect: &Expect<'_>) -> Result<Vec<&Event>> {
        let meant: Vec<&Event> = self.events.iter().filter(|e| expect.is_meant(e)).collect();
        let fits = match expect.times {
            Some(times) => meant.len() == times,
            None => !meant.is_empty(),
        };
        ensure!(
            fits,
            "{} events where {:?} is expected: {:?}; the trace:\n{}",
            meant.len(),
            expect.times.unwrap_or(1),
            expect.which,
            self.told()
        );
        for event in &meant {
            if let Err(error) = expect.differs(event) {
                bail!("{:?}: {error:#}; the event: {}", expect.which, told(event));
            }
        }
        Ok(meant)
    }

    /// Every event in a line, for messages.
    #[must_use]
    pub fn told(&self) -> String {
        self.events.iter().fold(String::new(), |mut text, event| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", told(event));
            text
        })
    }
}

fn told(event: &Event) -> String {
    let actor = |process: &Process| {
        let lineage: Vec<&str> = process.ancestors.iter().map(|a| a.name.as_str()).collect();
        let cgroup = process.cgroup.as_deref().unwrap_or("?");
        let executable = process.executable_name.as_deref().unwrap_or("?");
        let name = &process.name;
        format!(
            "{name} ({executable}) < {} in {cgroup}",
            lineage.join(" < ")
        )
    };
    let inum = event.netns.as_ref().and_then(|netns| netns.inum);
    let sysctl = event.sysctl.as_ref().map(|sysctl| {
        let (old, new) = (sysctl.old.as_deref(), sysctl.new.as_deref());
        format!(
            "{} {} -> {}",
            sysctl.key,
            old.unwrap_or("?"),
            new.unwrap_or("?")
        )
    });
    let component = event.component.as_ref().map(|component| {
        let stage = component.stage.as_deref().unwrap_or_default();
        format!("{} {stage} ({})", component.name, component.confidence)
    });
    let container = |container: &trace::Container| {
        let name = container.name.as_deref().unwrap_or_default();
        format!("{name} {} ({})", container.id, container.confidence)
    };
    let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
    let owner = owner.map(|owner| {
        let of = owner.container.as_ref().map(container);
        format!(
            "of {of:?}, made by {:?}, kept by {:?}",
            owner.creator, owner.pin
        )
    });
    format!(
        "{:?} {} netns {} {} by {}; {}; in {:?}; {}",
        event.event.action,
        event.event.outcome,
        inum.map_or_else(|| "?".to_owned(), |inum| inum.to_string()),
        sysctl.unwrap_or_default(),
        event.process.as_ref().map_or_else(String::new, actor),
        component.unwrap_or_default(),
        event.container.as_ref().map(container),
        owner.unwrap_or_default()
    )
}
