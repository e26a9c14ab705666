//! `why --from` over damaged recordings: bytes flipped, taken out, put in, lines swapped, repeated, cut.
//!
//! Whatever the damage, a file and a pipe give the same answer, and it never claims more than the
//! undamaged recording does: of a stream that ends earlier, more than the undamaged one up to that
//! moment. Damage that leaves whole events behind, with another value in a field, can't be seen in a
//! stream without hashes; such cases are told by what the damaged lines say, and counted.
//!
//! `FUZZ_CASES` is how many cases there are, `FUZZ_SEED` where they begin.

use std::{
    cell::RefCell,
    collections::HashMap,
    env,
    fs::{self, File},
    io::{self, Write as _},
    os::{fd::AsRawFd as _, unix::process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use assert_cmd::cargo::CommandCargoExt as _;
use serde_json::Value;
use sysctl_trace::{
    answer::Answer,
    event::Event,
    inquiry::recorded,
    node::key::Keys,
    recording::Source,
    target::Target,
    verdict::{Confidence, Verdict},
};

/// Cases of each run but those that say otherwise.
const CASES: u64 = 300;
/// Of so many cases one is also asked through the program.
const PROGRAM_EVERY: u64 = 10;
/// An answer may take so long; more without optimisation, on a machine that does other things too.
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 2 });
/// And so much memory.
const MEMORY_MAX_KIB: i64 = 64 * 1024;
const KEY: &str = "net.core.somaxconn";

/// Whom a question is about, and up to which moment.
type Question = (String, Option<String>);

/// A recording, and whom to ask about.
struct Original {
    text: Vec<u8>,
    targets: Vec<&'static str>,
    events: Vec<Value>,
    /// What it says by itself, up to each moment that was asked for.
    known: RefCell<HashMap<Question, Vec<Answer>>>,
}

/// The most that one answer of the program took.
#[derive(Debug, Default)]
struct Cost {
    time: Duration,
    memory_kib: i64,
}

/// What was found of one question: answers, or why there are none.
type Told = Result<Vec<Answer>, String>;

/// Numbers that look like any others (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[test]
fn damage_never_makes_an_answer_stronger() {
    let number = |name, otherwise| {
        let given = env::var(name).ok();
        given.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (cases, seed) = (number("FUZZ_CASES", CASES), number("FUZZ_SEED", 1));
    let originals = originals();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged.json");
    let (mut unseen, mut weaker, mut same, mut slowest) = (0, 0, 0, Duration::ZERO);
    let mut cost = Cost::default();
    for case in seed..seed + cases {
        let mut random = Random(case);
        let original = &originals[random.below(originals.len())];
        let damaged = damaged(&original.text, &mut random);
        fs::write(&path, &damaged).expect("written");
        let is_unseen = has_other_values(&damaged, &original.events);
        unseen += u64::from(is_unseen);
        for target in &original.targets {
            let begun = Instant::now();
            let by_file = ask(&path, target);
            slowest = slowest.max(begun.elapsed());
            let by_pipe = ask_pipe(&damaged, target);
            assert_eq!(
                shown(&by_file, &path),
                shown(&by_pipe, Path::new("/proc")),
                "case {case}, {target}: file and pipe differ"
            );
            if case % PROGRAM_EVERY == 0 {
                through_the_program(&path, target, folder.path(), &mut cost);
            }
            if is_unseen {
                continue;
            }
            match by_file {
                Ok(answers) => {
                    for answer in &answers {
                        let is_same = compare(answer, original, target, case);
                        same += u64::from(is_same);
                        weaker += u64::from(!is_same);
                    }
                }
                Err(_) => weaker += 1,
            }
        }
    }
    println!(
        "{cases} cases: {same} answers stayed, {weaker} became weaker; in {unseen} cases whole events \
         had other values, which can't be seen; the slowest answer took {slowest:?}, by the program \
         {:?} of processor time, and {} KiB",
        cost.time, cost.memory_kib
    );
    assert!(slowest <= TIME_MAX, "an answer took {slowest:?}");
    assert!(
        cost.time <= TIME_MAX && cost.memory_kib <= MEMORY_MAX_KIB,
        "{cost:?}"
    );
    assert!(cases < 100 || same > 0 && weaker > 0, "it tries nothing");
}

/// The recordings as they are, and as this release would write them.
fn originals() -> Vec<Original> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let all: [(&str, &[&str]); 4] = [
        ("min-crio", &["shop/asked-guest", "node"]),
        ("min-bad", &["shop/badvalue-guest", "node"]),
        ("min-lost", &["shop/two-guest", "node"]),
        (
            "crio-kubelet",
            &["default/plain-guest", "shop/asked-guest", "4026532298"],
        ),
    ];
    let mut originals = Vec::new();
    for (name, targets) in all {
        let path = folder.join(name).with_extension("json");
        let text = fs::read_to_string(path).expect("a recording");
        originals.push(Original::new(text.clone(), targets));
        originals.push(Original::new(as_written(&text), targets));
    }
    originals
}

