//! 17: `ls` with pods, docker's containers and namespaces of `ip netns`, and the three questions that
//! docs/answers.md answers.

use anyhow::Result;

use super::{KEY, Kept, answers, bare::Named, book::Book};
use crate::scenarios::{
    Context,
    runtime::{
        cri::{Cri, Spec},
        docker::Docker,
    },
    watch::Watch,
};

const POD: Spec<'_> = Spec {
    name: "shop",
    namespace: "prod",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a14",
    sysctls: &[("net.core.somaxconn", "1024")],
    ..Spec::NOTHING
};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let cri = Cri::start(true, &[])?;
    let docker = Docker::start()?;
    let mut book = Book::default();
    list(&cri, &docker, &mut book)?;
    answers::tell(&docker, &mut book)?;
    book.hand_over()
}

fn list(cri: &Cri, docker: &Docker, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, "4096")?;
    let _early = docker.start_container(&["--name", "early"], &[])?;
    let watch = Watch::with_options(&["--socket"])?;
    let blue = Named::add("blue")?;
    blue.write("300")?;
    let _green = Named::add("green")?;
    let _plain = docker.start_container(&["--name", "plain"], &[])?;
    let option = "--sysctl=net.core.somaxconn=512";
    let _asking = docker.start_container(&["--name", "asking", option], &[])?;
    let _pod = cri.run_pod(&POD)?;
    for arguments in [
        &["ls"][..],
        &["ls", "--diff"],
        &["ls", "--no-recorder"],
        &["ls", "--diff", "net.core.somaxconn", "net.ipv4.ip_forward"],
    ] {
        book.list("ls", arguments)?;
    }
    watch.finish().map(drop)
}
