//! One trace: events from the source into the ledger, and through filter and format to the sink.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    cli::{
        exit::Exit,
        netns, notice,
        plan::{self, Plan},
        signals::Signals,
        source::Source,
        terminal,
        tree::Tree,
        verdicts::Verdicts,
    },
    event::{Action, Category, End, EndReason, Event, Kind, NetnsId, Outcome, Trace, Type},
    filter::Filter,
    kernel::clock,
    ledger::{At, Ledger, Limits, Place},
    output::{
        json::{self, Json},
        sink::{self, Sink},
        summary::Summary,
        table::Table,
        text::Charset,
    },
    recorder::{live::Drifted, reader::NAME},
    time::Epoch,
    tracer::{self, Tracer},
};

/// How long a slow reader may take at the end.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// How many bytes of lines may wait for their reader while the ledger catches up.
const CATCH_UP_MAX: usize = 4 << 20;

/// How many namespaces that became a container's are kept for who looks into them.
const BOUND_MAX: usize = 1024;

/// A trace under way.
#[derive(Debug)]
pub struct Session<S> {
    source: S,
    sink: Sink,
    format: Format,
    filter: Filter,
    /// The filters as they were given: the first line tells what is left out.
    pub filters: BTreeMap<String, Vec<String>>,
    /// Who looks at live values: its process. Its entering of namespaces is not shown.
    pub reader: Option<u32>,
    /// Narrows the events to those of a command.
    pub tree: Option<Tree>,
    /// How many more events to show, where that is limited.
    pub left: Option<u64>,
    /// What the trace ends with, where verdicts are wanted.
    pub verdicts: Option<Verdicts>,
    summary: Summary,
    charset: Charset,
    /// Whether anybody may ask what became of values. If not, nothing of that is kept.
    pub keeps_ledger: bool,
    /// What became of each value, whatever the filters let pass.
    ledger: Ledger,
    /// Namespaces that became a container's, and a process that showed it.
    bound: Vec<(NetnsId, u32)>,
    /// Tells that the trace began: what all events of our own have in common.
    start: Option<Event>,
    /// When the last of the lines was over, in nanoseconds since boot.
    shown_ns: u64,
    /// When the first event was over that passed the filters and was one too many.
    left_out_ns: Option<u64>,
    sequence: u64,
    events: Vec<Event>,
    quiet: bool,
    strict: bool,
}

#[derive(Debug)]
enum Format {
    Json(Json),
    Table(Table),
}

/// Why a trace can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tracer failed.
    #[error("cannot read events")]
    Source(#[from] tracer::Error),
    /// The lines can't be written.
    #[error(transparent)]
    Sink(#[from] sink::Error),
    /// The reader took too long at the end.
    #[error("the reader takes no more (lines missing: {0})")]
    Stalled(usize),
    /// A line can't be made.
    #[error("cannot turn an event into JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whether the reader is gone, which is an ordinary end.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Sink(sink::Error::Closed { .. }))
    }
}

impl Session<Tracer> {
    /// Opens the output, attaches, and tells so: `next` says what follows. By then the output holds
    /// nothing of an earlier trace, and signals are for the caller to deal with.
    pub fn attach<C>(
        plan: &mut Plan<C>,
        started: Instant,
        next: &str,
    ) -> anyhow::Result<(Self, Signals)> {
        let sink = match &plan.output.file {
            Some(path) => Sink::file(path)?,
            None => Sink::stdout()?,
        };
        let mut filter = std::mem::take(&mut plan.filter);
        filter.netns = netns::resolve(&plan.netns)?;
        let tracer = Tracer::attach(&plan.tracer)?;
        // Before the notice: whoever reads it may send one.
        let signals = Signals::new()?;
        let charset = terminal::charset();
        let mut session = Self::new(tracer, sink, filter, &plan.output, charset, plan.strict)?;
        session.filters = std::mem::take(&mut plan.filters);
        if !plan.output.quiet {
            notice::text(format_args!(
                "attached in {} ms ({}); {next}\n",
                started.elapsed().as_millis(),
                session.source.attached_as(),
            ));
        }
        Ok((session, signals))
    }
}

impl<S: Source> Session<S> {
    /// A trace that is about to begin.
    pub fn new(
        source: S,
        sink: Sink,
        filter: Filter,
        output: &plan::Output,
        charset: Charset,
        strict: bool,
    ) -> anyhow::Result<Self> {
        sink.begin()?;
        let format = if output.json {
            Format::Json(Json::default())
        } else {
            let colour = terminal::colour(output.color, &sink);
            Format::Table(Table::new(sink.terminal_width(), charset, colour))
        };
        let mut session = Self {
            source,
            sink,
            format,
            filter,
            filters: BTreeMap::new(),
            reader: None,
            tree: None,
            left: None,
            verdicts: None,
            summary: Summary::new(charset),
            charset,
            keeps_ledger: true,
            ledger: Ledger::live(Limits::default()),
            bound: Vec::new(),
            start: None,
            shown_ns: 0,
            left_out_ns: None,
            sequence: 0,
            events: Vec::new(),
            quiet: output.quiet,
            strict,
        };
        if let Format::Table(table) = &mut session.format {
            table.push_header(session.sink.buffer());
        }
        Ok(session)
    }

