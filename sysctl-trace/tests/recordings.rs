//! Recordings of real pods, asked through the code that `why --from` runs. tests/recordings/README.md
//! says what is in them.

use std::{ffi::OsStr, path::Path};

use sysctl_trace::{
    answer::Answer,
    event::{Requester, RequesterSource},
    inquiry::{Inquiry, recorded},
    node::key::Keys,
    recording::Source,
    target::Target,
    verdict::{Cause, Finding, Found, Suspect, Verdict, Writer},
};

const KEY: &str = "net.core.somaxconn";

/// What is asked of a recording.
#[track_caller]
fn ask(file: &str, target: &str, key: &str) -> Inquiry {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recordings")
        .join(file);
    let target = Target::parse(target).expect("a target");
    let keys = Keys::parse([key]).expect("a key");
    let source = Source::new(OsStr::new(path.to_str().expect("a path in UTF-8")));
    recorded::ask(&source, &target, &keys, None).expect("an answer")
}

#[track_caller]
fn only(inquiry: &Inquiry) -> Answer {
    let mut answers = inquiry.answers();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    answers.remove(0)
}

#[track_caller]
fn why(file: &str, target: &str) -> Answer {
    only(&ask(file, target, KEY))
}

#[track_caller]
fn finding(verdict: &Verdict, suspect: Suspect) -> &Finding {
    let mut findings = verdict.suspects.iter();
    findings
        .find(|one| one.suspect == suspect)
        .unwrap_or_else(|| panic!("{verdict:#?}"))
}

#[track_caller]
fn writer(verdict: &Verdict) -> &Writer {
    match &verdict.cause {
        Cause::Written(writer) => writer,
        other => panic!("{other:?}: {}", verdict.sentence),
    }
}

#[track_caller]
fn says(verdict: &Verdict, text: &str) {
    let evidence = || verdict.evidence.iter().any(|fact| fact.text.contains(text));
    assert!(
        verdict.sentence.contains(text) || evidence(),
        "{text}: {verdict:#?}"
    );
}

/// A pod's own specification has the value, and CRI-O had pinns write it.
#[track_caller]
fn is_by_pinns(answer: &Answer) {
    let verdict = &answer.verdict;
    assert_eq!(answer.sysctl.value.as_deref(), Some("1024"));
    let writer = writer(verdict);
    assert_eq!(writer.component.as_deref(), Some("pinns"));
    let asked = Requester {
        source: RequesterSource::PodSecurityContext,
        value: "1024".into(),
        file: None,
        line: None,
    };
    assert_eq!(writer.requester.as_ref(), Some(&asked));
    assert_eq!(
        finding(verdict, Suspect::Specification).finding,
        Found::SetIt
    );
    for suspect in [Suspect::Kubelet, Suspect::Engine] {
        assert_eq!(
            finding(verdict, suspect).finding,
            Found::PassedItOn,
            "{suspect:?}"
        );
    }
    let engine = &finding(verdict, Suspect::Engine).why;
    assert!(
        engine.contains("CRI-O") && engine.contains("pinns[455] wrote it"),
        "{engine}"
    );
    assert_eq!(
        finding(verdict, Suspect::Containerd).finding,
        Found::Eliminated
    );
    says(verdict, "as the pod's securityContext asks");
}

#[test]
fn what_cri_o_has_pinns_write_is_what_the_pod_asked_for() {
    is_by_pinns(&why("min-crio.json", "shop/asked-guest"));
    is_by_pinns(&why("crio-kubelet.json", "shop/asked-guest"));
}

#[test]
fn a_pod_without_a_container_of_its_own_is_the_owner_of_its_namespace() {
    for file in ["min-crio.json", "crio-kubelet.json"] {
        let answer = why(file, "shop/asked-guest");
        let owner = answer.netns.and_then(|netns| netns.owner).unwrap();
        let k8s = owner.k8s.as_ref().unwrap();
        assert_eq!(k8s.pod.name.as_deref(), Some("asked-guest"));
        assert_eq!(k8s.container, None, "{owner:?}");
        assert_eq!(owner.container, None, "{owner:?}");
    }
    // By any of its containers it is found all the same.
    let by_id = why("min-crio.json", "a21f6034fec0");
    assert_eq!(writer(&by_id.verdict).component.as_deref(), Some("pinns"));
}

#[test]
fn what_was_asked_for_and_refused_has_overwritten_nothing() {
    let answer = why("min-bad.json", "shop/badvalue-guest");
    let verdict = &answer.verdict;
    assert_eq!(answer.sysctl.value.as_deref(), Some("4096"));
    assert_eq!(verdict.cause, Cause::KernelConstant);
    assert_eq!(finding(verdict, Suspect::Kernel).finding, Found::SetIt);
    says(
        verdict,
        "\"many\", as the pod's securityContext asks, was refused (EINVAL)",
    );
    let specification = finding(verdict, Suspect::Specification);
    assert_eq!(specification.finding, Found::Eliminated);
    assert!(
        specification.why.contains("asks for many"),
        "{specification:?}"
    );
    let runtime = finding(verdict, Suspect::Runtime);
    for why in [&specification.why, &runtime.why] {
        assert!(why.contains("refused (EINVAL)"), "{why}");
    }
    let all = format!("{verdict:?}");
    assert!(!all.contains("overwritten"), "{all}");
}

