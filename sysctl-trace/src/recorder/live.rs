//! Compares the ledger with live values: which namespaces to read when, and what came of it.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use smol_str::SmolStr;

use super::{
    reader::{Reading, Readings},
    reconcile::{AGAIN, Found, Judgement, judge},
};
use crate::{
    attribute::{pin::Pins, resident},
    decode::decimal,
    event::{
        Action, Category, Event, Netns, NetnsId, Outcome, Owner, Sysctl, Trace, Type, ValueType,
    },
    kernel::netns,
    ledger::{Ledger, Namespace, Place, reach::as_asked},
    node::key::Key,
    rendered::Rendered,
    time::Moment,
};

/// How many namespaces wait to be read at most. The next round comes to those that find no room.
const WANTED_MAX: usize = 8192;

/// How many are being read at a time.
const READING_MAX: usize = 16;

/// How often one is read again while others write.
const TRIES: u32 = 5;

/// A live value that the writes that were seen do not account for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// The namespace.
    pub netns: NetnsId,
    /// The key.
    pub key: Key,
    /// What the writes had left.
    pub expected: SmolStr,
    /// What is there.
    pub found: SmolStr,
    /// When it was read, in nanoseconds since boot.
    pub boottime_ns: u64,
}

/// Compares, by a [`Reader`](super::reader::Reader).
#[derive(Debug)]
pub struct Live {
    readings: Readings,
    keys: Vec<Key>,
    pins: Pins,
    wanted: VecDeque<Wanted>,
    reading: HashMap<u64, Wanted>,
    /// Read, and to be compared once all that happened until then is known.
    read: Vec<(Wanted, Reading)>,
    next_id: u64,
}

/// A namespace to be read.
#[derive(Clone, Debug)]
struct Wanted {
    netns: NetnsId,
    /// A file that may stand for it.
    way: Option<String>,
    not_before: Option<Instant>,
    tries: u32,
    /// What differed at the first reading, for each key.
    suspected: Vec<Option<Suspect>>,
}

/// A value that differed, and when the last entry of its history was: a write that had not returned
/// at the first reading may have by the second.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suspect {
    found: SmolStr,
    last_ns: Option<u64>,
}

impl Drifted {
    /// The event that says so, in the stream that began with `start`.
    pub fn event(
        &self,
        start: &Event,
        timestamp: Moment,
        owner: Option<Arc<Rendered<Owner>>>,
    ) -> Event {
        let mut event = start.clone();
        event.timestamp = timestamp;
        event.event.category = [Category::Configuration];
        event.event.type_ = [Type::Change];
        event.event.action = Action::SysctlDrift;
        event.event.outcome = Outcome::Unknown;
        event.event.sequence = 0;
        event.event.boottime_ns = self.boottime_ns;
        event.netns = Some(Netns {
            inum: Some(self.netns.inum),
            cookie: (self.netns.cookie != 0).then(|| decimal(self.netns.cookie)),
            user_ns: None,
            owner,
        });
        event.sysctl = Some(Sysctl {
            key: self.key.dotted.clone(),
            path: self.key.path.clone(),
            type_: self.type_(),
            requested: None,
            old: Some(self.expected.clone()),
            new: Some(self.found.clone()),
            init_netns: None,
            position: None,
            size: None,
            written: None,
            requester: None,
            handler: None,
            memory: None,
        });
        event.trace = Trace::of(event.trace.session);
        event
    }

    /// How the kernel holds it: a reading shows no more than whether these are numbers.
    fn type_(&self) -> ValueType {
        let mut words = self.expected.split_ascii_whitespace();
        let mut found = self.found.split_ascii_whitespace();
        let is_number = |word: &str| word.parse::<i64>().is_ok();
        if words.all(is_number) && found.all(is_number) {
            ValueType::Int
        } else {
            ValueType::String
        }
    }
}

impl Live {
    /// `keys` are those of the reader, in its order.
    pub fn new(readings: Readings, keys: Vec<Key>) -> Self {
        Self {
            readings,
            keys,
            pins: Pins::new(),
            wanted: VecDeque::new(),
            reading: HashMap::new(),
            read: Vec::new(),
            next_id: 0,
        }
    }

