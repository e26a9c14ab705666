//! 13: a pod without sysctls (a), with one in its securityContext (b), one whose network's tuning
//! plugin sets it (h), and one with a privileged init container that writes (i).

use anyhow::Result;

use super::{
    KEY, Kept, ROUNDS,
    book::{Book, Target},
};
use crate::scenarios::{
    Context,
    runtime::cri::{Cri, Spec},
    watch::Watch,
};

const PLAIN: Spec<'_> = Spec {
    name: "plain",
    namespace: "prod",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a10",
    ..Spec::NOTHING
};

const ASKING: Spec<'_> = Spec {
    name: "asking",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a11",
    sysctls: &[(KEY, "1024")],
    ..PLAIN
};

const WITH_INIT: Spec<'_> = Spec {
    name: "with-init",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a12",
    privileged: true,
    ..PLAIN
};

const TUNED: Spec<'_> = Spec {
    name: "tuned",
    uid: "3f1b0c7e-52b4-4c7e-9a44-0d1f6f5b2a13",
    ..PLAIN
};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let mut book = Book::default();
    {
        let cri = Cri::start(true, &[])?;
        for node in ROUNDS {
            untuned(&cri, node, &mut book)?;
        }
    }
    let cri = Cri::start(true, &[(KEY, "640")])?;
    for node in ROUNDS {
        tuned(&cri, node, &mut book)?;
    }
    book.hand_over()
}

fn untuned(cri: &Cri, node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let _plain = cri.run_pod(&PLAIN)?;
    let asking = cri.run_pod(&ASKING)?;
    let with_init = cri.run_pod(&WITH_INIT)?;
    let write = "sysctl -w net.core.somaxconn=512 >/dev/null";
    with_init.run_init_container("set-sysctl", &["/bin/sh", "-c", write])?;
    let app = with_init.start_container("app", false)?;

    book.head("a", &format!("the node at {node}: a pod without sysctls"));
    book.ask("a", &Target::named("prod/plain"))?;
    let title = "a pod with the sysctl 1024 in its securityContext";
    book.head("b", &format!("the node at {node}: {title}"));
    book.ask("b", &Target::shown_as(&asking.id, "<id of the sandbox>"))?;
    let title = "a pod whose privileged init container writes 512";
    book.head("i", &format!("the node at {node}: {title}"));
    book.ask(
        "i",
        &Target::shown_as(&app[..12], "<id of a later container>"),
    )?;
    book.end(watch)
}

fn tuned(cri: &Cri, node: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, node)?;
    let watch = Watch::with_options(&["--socket"])?;
    let pod = cri.run_pod(&TUNED)?;
    let title = "a pod in a network whose tuning plugin sets 640";
    book.head("h", &format!("the node at {node}: {title}"));
    let pid = pod.pid()?.to_string();
    let target = Target::shown_as(&pid, "<pid of the pause container>");
    // Its processes did nothing that a trace has.
    book.ask("h", &target.recorded_as("prod/tuned"))?;
    book.end(watch)
}