impl Original {
    fn new(text: String, targets: &[&'static str]) -> Self {
        let values = text.lines().map(serde_json::from_str);
        Self {
            events: values.collect::<Result<_, _>>().expect("JSON"),
            text: text.into_bytes(),
            targets: targets.to_vec(),
            known: RefCell::default(),
        }
    }
}

/// In the order and spacing of the tracer's own lines, with an end.
fn as_written(text: &str) -> String {
    let mut out = String::new();
    let mut last = None;
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).expect("an event");
        out.push_str(&serde_json::to_string(&event).expect("JSON"));
        out.push('\n');
        last = Some(event);
    }
    let last = serde_json::to_value(last.expect("a line")).expect("JSON");
    let number = last["event"]["sequence"].as_u64().expect("a number") + 1;
    let ns = last["event"]["boottime_ns"].as_u64().expect("a number") + 1_000_000_000;
    let timestamp = last["@timestamp"].as_str().expect("a text");
    let lost =
        serde_json::json!({"ring_full": 0, "in_flight": 0, "probe_missed": 0, "unreadable": 0});
    let end = serde_json::json!({
        "@timestamp": timestamp,
        "schema": last["schema"],
        "event": {"kind": "event", "category": ["host"], "type": ["end"], "action": "trace-end",
            "outcome": "success", "sequence": number, "boottime_ns": ns},
        "host": last["host"],
        "trace": {"session": last["trace"]["session"], "truncated": [],
            "end": {"reason": "signal", "events": number, "lost": lost}},
    });
    let end: Event = serde_json::from_value(end).expect("an event");
    out + &serde_json::to_string(&end).expect("JSON") + "\n"
}

fn damaged(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(text.len());
        let len = 1 + random.below(40).min(text.len().saturating_sub(at + 1));
        let byte = random.next().to_le_bytes()[0];
        match random.below(9) {
            0 => text[at] ^= 1 << random.below(8),
            1 => text[at] = byte,
            2 => drop(text.drain(at..(at + len).min(text.len()))),
            3 => text.insert(at, byte),
            4 => {
                let range = text[at..(at + len).min(text.len())].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, range);
            }
            5 => text.truncate(at),
            6 => drop(text.drain(..at)),
            change => lines_changed(&mut text, change, random),
        }
        if text.is_empty() {
            text.push(b'\n');
        }
    }
    text
}

/// Lines swapped, repeated or taken out.
fn lines_changed(text: &mut Vec<u8>, change: usize, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    match (change, random.below(3)) {
        (7, 0) => lines.reverse(),
        (7, _) => lines.swap(one, other),
        (_, 0) => drop(lines.remove(one)),
        (_, _) => lines.insert(other, lines[one].clone()),
    }
    *text = lines.concat();
}

/// Whether a line is a whole event that says something else than each line of the original.
fn has_other_values(damaged: &[u8], originals: &[Value]) -> bool {
    damaged.split(|byte| *byte == b'\n').any(|line| {
        if serde_json::from_slice::<Event>(line).is_err() {
            return false;
        }
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            return false;
        };
        originals.iter().all(|original| conflicts(original, &value))
    })
}

/// Whether a field that both have differs.
fn conflicts(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one.iter().any(|(name, value)| {
            let other = other.get(name);
            other.is_some_and(|other| conflicts(value, other))
        }),
        (Value::Array(one), Value::Array(other)) => {
            one.len() != other.len()
                || one
                    .iter()
                    .zip(other)
                    .any(|(one, other)| conflicts(one, other))
        }
        (one, other) => one != other,
    }
}

fn ask(path: &Path, target: &str) -> Told {
    let target = Target::parse(target).expect("a target");
    let keys = Keys::parse([KEY]).expect("a key");
    match recorded::ask(&Source::File(path.to_owned()), &target, &keys, None) {
        Ok(inquiry) => Ok(inquiry.answers()),
        Err(error) => Err(error.to_string()),
    }
}

fn ask_pipe(text: &[u8], target: &str) -> Told {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    thread::scope(|scope| {
        scope.spawn(move || {
            // Who asks may have seen enough.
            let _ = writer.write_all(text);
        });
        let told = ask(&path, target);
        drop(reader);
        told
    })
}

/// What can be compared: the JSON of the answers, or that there are none.
fn shown(told: &Told, path: &Path) -> String {
    match told {
        Ok(answers) => serde_json::to_string(answers).expect("JSON"),
        // Names of files differ.
        Err(error) if error.contains(&*path.to_string_lossy()) => "an error".to_owned(),
        Err(error) => error.clone(),
    }
}

