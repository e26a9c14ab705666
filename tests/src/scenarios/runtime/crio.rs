//! Pods as CRI-O makes them, by the stand-in in `crate::crio`: pinns makes the namespaces and writes
//! the sysctls, then the sandbox's specification is written, and conmon and crun run the containers.
//! There is no infra container, which is CRI-O's default.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Folder, cri::Spec, image};
use crate::{
    crio::server::{self, Order},
    scenarios::{command, netns},
};

/// Where the stand-in is.
const STAND_IN: &str = "/usr/bin/crio-stand-in";
const PROGRAMS: [&str; 2] = ["/usr/bin/crio", "/usr/bin/pinns"];

const STATE: &str = "/run/containers/storage/overlay-containers";
const KEPT_STATE: &str = "/var/lib/containers/storage/overlay-containers";

/// The image of all containers.
pub const IMAGE: &str = "docker.io/library/busybox:1.37";

const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of namespace that pinns keeps.
#[derive(Clone, Copy, Debug)]
struct Kind {
    option: &'static str,
    /// Its name in the paths of pins.
    name: &'static str,
    /// Its name in specifications.
    in_spec: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        option: "--ipc",
        name: "ipc",
        in_spec: "ipc",
    },
    Kind {
        option: "--net",
        name: "net",
        in_spec: "network",
    },
    Kind {
        option: "--uts",
        name: "uts",
        in_spec: "uts",
    },
];

/// CRI-O as a service.
#[derive(Debug)]
pub struct Crio {
    root: Folder,
    serial: Cell<u32>,
}

/// A pod, which is removed on drop with all that is in it.
#[derive(Debug)]
pub struct Pod<'a> {
    crio: &'a Crio,
    name: String,
    namespace: String,
    uid: String,
    host_network: bool,
    /// The ID of its sandbox, which no process has.
    pub id: String,
    /// What its namespaces are kept by: the name of files.
    pin: String,
    containers: std::cell::RefCell<Vec<String>>,
}

