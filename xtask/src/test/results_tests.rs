use sysctl_trace_tests::protocol::Flavour;

use super::*;

fn result(case: &str, outcome: Outcome) -> CaseResult {
    CaseResult {
        case: case.to_owned(),
        outcome,
        seconds: Some(1.25),
    }
}

fn info(name: &str) -> CaseInfo {
    CaseInfo {
        name: name.to_owned(),
        kernels: None,
        deadline_s: 1,
    }
}

fn scenario(number: u8, name: &str) -> ScenarioInfo {
    ScenarioInfo {
        number,
        name: name.to_owned(),
        flavour: Flavour::Unified,
        deadline_s: 1,
        lacking: Vec::new(),
    }
}

fn cells<'a>(text: &'a str, row: &str) -> Vec<&'a str> {
    let row = format!("| {row}");
    let line = text.lines().find(|line| line.starts_with(&row)).unwrap();
    line.split('|').map(str::trim).collect()
}

#[test]
fn the_last_line_counts_everything() {
    let mut results = Results::new(
        &[info("environment"), info("burst")],
        &[scenario(1, "ip netns"), scenario(10, "cgroup version 1")],
        vec![
            Check {
                name: "formatting",
                passed: true,
            },
            Check {
                name: "clippy",
                passed: false,
            },
        ],
    );
    results.host = Host {
        passed: 7,
        failed: 0,
    };
    results.kernels = vec![
        OnKernel {
            title: "5.10.0-32".to_owned(),
            results: vec![result("environment", Outcome::Passed)],
            lacking: Vec::new(),
        },
        OnKernel {
            title: "6.12.1".to_owned(),
            results: vec![
                result("environment", Outcome::Passed),
                result("burst", Outcome::Failed("kernel panic: x\nmore".to_owned())),
            ],
            lacking: Vec::new(),
        },
    ];
    results.userlands = vec![OnKernel {
        title: "forky 7.2.1".to_owned(),
        results: vec![result("1 ip netns", Outcome::Passed)],
        lacking: vec![("10 cgroup version 1".to_owned(), "no such thing".to_owned())],
    }];
    let text = results.to_string();
    assert_eq!(text.lines().last(), Some("11 passed, 2 failed"));
    assert!(
        text.contains("FAILED burst on 6.12.1: kernel panic: x\n"),
        "{text}"
    );
    assert!(
        text.contains("checks: formatting ok; clippy FAILED\n"),
        "{text}"
    );
    assert_eq!(cells(&text, "burst"), ["", "burst", "-", "FAILED", ""]);
    assert_eq!(cells(&text, "1 ip"), ["", "1 ip netns", "ok 1.2 s", ""]);
    assert_eq!(cells(&text, "10 ")[2], "lacking: no such thing");
    assert!(!results.all_passed());
}
