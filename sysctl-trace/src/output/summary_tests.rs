use super::*;
use crate::output::samples;

#[test]
fn tells_namespaces_events_and_loss() {
    let mut summary = Summary::new(Charset::Unicode);
    summary.add(&samples::started());
    for event in samples::all() {
        summary.add(&event);
    }
    summary.add_filtered();
    let lost = Lost {
        ring_full: 10,
        in_flight: 0,
        probe_missed: 2,
        unreadable: 0,
    };
    assert_eq!(
        summary.text(&lost),
        "netns 4026532281: somaxconn 4096 (node 2048), made by unshare[312], for default/shop-1 (containerd)\n\
         netns without a number: ✗ ENOSPC, asked for by unshare[312]\n\
         9 events: 2 netns-create (1 refused), 1 netns-destroy, 3 sysctl-write (1 refused), \
         1 netns-enter, 1 netns-bind, 1 sysctl-drift; 1 more did not pass the filters\n\
         12 lost: 10 ring full, 2 probe missed\n"
    );
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let summary = Summary::new(Charset::Unicode);
    assert_eq!(summary.text(&Lost::default()), "0 events\n0 lost\n");
}

#[test]
fn many_namespaces_do_not_pile_up() {
    let mut summary = Summary::new(Charset::Unicode);
    for _ in 0..1234 {
        summary.add(&samples::created());
    }
    let text = summary.text(&Lost::default());
    assert_eq!(text.lines().count(), 1000 + 3);
    assert!(text.contains("\nand 234 more new namespaces\n1234 events: 1234 netns-create\n"));
}

#[test]
fn actions_have_their_places() {
    for (at, action) in Action::ALL.into_iter().enumerate() {
        assert_eq!(place(action), at);
    }
}

#[test]
fn hostile_names_are_shown_not_obeyed() {
    let mut event = samples::created();
    let process = samples::process(1, "x\x1b[2J\n");
    event.process = Some(std::sync::Arc::new(crate::rendered::Rendered::new(process)));
    let mut summary = Summary::new(Charset::Unicode);
    summary.add(&event);
    let text = summary.text(&Lost::default());
    assert!(text.contains(r"made by x\e[2J\n[1]"), "{text}");
    assert_eq!(text.lines().count(), 3);
}
