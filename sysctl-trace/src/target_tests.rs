use super::*;
use crate::event::{Confidence, Container, Kubernetes, Named, Pod};

const WEB_ID: &str = "4f1d7c0a9be2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const DIGITS_ID: &str = "1234567890120000000000000000000000000000000000000000000000000000";

fn container(id: &str, name: Option<&str>) -> Owner {
    Owner {
        container: Some(Container {
            id: id.into(),
            runtime: None,
            name: name.map(Into::into),
            image: None,
            confidence: Confidence::StateVerified,
            nested: Vec::new(),
        }),
        ..Owner::default()
    }
}

fn in_pod(owner: Owner, namespace: &str, name: &str, uid: &str) -> Owner {
    Owner {
        k8s: Some(Kubernetes {
            pod: Pod {
                name: Some(name.into()),
                uid: Some(uid.into()),
                ..Pod::default()
            },
            namespace: Some(Named {
                name: namespace.into(),
            }),
            container: None,
        }),
        ..owner
    }
}

/// A node with a bit of everything.
struct Fixture {
    owners: Vec<Owner>,
    pins: Vec<String>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            owners: vec![
                container(WEB_ID, Some("web")),
                container(DIGITS_ID, Some("db")),
                in_pod(container("aaa1", None), "shop", "cart-0", "uid-1"),
                in_pod(container("aaa2", Some("cart")), "shop", "cart-0", "uid-1"),
                in_pod(container("bbb1", Some("cart")), "test", "cart-0", "uid-2"),
                container("c1", Some("4f1")),
            ],
            pins: vec!["/run/netns/blue".into(), "/mnt/other".into()],
        }
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let owned = |inum, owners: &[usize]| Candidate {
            inum,
            owners: owners.iter().map(|&at| &self.owners[at]).collect(),
            ..Candidate::default()
        };
        vec![
            Candidate {
                is_node: true,
                pids: &[1, 2, 500],
                ..owned(4_026_531_840, &[])
            },
            Candidate {
                pids: &[777],
                ..owned(4_026_532_001, &[0])
            },
            owned(4_026_532_002, &[1]),
            owned(4_026_532_003, &[2, 3]),
            owned(4_026_532_004, &[4]),
            owned(4_026_532_005, &[5]),
            Candidate {
                pins: &self.pins,
                ..owned(4_026_532_006, &[])
            },
        ]
    }

    fn find(&self, text: &str) -> Result<u32, Error> {
        let candidates = self.candidates();
        let inums: Vec<u32> = candidates.iter().map(|one| one.inum).collect();
        Target::parse(text)
            .unwrap()
            .find(candidates)
            .map(|at| inums[at] - 4_026_532_000)
    }
}

#[test]
fn what_a_text_can_be() {
    let name = |text: &str| Target::Name(text.into());
    let pid = |number, text: &str| Target::Pid(number, text.into());
    for (text, expected) in [
        ("node", Target::Node),
        ("Node", name("Node")),
        ("4026532281", Target::Inum(4_026_532_281)),
        ("net:[4026532281]", Target::Inum(4_026_532_281)),
        ("net:[7]", Target::Inum(7)),
        ("4026531833", Target::Inum(4_026_531_833)),
        ("4194304", pid(4_194_304, "4194304")),
        ("4026531", pid(4_026_531, "4026531")),
        ("0123", pid(123, "0123")),
        ("99999999999", name("99999999999")),
        ("+5", name("+5")),
        ("/run/netns/x", Target::Path("/run/netns/x".into())),
        ("web", name("web")),
    ] {
        assert_eq!(Target::parse(text), Ok(expected), "{text}");
    }
    let pod = Target::parse("shop/cart-0").unwrap();
    assert_eq!(
        pod,
        Target::Pod {
            namespace: "shop".into(),
            name: "cart-0".into()
        }
    );
    assert_eq!(pod.to_string(), "shop/cart-0");
    for text in ["", "a/", "a/b/c", "net:[x]", "net:[1", "net:[]"] {
        assert_eq!(Target::parse(text), Err(Unclear), "{text}");
    }
}