#[test]
fn a_write_carries_on_whose_behalf_it_was_made() {
    let answer = why("min-lost.json", "shop/two-guest");
    assert_eq!(answer.sysctl.value.as_deref(), Some("777"));
    let specification = finding(&answer.verdict, Suspect::Specification);
    assert!(
        specification.why.starts_with("asks for 777 in "),
        "{specification:?}"
    );
}

#[test]
fn a_pod_that_asks_for_nothing_has_what_the_kernel_gave() {
    let answer = why("crio-kubelet.json", "default/plain-guest");
    assert_eq!(answer.sysctl.value.as_deref(), Some("4096"));
    assert_eq!(answer.verdict.cause, Cause::KernelConstant);
}

#[test]
fn a_container_that_writes_over_what_its_pod_asked_for_is_named() {
    let answer = why("crio-kubelet.json", "shop/both-guest");
    let verdict = &answer.verdict;
    assert_eq!(answer.sysctl.value.as_deref(), Some("512"));
    let writer = writer(verdict);
    assert_eq!(writer.container.as_deref(), Some("tune"));
    assert!(
        writer
            .container_id
            .as_ref()
            .is_some_and(|id| id.starts_with("a10f50a3"))
    );
    assert!(
        verdict
            .sentence
            .contains("sysctl[636] in container tune wrote it"),
        "{}",
        verdict.sentence
    );
    let evidence = verdict.evidence.iter();
    assert!(
        evidence
            .clone()
            .any(|fact| fact.text.contains("in container tune wrote \"512\""))
    );
    let specification = finding(verdict, Suspect::Specification);
    assert_eq!(specification.finding, Found::Eliminated);
    assert_eq!(
        specification.why,
        "what pinns[470] wrote for it, \"1024\", was overwritten"
    );
}

/// The node's value is told to be a pod's.
#[track_caller]
fn is_by_hosttune(answer: &Answer) {
    let verdict = &answer.verdict;
    assert_eq!(answer.sysctl.value.as_deref(), Some("300"));
    let writer = writer(verdict);
    let k8s = writer.k8s.as_ref().expect("the pod");
    assert_eq!(k8s.pod.name.as_deref(), Some("hosttune-guest"));
    assert!(k8s.pod.uid.is_some());
    assert_eq!(
        k8s.namespace.as_ref().map(|named| &*named.name),
        Some("kube-system")
    );
    assert_eq!(writer.container.as_deref(), Some("tune"));
    let id = writer.container_id.as_deref().expect("the container");
    let inside = format!(
        "in container tune ({}) of pod kube-system/hosttune-guest",
        &id[..12]
    );
    assert!(
        verdict
            .sentence
            .contains(&format!(": sysctl[555] {inside} wrote it")),
        "{}",
        verdict.sentence
    );
    let wrote = format!("{inside} wrote \"300\"");
    assert!(
        verdict
            .evidence
            .iter()
            .any(|fact| fact.text.contains(&wrote)),
        "{verdict:#?}"
    );
}

#[test]
fn a_pod_that_changed_the_nodes_value_is_named() {
    let answer = why("crio-kubelet.json", "node");
    is_by_hosttune(&answer);
    // Its arguments have the key and the value.
    let specification = finding(&answer.verdict, Suspect::Specification);
    assert_eq!(specification.finding, Found::Eliminated);
}

#[test]
fn a_pod_on_the_nodes_network_is_told_to_use_it() {
    let inquiry = ask("crio-kubelet.json", "kube-system/hosttune-guest", KEY);
    let note = "kube-system/hosttune-guest uses the node's own network namespace";
    assert!(
        inquiry.notes.iter().any(|text| text.contains(note)),
        "{:?}",
        inquiry.notes
    );
    let answer = only(&inquiry);
    is_by_hosttune(&answer);
    says(&answer.verdict, note);
}

#[test]
fn kubelets_own_writes_are_its_own() {
    for (key, value) in [("vm.overcommit_memory", "1"), ("kernel.panic", "10")] {
        let answer = only(&ask("crio-kubelet.json", "node", key));
        assert_eq!(answer.sysctl.value.as_deref(), Some(value));
        assert_eq!(
            writer(&answer.verdict).component.as_deref(),
            Some("kubelet")
        );
        let specification = finding(&answer.verdict, Suspect::Specification);
        assert_eq!(
            specification.finding,
            Found::Eliminated,
            "{specification:?}"
        );
    }
}
