use smol_str::SmolStr;

use super::*;
use crate::{
    event::{Action, Event, Requester, RequesterSource, Sureness},
    ledger::{Ledger, Limits, Place},
    verdict::story::{KEY, Story, WEB},
};

pub(super) fn verdict_of(ledger: &Ledger, held: Held) -> Verdict {
    Verdict::of(&Facts {
        key: KEY,
        is_node: false,
        seen: Some(Seen {
            window: ledger.window(),
            namespace: ledger.namespace(Place::Netns(WEB)),
            node: ledger.namespace(Place::Node),
            node_netns: None,
        }),
        held,
    })
}

/// Of a recording that has its end.
pub(super) fn recorded(events: &[Event]) -> Verdict {
    let mut ledger = Ledger::new(Limits::default());
    for event in events {
        ledger.take(event);
    }
    let last = events.last().unwrap();
    let mut end = crate::output::samples::ended(last.event.sequence + 1);
    end.event.boottime_ns = last.event.ended_ns() + 1;
    end.timestamp = last.timestamp;
    ledger.take(&end);
    verdict_of(&ledger, Held::default())
}

pub(super) fn live(events: &[Event], value: &str) -> Verdict {
    held(
        events,
        Held {
            value: Some(value.into()),
            ..Held::default()
        },
    )
}

pub(super) fn held(events: &[Event], held: Held) -> Verdict {
    let mut ledger = Ledger::live(Limits::default());
    for event in events {
        ledger.take(event);
    }
    verdict_of(&ledger, held)
}

pub(super) fn unwatched(value: &str, default: &str, asked: Asked) -> Verdict {
    Verdict::of(&Facts {
        key: KEY,
        is_node: false,
        seen: None,
        held: Held {
            value: Some(value.into()),
            default: Some(default.into()),
            asked,
            inum: Some(WEB.inum),
            ..Held::default()
        },
    })
}

pub(super) fn option(value: &str) -> Asked {
    Asked::For(Arc::new(docker(value)))
}

pub(super) fn docker(value: &str) -> Requester {
    Requester {
        source: RequesterSource::DockerOption,
        value: value.into(),
        file: Some("/var/lib/docker/containers/0a1b/hostconfig.json".into()),
        line: None,
    }
}

#[track_caller]
fn is(verdict: &Verdict, cause: &Cause, confidence: Confidence, reason: Option<Reason>) {
    assert_eq!(
        (&verdict.cause, verdict.confidence, verdict.reason),
        (cause, confidence, reason),
        "{verdict:#?}"
    );
}

/// What a suspect is found to be.
#[track_caller]
pub(super) fn found(verdict: &Verdict, suspect: Suspect) -> Found {
    let finding = verdict.suspects.iter().find(|f| f.suspect == suspect);
    finding.unwrap().finding
}

#[track_caller]
fn is_by(verdict: &Verdict, name: &str, confidence: Confidence, reason: Option<Reason>) {
    let Cause::Written(writer) = &verdict.cause else {
        panic!("{verdict:#?}");
    };
    assert_eq!(
        (
            writer.component.as_deref(),
            verdict.confidence,
            verdict.reason
        ),
        (Some(name), confidence, reason),
        "{verdict:#?}"
    );
}

#[test]
fn the_kernel_sets_it_where_nobody_writes() {
    let verdict = recorded(&Story::new().create().told);
    is(&verdict, &Cause::KernelConstant, Confidence::Observed, None);
    assert_eq!(
        verdict.sentence,
        "net.core.somaxconn is 4096 in netns 4026532281: the kernel's own value for a new \
         namespace, whatever the node has."
    );
    assert_eq!(found(&verdict, Suspect::Kernel), Found::SetIt);
    for finding in &verdict.suspects {
        assert!(finding.suspect == Suspect::Kernel || finding.finding == Found::Eliminated);
    }
}

#[test]
fn a_write_of_the_same_value_does_not_set_it() {
    let story = Story::new().create().write("runc", "4096");
    let verdict = recorded(&story.told);
    is(&verdict, &Cause::KernelConstant, Confidence::Observed, None);
    let runtime = verdict
        .suspects
        .iter()
        .find(|f| f.suspect == Suspect::Runtime)
        .unwrap();
    assert_eq!(runtime.why, "wrote \"4096\", which changed nothing");
}

#[test]
fn the_last_change_sets_it() {
    let story = Story::new()
        .create()
        .write("runc", "1024")
        .write("sysctl(8)", "512")
        .refuse("sysctl(8)", "-5");
    is_by(
        &recorded(&story.told),
        "sysctl(8)",
        Confidence::Observed,
        None,
    );
    is_by(
        &live(&story.told, "512"),
        "sysctl(8)",
        Confidence::Observed,
        None,
    );
}