#[test]
fn every_way_to_call_a_namespace() {
    let node = Fixture::new();
    for (text, expected) in [
        ("777", 1),
        ("/proc/777/ns/net", 1),
        (WEB_ID, 1),
        ("4f1d7c0a9be2", 1),
        ("web", 1),
        ("123456789012", 2),
        ("1234", 2),
        ("db", 2),
        ("aaa1", 3),
        ("aaa2", 3),
        ("aaa", 3),
        ("shop/cart-0", 3),
        ("uid-1", 3),
        ("test/cart-0", 4),
        ("uid-2", 4),
        ("c1", 5),
        ("blue", 6),
        ("/run/netns/blue", 6),
        ("/var/run/netns/blue", 6),
        ("/mnt/other", 6),
        ("4026532006", 6),
        ("net:[4026532006]", 6),
    ] {
        assert_eq!(node.find(text), Ok(expected), "{text}");
    }
    for text in ["node", "1", "500", "/proc/1/ns/net"] {
        let target = Target::parse(text).unwrap();
        assert_eq!(target.find(node.candidates()), Ok(0), "{text}");
    }
}

#[test]
fn what_is_not_meant() {
    let node = Fixture::new();
    for text in [
        "4f",
        "12",
        "we",
        "cart-",
        "shop/cart",
        "other/cart-0",
        "uid",
        "/run/netns/red",
        "/proc/778/ns/net",
        "/proc/777/ns/mnt",
        "4026532999",
        "778",
    ] {
        assert!(
            matches!(node.find(text), Err(Error::None { .. })),
            "{text}: {:?}",
            node.find(text)
        );
    }
}

#[test]
fn a_name_beats_the_beginning_of_an_id() {
    let node = Fixture::new();
    assert_eq!(node.find("4f1"), Ok(5));
    assert_eq!(node.find("4f1d"), Ok(1));
}

#[test]
fn two_that_fit_equally_well() {
    let node = Fixture::new();
    let error = node.find("cart").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'cart' can mean 2 namespaces; name one of them: 4026532003 (pod shop/cart-0), \
         4026532004 (pod test/cart-0)"
    );
    let many: Vec<Owner> = (0..30).map(|_| container("same", Some("x"))).collect();
    let candidates = many.iter().zip(100..).map(|(owner, inum)| Candidate {
        inum,
        owners: vec![owner],
        ..Candidate::default()
    });
    let error = Target::Name("x".into()).find(candidates).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("'x' can mean 30 namespaces"), "{text}");
    assert!(text.ends_with("109 (container x) and 20 more"), "{text}");
}

#[test]
fn near_matches() {
    let node = Fixture::new();
    let near = |text: &str| near(text, &node.candidates());
    assert_eq!(near("wbe"), ["web"]);
    assert_eq!(near("WEB-1"), ["web"]);
    assert_eq!(near("blu"), ["blue", "/run/netns/blue"]);
    assert_eq!(near("shop/cart-1")[0], "shop/cart-0");
    assert_eq!(near("zzzzzz"), [""; 0]);
    assert_eq!(near(""), [""; 0]);
    assert!(near("cart").len() <= 5);
    let error = node.find("wbe").unwrap_err().to_string();
    assert_eq!(error, "nothing is called 'wbe'; near to it: web");
    let error = node.find("zzzzzz").unwrap_err().to_string();
    assert_eq!(error, "nothing is called 'zzzzzz'");
}

#[test]
fn labels() {
    let node = Fixture::new();
    let labels: Vec<String> = node.candidates().iter().map(Candidate::label).collect();
    assert_eq!(
        labels,
        [
            "4026531840 (the node's own)",
            "4026532001 (container web)",
            "4026532002 (container db)",
            "4026532003 (pod shop/cart-0)",
            "4026532004 (pod test/cart-0)",
            "4026532005 (container 4f1)",
            "4026532006 (/run/netns/blue)",
        ]
    );
}
