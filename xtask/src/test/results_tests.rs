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

#[test]
fn the_last_line_counts_everything() {
    let mut results = Results::new(
        &[info("environment"), info("burst")],
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
        },
        OnKernel {
            title: "6.12.1".to_owned(),
            results: vec![
                result("environment", Outcome::Passed),
                result("burst", Outcome::Failed("kernel panic: x\nmore".to_owned())),
            ],
        },
    ];
    let text = results.to_string();
    assert_eq!(text.lines().last(), Some("10 passed, 2 failed"));
    assert!(
        text.contains("FAILED burst on 6.12.1: kernel panic: x\n"),
        "{text}"
    );
    assert!(
        text.contains("checks: formatting ok; clippy FAILED\n"),
        "{text}"
    );
    let burst = text
        .lines()
        .find(|line| line.starts_with("| burst"))
        .unwrap();
    let cells: Vec<&str> = burst.split('|').map(str::trim).collect();
    assert_eq!(cells, ["", "burst", "-", "FAILED", ""]);
    assert!(!results.all_passed());
}
