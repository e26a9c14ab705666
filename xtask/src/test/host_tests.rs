use super::*;

fn tally(text: &str, success: bool) -> Host {
    let mut tally = Tally::default();
    for line in text.lines() {
        tally.line(line);
    }
    tally.finish(success)
}

const TWO_PROGRAMS: &str = "\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
    test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\n\
    running 1 test\ntest c ... ok\n\n\
    test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s\n";

#[test]
fn results_are_summed_over_programs() {
    assert_eq!(
        tally(TWO_PROGRAMS, false),
        Host {
            passed: 2,
            failed: 1
        }
    );
}

#[test]
fn a_program_that_crashes_counts_as_a_failure() {
    let text = format!("{TWO_PROGRAMS}\nrunning 9 tests\ntest d ... ok\n");
    assert_eq!(
        tally(&text, false),
        Host {
            passed: 2,
            failed: 2
        }
    );
}

#[test]
fn a_failure_without_any_result_counts_as_one() {
    assert_eq!(
        tally("", false),
        Host {
            passed: 0,
            failed: 1
        }
    );
    assert_eq!(tally("", true), Host::default());
}
