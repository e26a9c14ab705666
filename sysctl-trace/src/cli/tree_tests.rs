use std::sync::Arc;

use super::*;
use crate::{output::samples, rendered::Rendered};

/// An event of `pid` whose ancestors are `above`, nearest first.
fn by(mut event: Event, pid: u32, above: &[u32]) -> Event {
    let mut process = samples::process(pid, "x");
    process.ancestors = above
        .iter()
        .map(|pid| samples::ancestor(*pid, "x"))
        .collect();
    process.parent = process.ancestors.first().cloned();
    event.process = Some(Arc::new(Rendered::new(process)));
    event
}

fn write(pid: u32, above: &[u32]) -> Event {
    by(samples::write("1", "2", "1"), pid, above)
}

#[test]
fn the_command_and_its_descendants() {
    let mut tree = Tree::new(100);
    assert!(!tree.holds(&write(50, &[1])));
    assert!(tree.holds(&write(102, &[101, 100, 50, 1])));
    assert!(tree.holds(&write(100, &[50, 1])));
    assert!(tree.holds(&write(101, &[100, 50, 1])));
    assert!(!tree.holds(&write(50, &[1])));
    assert!(!tree.holds(&write(51, &[50, 1])));
}

#[test]
fn children_given_to_another_parent_still_count() {
    let mut tree = Tree::new(100);
    assert!(tree.holds(&write(102, &[101, 100, 50, 1])));
    // 100 and 101 have ended.
    assert!(tree.holds(&write(102, &[1])));
    assert!(tree.holds(&write(103, &[102, 1])));
    // 101 was only seen as an ancestor.
    assert!(tree.holds(&write(104, &[101, 1])));
    assert!(!tree.holds(&write(105, &[1])));
}

#[test]
fn a_pid_used_again_is_another_process() {
    let mut tree = Tree::new(100);
    assert!(tree.holds(&write(100, &[50, 1])));
    let mut event = write(100, &[1]);
    let mut process = samples::process(100, "x");
    process.entity_id = "another start".into();
    process.ancestors.clear();
    event.process = Some(Arc::new(Rendered::new(process)));
    assert!(!tree.holds(&event));
}

#[test]
fn namespaces_are_followed_to_their_end() {
    let mut tree = Tree::new(100);
    let mut other = samples::destroyed();
    other.netns.as_mut().unwrap().cookie = Some("42".into());
    assert!(!tree.holds(&samples::destroyed()));
    assert!(tree.holds(&by(samples::created(), 100, &[1])));
    assert!(!tree.holds(&other));
    assert!(tree.holds(&samples::destroyed()));
    assert!(!tree.holds(&samples::destroyed()));
    assert!(!tree.holds(&by(samples::created(), 7, &[1])));
    assert!(!tree.holds(&samples::destroyed()));
}

#[test]
fn loss_always_counts_and_no_process_never() {
    let mut tree = Tree::new(100);
    assert!(tree.holds(&samples::lost()));
    let mut event = samples::write("1", "2", "1");
    event.process = None;
    assert!(!tree.holds(&event));
}
