use std::os::unix::fs::symlink;

use super::*;

fn files(root: &Path) -> Files {
    Files::new(root, rustix::process::getuid().as_raw())
}

#[test]
fn regular_files_of_the_owner_are_read() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/b")).unwrap();
    fs::write(root.path().join("a/b/c"), "text").unwrap();
    let files = files(root.path());
    assert_eq!(files.read("a/b/c").as_deref(), Some(b"text".as_slice()));
    assert_eq!(files.read("a/b"), None);
    assert_eq!(files.read("a/b/absent"), None);
    assert_eq!(files.folders("a"), ["b"]);
    assert!(files.folders("absent").is_empty());
}

#[test]
fn files_of_others_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "text").unwrap();
    let other = rustix::process::getuid().as_raw() + 1;
    assert_eq!(Files::new(root.path(), other).read("a"), None);
}

#[test]
fn links_pipes_and_large_files_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let path = |name| root.path().join(name);
    fs::write(path("a"), "text").unwrap();
    symlink(path("a"), path("link")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), kind, mode, 0).unwrap();
    File::create(path("large"))
        .unwrap()
        .set_len(SIZE_MAX + 1)
        .unwrap();
    let files = files(root.path());
    assert_eq!(files.read("link"), None);
    assert_eq!(files.read("pipe"), None);
    assert_eq!(files.read("large"), None);
}

#[test]
fn paths_never_lead_out_of_the_root() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("in")).unwrap();
    fs::write(root.path().join("out"), "text").unwrap();
    let files = files(&root.path().join("in"));
    assert_eq!(files.read("../out"), None);
    assert_eq!(files.read(root.path().join("out").to_str().unwrap()), None);
    assert!(files.folders("..").is_empty());
}
