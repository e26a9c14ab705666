use super::*;

#[test]
fn a_name_is_that_of_its_place() {
    assert_eq!(name(0), None);
    assert_eq!(name(1), Some("proc_dointvec"));
    assert_eq!(name(u32::MAX), None);
}

#[test]
fn the_kernels_command_line_may_overrule_a_handlers_memory() {
    let is_overruled = |line| is_overruled("sysrq_sysctl_handler", line);
    assert!(is_overruled("ro sysrq_always_enabled quiet\n"));
    assert!(is_overruled("sysrq_always_enabled=1"));
    assert!(!is_overruled("ro quiet"));
    assert!(!is_overruled("not.sysrq_always_enabled"));
    assert!(!super::is_overruled(
        "proc_dointvec",
        "sysrq_always_enabled"
    ));
}