impl Crio {
    /// Starts the service.
    pub fn start() -> Result<Self> {
        for program in PROGRAMS {
            fs::copy(STAND_IN, program).with_context(|| format!("making {program}"))?;
        }
        let root = Folder::make("/var/lib/containers/storage/overlay/scenario")?;
        image::root(root.path())?;
        let crio = Self {
            root,
            serial: Cell::new(0),
        };
        let unit = [
            "--quiet",
            "--collect",
            "--unit=crio.service",
            "--service-type=exec",
        ];
        let properties = ["--property=Delegate=yes", "--property=KillMode=process"];
        command::run(
            "systemd-run",
            &[&unit[..], &properties, &["/usr/bin/crio"]].concat(),
        )?;
        let begun = Instant::now();
        while !Path::new(server::SOCKET).exists() {
            ensure!(begun.elapsed() < PATIENCE, "crio does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(crio)
    }

    /// Makes a pod without any container, as CRI-O does unless `drop_infra_ctr` is off.
    pub fn run_pod(&self, spec: &Spec<'_>) -> Result<Pod<'_>> {
        let pod = Pod {
            crio: self,
            name: spec.name.to_owned(),
            namespace: spec.namespace.to_owned(),
            uid: spec.uid.to_owned(),
            host_network: spec.host_network,
            id: self.new_id(),
            pin: self.new_uuid(),
            containers: std::cell::RefCell::default(),
        };
        let mut pinns = vec!["/usr/bin/pinns", "-d", "/var/run", "-f", &pod.pin];
        let sysctls: Vec<String> = spec
            .sysctls
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        for sysctl in &sysctls {
            pinns.extend(["-s", sysctl]);
        }
        for kind in pod.kinds() {
            pinns.push(kind.option);
        }
        server::ask(&Order::Run(owned(&pinns)))?;
        if !pod.host_network {
            // It brings the loopback device up.
            server::ask(&Order::Enter(pod.pin_of("net")))?;
        }
        pod.write_sandbox(spec)?;
        Ok(pod)
    }

    /// The same with an infra container, to which crun gives the pod's sysctls again.
    pub fn run_pod_with_infra(&self, spec: &Spec<'_>) -> Result<Pod<'_>> {
        let pod = self.run_pod(spec)?;
        pod.containers.borrow_mut().push(pod.id.clone());
        pod.run(&pod.id, "POD")?;
        Ok(pod)
    }

    fn new_id(&self) -> String {
        format!("{:064x}", 0xc0ff_ee00_u64 + u64::from(self.next()))
            .replace("0000000000", "a1b2c3d4e5")
    }

    fn new_uuid(&self) -> String {
        format!("cd9b12c8-e41d-4930-9b4d-{:012x}", self.next())
    }

    fn next(&self) -> u32 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }
}

impl Drop for Crio {
    fn drop(&mut self) {
        command::undo("systemctl", &["stop", "crio.service"]);
        for program in PROGRAMS {
            if let Err(error) = fs::remove_file(program) {
                eprintln!("when removing {program}: {error}");
            }
        }
    }
}

impl Pod<'_> {
    /// The network namespace that is its own.
    pub fn netns(&self) -> Result<u32> {
        netns::of_pin(Path::new(&self.pin_of("net")))
    }

    /// Starts a container that does nothing; its ID. It goes with the pod.
    pub fn start_container(&self, name: &str) -> Result<String> {
        self.start(name, &["/bin/sleep", "100000"])
    }

    /// Runs a container to its end, as an init container is run; its ID.
    pub fn run_init_container(&self, name: &str, command: &[&str]) -> Result<String> {
        let id = self.start(name, command)?;
        let exit = PathBuf::from("/run/crio/exits").join(&id);
        wait_for(&exit).with_context(|| format!("{name} does not end"))?;
        let status = fs::read_to_string(exit)?;
        ensure!(status.trim() == "0", "{name} ended with {status}");
        Ok(id)
    }

    fn start(&self, name: &str, program: &[&str]) -> Result<String> {
        let id = self.crio.new_id();
        // Before it is made, so that what is left of a failure goes too.
        self.containers.borrow_mut().push(id.clone());
        self.write_spec(&id, &self.container(&id, name, program))?;
        self.run(&id, name)?;
        Ok(id)
    }

    /// Runs a container whose specification is there.
    fn run(&self, id: &str, name: &str) -> Result<()> {
        let bundle = format!("{STATE}/{id}/userdata");
        let kept = format!("{KEPT_STATE}/{id}/userdata");
        let pid_file = format!("{bundle}/pidfile");
        let full_name = format!("k8s_{name}_{}_{}_{}_0", self.name, self.namespace, self.uid);
        fs::create_dir_all("/run/crio/exits")?;
        let conmon = [
            "/usr/bin/conmon",
            "-b",
            &bundle,
            "-c",
            id,
            "--exit-dir",
            "/run/crio/exits",
            "-l",
            &format!("{bundle}/log"),
            "--log-level",
            "info",
            "-n",
            &full_name,
            "-P",
            &format!("{bundle}/conmon-pidfile"),
            "-p",
            &pid_file,
            "--persist-dir",
            &kept,
            "-r",
            "/usr/bin/crun",
            "--runtime-arg",
            "--root=/run/crun",
            "--socket-dir-path",
            "/run/crio",
            "-u",
            id,
            "-s",
        ];
        server::ask(&Order::Run(owned(&conmon)))?;
        // conmon stays, and says by this file that the container is there.
        wait_for(Path::new(&pid_file)).with_context(|| {
            let log = fs::read_to_string(format!("{bundle}/log")).unwrap_or_default();
            format!("conmon makes no container {name}: {log}")
        })?;
        let start = ["/usr/bin/crun", "--root=/run/crun", "start", id];
        server::ask(&Order::Run(owned(&start))).map(drop)
    }

    fn pin_of(&self, kind: &str) -> String {
        format!("/var/run/{kind}ns/{}", self.pin)
    }

    /// What it has of its own.
    fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        let of_host = self.host_network.then_some("net");
        KINDS.iter().filter(move |kind| of_host != Some(kind.name))
    }

    fn labels(&self, container: &str) -> Value {
        json!({
            "app": self.name,
            "io.kubernetes.container.name": container,
            "io.kubernetes.pod.name": self.name,
            "io.kubernetes.pod.namespace": self.namespace,
            "io.kubernetes.pod.uid": self.uid,
        })
    }

    fn slice(&self) -> String {
        let uid = self.uid.replace('-', "_");
        format!("kubepods-besteffort-pod{uid}.slice")
    }

    /// The sandbox's specification, which no runtime ever runs.
    fn write_sandbox(&self, spec: &Spec<'_>) -> Result<()> {
        let sysctls: serde_json::Map<String, Value> = spec
            .sysctls
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
            .collect();
        let mut config = self.config(&self.id, &["/bin/sleep", "100000"], "POD");
        config["linux"]["sysctl"] = Value::from(sysctls);
        let more = json!({
            "io.kubernetes.cri-o.ContainerType": "sandbox",
            "io.kubernetes.cri-o.ContainerName":
                format!("k8s_POD_{}_{}_{}_0", self.name, self.namespace, self.uid),
            "io.kubernetes.cri-o.KubeName": self.name,
            "io.kubernetes.cri-o.Spoofed": "true",
        });
        add(&mut config, more);
        self.write_spec(&self.id, &config)
    }

    fn container(&self, id: &str, name: &str, program: &[&str]) -> Value {
        let mut config = self.config(id, program, name);
        let more = json!({
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.Image": IMAGE,
            "io.kubernetes.cri-o.ImageName": IMAGE,
            "io.kubernetes.cri-o.Name":
                format!("k8s_{name}_{}_{}_{}_0", self.name, self.namespace, self.uid),
            "io.kubernetes.container.hash": "9d2b5f0c",
        });
        add(&mut config, more);
        config
    }

    /// What all specifications of the pod have.
    fn config(&self, id: &str, program: &[&str], name: &str) -> Value {
        let capabilities = ["CAP_KILL", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"];
        let mut namespaces = vec![json!({ "type": "pid" }), json!({ "type": "mount" })];
        for kind in self.kinds() {
            namespaces.push(json!({ "type": kind.in_spec, "path": self.pin_of(kind.name) }));
        }
        json!({
            "ociVersion": "1.1.0",
            "process": {
                "user": { "uid": 0, "gid": 0 },
                "args": program,
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": {
                    "bounding": capabilities,
                    "effective": capabilities,
                    "permitted": capabilities,
                },
            },
            "root": { "path": self.crio.root.path() },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
            ],
            "annotations": {
                "io.container.manager": "cri-o",
                "io.kubernetes.container.name": name,
                "io.kubernetes.pod.name": self.name,
                "io.kubernetes.pod.namespace": self.namespace,
                "io.kubernetes.pod.uid": self.uid,
                "io.kubernetes.cri-o.Annotations": "{}",
                "io.kubernetes.cri-o.CgroupParent": self.slice(),
                "io.kubernetes.cri-o.ContainerID": id,
                "io.kubernetes.cri-o.Labels": self.labels(name).to_string(),
                "io.kubernetes.cri-o.Namespace": self.namespace,
                "io.kubernetes.cri-o.SandboxID": self.id,
                "io.kubernetes.cri-o.SandboxName":
                    format!("k8s_{}_{}_{}_0", self.name, self.namespace, self.uid),
            },
            "linux": {
                "cgroupsPath": format!("{}:crio:{id}", self.slice()),
                "namespaces": namespaces,
            },
        })
    }

