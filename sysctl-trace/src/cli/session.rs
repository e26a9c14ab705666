//! One trace: events from the source through filter and format to the sink.

use std::time::{Duration, Instant};

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
    },
    event::{Action, Event},
    filter::Filter,
    output::{
        json::{self, Json},
        sink::{self, Sink},
        summary::Summary,
        table::Table,
        text::Charset,
    },
    tracer::{self, Tracer},
};

/// How long a slow reader may take at the end.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// A trace under way.
#[derive(Debug)]
pub struct Session<S> {
    source: S,
    sink: Sink,
    format: Format,
    filter: Filter,
    /// Narrows the events to those of a command.
    pub tree: Option<Tree>,
    /// How many more events to show, where that is limited.
    pub left: Option<u64>,
    summary: Summary,
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
    /// Opens the output, attaches, and tells so: `next` says what follows. From then on signals are
    /// for the caller to deal with.
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
        if !plan.output.quiet {
            notice::text(format_args!(
                "attached in {} ms ({}); {next}\n",
                started.elapsed().as_millis(),
                tracer.attached_as(),
            ));
        }
        let charset = terminal::charset();
        let session = Self::new(tracer, sink, filter, &plan.output, charset, plan.strict)?;
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
            tree: None,
            left: None,
            summary: Summary::new(charset),
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
            let is_loss = event.event.action == Action::EventsLost;
            if self.left == Some(0) && !is_loss {
                continue;
            }
            // The tree learns from every event.
            let ours = self.tree.as_mut().is_none_or(|tree| tree.holds(&event));
            if !ours || !self.filter.passes(&event) {
                self.summary.add_filtered();
                continue;
            }
            self.sequence += 1;
            event.event.sequence = self.sequence;
            match &mut self.format {
                Format::Json(json) => json.push_event(out, &event)?,
                Format::Table(table) => table.push_event(out, &event),
            }
            self.summary.add(&event);
            if let Some(left) = &mut self.left
                && !is_loss
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

    /// Takes what the kernel has recorded up to now, writes what can be written and tells the
    /// summary. `so_far` is how the trace went until here; a reader who is gone is no failure.
    pub async fn finish(&mut self, so_far: Result<(), Error>) -> anyhow::Result<()> {
        let result = match so_far {
            Ok(()) => self.drain().await,
            Err(error @ (Error::Source(_) | Error::Json(_))) => self.flush().await.and(Err(error)),
            Err(error @ (Error::Sink(_) | Error::Stalled(_))) => Err(error),
        };
        let closed = result.as_ref().is_err_and(Error::is_closed);
        self.summarise(closed);
        if closed {
            return Ok(());
        }
        result.context("the trace is not complete")
    }

    async fn drain(&mut self) -> Result<(), Error> {
        self.source.drain(&mut self.events)?;
        self.take()?;
        self.flush().await
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
            notice::text(format_args!("{}", self.summary.text(&lost)));
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

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
