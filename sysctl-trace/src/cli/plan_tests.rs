use clap::Parser as _;

use super::*;
use crate::{
    cli::args::{Args, Command},
    output::samples,
};

fn watch(arguments: &[&str]) -> Result<Plan<Watch>, Error> {
    let arguments = ["sysctl-trace", "watch"].iter().chain(arguments);
    match Args::try_parse_from(arguments).unwrap().command {
        Command::Watch(args) => Plan::watch(&args),
        other => panic!("{other:?}"),
    }
}

fn run(arguments: &[&str]) -> Plan<Run> {
    let arguments = ["sysctl-trace", "run"].iter().chain(arguments);
    match Args::try_parse_from(arguments).unwrap().command {
        Command::Run(args) => Plan::run(&args).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn refusal(arguments: &[&str]) -> String {
    watch(arguments).unwrap_err().to_string()
}

#[test]
fn nothing_given() {
    let plan = watch(&[]).unwrap();
    assert_eq!(
        plan.command,
        Watch {
            count: None,
            timeout: None,
            socket: None,
            reconcile: Some(Reconcile {
                every: Duration::from_secs(60),
                keys: vec![Key::parse("net.core.somaxconn").unwrap()],
            }),
        }
    );
    assert_eq!(plan.tracer.buffer_bytes, 8 << 20);
    assert_eq!(plan.tracer.attach, tracer::Attach::Auto);
    assert_eq!(plan.tracer.args, tracer::Args::Redacted);
    assert!(plan.tracer.btf.is_none());
    assert!(plan.netns.is_empty());
    assert!(!plan.strict);
    for event in samples::all() {
        assert!(plan.filter.passes(&event));
    }
}

#[test]
fn everything_given() {
    let plan = watch(&[
        "-n",
        "5",
        "--timeout",
        "1h30m",
        "--attach",
        "kprobe",
        "--btf",
        "/x",
        "--buffer",
        "64K",
        "--args",
        "none",
        "--strict",
        "--json",
        "-o",
        "out",
        "--color",
        "never",
        "-q",
        "--netns",
        "!/run/netns/x",
        "--netns",
        "net:[4026531840]",
        "--socket=/tmp/x.sock",
        "--reconcile",
        "0",
    ])
    .unwrap();
    assert_eq!(
        plan.command,
        Watch {
            count: Some(5),
            timeout: Some(Duration::from_secs(90 * 60)),
            socket: Some("/tmp/x.sock".into()),
            reconcile: None,
        }
    );
    assert_eq!(
        plan.output,
        Output {
            json: true,
            file: Some("out".into()),
            color: args::Color::Never,
            quiet: true,
        }
    );
    assert_eq!(
        plan.netns,
        [
            Sign::Unwanted(Netns::Path("/run/netns/x".into())),
            Sign::Wanted(Netns::Inum(4026531840)),
        ]
    );
    assert_eq!(plan.tracer.buffer_bytes, 64 << 10);
    assert_eq!(plan.tracer.attach, tracer::Attach::Kprobe);
    assert_eq!(plan.tracer.args, tracer::Args::None);
    assert_eq!(plan.tracer.btf.as_deref(), Some("/x".as_ref()));
    assert!(plan.strict);
}

#[test]
fn filters_reach_the_events() {
    let write = samples::write("1", "2", "1");
    for (arguments, want) in [
        (&["--key", "net.core.*"][..], true),
        (&["--key", "/proc/sys/net/core/*"], true),
        (&["--key", "!/proc/sys/net/core/*"], false),
        (&["--key", "kernel.*", "--key", "net.*"], true),
        (&["--action", "sysctl-write"], true),
        (
            &["--action", "netns-create", "--action", "netns-destroy"],
            false,
        ),
        (&["--pid", "296"], true),
        (&["--pid", "!296"], false),
        (&["--comm", "runc*", "--pid", "1"], false),
    ] {
        assert_eq!(
            watch(arguments).unwrap().filter.passes(&write),
            want,
            "{arguments:?}"
        );
    }
}

#[test]
fn refusals_name_option_value_and_reason() {
    for (arguments, want) in [
        (
            &["--key", "net.[core"][..],
            "invalid value 'net.[core' for '--key <GLOB>': \
             unclosed character class; missing ']'",
        ),
        (
            &["--key", "!"],
            "invalid value '!' for '--key <GLOB>': an empty pattern matches nothing",
        ),
        (
            &["--comm", "a{b"],
            "invalid value 'a{b' for '--comm <GLOB>': \
             unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
        ),
        (
            &["--action", "!sysctl"],
            "invalid value '!sysctl' for '--action <ACTION>': \
             must be one of netns-create, netns-destroy, sysctl-write, netns-enter, netns-bind, \
             events-lost, trace-start, sysctl-drift, sysctl-register, sysctl-unregister, trace-end",
        ),
        (
            &["--pid", "x"],
            "invalid value 'x' for '--pid <PID>': must be a number",
        ),
        (
            &["--netns", "blue"],
            "invalid value 'blue' for '--netns <INUM|PATH>': \
             must be an inode number, or a path with a slash in it",
        ),
        (
            &["-n", "0"],
            "invalid value '0' for '-n <COUNT>': must be 1 or more",
        ),
        (
            &["--timeout", "soon"],
            "invalid value 'soon' for '--timeout <DURATION>': \
             not a duration; examples: 500ms, 30s, 5m, 1h30m",
        ),
        (
            &["--timeout", "0s"],
            "invalid value '0s' for '--timeout <DURATION>': must be longer than nothing",
        ),
        (
            &["--timeout", "5s ago"],
            "invalid value '5s ago' for '--timeout <DURATION>': must be longer than nothing",
        ),
        (
            &["--reconcile", "often"],
            "invalid value 'often' for '--reconcile <DURATION>': \
             not a duration; examples: 0, 30s, 5m",
        ),
        (
            &["--reconcile", "999ms"],
            "invalid value '999ms' for '--reconcile <DURATION>': must be 0, or 1s or more",
        ),
        (
            &["--reconcile-key", "vm.swappiness"],
            "invalid value 'vm.swappiness' for '--reconcile-key <KEY>': must be a key below net.",
        ),
        (
            &["--reconcile-key=net.x"; 17],
            "invalid value 'net.x' for '--reconcile-key <KEY>': there are more than 16",
        ),
        (
            &["--socket=/run/.."],
            "invalid value '/run/..' for '--socket[=<PATH>]': must be the path of a file",
        ),
        (
            &["--buffer", "big"],
            "invalid value 'big' for '--buffer <SIZE>': \
             not a size; examples: 8MiB, 512K, 65536",
        ),
        (
            &["--buffer", "10M"],
            "invalid value '10M' for '--buffer <SIZE>': \
             must be a power of two, such as 8MiB or 16MiB",
        ),
        (
            &["--buffer", "4K"],
            "invalid value '4K' for '--buffer <SIZE>': must be between 64KiB and 1GiB",
        ),
        (
            &["--buffer", "2G"],
            "invalid value '2G' for '--buffer <SIZE>': must be between 64KiB and 1GiB",
        ),
    ] {
        assert_eq!(refusal(arguments), want);
    }
}

#[test]
fn the_command_of_run_keeps_its_own_options() {
    let plan = run(&["--tree", "--json", "--", "docker", "run", "--rm", "-q"]);
    assert_eq!(plan.command.program, "docker");
    assert_eq!(plan.command.args, ["run", "--rm", "-q"]);
    assert!(plan.command.tree && plan.output.json);
    assert_eq!(plan.command.keys.only(), Some("net.core.somaxconn"));
    let plan = run(&["ls", "-l", "--", "--json"]);
    assert_eq!(plan.command.program, "ls");
    assert_eq!(plan.command.args, ["-l", "--", "--json"]);
    assert!(!plan.output.json);
    let plan = run(&["--key", "!net.ipv6.*", "--key", "net.ipv4.*", "true"]);
    assert_eq!(plan.command.keys.only(), Some("net.ipv4.*"));
}

#[test]
fn wrong_arguments_are_refused_by_the_parser() {
    for arguments in [
        &["watch", "--bogus"][..],
        &["watch", "extra"],
        &["watch", "-n", "-1"],
        &["watch", "--attach", "x"],
        &["run"],
        &["run", "--"],
        &["run", "--bogus", "ls"],
        &["run", "-n", "1", "ls"],
        &["bogus"],
        &[],
    ] {
        let arguments = ["sysctl-trace"].iter().chain(arguments);
        let error = Args::try_parse_from(arguments.clone()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{:?}", arguments.collect::<Vec<_>>());
    }
}

#[test]
fn the_arguments_are_consistent() {
    <Args as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn filters_are_kept_as_they_were_given() {
    assert!(watch(&["-n", "1", "--json"]).unwrap().filters.is_empty());
    let plan = watch(&[
        "--key",
        "!/proc/sys/vm/*",
        "--key",
        "net.*",
        "--action",
        "sysctl-write",
        "--pid",
        "1",
        "--comm",
        "sh",
        "--netns",
        "/run/netns/x",
        "--container",
        "a",
        "--pod",
        "b",
        "--namespace",
        "c",
        "--runtime",
        "d",
        "--component",
        "e",
    ])
    .unwrap();
    let given: Vec<(&str, Vec<&str>)> = plan
        .filters
        .iter()
        .map(|(option, values)| (&**option, values.iter().map(|value| &**value).collect()))
        .collect();
    assert_eq!(
        given,
        [
            ("action", vec!["sysctl-write"]),
            ("comm", vec!["sh"]),
            ("component", vec!["e"]),
            ("container", vec!["a"]),
            ("key", vec!["!/proc/sys/vm/*", "net.*"]),
            ("namespace", vec!["c"]),
            ("netns", vec!["/run/netns/x"]),
            ("pid", vec!["1"]),
            ("pod", vec!["b"]),
            ("runtime", vec!["d"]),
        ]
    );
    let plan = run(&["--tree", "--pid", "1", "--", "true"]);
    assert_eq!(plan.filters["tree"], ["true"]);
    assert_eq!(plan.filters["pid"], ["1"]);
    assert!(run(&["--", "true"]).filters.is_empty());
}

#[test]
fn the_socket_has_a_usual_place() {
    let socket = |arguments| watch(arguments).unwrap().command.socket;
    assert_eq!(socket(&["--json"]), None);
    let usual = Some(crate::recorder::SOCKET.into());
    assert_eq!(socket(&["--socket"]), usual);
    assert_eq!(socket(&["--socket", "--json"]), usual);
    assert_eq!(socket(&["--socket=./x"]), Some("./x".into()));
}

#[test]
fn keys_to_compare_take_the_place_of_the_usual_one() {
    let plan = watch(&[
        "--reconcile",
        "5m",
        "--reconcile-key",
        "net/ipv4/ip_forward",
        "--reconcile-key",
        "net.core.somaxconn",
    ]);
    let reconcile = plan.unwrap().command.reconcile.unwrap();
    assert_eq!(reconcile.every, Duration::from_secs(300));
    let paths: Vec<&str> = reconcile.keys.iter().map(|key| &*key.path).collect();
    assert_eq!(paths, ["net/ipv4/ip_forward", "net/core/somaxconn"]);
}
