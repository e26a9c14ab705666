//! What is said of suspects, and in which words.

use super::{
    story::Story,
    tests::{docker, found, held, live, option, recorded, unwatched},
    *,
};
use crate::event::{Event, RequesterSource};

/// What is said of a suspect.
#[track_caller]
fn why(verdict: &Verdict, suspect: Suspect) -> &str {
    let finding = verdict.suspects.iter().find(|f| f.suspect == suspect);
    &finding.unwrap().why
}

/// The last write of a story, on behalf of a requester.
fn on_behalf(mut story: Story, requester: Requester) -> Story {
    let write: &mut Event = story.told.last_mut().unwrap();
    write.sysctl.as_mut().unwrap().requester = Some(Arc::new(requester));
    story
}

#[test]
fn a_writer_in_another_network_namespace_is_told() {
    let mut story = Story::new().create().write("program", "700");
    let written = story.told.last_mut().unwrap();
    let mut process = written.process.as_deref().unwrap().value().clone();
    process.namespaces.net = Some(4026531840);
    written.process = Some(Arc::new(Rendered::new(process)));
    let verdict = recorded(&story.told);
    assert!(
        verdict
            .sentence
            .ends_with("wrote it from another network namespace."),
        "{}",
        verdict.sentence
    );
    let told = "in network namespace 4026531840, wrote \"700\": from 4096 to 700";
    assert!(
        verdict.evidence.iter().any(|fact| fact.text.contains(told)),
        "{verdict:#?}"
    );
    let at_home = recorded(&Story::new().create().write("program", "700").told);
    assert!(
        at_home.sentence.ends_with("wrote it."),
        "{}",
        at_home.sentence
    );
}

#[test]
fn what_made_the_namespace_is_told_where_it_wrote_nothing() {
    let verdict = recorded(&Story::new().create().write("program", "700").told);
    let why = |suspect| {
        let mut findings = verdict.suspects.iter();
        findings
            .find(|f| f.suspect == suspect)
            .unwrap()
            .why
            .as_str()
    };
    assert_eq!(
        why(Suspect::Runtime),
        "made the namespace, but wrote nothing here"
    );
    assert_eq!(why(Suspect::Containerd), "wrote nothing here");
}

#[test]
fn a_program_without_a_part_of_its_own_is_called_by_its_process() {
    let mut story = Story::new().create().write("program", "700");
    let written = story.told.last_mut().unwrap();
    let mut process = written.process.as_deref().unwrap().value().clone();
    process.name = "sh".into();
    written.process = Some(Arc::new(Rendered::new(process)));
    let verdict = recorded(&story.told);
    assert!(verdict.sentence.contains(": sh["), "{}", verdict.sentence);
}

#[test]
fn a_specification_that_asks_for_the_same_is_never_said_to_ask_for_other() {
    let facts = |asked| Held {
        value: Some("1024".into()),
        asked,
        ..Held::default()
    };
    // Written without it, or nobody knows by whom.
    let story = Story::new().create().write("kubelet", "1024");
    let verdict = held(&story.told, facts(option("1024")));
    assert_eq!(found(&verdict, Suspect::Specification), Found::Eliminated);
    assert_eq!(
        why(&verdict, Suspect::Specification),
        "asks for 1024 too, but that is not why"
    );
    let story = Story::new().create().write("runc", "512").lose(3);
    let verdict = held(&story.told, facts(option("1024")));
    assert_eq!(found(&verdict, Suspect::Specification), Found::CannotSay);
}

#[test]
fn a_file_in_sysctl_d_sets_it_and_a_process_passes_it_on() {
    let file = Requester {
        source: RequesterSource::SysctlFile,
        value: "2048".into(),
        file: Some("/etc/sysctl.d/99-x.conf".into()),
        line: Some(3),
    };
    let story = Story::new().create().write("systemd-sysctl", "2048");
    let verdict = recorded(&on_behalf(story, file.clone()).told);
    assert_eq!(found(&verdict, Suspect::Specification), Found::SetIt);
    assert_eq!(found(&verdict, Suspect::Process), Found::PassedItOn);
    let verdict = unwatched("2048", "4096", Asked::For(Arc::new(file)));
    assert_eq!(found(&verdict, Suspect::Specification), Found::SetIt);
    assert_eq!(found(&verdict, Suspect::Process), Found::PassedItOn);
    assert_eq!(found(&verdict, Suspect::Runtime), Found::CannotSay);
}

