use super::*;
use crate::{
    event::{RequesterSource, Sysctl},
    output::samples,
};

fn line(event: &Event) -> String {
    let mut out = Vec::new();
    crate::output::json::Json::default()
        .push_event(&mut out, event)
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn parsed(event: &Event) -> serde_json::Value {
    let line = line(event);
    assert!(line.len() < 8 * 1024, "{}", line.len());
    serde_json::from_str(&line).unwrap()
}

fn with_sysctl(change: impl FnOnce(&mut Sysctl)) -> Event {
    let mut event = samples::write("1024", "4096", "1024");
    change(event.sysctl.as_mut().unwrap());
    event
}

fn with_process(change: impl FnOnce(&mut Process)) -> Event {
    let mut event = samples::write("1024", "4096", "1024");
    let mut process = samples::process(1, "x");
    change(&mut process);
    event.process = Some(Arc::new(Rendered::new(process)));
    event
}

#[test]
fn short_lines_stay_whole() {
    for event in samples::all() {
        assert_eq!(parsed(&event)["trace"]["truncated"], serde_json::json!([]));
    }
    // 4 KiB of ordinary text fits.
    let text = "x".repeat(4096);
    let event = with_sysctl(|sysctl| sysctl.requested = Some(text.as_str().into()));
    assert_eq!(parsed(&event)["sysctl"]["requested"], text);
}

#[test]
fn long_values_are_cut_and_named() {
    let event = with_sysctl(|sysctl| sysctl.requested = Some("\x01".repeat(4096).into()));
    let line = parsed(&event);
    assert_eq!(
        line["trace"]["truncated"],
        serde_json::json!(["sysctl.requested"])
    );
    assert_eq!(line["sysctl"]["requested"], "\x01".repeat(1024 / 6));
    assert_eq!(line["sysctl"]["new"], "1024");
}

#[test]
fn long_requests_are_cut_and_named() {
    let event = with_sysctl(|sysctl| {
        sysctl.requester = Some(Arc::new(Requester {
            source: RequesterSource::SysctlFile,
            value: "1".repeat(5000),
            file: Some("f".repeat(5000)),
            line: Some(3),
        }));
    });
    let parsed = parsed(&event);
    let requester = &parsed["sysctl"]["requester"];
    assert_eq!(requester["value"].as_str().unwrap().len(), 1024);
    assert_eq!(requester["file"].as_str().unwrap().len(), 1024);
    assert_eq!(requester["line"], 3);
    assert_eq!(
        parsed["trace"]["truncated"],
        serde_json::json!(["sysctl.requester.file", "sysctl.requester.value"])
    );
}

#[test]
fn long_tables_keep_what_fits() {
    let mut event = samples::registered();
    let short = parsed(&event);
    assert_eq!(short["trace"]["truncated"], serde_json::json!([]));
    let table = event.table.as_mut().unwrap();
    for number in 0..400 {
        let name = format!("a_key_with_a_long_name_{number}");
        table.values.insert(name.into(), "1".into());
    }
    let line = parsed(&event);
    assert_eq!(line["trace"]["truncated"], serde_json::json!(["table"]));
    let kept = line["table"]["values"].as_object().unwrap();
    assert!((100..400).contains(&kept.len()), "{}", kept.len());
}

#[test]
fn what_was_cut_before_is_named_once() {
    let mut event = with_sysctl(|sysctl| sysctl.requested = Some("\x01".repeat(4096).into()));
    event.trace.truncated = vec!["sysctl.requested".into()];
    assert_eq!(
        parsed(&event)["trace"]["truncated"],
        serde_json::json!(["sysctl.requested"])
    );
}

#[test]
fn long_arguments_are_cut_and_named() {
    let event = with_process(|process| {
        process.args = Some(vec!["a".repeat(600), "ü\"".repeat(300), "c".repeat(9000)]);
    });
    let line = parsed(&event);
    assert_eq!(
        line["trace"]["truncated"],
        serde_json::json!(["process.args"])
    );
    let args = line["process"]["args"].as_array().unwrap();
    assert_eq!(args[0], "a".repeat(600));
    assert!("ü\"".repeat(300).starts_with(args[1].as_str().unwrap()));
    assert_eq!(args.len(), 2);

    let event = with_process(|process| process.args = Some(vec![String::new(); 5000]));
    let args = &parsed(&event)["process"]["args"];
    assert_eq!(args.as_array().unwrap().len(), 1024 / 3);
}

#[test]
fn the_worst_fits() {
    let worst = "\x01".repeat(5000);
    let mut event = with_process(|process| {
        process.name = "\x01".repeat(15);
        process.args = Some(vec![worst.clone(); 3]);
        process.executable = Some(worst.clone());
        process.executable_name = Some("\x01".repeat(255));
        process.cgroup = Some(worst.clone());
        process.ancestors = (0..8)
            .map(|pid| {
                let mut ancestor = samples::ancestor(pid, &"\x01".repeat(15));
                ancestor.executable_name = Some("\x01".repeat(255));
                ancestor
            })
            .collect();
        process.parent = process.ancestors.first().cloned();
    });
    let sysctl = event.sysctl.as_mut().unwrap();
    sysctl.requested = Some(worst.as_str().into());
    sysctl.old = Some(worst.as_str().into());
    sysctl.new = Some(worst.as_str().into());
    let line = parsed(&event);
    assert_eq!(line["trace"]["truncated"].as_array().unwrap().len(), 9);
    assert_eq!(line["process"]["ancestors"].as_array().unwrap().len(), 8);
}

#[test]
fn characters_take_what_serde_takes() {
    for char in ('\0'..='\u{ff}').chain(['日', '\u{10ffff}']) {
        let json = serde_json::to_string(&char).unwrap();
        assert_eq!(json_len(char), json.len() - 2, "{char:?}");
    }
}

#[test]
fn keys_that_do_not_fit_are_left_out_and_named() {
    let with = |count: usize| {
        let mut event = samples::started();
        let shared = (0..count).map(|at| format!("net.core.key_{at:03}").into());
        event.trace.keys = Some(Box::new(crate::event::NodeKeys {
            shared: shared.collect(),
            aliases: Vec::new(),
        }));
        parsed(&event)
    };
    let whole = with(200);
    let shared = whole["trace"]["keys"]["shared"].as_array().unwrap();
    assert_eq!(shared.len(), 200);
    assert_eq!(whole["trace"]["truncated"], serde_json::json!([]));
    let cut = with(500);
    assert!(cut["trace"]["keys"].is_null(), "{cut}");
    assert_eq!(cut["trace"]["truncated"], serde_json::json!(["trace.keys"]));
}
