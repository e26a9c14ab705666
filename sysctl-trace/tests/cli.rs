//! The command as its users start it, as far as no kernel is needed for that.

use assert_cmd::Command;

fn sysctl_trace(arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("sysctl-trace").expect("the binary is built");
    command.env("NO_COLOR", "1").args(arguments).assert()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn wrong_arguments_end_with_2_and_the_reason() {
    for (arguments, reason) in [
        (
            &["watch", "--bogus"][..],
            "error: unexpected argument '--bogus' found",
        ),
        (
            &["watch", "--key", "net.[core"],
            "error: invalid value 'net.[core' for '--key <GLOB>': unclosed character class",
        ),
        (
            &["run", "--comm", "{", "--", "true"],
            "error: invalid value '{' for '--comm <GLOB>': unclosed alternate group",
        ),
        (
            &["watch", "--buffer", "3M"],
            "error: invalid value '3M' for '--buffer <SIZE>': must be a power of two",
        ),
        (
            &["watch", "--attach", "magic"],
            "error: invalid value 'magic' for '--attach <KIND>'",
        ),
        (&["run"], "error: the following required arguments"),
        (&["frobnicate"], "error: unrecognized subcommand"),
    ] {
        let assert = sysctl_trace(arguments).code(2).stdout("");
        let text = stderr(&assert);
        assert!(text.contains(reason), "{arguments:?}: {text}");
    }
}

#[test]
fn no_arguments_give_the_help_and_2() {
    let assert = sysctl_trace(&[]).code(2);
    assert!(stderr(&assert).contains("Commands:"));
}

#[test]
fn help_has_examples() {
    for subcommand in ["watch", "run"] {
        let assert = sysctl_trace(&[subcommand, "--help"]).success();
        let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
        assert!(text.contains("Examples:\n  sysctl-trace "), "{text}");
        assert!(text.contains("Exit status:"), "{text}");
    }
}

#[test]
fn the_version_names_the_schema() {
    let assert = sysctl_trace(&["--version"]).success();
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    assert_eq!(
        text,
        format!(
            "sysctl-trace {} (event schema {})\n",
            env!("CARGO_PKG_VERSION"),
            sysctl_trace::event::SCHEMA_VERSION
        )
    );
}

#[test]
fn the_schema_is_json_and_quietly_ends_on_a_closed_pipe() {
    let assert = sysctl_trace(&["schema"]).success().stderr("");
    let schema: serde_json::Value =
        serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    assert_eq!(schema["title"], "sysctl-trace event");

    let binary = assert_cmd::cargo::cargo_bin("sysctl-trace");
    let script = format!(
        "{} schema | true; echo ${{PIPESTATUS[0]}}",
        binary.display()
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .output()
        .expect("bash");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_output_that_cannot_be_opened_is_named_before_anything_else() {
    for arguments in [
        &["watch", "-o", "/no/such/folder/trace"][..],
        &["run", "-o", "/no/such/folder/trace", "--", "true"],
    ] {
        sysctl_trace(arguments).code(1).stdout("").stderr(
            "sysctl-trace: cannot open /no/such/folder/trace for writing: \
             No such file or directory (os error 2)\n",
        );
    }
}

#[test]
fn a_namespace_that_is_none_is_named() {
    for (path, reason) in [
        (
            "/run/netns/no-such",
            "cannot open it: No such file or directory (os error 2)",
        ),
        (
            "/proc/self/ns/mnt",
            "it is not a network namespace; examples: /run/netns/NAME, /proc/PID/ns/net",
        ),
    ] {
        sysctl_trace(&["watch", "--netns", path])
            .code(1)
            .stdout("")
            .stderr(format!("sysctl-trace: --netns {path}: {reason}\n"));
    }
}
