use super::*;
use crate::event::{Confidence, Container};

fn web() -> Owner {
    Owner {
        container: Some(Container {
            id: "0a1b".repeat(16).into(),
            runtime: Some("docker".into()),
            name: Some("web".into()),
            image: None,
            confidence: Confidence::StateVerified,
            nested: Vec::new(),
        }),
        ..Owner::default()
    }
}

fn known(inum: u32, owner: &Owner, is_gone: bool) -> Known<'_> {
    Known {
        id: NetnsId {
            inum,
            cookie: u64::from(inum),
        },
        is_node: false,
        owner: Some(owner),
        pids: &[],
        created_ns: Some(u64::from(inum)),
        is_gone,
    }
}

fn chosen(target: &str, known: &[Known<'_>]) -> Result<(u32, usize), Error> {
    let target = Target::parse(target).unwrap();
    choose(&target, known).map(|(id, others)| (id.inum, others))
}

#[test]
fn the_one_that_is_there() {
    let web = web();
    let all = [
        known(1, &web, true),
        known(2, &web, false),
        known(3, &web, true),
    ];
    assert_eq!(chosen("web", &all), Ok((2, 2)));
}

#[test]
fn or_else_the_latest() {
    let web = web();
    let all = [
        known(2, &web, true),
        known(3, &web, true),
        known(1, &web, true),
    ];
    assert_eq!(chosen("web", &all), Ok((3, 2)));
}

#[test]
fn several_that_are_there_are_not_guessed_at() {
    let web = web();
    let all = [known(1, &web, false), known(2, &web, false)];
    assert!(matches!(
        chosen("web", &all),
        Err(Error::Several { count: 2, .. })
    ));
}

#[test]
fn near_names_where_none_fits() {
    let web = web();
    let error = chosen("wep", &[known(1, &web, true)]).unwrap_err();
    assert!(matches!(error, Error::None { near, .. } if near == ["web"]));
}