    /// The reader's process id.
    pub fn pid(&self) -> Option<u32> {
        self.readings.pid()
    }

    /// A namespace is to be read that a process was just seen in.
    pub fn want(&mut self, netns: NetnsId, pid: u32) {
        self.push(netns, Some(by_process(pid)));
    }

    fn push(&mut self, netns: NetnsId, way: Option<String>) {
        if self.wanted.len() < WANTED_MAX && !self.under_way().any(|wanted| wanted.netns == netns) {
            self.wanted.push_back(Wanted {
                netns,
                way,
                not_before: None,
                tries: 0,
                suspected: vec![None; self.keys.len()],
            });
        }
    }

    /// All namespaces that a ledger has values of are to be read, or those of some places.
    pub fn want_all(&mut self, ledger: &Ledger, only: Option<&[Place]>) {
        let is_wanted = |namespace: &&Namespace| {
            let is_asked = only.is_none_or(|only| only.contains(&namespace.place));
            let has_value = |key: &Key| namespace.keys.contains_key(&key.dotted);
            is_asked && namespace.destroyed.is_none() && self.keys.iter().any(has_value)
        };
        let wanted: Vec<NetnsId> = ledger
            .namespaces()
            .filter(is_wanted)
            .filter_map(|namespace| match namespace.place {
                Place::Netns(id) => Some(id),
                Place::Node => None,
            })
            .collect();
        if wanted.is_empty() {
            return;
        }
        let mut ways = self.ways();
        for netns in wanted {
            if let Some(way) = ways.remove(&netns.inum) {
                self.push(netns, Some(way));
            }
        }
    }

    /// Whether it may still turn out that a value in a namespace is not what was expected. One that
    /// others write at this moment is none of these.
    pub fn is_open(&self, netns: NetnsId) -> bool {
        let is_unsure = |wanted: &&Wanted| {
            wanted.netns == netns
                && (wanted.tries == 0 || wanted.suspected.iter().any(Option::is_some))
        };
        self.under_way().any(|wanted| is_unsure(&wanted))
    }

    fn under_way(&self) -> impl Iterator<Item = &Wanted> {
        let wanted = self.wanted.iter().chain(self.reading.values());
        wanted.chain(self.read.iter().map(|(wanted, _)| wanted))
    }

    /// Whether readings wait for all that happened until then.
    pub const fn is_waiting(&self) -> bool {
        !self.read.is_empty()
    }

    /// Waits until something is to be done, and does it; then [`Live::compare`] may have something
    /// to say. An error where the reader is gone. Safe to cancel.
    pub async fn step(&mut self) -> io::Result<()> {
        self.ask();
        let due = self.wanted.iter().map(|wanted| wanted.not_before).min();
        let reading = if let Some(Some(due)) = due {
            tokio::select! {
                reading = self.readings.next() => reading?,
                () = tokio::time::sleep_until(due.into()) => return Ok(()),
            }
        } else {
            self.readings.next().await?
        };
        if let Some(wanted) = self.reading.remove(&reading.id)
            && reading
                .netns
                .is_some_and(|found| is_same(found, wanted.netns))
        {
            self.read.push((wanted, reading));
        }
        Ok(())
    }

    /// Hands over what is due, as far as there is room.
    fn ask(&mut self) {
        let now = Instant::now();
        for _ in 0..self.wanted.len() {
            if self.reading.len() >= READING_MAX {
                return;
            }
            let Some(wanted) = self.wanted.pop_front() else {
                return;
            };
            if wanted.not_before.is_some_and(|due| due > now) {
                self.wanted.push_back(wanted);
                continue;
            }
            // One that is gone, or that nothing leads to, is left to the next round.
            let Some(file) = self.open(&wanted) else {
                continue;
            };
            let id = self.next_id;
            self.next_id += 1;
            if self.readings.ask(id, &file).is_ok() {
                self.reading.insert(id, wanted);
            }
        }
    }

    /// Numbers and paths are used again.
    fn open(&self, wanted: &Wanted) -> Option<File> {
        let inum = wanted.netns.inum;
        let by_way = wanted.way.as_deref().and_then(|way| open(way, inum));
        by_way.or_else(|| open(&self.pins.find(inum)?, inum))
    }