/// Whether an answer claims all that the undamaged recording does up to the same moment; panics where
/// it claims more.
fn compare(answer: &Answer, original: &Original, target: &str, case: u64) -> bool {
    let verdict = &answer.verdict;
    if verdict.confidence == Confidence::Unknown {
        return false;
    }
    let whole = answers_up_to(original, target, None);
    let like = |other: &Answer| {
        let theirs = &other.verdict;
        other.sysctl.value == answer.sysctl.value
            && is_part(&cause(verdict), &cause(theirs))
            && theirs.confidence >= verdict.confidence
    };
    if whole.iter().any(like) {
        return true;
    }
    // It may have been true at an earlier moment: the undamaged recording up to some line says so, as
    // of that moment or a later one.
    let moments = original.events.iter().map(|event| &event["@timestamp"]);
    let as_of = |answer: &Answer| answer.verdict.as_of.map(|moment| moment.to_string());
    let is_as_late = |other: &Answer| as_of(other) >= as_of(answer);
    let earlier: Vec<Answer> = moments
        .filter_map(Value::as_str)
        .flat_map(|moment| answers_up_to(original, target, Some(moment)))
        .collect();
    let is_so = match verdict.confidence {
        Confidence::Observed => earlier.iter().any(|other| like(other) && is_as_late(other)),
        // Which one is likely may change with less to go by; that one is, may not come to be.
        Confidence::Inferred => whole
            .iter()
            .chain(&earlier)
            .any(|other| other.verdict.confidence >= Confidence::Inferred),
        Confidence::Unknown => true,
    };
    assert!(
        is_so,
        "case {case}, {target}: stronger than the whole recording: {verdict:#?}"
    );
    false
}

/// The cause as JSON. A container without its name is called by its id.
fn cause(verdict: &Verdict) -> Value {
    let mut cause = serde_json::to_value(&verdict.cause).expect("JSON");
    if let Some(fields) = cause.as_object_mut()
        && fields.get("container") == fields.get("container_id")
    {
        fields.remove("container");
    }
    cause
}

/// Whether one says nothing that the other does not say too: of what damage took out it says less.
fn is_part(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one
            .iter()
            .all(|(name, value)| other.get(name).is_some_and(|theirs| is_part(value, theirs))),
        _ => one == other,
    }
}

/// The answers of the undamaged recording, up to a moment.
fn answers_up_to(original: &Original, target: &str, moment: Option<&str>) -> Vec<Answer> {
    let asked = (target.to_owned(), moment.map(str::to_owned));
    if let Some(known) = original.known.borrow().get(&asked) {
        return known.clone();
    }
    let lines = original.text.split_inclusive(|byte| *byte == b'\n');
    let is_meant =
        |event: &Value| moment.is_none_or(|moment| event["@timestamp"].as_str() <= Some(moment));
    let text: Vec<u8> = lines
        .zip(&original.events)
        .filter(|(_, event)| is_meant(event))
        .flat_map(|(line, _)| line.to_vec())
        .collect();
    let answers = ask_pipe(&text, target).unwrap_or_default();
    original.known.borrow_mut().insert(asked, answers.clone());
    answers
}

/// The program says the same of a file and of standard input, in any status but that of a panic, and
/// takes no longer and no more than it may.
fn through_the_program(path: &Path, target: &str, folder: &Path, cost: &mut Cost) {
    let out = |name: &str| folder.join(name);
    let run = |from: &str, stdin: Stdio| {
        let file = |name| File::create(out(name)).expect("a file");
        #[expect(
            clippy::zombie_processes,
            reason = "it is waited for by its id, which tells what it used"
        )]
        let child = Command::cargo_bin("sysctl-trace")
            .expect("the binary is built")
            .env("NO_COLOR", "1")
            .args(["why", target, KEY, "--json", "--from", from])
            .stdin(stdin)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("it starts");
        let (status, usage) = wait(child.id());
        let said = fs::read(out("stderr")).expect("what it said");
        let said = String::from_utf8_lossy(&said);
        assert!(
            matches!(status.code(), Some(0 | 1 | 3)) && !said.contains("panicked"),
            "{status}: {said}"
        );
        let answer = fs::read(out("stdout")).expect("what it answered");
        (status.code(), answer, usage)
    };
    let file = run(&path.to_string_lossy(), Stdio::null());
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let text = fs::read(path).expect("the damaged recording");
    let pipe = thread::scope(|scope| {
        // Who asks may have seen enough.
        scope.spawn(move || drop(writer.write_all(&text)));
        run("-", reader.into())
    });
    for used in [&file.2, &pipe.2] {
        cost.time = cost.time.max(used.time);
        cost.memory_kib = cost.memory_kib.max(used.memory_kib);
    }
    assert_eq!((file.0, file.1), (pipe.0, pipe.1));
}

/// Waits for a child: how it ended, and what it took.
fn wait(pid: u32) -> (ExitStatus, Cost) {
    let pid = libc::pid_t::try_from(pid).expect("a pid");
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`, which holds nothing but numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables of these types that outlive the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "{}", io::Error::last_os_error());
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    let cost = Cost {
        time: time(usage.ru_utime) + time(usage.ru_stime),
        memory_kib: usage.ru_maxrss,
    };
    (ExitStatus::from_raw(status), cost)
}