    /// Whether as many events as wanted were shown.
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// What became of each value, by all events that have come.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes what is pending, or waits for events and makes lines of them. Safe to cancel.
    pub async fn step(&mut self) -> Result<(), Error> {
        if self.sink.is_pending() {
            return Ok(self.sink.flush().await?);
        }
        tokio::select! {
            closed = self.sink.flush_or_closed() => Ok(closed?),
            events = self.source.next(&mut self.events) => {
                events?;
                self.take()
            }
        }
    }

    /// Takes what has come without waiting, as far as there is room for its lines. Returns up to
    /// when the ledger is whole, in nanoseconds since boot.
    pub fn catch_up(&mut self) -> Result<u64, Error> {
        if self.sink.buffer().len() < CATCH_UP_MAX {
            self.source.catch_up(&mut self.events)?;
            self.take()?;
        }
        let boottime_ns = self.source.whole_until_ns();
        let known = self.ledger.window().until();
        if known.is_none_or(|until| until.boottime_ns < boottime_ns) {
            self.ledger.is_whole_until(At {
                boottime_ns,
                timestamp: Epoch(clock::realtime_minus_boottime_ns()).moment(boottime_ns),
                sequence: self.sequence,
            });
        }
        Ok(boottime_ns)
    }

    /// The namespaces that became a container's since this was last asked, as far as there is
    /// somebody to look into them.
    pub fn take_bound(&mut self) -> Vec<(NetnsId, u32)> {
        std::mem::take(&mut self.bound)
    }

    /// Tells of a live value that is not what was expected.
    pub fn tell(&mut self, drifted: &Drifted) -> Result<(), Error> {
        let owner = self
            .ledger
            .namespace(Place::Netns(drifted.netns))
            .and_then(|namespace| namespace.owner.clone());
        let moment = Epoch(clock::realtime_minus_boottime_ns()).moment(drifted.boottime_ns);
        if let Some(start) = &self.start {
            self.events.push(drifted.event(start, moment, owner));
        }
        self.take()
    }

    /// Turns the events that have come into lines.
    fn take(&mut self) -> Result<(), Error> {
        let width = self.sink.terminal_width();
        let out = self.sink.buffer();
        if let (Format::Table(table), Some(width)) = (&mut self.format, width)
            && table.resize(width)
        {
            table.push_header(out);
        }
        let start = out.len();
        for mut event in self.events.drain(..) {
            if is_own_visit(&event, self.reader) {
                continue;
            }
            if self.reader.is_some() && self.bound.len() < BOUND_MAX {
                self.bound.extend(bound(&event));
            }
            let about_trace = is_about_trace(event.event.action);
            let enough = self.left == Some(0) && !about_trace;
            // The tree learns from every event.
            let ours = self.tree.as_mut().is_none_or(|tree| tree.holds(&event));
            let passes = ours && self.filter.passes(&event);
            if passes && !enough {
                self.sequence += 1;
                event.event.sequence = self.sequence;
            }
            // The filters of the stream are none of the ledger's.
            if self.keeps_ledger {
                self.ledger.take(&event);
            }
            if let (Some(verdicts), Some(netns)) = (&mut self.verdicts, &event.netns)
                && ours
                && is_new(&event)
            {
                verdicts.add(netns.id());
            }
            if !passes && !enough {
                self.summary.add_filtered();
            }
            let ended_ns = event.event.ended_ns();
            if passes && enough {
                let earlier = self.left_out_ns.unwrap_or(u64::MAX);
                self.left_out_ns = Some(earlier.min(ended_ns));
            }
            if !passes || enough {
                continue;
            }
            self.shown_ns = self.shown_ns.max(ended_ns);
            if event.event.action == Action::TraceStart {
                self.start = Some(event.clone());
                event.trace.set_filters(self.filters.clone());
            }
            match &mut self.format {
                Format::Json(json) => json.push_event(out, &event)?,
                Format::Table(table) if has_row(event.event.action) => {
                    table.push_event(out, &event)
                }
                Format::Table(_) => {}
            }
            self.summary.add(&event);
            if let Some(left) = &mut self.left
                && !about_trace
            {
                *left -= 1;
            }
        }
        match self.format {
            Format::Json(_) if width.is_some() => json::escape_for_terminal(out, start),
            Format::Json(_) | Format::Table(_) => {}
        }
        Ok(())
    }

