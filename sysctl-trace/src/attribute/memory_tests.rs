use sysctl_trace_ebpf::settings::ValueKind::{Int, Jiffies, MsJiffies};

use super::Memory;

const ADDRESS: u64 = 0xffff_ffff_8123_4560;

#[test]
fn equal_memory_has_one_name_and_other_memory_another() {
    let memory = Memory::default();
    let name = memory.name(ADDRESS, Int);
    assert!(name.is_some());
    assert_eq!(name, memory.name(ADDRESS, Int));
    assert_ne!(name, memory.name(ADDRESS + 4, Int));
    assert_eq!(None, memory.name(0, Int), "no memory");
}

#[test]
fn a_name_means_nothing_in_another_run() {
    let name = Memory::default().name(ADDRESS, Int);
    assert_ne!(name, Memory::default().name(ADDRESS, Int));
}

#[test]
fn no_address_leaves() {
    let name = Memory::default().name(ADDRESS, Int).unwrap_or_default();
    assert_eq!(16, name.len());
    assert_ne!(format!("{ADDRESS:016x}"), name.as_str());
}

#[test]
fn the_same_memory_in_other_units_has_another_name() {
    let memory = Memory::default();
    assert_ne!(
        memory.name(ADDRESS, Jiffies),
        memory.name(ADDRESS, MsJiffies)
    );
}
