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
