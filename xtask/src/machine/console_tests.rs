use super::*;

fn kind_of(text: &str) -> Option<(Kind, bool)> {
    verdict(text).map(|trouble| (trouble.kind, trouble.fatal))
}

const BOOT: &str = "[    0.000000] Linux version 6.12.107+deb13-cloud-amd64\r\n\
                    [    0.000000] Command line: console=ttyS0 panic=-1 oops=panic\r\n\
                    [    1.2] x86/fpu: Supporting XSAVE feature 0x001\r\n\
                    [    1.3] Freeing unused kernel image (initmem) memory: 3800K\r\n";

#[test]
fn a_healthy_boot_gives_no_verdict() {
    assert_eq!(verdict(BOOT), None);
    assert_eq!(verdict(""), None);
}

#[test]
fn a_panic_is_found_behind_its_time_stamp() {
    let text = format!(
        "{BOOT}[    3.1] sysrq: Trigger a crash\r\n\
         [    3.123456] Kernel panic - not syncing: sysrq triggered crash\r\n"
    );
    let trouble = verdict(&text).unwrap();
    assert_eq!(
        trouble.to_string(),
        "kernel panic: Kernel panic - not syncing: sysrq triggered crash"
    );
    assert!(trouble.fatal);
}

#[test]
fn a_dead_init_is_a_panic() {
    let text = "[    2.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100";
    assert_eq!(kind_of(text), Some((Kind::Panic, true)));
}

#[test]
fn a_panic_after_an_oops_is_put_down_to_the_oops() {
    let text = "[    5.1] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                [    5.1] #PF: supervisor read access in kernel mode\n\
                [    5.1] Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI\n\
                [    5.2] Kernel panic - not syncing: Fatal exception\n";
    let trouble = verdict(text).unwrap();
    assert_eq!((trouble.kind, trouble.fatal), (Kind::Oops, true));
    assert!(
        trouble.line.starts_with("BUG: kernel NULL pointer"),
        "{}",
        trouble.line
    );
}

#[test]
fn lockups_stalls_and_hung_tasks_are_told_apart() {
    let soft = "[   48.0] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [runc:412]";
    assert_eq!(kind_of(soft), Some((Kind::SoftLockup, false)));
    let stall = "[   60.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:";
    assert_eq!(kind_of(stall), Some((Kind::Stall, false)));
    let itself = "[   60.1] rcu: INFO: rcu_sched self-detected stall on CPU";
    assert_eq!(kind_of(itself), Some((Kind::Stall, false)));
    let hung = "[  242.7] INFO: task ip:301 blocked for more than 120 seconds.\n\
                [  242.9] Kernel panic - not syncing: hung_task: blocked tasks\n";
    assert_eq!(kind_of(hung), Some((Kind::HungTask, true)));
    let memory = "[   9.9] Out of memory: Killed process 77 (sysctl-trace) total-vm:1kB";
    assert_eq!(kind_of(memory), Some((Kind::OutOfMemory, false)));
}

#[test]
fn a_double_fault_is_an_oops() {
    let text = "[    4.0] traps: PANIC: double fault: 0000 [#1] SMP\n\
                [    4.1] Kernel panic - not syncing: Fatal exception in interrupt\n";
    assert_eq!(kind_of(text), Some((Kind::Oops, true)));
}

#[test]
fn the_tail_keeps_the_end_and_drops_terminal_escapes() {
    let text = "one\r\ntwo\r\n\u{1b}[31mthree\u{7}\r\n";
    assert_eq!(tail(text, 2), "two\n[31mthree");
    assert_eq!(tail(text, 9), "one\ntwo\n[31mthree");
    assert_eq!(tail("", 9), "");
}
