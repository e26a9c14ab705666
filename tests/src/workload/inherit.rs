//! Descriptors that are used in another network namespace than the one they were opened in, and
//! after its end.

use std::{fs::File, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use super::{
    create, enter,
    exactness::Run,
    file::{KeyFile, Method},
    keys::Key,
    process::in_child,
    uring::Ring,
};

const NET: CloneFlags = CloneFlags::CLONE_NEWNET;

/// All of this module's scenarios.
pub fn all(run: &Run<'_>) -> Result<()> {
    in_child("a descriptor of the node's namespace", || outwards(run))?;
    in_child("a descriptor of another namespace", || sideways(run))?;
    in_child("a descriptor of a child's namespace", || inwards(run))?;
    in_child("a ring of another namespace", || by_ring(run))?;
    in_child("a namespace that only a mount keeps", || mounted(run))
}

/// Opened in the node's namespace, used in a new one, and by a child there.
fn outwards(run: &Run<'_>) -> Result<()> {
    let somaxconn = run.restored(&Key::known("net/core/somaxconn"))?;
    let congestion = run.restored(&Key::known("net/ipv4/tcp_congestion_control"))?;
    let printk = run.restored(&Key::known("kernel/printk_ratelimit"))?;
    create::by_unshare(run, NET)?;
    let both = |value: &[u8]| -> Result<()> {
        somaxconn.write_text(run.log, value, Method::Pwrite(0))?;
        KeyFile::open(&Key::known("net/core/somaxconn"))?.write_text(
            run.log,
            value,
            Method::Write,
        )?;
        congestion.write_text(run.log, b"reno\n", Method::Pwrite(0))?;
        printk.write_text(run.log, b"6", Method::Pwrite(0))?;
        Ok(())
    };
    both(b"2001")?;
    in_child("an heir", || {
        both(b"2002")?;
        create::by_unshare(run, NET)?;
        both(b"2003")
    })
}

/// Opened in one new namespace, used in a second, while only another process keeps the first.
fn sideways(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, NET)?;
    let first = KeyFile::open(&Key::known("net/ipv4/tcp_rmem"))?;
    in_child("an heir elsewhere", || {
        create::by_unshare(run, NET)?;
        let second = KeyFile::open(&Key::known("net/ipv4/tcp_rmem"))?;
        for file in [&first, &second] {
            file.write_text(run.log, b"5000 50000 500000\n", Method::Write)?;
            file.write_text(run.log, b"x", Method::Pwrite(0))?;
        }
        Ok(())
    })
}

/// Opened in a new namespace, used from the node's: the writer went in and came back.
fn inwards(run: &Run<'_>) -> Result<()> {
    let home = File::open("/proc/self/ns/net").context("opening the node's namespace")?;
    create::by_unshare(run, NET)?;
    let inside = File::open("/proc/self/ns/net").context("opening the new namespace")?;
    let file = KeyFile::open(&Key::known("net/core/somaxconn"))?;
    setns(&home, NET).context("going back")?;
    file.write_text(run.log, b"3001\n", Method::Write)?;
    enter::by_setns(run, &inside, NET)?;
    file.write_text(run.log, b"3002\n", Method::Pwrite(0))?;
    setns(&home, NET).context("going back again")?;
    Ok(())
}

/// The kernel's threads for a ring stay in the namespace that the process was in at the first
/// write.
fn by_ring(run: &Run<'_>) -> Result<()> {
    create::by_unshare(run, NET)?;
    let file = KeyFile::open(&Key::known("net/core/somaxconn"))?;
    in_child("an heir with a ring", || {
        create::by_unshare(run, NET)?;
        let mut ring = Ring::new()?;
        file.write_text(run.log, b"4001\n", Method::Ring(&mut ring, 0))?;
        file.write_text(run.log, b"4002\n", Method::Ring(&mut ring, 0))?;
        Ok(())
    })
}

/// A namespace that lives on in a mount alone, as those of containers do, and a descriptor that
/// outlives it.
fn mounted(run: &Run<'_>) -> Result<()> {
    let home = File::open("/proc/self/ns/net").context("opening the node's namespace")?;
    // Whatever happens, the mount goes with this process.
    unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("keeping mounts")?;
    let place = "/proc/self/comm";
    create::by_unshare(run, NET)?;
    let file = KeyFile::open(&Key::known("net/core/somaxconn"))?;
    mount(
        Some("/proc/self/ns/net"),
        place,
        none,
        MsFlags::MS_BIND,
        none,
    )
    .context("mounting")?;
    setns(&home, NET).context("going back")?;
    file.write_text(run.log, b"5001\n", Method::Write)?;
    umount2(place, MntFlags::MNT_DETACH).context("unmounting")?;
    for _ in 0..500 {
        if file.is_stale() {
            return file.write_stale(run.log, b"5002\n");
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("the namespace does not go away")
}
