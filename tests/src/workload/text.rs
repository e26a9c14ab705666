//! Texts and memory that are out of the ordinary.

use std::{fs, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result, anyhow};
use nix::{
    errno::Errno,
    sched::CloneFlags,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::{
    actor,
    buffer::Buffer,
    create,
    exactness::Run,
    file::{KeyFile, Method},
    keys::{self, Key},
    log::{Record, Rename, Window},
    netns,
    process::in_child,
    sys,
    uring::Ring,
};

const SOMAXCONN: &str = "net/core/somaxconn";
const RMEM: &str = "net/ipv4/tcp_rmem";
const CONGESTION: &str = "net/ipv4/tcp_congestion_control";
const TTL: &str = "net/ipv4/ip_default_ttl";
const MODPROBE: &str = "kernel/modprobe";
const SWAPPINESS: &str = "vm/swappiness";

/// Numbers as people and programs spell them, rightly and wrongly.
const SPELLINGS: &[(&str, &[u8])] = &[
    (SOMAXCONN, b"128"),
    (SOMAXCONN, b"128"),
    (SOMAXCONN, b"128\n"),
    (SOMAXCONN, b"129\n\n"),
    (SOMAXCONN, b"  130  "),
    (SOMAXCONN, b"\t131\n"),
    (SOMAXCONN, b"0x84"),
    (SOMAXCONN, b"0205"),
    (SOMAXCONN, b"134 135"),
    (SOMAXCONN, b"136\n137\n"),
    (SOMAXCONN, b"138\0"),
    (SOMAXCONN, b"139\0 140"),
    (SOMAXCONN, b"141x"),
    (SOMAXCONN, b"142\r\n"),
    (SOMAXCONN, b"+143"),
    (SOMAXCONN, b"-1"),
    (SOMAXCONN, b"2147483647"),
    (SOMAXCONN, b"2147483648"),
    (SOMAXCONN, b"99999999999999999999999"),
    (SOMAXCONN, b"abc"),
    (SOMAXCONN, b"\n"),
    (SOMAXCONN, b" "),
    (SOMAXCONN, b"\0"),
    (SOMAXCONN, b"\xff\xfe"),
    (SOMAXCONN, b"\x1b[31m144\x1b[0m"),
    (SOMAXCONN, b"\"145\"\\\x7f"),
    (SOMAXCONN, "१४६".as_bytes()),
    (SWAPPINESS, b"201"),
    (SWAPPINESS, b"200"),
    (SWAPPINESS, b"-1"),
    (TTL, b"0"),
    (TTL, b"256"),
    (TTL, b"255"),
    (TTL, b"255"),
    (RMEM, b"4097 20000 300000"),
    (RMEM, b"4098\t20001\t300001\n"),
    (RMEM, b"4099"),
    (RMEM, b"4100 20002"),
    (RMEM, b"4101 20003 300003 7"),
    (RMEM, b"4102 x 300004"),
    (RMEM, b"4103 0 300005"),
    (RMEM, b"4104,20006,300006"),
    (CONGESTION, b"reno"),
    (CONGESTION, b"reno\n"),
    (CONGESTION, b"cubic\n"),
    (CONGESTION, b"no-such-thing"),
    (CONGESTION, b"reno cubic"),
    (CONGESTION, b" cubic"),
    (MODPROBE, b"/bin/true\n/bin/false\n"),
    (MODPROBE, b"/bin/\xff\xfe\xc3\x28"),
    (MODPROBE, b"\x1b]0;title\x07/bin/\x01\x7f\"\\"),
    (MODPROBE, "/bin/ünï\u{202e}code".as_bytes()),
    (MODPROBE, b"/bin/true\0/bin/false"),
    (MODPROBE, b"\n"),
    (MODPROBE, b"/sbin/modprobe"),
];

/// All of this module's scenarios.
pub fn all(run: &Run<'_>) -> Result<()> {
    in_child("texts", || {
        create::by_unshare(run, CloneFlags::CLONE_NEWNET)?;
        let _swappiness = run.restored(&Key::known(SWAPPINESS))?;
        let _modprobe = run.restored(&Key::known(MODPROBE))?;
        for (path, text) in SPELLINGS {
            KeyFile::open(&Key::known(path))?.write_text(run.log, text, Method::Write)?;
        }
        nothing(run)?;
        long(run)?;
        positions(run)?;
        memory(run)?;
        write_only(run)?;
        dotted_device(run)
    })
}

/// Writes of no bytes. A call of the kernel's function stands behind each; a vector of pieces that
/// is empty as a whole never gets there and is left out.
fn nothing(run: &Run<'_>) -> Result<()> {
    for path in [
        SOMAXCONN,
        RMEM,
        CONGESTION,
        MODPROBE,
        "net/ipv4/ip_local_port_range",
    ] {
        let file = KeyFile::open(&Key::known(path))?;
        file.write_text(run.log, b"", Method::Write)?;
        file.write_text(run.log, b"", Method::Pwrite(0))?;
        file.write(run.log, &Buffer::nowhere(0), Method::Pwrite(0))?;
        file.write_text(run.log, b"", Method::Pwrite(3))?;
    }
    Ok(())
}

/// Texts around the lengths at which a trace, a page and a kernel buffer end.
fn long(run: &Run<'_>) -> Result<()> {
    let numbers = KeyFile::open(&Key::known(SOMAXCONN))?;
    let strings = KeyFile::open(&Key::known(MODPROBE))?;
    let zeros = |length: usize| [&vec![b'0'; length - 3][..], b"150"].concat();
    let spaces = |length: usize| [b"151", &vec![b' '; length - 3][..]].concat();
    for length in [21, 22, 255, 256, 1023, 1024, 1025, 4095, 4096, 4097, 20_000] {
        for text in [zeros(length), spaces(length)] {
            numbers.write_text(run.log, &text, Method::Pwrite(0))?;
        }
        let path = [b"/", &vec![b'x'; length - 1][..]].concat();
        strings.write_text(run.log, &path, Method::Pwrite(0))?;
    }
    let many = [&b"152"[..], &[b' '; 4093]].concat();
    numbers.write_text(
        run.log,
        &many,
        Method::Pwritev(vec![1, 2, 2, 100, 1024, 4000], 0),
    )?;
    // A pipe's own pages are read by the kernel in one piece only up to their size.
    numbers.write_text(run.log, &many, Method::Splice)?;
    numbers.set(run.log, b"128")
}

/// Numbers are only taken at the file's start; strings go on where the position says.
fn positions(run: &Run<'_>) -> Result<()> {
    for path in [
        SOMAXCONN,
        RMEM,
        TTL,
        "net/ipv4/tcp_fin_timeout",
        "net/ipv4/tcp_comp_sack_delay_ns",
    ] {
        let file = KeyFile::open(&Key::known(path))?;
        for position in [1, 3, 4096, 1 << 40] {
            file.write_text(run.log, b"77", Method::Pwrite(position))?;
        }
        // On one descriptor, without going back to its start.
        file.write_text(run.log, b"78", Method::Write)?;
        file.write_text(run.log, b"79", Method::Write)?;
        file.write_text(run.log, b"80", Method::Write)?;
    }
    let strings = KeyFile::open(&Key::known(MODPROBE))?;
    strings.write_text(run.log, b"/bin/", Method::Write)?;
    strings.write_text(run.log, b"true", Method::Write)?;
    strings.write_text(run.log, b"false", Method::Pwrite(5))?;
    strings.write_text(run.log, b"lost", Method::Pwrite(200))?;
    strings.write_text(run.log, b"x", Method::Pwrite(1 << 40))?;
    Ok(())
}

/// Memory that the kernel is the first to touch, in every call; and none at all.
fn memory(run: &Run<'_>) -> Result<()> {
    let somaxconn = Key::known(SOMAXCONN);
    let congestion = Key::known(CONGESTION);
    let write = |key: &Key, buffer: &Buffer, method: Method<'_>| {
        KeyFile::open(key)?.write(run.log, buffer, method).map(drop)
    };
    for length in [1, 8, 2000] {
        write(&somaxconn, &Buffer::fresh_page(length)?, Method::Write)?;
        write(
            &Key::known(MODPROBE),
            &Buffer::fresh_page(length)?,
            Method::Write,
        )?;
    }
    let mut ring = Ring::new()?;
    write(&somaxconn, &Buffer::untouched_file(b"160")?, Method::Write)?;
    write(
        &somaxconn,
        &Buffer::untouched_file(b"161\n")?,
        Method::Pwrite(0),
    )?;
    write(
        &somaxconn,
        &Buffer::untouched_file(b"162\n")?,
        Method::Writev(vec![1, 2]),
    )?;
    write(
        &somaxconn,
        &Buffer::untouched_file(b"163\n")?,
        Method::SplicePages(vec![2]),
    )?;
    write(
        &somaxconn,
        &Buffer::untouched_file(b"164\n")?,
        Method::Ring(&mut ring, 0),
    )?;
    write(
        &congestion,
        &Buffer::untouched_file(b"reno\n")?,
        Method::Write,
    )?;
    write(
        &congestion,
        &Buffer::untouched_file(b"nonesuch")?,
        Method::Write,
    )?;
    write(
        &somaxconn,
        &Buffer::untouched_file(&[&b"165"[..], &[b' '; 9000]].concat())?,
        Method::Write,
    )?;
    write(&somaxconn, &Buffer::across_pages(b"166", 5)?, Method::Write)?;
    write(
        &somaxconn,
        &Buffer::across_pages(b"167\n", 100)?,
        Method::Ring(&mut ring, 0),
    )?;
    write(&somaxconn, &Buffer::nowhere(3), Method::Write)?;
    write(&congestion, &Buffer::nowhere(300), Method::Pwrite(0))?;
    write(&somaxconn, &Buffer::nowhere(4), Method::Ring(&mut ring, 0))?;
    write(
        &somaxconn,
        &Buffer::ready(b"168"),
        Method::Ring(&mut ring, 3),
    )?;
    write(
        &somaxconn,
        &Buffer::ready(b"bad"),
        Method::Ring(&mut ring, 0),
    )?;
    write(&somaxconn, &Buffer::ready(b"bad"), Method::Splice)?;
    write(
        &somaxconn,
        &Buffer::ready(b"169"),
        Method::Writev(vec![0, 0, 1, 1]),
    )?;
    write(
        &somaxconn,
        &Buffer::ready(b"170"),
        Method::SplicePages(vec![1, 2]),
    )
}

