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
    let mode = Mode::from_raw_mode(0o600);
    let kind = FileType::Fifo;
    rustix::fs::mknodat(CWD, path("pipe"), kind, mode, 0).unwrap();
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

#[test]
fn links_to_configuration_are_followed_within_the_root() {
    let root = tempfile::tempdir().unwrap();
    let path = |name| root.path().join(name);
    fs::create_dir_all(path("etc/sysctl.d")).unwrap();
    fs::create_dir(path("etc/sysctl.d/folder.conf")).unwrap();
    fs::write(path("etc/sysctl.conf"), "text").unwrap();
    fs::write(path("etc/sysctl.d/10-own.conf"), "own").unwrap();
    symlink("../sysctl.conf", path("etc/sysctl.d/99-sysctl.conf")).unwrap();
    symlink("/etc/sysctl.conf", path("etc/sysctl.d/98-absolute.conf")).unwrap();
    symlink("/dev/null", path("etc/sysctl.d/50-masked.conf")).unwrap();
    let files = files(root.path());
    let names = [
        "10-own.conf",
        "50-masked.conf",
        "98-absolute.conf",
        "99-sysctl.conf",
    ];
    assert_eq!(files.configurations("etc/sysctl.d"), names);
    let texts = names.map(|name| files.read_configuration(&format!("etc/sysctl.d/{name}")));
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(texts, [text("own"), None, text("text"), text("text")]);
    assert!(files.configurations("etc/absent").is_empty());
    assert_eq!(files.read_configuration("../etc/sysctl.conf"), None);
}

#[test]
fn large_configuration_and_that_of_others_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("large");
    let file = File::create(&path).unwrap();
    file.set_len(CONFIGURATION_MAX + 1).unwrap();
    assert_eq!(files(root.path()).read_configuration("large"), None);
    fs::write(&path, "text").unwrap();
    let other = rustix::process::getuid().as_raw() + 1;
    let others = Files::new(root.path(), other);
    assert_eq!(others.read_configuration("large"), None);
}