    /// Where CRI-O writes it: to what stays, and to what goes with the boot.
    fn write_spec(&self, id: &str, config: &Value) -> Result<()> {
        for folder in [KEPT_STATE, STATE] {
            let folder = format!("{folder}/{id}/userdata");
            fs::create_dir_all(&folder)?;
            let path = format!("{folder}/config.json");
            fs::write(&path, config.to_string()).with_context(|| format!("writing {path}"))?;
        }
        Ok(())
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let containers = self.containers.take();
        for id in &containers {
            command::undo("crun", &["--root=/run/crun", "delete", "--force", id]);
        }
        for kind in self.kinds() {
            command::undo("umount", &[&self.pin_of(kind.name)]);
            command::undo("rm", &["-f", &self.pin_of(kind.name)]);
        }
        for id in containers.iter().chain([&self.id]) {
            for folder in [KEPT_STATE, STATE] {
                command::undo("rm", &["-rf", &format!("{folder}/{id}")]);
            }
        }
        command::undo("systemctl", &["stop", &self.slice()]);
    }
}

fn add(config: &mut Value, annotations: Value) {
    let own = config["annotations"].as_object_mut();
    if let (Some(own), Value::Object(more)) = (own, annotations) {
        own.extend(more);
    }
}

fn owned(argv: &[&str]) -> Vec<String> {
    argv.iter().map(ToString::to_string).collect()
}

/// Waits until a file is there, with something in it.
fn wait_for(path: &Path) -> Result<()> {
    let begun = Instant::now();
    while !fs::metadata(path).is_ok_and(|data| data.len() > 0) {
        ensure!(
            begun.elapsed() < PATIENCE,
            "{} is not there",
            path.display()
        );
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
