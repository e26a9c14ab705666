//! `sysctl-trace ls`: the network namespaces of this node, their values, and who set them.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    args,
    exit::Exit,
    notice,
    plan::{Error, error},
    print,
};
use crate::{
    inquiry::live::{self, Listed, Listing},
    node::key::Keys,
    output::listing::{self, Row},
};

/// What is to be listed, and how.
#[derive(Debug)]
pub struct Plan<'a> {
    keys: Keys,
    args: &'a args::Ls,
}

impl<'a> Plan<'a> {
    /// Makes sense of the arguments.
    pub fn new(args: &'a args::Ls) -> Result<Self, Error> {
        let refuse = |reason| error("[KEY]...", args.keys.join(" "), reason);
        let keys = Keys::parse(&args.keys).map_err(refuse)?;
        for key in keys.named() {
            if !key.is_of_netns() {
                let reason = "it is a key of the whole node: `sysctl-trace why node KEY`";
                return Err(error("[KEY]...", &*key.dotted, reason));
            }
        }
        Ok(Self { keys, args })
    }
}

/// Looks at all namespaces and lists them.
pub fn ls(plan: &Plan<'_>) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let recorder = print::recorder(&plan.args.ask)?;
    let bar = progress_bar(plan.args.quiet);
    let listing = live::list(&plan.keys, recorder.as_ref(), |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let rows = rows(&listing, plan.args.diff);
    print::text(&told(plan, &rows)?)?;
    if !plan.args.quiet {
        summarise(&listing, begun.elapsed());
    }
    let failed = listing.namespaces.iter().all(|one| one.failed.is_some());
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn progress_bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{wide_bar} {pos}/{len} namespaces") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn rows(listing: &Listing, diff: bool) -> Vec<Row<'_>> {
    let of = |listed: &'_ Listed| {
        let answers = listed.inquiry.answers().into_iter().map(Some);
        match listed.failed {
            Some(_) => vec![None],
            None => answers.collect(),
        }
    };
    let rows = listing.namespaces.iter().flat_map(|listed| {
        let namespace = &listed.namespace;
        of(listed)
            .into_iter()
            .map(move |answer| Row { namespace, answer })
    });
    rows.filter(|row| !diff || row.differs()).collect()
}

fn told(plan: &Plan<'_>, rows: &[Row<'_>]) -> Result<String, serde_json::Error> {
    if !plan.args.json {
        return Ok(listing::table(rows, print::look(args::Color::Never)));
    }
    let mut out = String::new();
    for answer in rows.iter().filter_map(|row| row.answer.as_ref()) {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{}", serde_json::to_string(answer)?);
    }
    Ok(out)
}

fn summarise(listing: &Listing, took: Duration) {
    let count = listing.namespaces.len();
    let each = took.as_secs_f64() * 1e3 / count.max(1) as f64;
    let seconds = took.as_secs_f64();
    notice::text(format_args!(
        "{count} namespaces in {seconds:.2} s ({each:.2} ms each){}\n",
        listing.skipped
    ));
    let failed = listing
        .namespaces
        .iter()
        .filter_map(|one| one.failed.as_ref());
    let count = failed.clone().count();
    if let Some(first) = failed.into_iter().next() {
        notice::text(format_args!(
            "{count} could not be read; the first: {first}\n"
        ));
    }
}
