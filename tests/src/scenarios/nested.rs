//! 9: docker in a privileged docker container.

use anyhow::{Context as _, Result, ensure};

use super::{
    Context,
    expect::{Container, Expect},
    netns,
    runtime::docker::{Docker, IMAGE},
    watch::while_watching,
};

const KEY: &str = "net.core.somaxconn";

/// The node's programs, as they are: the image is as small as can be.
const OPTIONS: [&str; 12] = [
    "--privileged",
    "--volume=/usr:/usr:ro",
    "--volume=/usr/lib:/lib:ro",
    "--volume=/usr/lib64:/lib64:ro",
    "--volume=/etc/ssl:/etc/ssl:ro",
    "--volume=/etc/alternatives:/etc/alternatives:ro",
    "--volume=/inner",
    "--tmpfs=/run",
    "--tmpfs=/tmp",
    "--env=PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "--env=HOME=/tmp",
    "--env=DOCKER_RAMDISK=1",
];

/// A dockerd of its own, and a container in it: says which ID it has and which namespace it is in.
const SCRIPT: &str = r#"
set -e
mkdir -p /var/run /sys/fs/cgroup/init
for pid in $(cat /sys/fs/cgroup/cgroup.procs); do
    echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
done
dockerd --iptables=false --ip6tables=false --bridge=none --userland-proxy=false \
    --data-root=/inner/data --exec-root=/run/inner --pidfile=/run/inner.pid \
    --storage-driver=vfs >/tmp/log 2>&1 &
tries=0
until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 90 ] || { tail -n 20 /tmp/log >&2; exit 1; }
    sleep 1
done
mkdir -p /tmp/image/bin && cp /bin/busybox /tmp/image/bin/ && ln -s busybox /tmp/image/bin/readlink
tar -C /tmp/image -c . | docker import - inner:1 >/dev/null
docker run --cidfile=/tmp/id --network=none --sysctl=net.core.somaxconn=768 \
    inner:1 /bin/readlink /proc/self/ns/net
cat /tmp/id
"#;

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let docker = Docker::start()?;
    let ((outer, printed), trace) = while_watching(|| docker.run(&OPTIONS, &["sh", "-c", SCRIPT]))?;
    let (link, inner) = printed.split_once('\n').context("two lines")?;
    let netns = netns::of_link(link)?;
    let container = Container {
        id: &outer,
        runtime: "docker",
        name: None,
        image: Some(IMAGE),
        confidence: Some("state-verified"),
    };
    // Whatever runs in the outer container is a process of that, also a runc.
    let by_outer = Expect {
        component: Some("container-process"),
        container: Some(Some(container)),
        owner: Some(container),
        ..Expect::created(netns)
    };
    trace.expect(&by_outer)?;
    let writes = trace.expect(&Expect {
        times: None,
        ..Expect {
            which: Expect::wrote(netns, KEY, "768").which,
            ..by_outer
        }
    })?;
    let nested = |id: &str| {
        writes.iter().all(|write| {
            let container = write.container.as_ref();
            container.is_some_and(|container| container.nested.iter().any(|found| found.id == id))
        })
    };
    ensure!(
        nested(inner),
        "the inner container is not told as nested:\n{}",
        trace.told()
    );
    Ok(())
}
