use std::sync::Arc;

use super::super::{Verdict, story::Story, tests::recorded};
use crate::{event::Event, rendered::Rendered};

const PROGRAM: &str = "|/opt/dump %p";

/// Makes a write one of the setting.
fn of_setting(event: &mut Event, value: &str) {
    event.netns = None;
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.key = "kernel.core_pattern".into();
    sysctl.path = "kernel/core_pattern".into();
    if event.error.is_some() {
        sysctl.old = Some(value.into());
    }
    sysctl.new = Some(value.into());
}

/// Has a writer's component say which setting named it.
fn named(event: &mut Event, setting: &str) {
    let mut component = event.component.as_deref().unwrap().value().clone();
    component.evidence = vec![format!("kernel.core_pattern names it: {setting}")];
    event.component = Some(Arc::new(Rendered::new(component)));
}

/// Who is said to have set it.
fn setters(verdict: &Verdict) -> Vec<&str> {
    let texts = verdict.evidence.iter().map(|fact| fact.text.as_str());
    texts
        .filter(|text| text.starts_with("kernel.core_pattern was set to"))
        .collect()
}

/// The setting is set, set again, refused, and names the program that writes.
fn story(writer: &str, last_setting: &str) -> Vec<Event> {
    let mut told = Story::new()
        .create()
        .write("sh", "core")
        .write("systemd", PROGRAM)
        .refuse("docker", "x")
        .write(writer, "1024")
        .told;
    let [.., first, last, refused, write] = &mut told[..] else {
        panic!("{told:#?}");
    };
    of_setting(first, "core");
    of_setting(last, last_setting);
    of_setting(refused, last_setting);
    named(write, PROGRAM);
    told
}

#[test]
fn who_set_the_setting_is_told() {
    let told = story("usermodehelper", PROGRAM);
    let verdict = recorded(&told);
    let expected = ["kernel.core_pattern was set to |/opt/dump %p by systemd[307] (systemd)"];
    assert_eq!(setters(&verdict), expected, "{verdict:#?}");
    let moments: Vec<_> = verdict.evidence.iter().filter_map(|fact| fact.at).collect();
    assert!(moments.is_sorted(), "{verdict:#?}");
}

#[test]
fn nobody_is_named_who_did_not_set_what_named_the_program() {
    let changed_since = story("usermodehelper", "|/opt/other");
    let of_another = story("runc", PROGRAM);
    for told in [changed_since, of_another] {
        let verdict = recorded(&told);
        assert!(setters(&verdict).is_empty(), "{verdict:#?}");
    }
}
