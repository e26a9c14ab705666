use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use super::*;

#[test]
fn members_are_aligned_and_in_order() {
    let mut initramfs = Initramfs::new();
    initramfs.add_bytes("a/b/c", b"hello");
    let mut bytes = Vec::new();
    initramfs.write().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() % 4, 0);
    let position = |name: &str| {
        let needle = [name.as_bytes(), &[0]].concat();
        bytes
            .windows(needle.len())
            .position(|window| window == needle)
            .unwrap()
    };
    assert!(position("a") < position("a/b"));
    assert!(position("a/b") < position("a/b/c"));
    assert!(position("a/b/c") < position("TRAILER!!!"));
    assert_eq!(position("a/b/c") % 4, 110 % 4);
}

#[test]
fn cpio_reads_it_when_there_is_one() {
    let mut initramfs = Initramfs::new();
    initramfs.add_bytes("etc/passwd", b"root\n");
    let listed = Command::new("cpio")
        .arg("-t")
        .stdin(initramfs.write().unwrap())
        .output();
    let Ok(listed) = listed else { return };
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.lines().any(|line| line == "etc/passwd"), "{text}");
    let _ = Stdio::null();
}
