use sysctl_trace_ebpf::record::{Acted, KIND_SYSCTL_WRITE};
use zerocopy::FromZeros as _;

use super::*;
use crate::decode::{self, Record};

/// What becomes of an actor.
fn process(change: impl FnOnce(&mut record::Actor)) -> Arc<Rendered<Process>> {
    let mut acted = Acted::new_zeroed();
    acted.header.kind = KIND_SYSCTL_WRITE;
    change(&mut acted.actor);
    let Ok(Record::SysctlWrite(deed)) = decode::record(acted.as_bytes()) else {
        panic!("no write");
    };
    Processes::new(Epoch(0), "boot".into(), Args::None)
        .of(&deed)
        .process
        .clone()
}

#[test]
fn where_an_executable_is_mounted_is_known_but_not_told() {
    let process = process(|actor| {
        actor.executable_mnt_inum = 4026531841;
        actor.ancestors_len = 2;
        actor.ancestors[0].executable_mnt_inum = 4026532277;
    });
    assert_eq!(process.executable_mnt, Some(4026531841));
    assert_eq!(process.ancestors[0].executable_mnt, Some(4026532277));
    assert_eq!(process.ancestors[1].executable_mnt, None);
    assert_eq!(process.parent, process.ancestors.first().cloned());
    assert!(!process.json().unwrap().contains("40265"));
}

#[test]
fn a_cgroup_that_could_not_be_read_is_absent_and_the_root_is_not() {
    let acted = |cut| {
        let mut acted = Acted::new_zeroed();
        acted.header.kind = KIND_SYSCTL_WRITE;
        acted.header.cut = cut;
        acted
    };
    // One process, seen both ways.
    let mut processes = Processes::new(Epoch(0), "boot".into(), Args::None);
    for (cut, expected) in [(0, Some("/")), (CUT_CGROUP, None), (0, Some("/"))] {
        let acted = acted(cut);
        let Ok(Record::SysctlWrite(deed)) = decode::record(acted.as_bytes()) else {
            panic!("no write");
        };
        let actor = processes.of(&deed);
        assert_eq!(actor.process.cgroup.as_deref(), expected);
    }
}

#[test]
fn capabilities_have_names_or_numbers() {
    assert_eq!(
        capabilities(1 | 1 << 21 | 1 << 63),
        ["CAP_CHOWN", "CAP_SYS_ADMIN", "63"]
    );
}
