use super::*;
use crate::output::samples;

fn story(event: &Event) -> String {
    let mut out = String::new();
    push_story(&mut out, event, Charset::Unicode);
    out
}

fn changed(mut event: Event, change: impl FnOnce(&mut Sysctl)) -> Event {
    change(event.sysctl.as_mut().unwrap());
    event
}

#[test]
fn writes() {
    let at = changed(samples::write("128", "4096", "4096"), |sysctl| {
        sysctl.position = Some(5);
    });
    let partly = changed(samples::write("10 x", "10", "10"), |sysctl| {
        sysctl.written = Some(3);
    });
    let half_refused = changed(samples::refused("EINVAL", "1 x", "4096"), |sysctl| {
        sysctl.new = Some("1".into());
    });
    let unseen = changed(samples::write("1", "1", "1"), |sysctl| sysctl.old = None);
    let unknown = changed(samples::not_decoded(), |sysctl| sysctl.requested = None);
    let refused_unknown = changed(samples::refused("EPERM", "1", ""), |sysctl| {
        sysctl.type_ = ValueType::NotDecoded;
        sysctl.old = None;
        sysctl.new = None;
    });
    for (event, want) in [
        (samples::write("1024", "4096", "1024"), "4096 → 1024"),
        (samples::write("4096", "4096", "4096"), "4096 → 4096"),
        (
            samples::write("1 2\t3", "4\t5\t6", "1\t2\t3"),
            "4 5 6 → 1 2 3",
        ),
        (
            samples::write("0x10", "1", "16"),
            r#"1 → 16 (asked "0x10")"#,
        ),
        (at, r#"4096 → 4096 (asked "128") (at byte 5)"#),
        (partly, r#"10 → 10 (asked "10 x") (took 3 of 4 bytes)"#),
        (
            samples::refused("EINVAL", "abc", "4096"),
            r#"4096 ✗ EINVAL "abc""#,
        ),
        (half_refused, r#"4096 → 1 ✗ EINVAL "1 x""#),
        (unseen, "? → 1"),
        (samples::not_decoded(), r#""core.%e" (not decoded)"#),
        (unknown, "(not decoded)"),
        (refused_unknown, r#"✗ EPERM "1""#),
    ] {
        assert_eq!(story(&event), want);
    }
}

#[test]
fn namespaces_and_loss() {
    assert_eq!(story(&samples::created()), "4096 (node 2048)");
    assert_eq!(story(&samples::not_created()), "✗ ENOSPC");
    assert_eq!(story(&samples::destroyed()), "");
    assert_eq!(
        story(&samples::lost()),
        "12 lost: 10 ring full, 2 probe missed"
    );
    let mut out = String::new();
    push_lost(&mut out, &Lost::default());
    assert_eq!(out, "0 lost");
}

#[test]
fn ascii() {
    let mut out = String::new();
    push_story(
        &mut out,
        &samples::refused("EINVAL", "ä", "4096"),
        Charset::Ascii,
    );
    push_story(&mut out, &samples::write("1", "2", "1"), Charset::Ascii);
    assert_eq!(out, r#"4096 ! EINVAL "\u{e4}"2 -> 1"#);
}

#[test]
fn tones() {
    for (event, want) in [
        (samples::write("1", "2", "1"), Tone::Changed),
        (samples::write("1", "1", "1"), Tone::Quiet),
        (samples::refused("EINVAL", "x", "1"), Tone::Bad),
        (samples::not_decoded(), Tone::Plain),
        (samples::created(), Tone::Created),
        (samples::not_created(), Tone::Bad),
        (samples::destroyed(), Tone::Quiet),
        (samples::lost(), Tone::Bad),
    ] {
        assert_eq!(tone(&event), want);
    }
}