#[test]
fn on_whose_behalf_it_was_written() {
    let mut story = Story::new().create().write("runc", "1024");
    let write = story.told.last_mut().unwrap();
    write.sysctl.as_mut().unwrap().requester = Some(Arc::new(docker("1024")));
    let verdict = recorded(&story.told);
    is_by(&verdict, "runc", Confidence::Observed, None);
    assert_eq!(found(&verdict, Suspect::Specification), Found::SetIt);
    assert_eq!(found(&verdict, Suspect::Dockerd), Found::PassedItOn);
    assert_eq!(found(&verdict, Suspect::Runtime), Found::PassedItOn);
    assert_eq!(found(&verdict, Suspect::Kubelet), Found::Eliminated);
    assert!(verdict.sentence.contains("as `docker run --sysctl` asks"));
}

#[test]
fn what_is_lost_may_have_changed_it() {
    let story = Story::new().create().write("runc", "1024").lose(3);
    is(
        &recorded(&story.told),
        &Cause::Undecided,
        Confidence::Unknown,
        Some(Reason::EventsLost),
    );
    // It still is what runc wrote, but may have been another value in between.
    let verdict = live(&story.told, "1024");
    is_by(
        &verdict,
        "runc",
        Confidence::Inferred,
        Some(Reason::EventsLost),
    );
    assert_eq!(found(&verdict, Suspect::Kubelet), Found::CannotSay);
    is(
        &live(&story.told, "7"),
        &Cause::Undecided,
        Confidence::Unknown,
        Some(Reason::EventsLost),
    );
}

#[test]
fn what_was_lost_before_the_write_does_not_matter() {
    let story = Story::new().create().lose(3).write("runc", "1024");
    is_by(&recorded(&story.told), "runc", Confidence::Observed, None);
}

#[test]
fn a_value_that_nobody_wrote() {
    let story = Story::new().create().write("runc", "1024");
    let reason = Some(Reason::ValueDiffers);
    is(
        &live(&story.told, "7"),
        &Cause::ChangedUnseen,
        Confidence::Unknown,
        reason,
    );
    let story = story.drift("7");
    is(
        &recorded(&story.told),
        &Cause::ChangedUnseen,
        Confidence::Unknown,
        reason,
    );
    let story = story.write("sysctl(8)", "8");
    is_by(
        &recorded(&story.told),
        "sysctl(8)",
        Confidence::Observed,
        None,
    );
}

#[test]
fn before_tracing_began() {
    let story = Story::new().meet();
    let reason = Some(Reason::BeforeTracing);
    is(
        &live(&story.told, "7"),
        &Cause::BeforeTracing,
        Confidence::Unknown,
        reason,
    );
    let refused = Story::new().refuse("sysctl(8)", "-5");
    is(
        &recorded(&refused.told),
        &Cause::BeforeTracing,
        Confidence::Unknown,
        reason,
    );
}

#[test]
fn of_two_that_race_the_one_whose_value_stands() {
    let mut story = Story::new()
        .create()
        .write("runc", "2")
        .write("sysctl(8)", "1");
    // The second asked for 1, but read 2 afterwards: it was first.
    let last = story.told.last_mut().unwrap().sysctl.as_mut().unwrap();
    (last.old, last.new) = (Some("4096".into()), Some("2".into()));
    is_by(
        &recorded(&story.told),
        "runc",
        Confidence::Inferred,
        Some(Reason::OtherThanAsked),
    );
}

#[test]
fn a_component_that_is_inferred_makes_a_verdict_that_is() {
    let mut story = Story::new().create().write("runc", "1024");
    let write = story.told.last_mut().unwrap();
    let mut component = write.component.as_deref().unwrap().value().clone();
    component.confidence = Sureness::Inferred;
    write.component = Some(Arc::new(Rendered::new(component)));
    is_by(
        &recorded(&story.told),
        "runc",
        Confidence::Inferred,
        Some(Reason::ComponentInferred),
    );
}

#[test]
fn files_where_nobody_watched() {
    let reason = Some(Reason::NotWatched);
    let constant = unwatched("4096", "4096", Asked::Nothing);
    is(
        &constant,
        &Cause::KernelConstant,
        Confidence::Inferred,
        reason,
    );
    assert_eq!(found(&constant, Suspect::Specification), Found::Eliminated);
    assert_eq!(found(&constant, Suspect::Process), Found::CannotSay);
    let asked = unwatched("1024", "4096", option("1024"));
    is(
        &asked,
        &Cause::Requested(docker("1024")),
        Confidence::Inferred,
        reason,
    );
    assert_eq!(found(&asked, Suspect::Kernel), Found::Eliminated);
    let other = unwatched("512", "4096", option("1024"));
    is(
        &other,
        &Cause::NotWatched,
        Confidence::Unknown,
        Some(Reason::OtherThanRequested),
    );
    is(
        &unwatched("512", "4096", Asked::Nothing),
        &Cause::NotWatched,
        Confidence::Unknown,
        reason,
    );
}