    /// A file that stands for each namespace, by their numbers.
    fn ways(&self) -> HashMap<u32, String> {
        let mut ways = HashMap::new();
        for resident in resident::all().into_iter().flatten() {
            if let Ok(inum) = resident.netns {
                ways.entry(inum).or_insert_with(|| by_process(resident.pid));
            }
        }
        for pin in self.pins.all().into_iter().flatten() {
            ways.entry(pin.inum).or_insert(pin.path);
        }
        ways
    }

    /// Compares what was read with a ledger that is whole up to a moment. What differs is read once
    /// more before it is told.
    pub fn compare(&mut self, ledger: &Ledger, whole_until_ns: u64) -> Vec<Drifted> {
        let mut drifted = Vec::new();
        let is_ripe = |(_, reading): &mut (Wanted, Reading)| reading.ended_ns <= whole_until_ns;
        let ripe: Vec<(Wanted, Reading)> = self.read.extract_if(.., is_ripe).collect();
        for (mut wanted, reading) in ripe {
            if self.look(ledger, &mut wanted, &reading, &mut drifted) && wanted.tries < TRIES {
                wanted.tries += 1;
                wanted.not_before = Some(Instant::now() + AGAIN);
                self.wanted.push_back(wanted);
            }
        }
        drifted
    }

    /// Whether it is to be looked at again.
    fn look(
        &self,
        ledger: &Ledger,
        wanted: &mut Wanted,
        reading: &Reading,
        drifted: &mut Vec<Drifted>,
    ) -> bool {
        let Some(namespace) = ledger.namespace(Place::Netns(wanted.netns)) else {
            return false;
        };
        let mut again = false;
        let values = self.keys.iter().zip(&reading.values);
        for ((key, value), suspected) in values.zip(&mut wanted.suspected) {
            let Some(value) = value
                .as_ref()
                .filter(|_| namespace.keys.contains_key(&key.dotted))
            else {
                continue;
            };
            // Writes to other keys may have changed it.
            let known = as_asked(ledger.window(), namespace, &key.dotted, Some(value));
            let Some(history) = known.keys.get(&key.dotted) else {
                continue;
            };
            let begun_ns = reading.begun_ns;
            let suspect = Suspect {
                found: value.clone(),
                last_ns: history.entries.last().map(|entry| entry.at().boottime_ns),
            };
            match judge(history, Found { value, begun_ns }) {
                Judgement::Fits => *suspected = None,
                Judgement::Unclear => {
                    *suspected = None;
                    again = true;
                }
                Judgement::Differs { expected } if suspected.as_ref() == Some(&suspect) => {
                    *suspected = None;
                    drifted.push(Drifted {
                        netns: wanted.netns,
                        key: key.clone(),
                        expected,
                        found: value.clone(),
                        boottime_ns: begun_ns,
                    });
                }
                Judgement::Differs { .. } => {
                    *suspected = Some(suspect);
                    again = true;
                }
            }
        }
        again
    }
}

/// When the next round is.
#[derive(Debug)]
pub struct Rounds {
    every: Duration,
    next: Instant,
}

impl Rounds {
    /// The first is one period from now.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            next: Instant::now() + every,
        }
    }

    /// Waits for the next one. Safe to cancel.
    pub async fn next(&mut self) {
        tokio::time::sleep_until(self.next.into()).await;
        self.next = Instant::now() + self.every;
    }
}

/// Some kernels do not tell those who ask for the cookie that is in their records.
const fn is_same(one: NetnsId, other: NetnsId) -> bool {
    let is_told = one.cookie != 0 && other.cookie != 0;
    one.inum == other.inum && (!is_told || one.cookie == other.cookie)
}

fn by_process(pid: u32) -> String {
    format!("/proc/{pid}/ns/net")
}

/// The file, if it stands for the namespace with this number.
fn open(path: &str, inum: u32) -> Option<File> {
    let file = File::open(path).ok()?;
    (netns::of_file(&file).ok()? == Some(inum)).then_some(file)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
