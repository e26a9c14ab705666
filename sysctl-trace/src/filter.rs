//! Which events are shown: a pure decision over one event, made ready once at the start.
//!
//! Values of one option are alternatives, options add up. A value with a leading `!` excludes:
//! it only takes away. Where an option is given and the event lacks that field, the event does
//! not pass; an option with nothing but excluding values lets it pass. The start of the trace and loss always pass.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::event::{Action, Event, Table};

/// What to show. The default shows everything.
#[derive(Debug, Default)]
pub struct Filter {
    /// Against `sysctl.key` and `sysctl.path`, or those of any key in `table`.
    pub key: Globs,
    /// Against `event.action`.
    pub action: Values<Action>,
    /// Against `process.pid`.
    pub pid: Values<u32>,
    /// Against `process.name`.
    pub comm: Globs,
    /// Against `netns.inum`.
    pub netns: Values<u32>,
    /// Against `component.name`.
    pub component: Globs,
    /// Against names and ids of the process's container and of the one that `netns` belongs to.
    pub container: Globs,
    /// Against names and UIDs of their pods.
    pub pod: Globs,
    /// Against the Kubernetes namespaces of their pods.
    pub namespace: Globs,
    /// Against their runtimes.
    pub runtime: Globs,
}

impl Filter {
    /// Whether the event is to be shown.
    pub fn passes(&self, event: &Event) -> bool {
        let action = event.event.action;
        if matches!(
            action,
            Action::EventsLost | Action::TraceStart | Action::TraceEnd
        ) {
            return true;
        }
        self.action.admit(Some(action))
            && self
                .pid
                .admit(event.process.as_ref().map(|process| process.pid))
            && self
                .netns
                .admit(event.netns.as_ref().and_then(|netns| netns.inum))
            && match &event.process {
                Some(process) => self.comm.admit(&[&process.name]),
                None => self.comm.admit(&[]),
            }
            && match (&event.sysctl, &event.table) {
                (Some(sysctl), _) => self.key.admit(&[&sysctl.key, &sysctl.path]),
                (None, Some(table)) => self.admits_table(table, event),
                (None, None) => self.key.admit(&[]),
            }
            && match &event.component {
                Some(component) => self.component.admit(&[&component.name]),
                None => self.component.admit(&[]),
            }
            && self.admits_containers(event)
    }

    /// Where one of its keys is wanted, or may be, as not all are named.
    fn admits_table(&self, table: &Table, event: &Event) -> bool {
        self.key.is_empty()
            || event.trace.truncated.iter().any(|field| field == "table")
            || table
                .keys()
                .any(|(key, path)| self.key.admit(&[&key, &path]))
    }

    fn admits_containers(&self, event: &Event) -> bool {
        let given = [&self.container, &self.pod, &self.namespace, &self.runtime];
        if given.iter().all(|globs| globs.is_empty()) {
            return true;
        }
        let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
        let own = event.container.known().map(|container| &***container);
        let target = owner.and_then(|owner| owner.container.as_ref());
        let mut containers = Vec::new();
        let mut runtimes = Vec::new();
        for container in [own, target].into_iter().flatten() {
            containers.push(&*container.id);
            containers.extend(container.name.as_deref());
            runtimes.extend(container.runtime.as_deref());
        }
        let own = event.k8s.as_ref().map(|k8s| &***k8s);
        let target = owner.and_then(|owner| owner.k8s.as_ref());
        let mut pods = Vec::new();
        let mut namespaces = Vec::new();
        for k8s in [own, target].into_iter().flatten() {
            pods.extend(k8s.pod.name.as_deref());
            pods.extend(k8s.pod.uid.as_deref());
            namespaces.extend(k8s.namespace.as_ref().map(|named| &*named.name));
        }
        self.container.admit(&containers)
            && self.pod.admit(&pods)
            && self.namespace.admit(&namespaces)
            && self.runtime.admit(&runtimes)
    }
}

/// Wanted and unwanted values of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values<T> {
    wanted: Vec<T>,
    unwanted: Vec<T>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self {
            wanted: Vec::new(),
            unwanted: Vec::new(),
        }
    }
}

impl<T: PartialEq> Values<T> {
    /// Adds one value as the command line gives it.
    pub fn add(&mut self, value: Sign<T>) {
        match value {
            Sign::Wanted(value) => self.wanted.push(value),
            Sign::Unwanted(value) => self.unwanted.push(value),
        }
    }

    fn admit(&self, value: Option<T>) -> bool {
        match value {
            Some(value) => {
                (self.wanted.is_empty() || self.wanted.contains(&value))
                    && !self.unwanted.contains(&value)
            }
            None => self.wanted.is_empty(),
        }
    }
}

/// Wanted and unwanted patterns for a field.
#[derive(Debug, Default)]
pub struct Globs {
    wanted: Option<GlobSet>,
    unwanted: Option<GlobSet>,
}

impl Globs {
    /// Makes patterns ready.
    pub fn new(patterns: &[Sign<Glob>]) -> Result<Self, globset::Error> {
        let mut wanted = Vec::new();
        let mut unwanted = Vec::new();
        for pattern in patterns {
            match pattern {
                Sign::Wanted(glob) => wanted.push(glob),
                Sign::Unwanted(glob) => unwanted.push(glob),
            }
        }
        Ok(Self {
            wanted: set(&wanted)?,
            unwanted: set(&unwanted)?,
        })
    }

    const fn is_empty(&self) -> bool {
        self.wanted.is_none() && self.unwanted.is_none()
    }

    /// `names` are the spellings of one value; none at all where the event lacks the field.
    fn admit(&self, names: &[&str]) -> bool {
        let any = |set: &GlobSet| names.iter().any(|name| set.is_match(name));
        self.wanted.as_ref().is_none_or(any) && !self.unwanted.as_ref().is_some_and(any)
    }
}

fn set(globs: &[&Glob]) -> Result<Option<GlobSet>, globset::Error> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut builder = GlobSetBuilder::new();
    for &glob in globs {
        builder.add(glob.clone());
    }
    builder.build().map(Some)
}

/// A value on the command line: `X`, or `!X`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign<T> {
    /// Show such events.
    Wanted(T),
    /// Leave such events out.
    Unwanted(T),
}

impl<'a> Sign<&'a str> {
    /// Tells `X` and `!X` apart.
    pub fn of(text: &'a str) -> Self {
        match text.strip_prefix('!') {
            Some(rest) => Self::Unwanted(rest),
            None => Self::Wanted(text),
        }
    }
}

impl<T> Sign<T> {
    /// The same sign before another value.
    pub fn try_map<U, E>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Result<Sign<U>, E> {
        Ok(match self {
            Self::Wanted(value) => Sign::Wanted(convert(value)?),
            Self::Unwanted(value) => Sign::Unwanted(convert(value)?),
        })
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