#[test]
fn a_stream_that_passed_filters_is_not_proof() {
    let mut story = Story::new().create();
    let filters = |option: &str, value: &str| [(option.to_owned(), vec![value.to_owned()])].into();
    let start = story.told.first_mut().unwrap();
    start.trace.set_filters(filters("comm", "runc*"));
    let reason = Some(Reason::Filtered);
    is(
        &recorded(&story.told),
        &Cause::KernelConstant,
        Confidence::Inferred,
        reason,
    );
    let start = story.told.first_mut().unwrap();
    start.trace.set_filters(filters("key", "net.core.*"));
    is(
        &recorded(&story.told),
        &Cause::KernelConstant,
        Confidence::Observed,
        None,
    );
}

#[test]
fn a_stream_without_its_beginning_is_not_proof() {
    let story = Story::new().create();
    let verdict = recorded(&story.told[1..]);
    is(
        &verdict,
        &Cause::KernelConstant,
        Confidence::Inferred,
        Some(Reason::NoStart),
    );
}

#[test]
fn keys_of_other_kinds_of_namespaces() {
    let verdict = Verdict::of(&Facts {
        key: "kernel.shmmax",
        is_node: true,
        seen: None,
        held: Held {
            value: Some(SmolStr::new_static("1")),
            ..Held::default()
        },
    });
    is(
        &verdict,
        &Cause::Undecided,
        Confidence::Unknown,
        Some(Reason::OtherNamespace),
    );
}

#[test]
fn a_namespace_that_is_gone() {
    // What was lost after its end is not about it.
    let story = Story::new()
        .create()
        .write("runc", "1024")
        .destroy()
        .lose(1);
    let verdict = recorded(&story.told);
    is_by(&verdict, "runc", Confidence::Observed, None);
    assert!(
        verdict
            .sentence
            .starts_with("net.core.somaxconn was 1024 in ")
    );
    assert_eq!(story.told.last().unwrap().event.action, Action::EventsLost);
}

#[test]
fn of_two_writes_that_overlap_the_one_that_ended_last_set_it() {
    // Held up half-way, back to what was there before: by what it read itself, it changed nothing.
    let story = Story::new()
        .create()
        .stall("runc", "4096", "sysctl(8)", "512");
    for verdict in [recorded(&story.told), live(&story.told, "4096")] {
        is_by(&verdict, "runc", Confidence::Observed, None);
        let told = |text: &str| verdict.evidence.iter().any(|fact| fact.text.contains(text));
        assert!(
            told("wrote \"4096\"") && told("wrote \"512\""),
            "{verdict:#?}"
        );
    }
}

#[test]
fn a_recording_that_breaks_off_proves_something_as_of_a_moment() {
    let told = Story::new().create().write("runc", "1024").told;
    let mut ledger = Ledger::new(Limits::default());
    told.iter().for_each(|event| ledger.take(event));
    let verdict = verdict_of(&ledger, Held::default());
    is_by(&verdict, "runc", Confidence::Observed, None);
    assert_eq!(verdict.as_of, Some(told[2].timestamp));
    assert!(
        verdict
            .sentence
            .contains("netns 4026532281 as of 1970-01-01T00:00:00Z"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn programs_of_namespaces_that_were_passed_over_hide_no_write_of_a_real_pod() {
    let recording = include_str!("../../tests/recordings/min-lost.json");
    let mut ledger = Ledger::new(Limits::default());
    for line in recording.lines() {
        ledger.take(&serde_json::from_str(line).unwrap());
    }
    let place = ledger
        .namespaces()
        .find(|namespace| namespace.keys.contains_key(KEY))
        .unwrap()
        .place;
    let verdict = Verdict::of(&Facts {
        key: KEY,
        is_node: false,
        seen: Some(Seen {
            window: ledger.window(),
            namespace: ledger.namespace(place),
            node: ledger.namespace(Place::Node),
            node_netns: None,
        }),
        held: Held::default(),
    });
    is_by(&verdict, "runc", Confidence::Observed, None);
    let Cause::Written(writer) = &verdict.cause else {
        panic!("{verdict:#?}");
    };
    let requester = writer.requester.as_ref().unwrap();
    assert_eq!(requester.source, RequesterSource::PodSecurityContext);
    assert_eq!(requester.value, "777");
    assert!(verdict.as_of.is_some());
    let told = "the tracer lost 5 events since, none of which can hide a write";
    let is_told = verdict
        .evidence
        .iter()
        .any(|fact| fact.text.starts_with(told));
    assert!(is_told, "{verdict:#?}");
}