fn write_only(run: &Run<'_>) -> Result<()> {
    let file = KeyFile::open(&keys::route_flush())?;
    file.write_text(run.log, b"1\n", Method::Write)?;
    file.write_text(run.log, b"-1", Method::Pwrite(0))?;
    Ok(())
}

/// A device whose name has a dot, as those of VLANs have.
fn dotted_device(run: &Run<'_>) -> Result<()> {
    rename(run, "lo", "eth0.100")?;
    let file = KeyFile::open(&keys::device("eth0.100", "rp_filter"))?;
    file.write_text(run.log, b"2\n", Method::Write)?;
    file.write_text(run.log, b"x", Method::Pwrite(0))?;
    Ok(())
}

fn rename(run: &Run<'_>, from: &str, to: &str) -> Result<()> {
    let before = folders(from)?;
    let from_ns = sys::boottime_ns()?;
    rename_device(from, to)?;
    let to_ns = sys::boottime_ns()?;
    run.log.add(&Record::Rename(Rename {
        pid: actor::current()?.pid,
        window: Window { from_ns, to_ns },
        netns: netns::current()?.inum,
        before,
        after: folders(to)?,
    }))
}

/// The folders of a device's keys below /proc/sys, sorted.
fn folders(device: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for family in fs::read_dir("/proc/sys/net")? {
        for kind in ["conf", "neigh"] {
            let folder = family.as_ref().map(|family| family.path());
            let folder = folder.map_err(|error| anyhow!("a folder of keys: {error}"))?;
            let folder = folder.join(kind).join(device);
            if folder.is_dir() {
                let below = folder.strip_prefix("/proc/sys")?;
                found.push(below.to_str().context("a folder's name")?.to_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn rename_device(from: &str, to: &str) -> Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context("making a socket")?;
    // SAFETY: ifreq is made of integers, arrays of them and pointers that may be null.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(from.bytes()) {
        *slot = byte.cast_signed();
    }
    // SAFETY: of the union, this request uses the new name only; all zero is an empty name.
    let new_name = unsafe { &mut request.ifr_ifru.ifru_newname };
    for (slot, byte) in new_name.iter_mut().zip(to.bytes()) {
        *slot = byte.cast_signed();
    }
    // SAFETY: the kernel reads the request, which lives until the call is over.
    let renamed = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFNAME, &raw const request) };
    Errno::result(renamed).with_context(|| format!("renaming {from} to {to}"))?;
    Ok(())
}
