use super::*;

#[test]
fn the_status_of_the_command_is_passed_through() {
    for (raw, want) in [
        (0, 0),
        (1 << 8, 1),
        (42 << 8, 42),
        (255 << 8, 255),
        (2, 130),
        (9, 137),
        (11 | 0x80, 139),
        (64, 192),
    ] {
        assert_eq!(Exit::of_command(ExitStatus::from_raw(raw)).status(), want);
    }
}

#[test]
fn only_a_plain_end_counts_as_success() {
    assert!(Exit::Done.is_success());
    assert!(Exit::Command(0).is_success());
    assert!(!Exit::Command(3).is_success());
    assert!(!Exit::Signal(2).is_success());
    assert!(!Exit::Failed.is_success());
}
