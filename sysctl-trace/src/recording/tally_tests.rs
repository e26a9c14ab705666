use super::*;

fn tally(lines: u64, problem: Option<(u64, Problem)>) -> Tally {
    Tally {
        lines,
        not_understood: u64::from(problem.is_some()),
        first_not_understood: problem,
        ..Tally::default()
    }
}

#[test]
fn lines_are_numbered_through_all_parts() {
    let mut all = tally(10, None);
    all.add(tally(5, Some((3, Problem::NotOurs))));
    all.add(tally(5, Some((1, Problem::NotOurs))));
    assert_eq!(all.lines, 20);
    assert_eq!(all.not_understood, 2);
    assert_eq!(all.first_not_understood, Some((13, Problem::NotOurs)));
}

#[test]
fn what_ends_the_reading_is_told_first() {
    let major = || Problem::OtherMajor("2.0".into());
    let mut all = tally(10, Some((2, Problem::NotOurs)));
    all.add(tally(5, Some((3, major()))));
    assert_eq!(all.first_not_understood, Some((13, major())));
    assert!(all.refuse_other_major(&Source::Stdin).is_err());
    // Within one part as well.
    let mut part = Tally::default();
    for problem in [Problem::NotOurs, major(), major()] {
        part.lines += 1;
        part.not_understood(problem);
    }
    assert_eq!(part.first_not_understood, Some((2, major())));
}

#[test]
fn boots_are_counted_and_not_too_many() {
    let mut boots = Boots::default();
    boots.count(b"a", b"one", 2);
    boots.count(b"b", b"two", 1);
    boots.count(b"a", b"renamed", 3);
    let mut more = Boots::default();
    more.count(b"b", b"two", 1);
    boots.add(more);
    assert_eq!(boots.0.len(), 2);
    assert_eq!((boots.0[0].events, &*boots.0[0].host), (5, "one"));
    assert_eq!(boots.0[1].events, 2);
    for number in 0..1000 {
        boots.count(number.to_string().as_bytes(), b"many", 1);
    }
    assert_eq!(boots.0.len(), BOOTS_MAX);
}
