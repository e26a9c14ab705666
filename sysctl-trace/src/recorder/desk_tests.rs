use super::*;
use crate::{
    ledger::Limits,
    recorder::protocol::{self, Request, Response},
};

#[test]
fn a_question_waits_for_what_came_before_it_and_not_for_ever() {
    let ledger = Ledger::new(Limits::default());
    let begun = Instant::now();
    let mut desk = Desk::new(Duration::from_secs(3));
    let (early, mut to_early) = Question::new(Request::Candidates, 100);
    let (late, mut to_late) = Question::new(Request::Candidates, 200);
    assert!(!desk.is_waiting());
    desk.take(early, begun);
    desk.take(late, begun + Duration::from_secs(1));
    desk.answer(&ledger, 99, begun, |_| false);
    assert!(to_early.try_recv().is_err());
    desk.answer(&ledger, 100, begun, |_| false);
    let answer: Response = protocol::decode(&to_early.try_recv().unwrap()).unwrap();
    assert!(matches!(answer, Response::Candidates(_)));
    assert!(to_late.try_recv().is_err());
    assert!(desk.is_waiting());
    desk.answer(&ledger, 199, begun + Duration::from_millis(3999), |_| false);
    assert!(to_late.try_recv().is_err());
    desk.answer(&ledger, 199, begun + Duration::from_secs(4), |_| false);
    assert!(to_late.try_recv().is_ok());
    assert!(!desk.is_waiting());
}

#[test]
fn a_question_about_a_place_waits_until_that_is_compared() {
    let ledger = Ledger::new(Limits::default());
    let now = Instant::now();
    let mut desk = Desk::new(Duration::from_secs(3));
    let (one, mut to_one) = Question::new(Request::Excerpt(vec![Place::Node]), 100);
    let (other, mut to_other) = Question::new(Request::Excerpt(vec![]), 100);
    desk.take(one, now);
    desk.take(other, now);
    desk.answer(&ledger, 100, now, |place| place == Place::Node);
    assert!(to_one.try_recv().is_err());
    assert!(to_other.try_recv().is_ok());
    desk.answer(&ledger, 100, now + Duration::from_secs(3), |_| true);
    assert!(to_one.try_recv().is_ok(), "not for ever");
}
