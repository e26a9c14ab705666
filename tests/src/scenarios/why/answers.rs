//! The three questions of the investigation, as commands. What they print stands in docs/answers.md.

use anyhow::Result;

use super::{KEY, Kept, book::Book, write};
use crate::scenarios::{runtime::docker::Docker, watch::Watch};

const PAGE: &str = "answers";
const RMEM: &str = "net.ipv4.tcp_rmem";
const LESS: &str = "4096 100000 6000000";
const MORE: &str = "4096 200000 7000000";

/// Asks.
pub fn tell(docker: &Docker, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, "2048")?;
    let _rmem = Kept::set(RMEM, LESS)?;
    let watch = Watch::with_options(&["--socket"])?;
    let _web = docker.start_container(&["--name", "web"], &[])?;
    book.head(
        PAGE,
        "what a container gets when nothing is said, and who sets it",
    );
    book.line(PAGE, "");
    book.line(PAGE, "$ sysctl -w net.core.somaxconn=2048");
    book.line(PAGE, "$ docker run --detach --name web busybox:1");
    book.tell(PAGE, &["why", "web"])?;

    book.head(PAGE, "whether a change on the node reaches containers");
    write(KEY, "1024")?;
    let _later = docker.start_container(&["--name", "later"], &[])?;
    book.line(PAGE, "");
    book.line(PAGE, "$ sysctl -w net.core.somaxconn=1024");
    book.line(PAGE, "$ docker run --detach --name later busybox:1");
    book.list(PAGE, &["ls", "--quiet"])?;

    book.head(PAGE, "whether all keys behave alike");
    write(RMEM, MORE)?;
    let _new = docker.start_container(&["--name", "new"], &[])?;
    book.line(PAGE, "");
    book.line(PAGE, &format!("$ sysctl -w {RMEM}=\"{MORE}\""));
    book.line(PAGE, "$ docker run --detach --name new busybox:1");
    book.list(PAGE, &["ls", "--quiet", RMEM])?;
    book.ask_key(PAGE, "new", RMEM)?;
    book.ask_key(PAGE, "new", "net.ipv4.ip_forward")?;
    book.ask_key(PAGE, "new", "net.ipv4.ip_unprivileged_port_start")?;
    watch.finish().map(drop)
}