#[test]
fn what_the_engine_put_into_the_specification_is_not_what_the_user_asked_for() {
    let default = Requester {
        source: RequesterSource::EngineDefault,
        ..docker("0")
    };
    let verdict = unwatched("5", "1024", Asked::For(Arc::new(default)));
    assert_eq!(
        why(&verdict, Suspect::Specification),
        "asks for no value of its own"
    );
}

#[test]
fn what_was_asked_for_and_overwritten_is_told_by_a_recording_too() {
    let story = on_behalf(Story::new().create().write("runc", "1024"), docker("1024"));
    let verdict = recorded(&story.write("kubelet", "300").told);
    let why = why(&verdict, Suspect::Specification);
    assert!(
        why.starts_with("asks for 1024 in ") && why.ends_with(", which was overwritten"),
        "{why}"
    );
}

#[test]
fn a_namespace_made_while_events_were_lost_is_not_said_to_be_from_before() {
    let fresh = Held {
        value: Some("4096".into()),
        default: Some("4096".into()),
        ..Held::default()
    };
    let verdict = held(&Story::new().lose(3).told, fresh.clone());
    assert_eq!(verdict.reason, Some(Reason::BeforeTracing));
    assert!(
        verdict
            .sentence
            .ends_with("(most likely, as it was not seen being made)."),
        "{}",
        verdict.sentence
    );
    let lost = "the tracer lost 3 events since";
    assert!(verdict.evidence.iter().any(|fact| fact.text == lost));
    let whole = held(&Story::new().told, fresh);
    assert!(
        whole
            .sentence
            .ends_with("as it was set before tracing began)."),
        "{}",
        whole.sentence
    );
    let verdict = live(&Story::new().lose(3).told, "7");
    assert!(
        verdict
            .sentence
            .contains("before tracing began or unseen since"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn after_loss_a_recording_has_only_the_value_last_seen() {
    let story = Story::new().create().write("runc", "1024").lose(3);
    let verdict = recorded(&story.told);
    assert!(
        verdict.sentence.contains(" was last seen as 1024 in "),
        "{}",
        verdict.sentence
    );
    // The kernel gave 4096, which is not what is there.
    let verdict = live(&story.told, "7");
    assert_eq!(found(&verdict, Suspect::Kernel), Found::CannotSay);
    assert!(why(&verdict, Suspect::Kernel).starts_with("gave it 4096"));
}

#[test]
fn a_value_found_after_loss_is_not_said_to_be_changed_without_loss() {
    let story = Story::new().create().write("runc", "1024");
    let verdict = recorded(&story.clone().lose(3).drift("7").told);
    assert_eq!(verdict.reason, Some(Reason::EventsLost), "{verdict:#?}");
    let verdict = recorded(&story.drift("7").told);
    assert_eq!(verdict.reason, Some(Reason::ValueDiffers), "{verdict:#?}");
}

/// A file of settings that asks for a value.
fn file(value: &str) -> Requester {
    Requester {
        source: RequesterSource::SysctlFile,
        value: value.into(),
        file: Some("/etc/sysctl.d/31.conf".into()),
        line: Some(3),
    }
}

/// The last write of a story, by a process with these arguments; none where they could not be read.
fn called(mut story: Story, args: Option<&[&str]>) -> Story {
    let write: &mut Event = story.told.last_mut().unwrap();
    let mut process = write.process.as_deref().unwrap().value().clone();
    process.args = args.map(|args| args.iter().map(|&arg| arg.into()).collect());
    write.process = Some(Arc::new(Rendered::new(process)));
    story
}

#[test]
fn a_file_is_not_cleared_where_the_arguments_of_the_writer_are_not_known() {
    let by = |component: &str| called(Story::new().create().write(component, "31"), None);
    let facts = |asked| Held {
        value: Some("31".into()),
        asked,
        ..Held::default()
    };
    for component in ["sysctl(8)", "systemd-sysctl", "tuned", "program"] {
        let verdict = held(&by(component).told, facts(Asked::For(Arc::new(file("31")))));
        assert_eq!(
            found(&verdict, Suspect::Specification),
            Found::CannotSay,
            "{component}"
        );
        let too = "/etc/sysctl.d/31.conf:3 asks for 31 too";
        assert_eq!(why(&verdict, Suspect::Specification), too);
        assert!(
            verdict.evidence.iter().any(|fact| fact.text == too),
            "{verdict:#?}"
        );
    }
    // A file elsewhere may have been applied, whatever sysctl.d has.
    for asked in [
        Asked::Nothing,
        Asked::Unknown,
        Asked::For(Arc::new(file("7"))),
    ] {
        let verdict = held(&by("sysctl(8)").told, facts(asked));
        assert_eq!(found(&verdict, Suspect::Specification), Found::CannotSay);
        let why = why(&verdict, Suspect::Specification);
        assert!(why.ends_with("its arguments could not be read"), "{why}");
    }
    assert_eq!(
        found(&recorded(&by("runc").told), Suspect::Specification),
        Found::CannotSay
    );
    assert_eq!(
        found(&recorded(&by("program").told), Suspect::Specification),
        Found::CannotSay
    );
}

#[test]
fn a_file_is_cleared_by_arguments_that_have_the_value() {
    let story = Story::new().create().write("sysctl(8)", "31");
    let story = called(story, Some(&["sysctl", "-w", "net.core.somaxconn=31"]));
    let facts = Held {
        value: Some("31".into()),
        asked: Asked::For(Arc::new(file("31"))),
        ..Held::default()
    };
    let verdict = held(&story.told, facts);
    assert_eq!(found(&verdict, Suspect::Specification), Found::Eliminated);
    assert_eq!(
        found(&recorded(&story.told), Suspect::Specification),
        Found::Eliminated
    );
}

#[test]
fn a_specification_with_what_a_runtime_wrote_is_why_it_wrote() {
    let story = called(Story::new().create().write("pinns", "1024"), None);
    let facts = |asked| Held {
        value: Some("1024".into()),
        asked,
        ..Held::default()
    };
    let verdict = held(&story.told, facts(option("1024")));
    assert_eq!(found(&verdict, Suspect::Specification), Found::SetIt);
    let verdict = held(&story.told, facts(option("512")));
    assert_eq!(found(&verdict, Suspect::Specification), Found::CannotSay);
}

#[test]
fn what_was_refused_overwrote_nothing() {
    let story = on_behalf(Story::new().create().refuse("runc", "many"), docker("many"));
    let live = Held {
        value: Some("4096".into()),
        asked: option("many"),
        ..Held::default()
    };
    for verdict in [recorded(&story.told), held(&story.told, live)] {
        assert_eq!(verdict.cause, Cause::KernelConstant, "{verdict:#?}");
        assert_eq!(verdict.confidence, Confidence::Observed);
        let why = why(&verdict, Suspect::Specification);
        assert_eq!(found(&verdict, Suspect::Specification), Found::Eliminated);
        assert!(
            why.ends_with(", which the kernel refused (EINVAL)"),
            "{why}"
        );
        let told = "; \"many\", as `docker run --sysctl` asks, was refused (EINVAL).";
        assert!(verdict.sentence.ends_with(told), "{}", verdict.sentence);
    }
}

#[test]
fn what_was_asked_for_and_there_already_overwrote_nothing() {
    let story = on_behalf(Story::new().create().write("runc", "4096"), docker("4096"));
    let verdict = recorded(&story.told);
    let why = why(&verdict, Suspect::Specification);
    assert!(why.ends_with(", which changed nothing"), "{why}");
}