    /// Takes what the kernel has recorded up to now, tells that the trace ends, writes what can be
    /// written and tells the summary. `so_far` is how the trace went until here, `reason` why it ends
    /// where it went well; a reader who is gone is no failure.
    pub async fn finish(
        &mut self,
        so_far: Result<(), Error>,
        reason: EndReason,
    ) -> anyhow::Result<()> {
        let result = match so_far.and_then(|()| self.drain()) {
            Ok(()) => self.end(reason).await,
            Err(error @ (Error::Source(_) | Error::Json(_))) => {
                self.end(EndReason::Error).await.and(Err(error))
            }
            Err(error @ (Error::Sink(_) | Error::Stalled(_))) => Err(error),
        };
        let closed = result.as_ref().is_err_and(Error::is_closed);
        self.summarise(closed);
        if closed {
            return Ok(());
        }
        result.context("the trace is not complete")
    }

    /// Ends a trace that was of no use: without a summary.
    pub async fn abandon(&mut self) -> Result<(), Error> {
        self.drain()?;
        self.end(EndReason::Error).await
    }

    fn drain(&mut self) -> Result<(), Error> {
        self.source.drain(&mut self.events)?;
        self.take()
    }

    /// Tells that the trace ends, and writes what can be written.
    async fn end(&mut self, reason: EndReason) -> Result<(), Error> {
        self.events.clear();
        if let Some(start) = &self.start {
            let moment_ns = self.whole_until_ns(reason);
            let mut event = Event {
                timestamp: Epoch(clock::realtime_minus_boottime_ns()).moment(moment_ns),
                netns: None,
                ..start.clone()
            };
            event.event.kind = Kind::Event;
            event.event.category = [Category::Host];
            event.event.type_ = [Type::End];
            event.event.action = Action::TraceEnd;
            event.event.outcome = Outcome::Success;
            event.event.boottime_ns = moment_ns;
            event.trace = Trace::of(event.trace.session);
            event.trace.end = Some(End {
                reason,
                events: self.sequence + 1,
                lost: self.source.lost(),
            });
            self.events.push(event);
            self.take()?;
        }
        self.flush().await
    }

    /// Up to when nothing is missing in the lines, in nanoseconds since boot: what happened in the last
    /// moment may still have been on its way, and what is beyond the wanted number of events is not
    /// shown.
    fn whole_until_ns(&self, reason: EndReason) -> u64 {
        let until_ns = match reason {
            EndReason::Signal | EndReason::CommandEnded | EndReason::Limit => {
                self.source.whole_until_ns().max(self.shown_ns)
            }
            EndReason::Error => self.shown_ns,
        };
        match self.left_out_ns {
            Some(left_out_ns) => until_ns.min(left_out_ns.saturating_sub(1)),
            None => until_ns,
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        match tokio::time::timeout(LAST_FLUSH, self.sink.flush()).await {
            Ok(flushed) => Ok(flushed?),
            Err(_) => Err(Error::Stalled(self.sink.missing())),
        }
    }

    fn summarise(&self, closed: bool) {
        let lost = self.source.lost();
        if !closed && !self.quiet {
            let text = match &self.verdicts {
                Some(verdicts) => {
                    verdicts.text(&self.ledger, self.charset) + &self.summary.counts(&lost)
                }
                None => self.summary.text(&lost),
            };
            notice::text(format_args!("{text}"));
        } else if lost.total() > 0 {
            notice::text(format_args!("{}", Summary::loss(&lost)));
        }
    }

    /// The exit status: loss counts under `--strict`, unless something else went wrong already.
    pub fn exit(&self, otherwise: Exit) -> Exit {
        if self.strict && otherwise.is_success() && self.source.lost().total() > 0 {
            Exit::Lost
        } else {
            otherwise
        }
    }
}

/// Whether our own process went to look at live values.
fn is_own_visit(event: &Event, reader: Option<u32>) -> bool {
    let process = event.process.as_ref();
    event.event.action == Action::NetnsEnter
        && process.is_some_and(|process| Some(process.pid) == reader && process.name == NAME)
}

/// The namespace that an event tells the container of, and a process that may be in it.
fn bound(event: &Event) -> Option<(NetnsId, u32)> {
    let netns = event.netns.as_ref()?;
    let is_new = match event.event.action {
        Action::NetnsBind => true,
        Action::NetnsCreate => netns.owner.as_ref()?.container.is_some(),
        Action::NetnsDestroy
        | Action::SysctlWrite
        | Action::NetnsEnter
        | Action::EventsLost
        | Action::TraceStart
        | Action::TraceEnd
        | Action::SysctlRegister
        | Action::SysctlUnregister
        | Action::SysctlDrift => false,
    };
    is_new.then_some((netns.id(), event.process.as_ref()?.pid))
}

/// Whether such an event tells of the trace: it is shown in any case, and not counted.
const fn is_about_trace(action: Action) -> bool {
    matches!(
        action,
        Action::TraceStart | Action::TraceEnd | Action::EventsLost
    )
}

/// Whether a network namespace was made.
fn is_new(event: &Event) -> bool {
    event.event.action == Action::NetnsCreate && event.event.outcome == Outcome::Success
}

/// Whether such an event is a row of the table. That the trace began and ended is told beside it.
const fn has_row(action: Action) -> bool {
    !matches!(action, Action::TraceStart | Action::TraceEnd)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
