use std::{fs, os::unix::fs::symlink, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A node with files of settings.
struct Node {
    root: TempDir,
}

impl Node {
    fn with(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let node = Self { root };
        for (path, text) in files {
            fs::write(node.path(path), text).unwrap();
        }
        node
    }

    fn linked(self, path: &str, target: &str) -> Self {
        symlink(target, self.path(path)).unwrap();
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn state(&self) -> State {
        State::at(self.root.path(), rustix::process::getuid().as_raw())
    }

    /// `value file:line`, in the order of writing.
    fn asks(&self, reader: Reader, key: &str) -> Vec<String> {
        told(sysctl_files(&self.state(), reader, key))
    }
}

fn told(requesters: Vec<Requester>) -> Vec<String> {
    let one = |requester: Requester| {
        assert_eq!(requester.source, RequesterSource::SysctlFile);
        let (file, line) = (requester.file.unwrap(), requester.line.unwrap());
        format!("{} {file}:{line}", requester.value)
    };
    requesters.into_iter().map(one).collect()
}

const KEY: &str = "net.core.somaxconn";

#[test]
fn the_file_with_the_last_name_counts_wherever_it_lies() {
    let node = Node::with(&[
        ("etc/sysctl.d/10-a.conf", "net.core.somaxconn = 1\n"),
        (
            "usr/lib/sysctl.d/50-b.conf",
            "# no\n\n; no\nnet/core/somaxconn=2\n",
        ),
        ("run/sysctl.d/20-c.conf", "-net.core.somaxconn=3"),
        ("etc/sysctl.d/99-d.txt", "net.core.somaxconn = 4\n"),
        ("etc/sysctl.conf", "net.core.somaxconn = 5\n"),
    ]);
    let b = "2 /usr/lib/sysctl.d/50-b.conf:4";
    assert_eq!(node.asks(Reader::Systemd, KEY), [b]);
    assert_eq!(
        node.asks(Reader::Procps, KEY),
        [
            "1 /etc/sysctl.d/10-a.conf:1",
            "3 /run/sysctl.d/20-c.conf:1",
            b,
            "5 /etc/sysctl.conf:1",
        ]
    );
    assert_eq!(node.asks(Reader::Systemd, "net.core.rmem_max"), [""; 0]);
}

#[test]
fn a_name_is_taken_by_the_first_folder_that_has_it() {
    let folders = ["etc", "run", "usr/local/lib", "usr/lib", "lib"];
    for (at, first) in folders.iter().enumerate() {
        let files: Vec<_> = folders[at..]
            .iter()
            .map(|folder| {
                (
                    format!("{folder}/sysctl.d/50-a.conf"),
                    format!("{KEY}={folder}"),
                )
            })
            .collect();
        let files: Vec<_> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let asked = format!("{first} /{first}/sysctl.d/50-a.conf:1");
        assert_eq!(Node::with(&files).asks(Reader::Systemd, KEY), [asked]);
    }
}

#[test]
fn links_mask_and_stand_for_others() {
    let node = Node::with(&[
        ("etc/sysctl.conf", "net.core.somaxconn = 5\n"),
        ("usr/lib/sysctl.d/99-vendor.conf", "net.core.rmem_max = 6\n"),
    ])
    .linked("etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
    .linked("etc/sysctl.d/99-vendor.conf", "/dev/null");
    let asked = "5 /etc/sysctl.d/99-sysctl.conf:1";
    assert_eq!(node.asks(Reader::Systemd, KEY), [asked]);
    assert_eq!(node.asks(Reader::Systemd, "net.core.rmem_max"), [""; 0]);
}

/// What one file asks for.
fn file(text: &str, reader: Reader, path: &str) -> Vec<String> {
    let asked = requesters(&assignments(text.as_bytes(), "f"), reader, path);
    told(asked)
}

#[test]
fn patterns_apply_to_keys_that_are_not_named() {
    const ETH0: &str = "net/ipv4/conf/eth0/rp_filter";
    for (text, expected) in [
        ("net.ipv4.conf.*.rp_filter = 1", &["1 f:1"][..]),
        ("net.ipv4.conf.eth?.rp_filter = 1", &["1 f:1"]),
        ("net/ipv4/conf/eth[0-9]/rp_filter = 1", &["1 f:1"]),
        ("net.ipv4.conf.**.rp_filter = 1", &["1 f:1"]),
        ("net.ipv4.*.rp_filter = 1", &[]),
        ("net.ipv4.conf.{eth0,lo}.rp_filter = 1", &[]),
        ("net.ipv4.conf.[.rp_filter = 1", &[]),
        (
            "net.*.conf.*.rp_filter = 1\n-net.ipv4.conf.eth0.rp_filter",
            &[],
        ),
        (
            "-net.ipv4.conf.lo.rp_filter\nnet.ipv4.conf.*.rp_filter = 1",
            &["1 f:2"],
        ),
        (
            "net.ipv4.conf.eth0.rp_filter=2\nnet.ipv4.conf.*.rp_filter = 1",
            &["2 f:1"],
        ),
        (
            "net.*.conf.*.rp_filter=2\nnet.ipv4.conf.*.rp_filter = 1",
            &["2 f:1", "1 f:2"],
        ),
    ] {
        assert_eq!(file(text, Reader::Systemd, ETH0), expected, "{text}");
        assert_eq!(file(text, Reader::Procps, ETH0), expected, "{text}");
    }
}

#[test]
fn systemd_knows_each_pattern_once_and_sysctl_writes_all() {
    let text = "a.* = 1\na.b* = 2\na.* = 3\na.b* = 2\n";
    assert_eq!(file(text, Reader::Systemd, "a/b"), ["2 f:2", "3 f:3"]);
    assert_eq!(
        file(text, Reader::Procps, "a/b"),
        ["1 f:1", "2 f:2", "3 f:3", "2 f:4"]
    );
    let text = "a.b = 1\na.b = 2\n-a.b\n";
    assert_eq!(file(text, Reader::Systemd, "a/b"), [""; 0]);
    assert_eq!(file(text, Reader::Procps, "a/b"), ["1 f:1", "2 f:2"]);
}

#[test]
fn lines_are_read_as_their_readers_read_them() {
    for (text, expected) in [
        ("\r\n  \t\r\n \t a.b \t=  1 2\t3 \r\n", &["1 2\t3 f:3"][..]),
        ("a.b==1=", &["=1= f:1"]),
        ("a.b=", &[" f:1"]),
        ("  # a.b=1\n;a.b=2", &[]),
        ("a.b", &[]),
        ("=1\n-\n-=\n.", &[]),
        ("- a.b = 1", &["1 f:1"]),
    ] {
        assert_eq!(file(text, Reader::Systemd, "a/b"), expected, "{text}");
    }
}

#[test]
fn files_that_are_named_are_read_instead() {
    let node = Node::with(&[
        ("etc/sysctl.d/a.conf", "a.b = 1"),
        ("run/sysctl.d/b.conf", "a.b = 2"),
        ("opt/c", "a.b = 3"),
    ]);
    let asks = |reader, files: &[&str]| {
        let files = Some(files.iter().map(ToString::to_string).collect());
        let all = read(&node.state(), &Inputs { reader, files });
        told(requesters(&all, reader, "a/b"))
    };
    let both = ["/opt/c", "b.conf", "absent", "../c"];
    assert_eq!(asks(Reader::Systemd, &both), ["2 /run/sysctl.d/b.conf:1"]);
    assert_eq!(asks(Reader::Procps, &both), ["3 /opt/c:1"]);
    assert_eq!(asks(Reader::Procps, &["/opt/../opt/c", "//opt/c"]), [""; 0]);
}

proptest! {
    #[test]
    fn any_file_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400), path in ".{0,20}") {
        for reader in [Reader::Systemd, Reader::Procps] {
            let all = assignments(&bytes, "f");
            prop_assert!(all.len() <= bytes.split(|&byte| byte == b'\n').count());
            requesters(&all, reader, &path);
        }
    }

    #[test]
    fn any_pattern_is_taken(pattern in r"[a-c./*?\[\]{},!^\\-]{0,20}", path in "[a-c/]{0,12}") {
        let text = format!("{pattern}=1\n-{pattern}\n{pattern}=2");
        for reader in [Reader::Systemd, Reader::Procps] {
            requesters(&assignments(text.as_bytes(), "f"), reader, &path);
        }
    }
}
