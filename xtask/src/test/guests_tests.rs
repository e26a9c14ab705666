use super::*;

#[test]
fn a_failed_case_is_quoted_with_its_error() {
    let error = "step 1\nerror: 2 differences:\n  this\n  that\n\n";
    assert_eq!(complaint(error), Some("error: 2 differences:"));
    let panic = "error: an earlier one, got over\npanicked at src/x.rs:1:2: no\n";
    assert_eq!(complaint(panic), Some("panicked at src/x.rs:1:2: no"));
    assert_eq!(complaint("step 1\nstep 2\n\n"), Some("step 2"));
    assert_eq!(complaint("\n"), None);
}

#[test]
fn the_flavour_of_a_release_is_left_out() {
    assert_eq!(short("6.12.107+deb13-cloud-amd64"), "6.12.107+deb13");
    assert_eq!(short("6.12.107"), "6.12.107");
}

#[test]
fn scenarios_share_a_boot_where_they_can() {
    let scenario = |number, flavour, lacking: &[&str]| ScenarioInfo {
        number,
        name: String::new(),
        flavour,
        deadline_s: 10,
        lacking: lacking
            .iter()
            .map(|suite| sysctl_trace_tests::protocol::Lacking {
                suite: (*suite).to_owned(),
                what: "it".to_owned(),
            })
            .collect(),
    };
    let all = [
        scenario(1, Flavour::Unified, &[]),
        scenario(2, Flavour::Hybrid, &["forky"]),
        scenario(3, Flavour::Unified, &[]),
    ];
    let numbers = |suite, all| {
        let wanted = Wanted {
            label: "7.2",
            suite,
        };
        let batches = Batch::of_scenarios(&wanted, all);
        let numbers = batches.iter().map(|batch| match batch {
            Batch::Scenarios(_, _, scenarios) => scenarios.iter().map(|one| one.number).collect(),
            Batch::Cases(..) => Vec::new(),
        });
        numbers.collect::<Vec<Vec<u8>>>()
    };
    assert_eq!(numbers("trixie", &all), [vec![1, 3], vec![2]]);
    assert_eq!(numbers("forky", &all), [vec![1, 3]]);
    let nothing: [Vec<u8>; 1] = [Vec::new()];
    assert_eq!(numbers("forky", &all[1..2]), nothing);
}
