use super::*;
use crate::{
    event::{Netns, Sysctl},
    output::samples,
};

const KEY: &str = "net.core.somaxconn";
const NODE: NetnsId = id(4026531840, 1);

const fn id(inum: u32, cookie: u64) -> NetnsId {
    NetnsId { inum, cookie }
}

/// A namespace of its own for each number.
const fn nth(number: u64) -> NetnsId {
    id(4_026_532_000 + number as u32, 100 + number)
}

fn at(mut event: Event, ns: u64) -> Event {
    event.event.boottime_ns = ns;
    event.event.duration = (event.event.action == Action::SysctlWrite).then_some(0);
    event
}

fn in_netns(mut event: Event, id: NetnsId) -> Event {
    let owner = event.netns.take().and_then(|netns| netns.owner);
    event.netns = Some(Netns {
        inum: Some(id.inum),
        cookie: (id.cookie != 0).then(|| id.cookie.to_string().into()),
        user_ns: None,
        owner,
    });
    event
}

fn write(id: NetnsId, new: &str, ns: u64) -> Event {
    at(in_netns(samples::write(new, "1", new), id), ns)
}

fn created(id: NetnsId, ns: u64) -> Event {
    at(in_netns(samples::created(), id), ns)
}

fn destroyed(id: NetnsId, ns: u64) -> Event {
    at(in_netns(samples::destroyed(), id), ns)
}

fn of_key(mut event: Event, key: &str) -> Event {
    let sysctl: &mut Sysctl = event.sysctl.as_mut().unwrap();
    sysctl.key = key.into();
    event
}

fn ledger(limits: Limits, events: impl IntoIterator<Item = Event>) -> Ledger {
    let mut ledger = Ledger::new(limits);
    for event in events {
        ledger.take(&event);
    }
    ledger
}

fn all(events: impl IntoIterator<Item = Event>) -> Ledger {
    ledger(Limits::default(), events)
}

fn history<'l>(ledger: &'l Ledger, id: NetnsId, key: &str) -> Option<&'l History> {
    ledger.namespace(Place::Netns(id))?.keys.get(key)
}

fn values(history: &History) -> Vec<&str> {
    history
        .writes()
        .filter_map(|write| write.became().map(SmolStr::as_str))
        .collect()
}

fn known(ledger: &Ledger) -> Vec<u32> {
    let mut inums: Vec<u32> = ledger.namespaces().filter_map(Namespace::inum).collect();
    inums.sort_unstable();
    inums
}

#[test]
fn a_history_has_its_beginning_and_its_writes_in_the_order_of_time() {
    let one = nth(1);
    let ledger = all([
        created(one, 10),
        write(one, "20", 20),
        write(one, "40", 40),
        // Two processors: the earlier one is told later.
        write(one, "30", 30),
    ]);
    let history = history(&ledger, one, KEY).unwrap();
    assert_eq!(values(history), ["20", "30", "40"]);
    let initial = history.initial.as_ref().unwrap();
    assert_eq!(
        (&*initial.value, initial.node.as_deref()),
        ("4096", Some("2048"))
    );
    assert_eq!(history.value().map(SmolStr::as_str), Some("40"));
    let namespace = ledger.namespace(Place::Netns(one)).unwrap();
    let creation = namespace.created.as_ref().unwrap();
    assert_eq!(creation.at.boottime_ns, 10);
    assert_eq!(creation.author.as_ref().unwrap().name, "unshare");
}

#[test]
fn the_last_change_is_what_a_value_goes_back_to() {
    let one = nth(1);
    let mut refused = at(in_netns(samples::refused("EINVAL", "-1", "20"), one), 30);
    refused.event.sequence = 3;
    let mut same = write(one, "20", 40);
    same.sysctl.as_mut().unwrap().old = Some("20".into());
    let taken = all([created(one, 10), write(one, "20", 20), refused, same]);
    let history = history(&taken, one, KEY).unwrap();
    assert_eq!(history.entries.len(), 3);
    let Some(Final::Changed(Entry::Write(last))) = history.last() else {
        panic!("{:?}", history.last());
    };
    assert_eq!(last.at.boottime_ns, 20);
    // Without one, it is the beginning; without that, what the first write found.
    let begun = all([created(one, 10)]);
    let last = self::history(&begun, one, KEY).unwrap().last();
    assert!(matches!(last, Some(Final::Initial(_))), "{last:?}");
    let mut same = write(one, "7", 20);
    same.sysctl.as_mut().unwrap().old = Some("7".into());
    let met = all([same]);
    let last = self::history(&met, one, KEY).unwrap().last();
    assert_eq!(last, Some(Final::Found(&"7".into())));
}

#[test]
fn drift_is_an_entry() {
    let one = nth(1);
    let drift = at(in_netns(samples::drifted(), one), 30);
    let found = drift.sysctl.as_ref().unwrap().new.clone();
    let ledger = all([created(one, 10), write(one, "20", 20), drift]);
    let history = history(&ledger, one, KEY).unwrap();
    assert!(matches!(
        history.last(),
        Some(Final::Changed(Entry::Drift(_)))
    ));
    assert_eq!(history.value(), found.as_ref());
}

#[test]
fn keys_of_the_node_are_apart_from_those_of_its_namespace() {
    let start = in_netns(samples::started(), NODE);
    let mut whole = of_key(write(NODE, "10", 20), "vm.swappiness");
    whole.netns = None;
    let ledger = all([start, whole, write(NODE, "512", 30)]);
    assert_eq!(ledger.node(), Some(NODE));
    let keys = |place| {
        ledger
            .namespace(place)
            .unwrap()
            .keys
            .keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(Place::Node), ["vm.swappiness"]);
    assert_eq!(keys(Place::Netns(NODE)), [KEY]);
}

#[test]
fn a_number_that_is_used_again_is_another_namespace() {
    // With cookies.
    let ledger = all([
        created(id(9, 1), 10),
        write(id(9, 1), "20", 20),
        destroyed(id(9, 1), 30),
        created(id(9, 2), 40),
    ]);
    assert_eq!(values(history(&ledger, id(9, 1), KEY).unwrap()), ["20"]);
    assert_eq!(
        values(history(&ledger, id(9, 2), KEY).unwrap()),
        [] as [&str; 0]
    );
    // Without them, before 5.12.
    let old = id(9, 0);
    let again = all([created(old, 10), write(old, "20", 20), created(old, 40)]);
    assert_eq!(values(history(&again, old, KEY).unwrap()), [] as [&str; 0]);
    // Also where it was not seen being made.
    let unseen = all([
        write(old, "20", 20),
        destroyed(old, 30),
        write(old, "50", 50),
    ]);
    assert_eq!(values(history(&unseen, old, KEY).unwrap()), ["50"]);
    assert_eq!(unseen.namespace(Place::Netns(old)).unwrap().destroyed, None);
}

#[test]
fn what_comes_late_does_not_take_away_what_is_known() {
    let one = nth(1);
    let late = at(in_netns(samples::bound(), one), 40);
    let ledger = all([
        created(one, 10),
        write(one, "20", 20),
        destroyed(one, 30),
        late,
    ]);
    assert_eq!(values(history(&ledger, one, KEY).unwrap()), ["20"]);
    let namespace = ledger.namespace(Place::Netns(one)).unwrap();
    assert!(namespace.owner.is_some());
    assert_eq!(namespace.destroyed.map(|at| at.boottime_ns), Some(30));
}

#[test]
fn a_namespace_that_could_not_be_made_is_none() {
    let mut failed = created(nth(1), 10);
    failed.event.outcome = Outcome::Failure;
    assert_eq!(
        known(&all([failed, samples::not_created()])),
        [] as [u32; 0]
    );
}

#[test]
fn the_latest_owner_counts_and_silence_changes_nothing() {
    let one = nth(1);
    let bound = at(in_netns(samples::bound(), one), 20);
    let ledger = all([created(one, 10), bound, write(one, "30", 30)]);
    let owner = ledger.namespace(Place::Netns(one)).unwrap().owner.as_ref();
    assert_eq!(owner, Some(&samples::owner()));
}

#[test]
fn a_glance_learns_whose_it_is_and_nothing_of_the_key() {
    let one = nth(1);
    let mut ledger = all([created(one, 10)]);
    let mut glanced = at(in_netns(samples::write("5", "4", "5"), one), 20);
    glanced.netns.as_mut().unwrap().owner = Some(samples::owner());
    ledger.glance(&glanced);
    assert_eq!(values(history(&ledger, one, KEY).unwrap()), [] as [&str; 0]);
    assert!(ledger.namespace(Place::Netns(one)).unwrap().owner.is_some());
    assert_eq!(
        ledger.window().until().map(|until| until.boottime_ns),
        Some(20)
    );
}

#[test]
fn another_boot_is_a_stranger() {
    let one = nth(1);
    let mut other = write(one, "30", 30);
    let mut host = (**other.host).clone();
    host.boot.id = "00000000-0000-4000-8000-000000000000".into();
    other.host = Arc::new(Rendered::new(host));
    let ledger = all([write(one, "20", 20), other]);
    assert_eq!(ledger.strangers(), 1);
    assert_eq!(values(history(&ledger, one, KEY).unwrap()), ["20"]);
    assert_eq!(
        ledger.window().until().map(|until| until.boottime_ns),
        Some(20)
    );
    let boot = ledger.host().map(|host| &*host.boot.id);
    assert_eq!(boot, Some(&*samples::write("", "", "").host.boot.id));
}

const FEW: Limits = Limits {
    namespaces: 4,
    entries: 1000,
    entries_each: 3,
};

#[test]
fn a_long_history_keeps_its_last_change() {
    let one = nth(1);
    let mut events = vec![created(one, 1), write(one, "2", 2)];
    // Tried again and again.
    events.extend((3..10).map(|ns| at(in_netns(samples::refused("EINVAL", "x", "2"), one), ns)));
    let ledger = ledger(FEW, events);
    let history = history(&ledger, one, KEY).unwrap();
    assert_eq!(history.entries.len(), 3);
    assert_eq!(history.forgotten, 5);
    assert_eq!(history.entries[0].at().boottime_ns, 2);
    assert_eq!(history.entries[2].at().boottime_ns, 9);
    assert!(history.initial.is_some());
}

#[test]
fn those_that_are_gone_go_first_the_oldest_to_the_front() {
    let mut events: Vec<Event> = (1..=4).map(|number| created(nth(number), number)).collect();
    events.extend([destroyed(nth(3), 10), destroyed(nth(2), 11)]);
    events.push(created(nth(5), 12));
    let one_more = ledger(FEW, events.clone());
    assert_eq!(
        known(&one_more),
        [1, 2, 4, 5].map(|number| nth(number).inum)
    );
    assert_eq!(one_more.excerpt(&[]).forgotten, 1);
    events.push(created(nth(6), 13));
    let two_more = ledger(FEW, events.clone());
    assert_eq!(
        known(&two_more),
        [1, 4, 5, 6].map(|number| nth(number).inum)
    );
    // None is gone: the one that nothing was heard of for longest.
    events.push(write(nth(1), "7", 14));
    events.push(created(nth(7), 15));
    let three_more = ledger(FEW, events);
    assert_eq!(
        known(&three_more),
        [1, 5, 6, 7].map(|number| nth(number).inum)
    );
    assert_eq!(three_more.excerpt(&[]).forgotten, 3);
}

#[test]
fn the_node_is_never_forgotten() {
    let mut events = vec![
        at(in_netns(samples::started(), NODE), 1),
        write(NODE, "512", 2),
    ];
    let mut whole = of_key(write(NODE, "10", 3), "vm.swappiness");
    whole.netns = None;
    events.push(whole);
    events.extend((1..50).map(|number| created(nth(number), 10 + number)));
    let ledger = ledger(FEW, events);
    assert_eq!(ledger.namespaces().count(), 4);
    assert!(history(&ledger, NODE, KEY).is_some());
    assert!(ledger.namespace(Place::Node).is_some());
}

#[test]
fn numbers_that_are_used_again_do_not_pile_up() {
    let ids = [id(7, 0), id(8, 0)];
    let events = (0..1000).flat_map(|round| {
        let each = ids.map(|id| [created(id, round * 10), destroyed(id, round * 10 + 5)]);
        each.into_iter().flatten()
    });
    let mut ledger = ledger(FEW, events);
    assert_eq!(ledger.gone.len(), 2);
    // The same end twice is one.
    ledger.take(&destroyed(id(7, 0), 20_000));
    assert_eq!(ledger.gone.len(), 2);
    ledger.take(&created(id(7, 0), 20_001));
    assert_eq!(ledger.gone, [Place::Netns(id(8, 0))]);
}

#[test]
fn entries_are_bounded_and_the_stalest_histories_go() {
    let limits = Limits {
        namespaces: 100,
        entries: 50,
        entries_each: 32,
    };
    let (gone, stale, fresh) = (nth(1), nth(2), nth(3));
    let ten = |id, from: u64| (from..from + 10).map(move |ns| write(id, &ns.to_string(), ns));
    let mut events: Vec<Event> = vec![];
    events.extend(ten(stale, 100));
    events.extend(ten(gone, 200));
    events.extend(ten(gone, 210));
    events.push(destroyed(gone, 250));
    events.extend(ten(fresh, 300));
    events.extend(ten(fresh, 400).map(|event| of_key(event, "net.ipv4.tcp_rmem")));
    // Fifty fit; the next one makes room for a quarter.
    let mut ledger = ledger(limits, events);
    assert_eq!(ledger.entries, 50);
    ledger.take(&write(fresh, "x", 500));
    assert_eq!(known(&ledger), [stale, fresh].map(|id| id.inum));
    assert_eq!(ledger.excerpt(&[]).forgotten, 1);
    assert_eq!(ledger.entries, 31);
}

#[test]
fn a_history_that_was_dropped_is_told() {
    let limits = Limits {
        namespaces: 100,
        entries: 20,
        entries_each: 32,
    };
    let (stale, fresh) = (nth(2), nth(3));
    let ten = |id, from: u64| (from..from + 10).map(move |ns| write(id, &ns.to_string(), ns));
    let mut events: Vec<Event> = ten(stale, 100).collect();
    events.extend(ten(fresh, 300));
    events.push(write(fresh, "x", 500));
    let ledger = ledger(limits, events);
    assert_eq!(history(&ledger, stale, KEY), None);
    let namespace = ledger.namespace(Place::Netns(stale)).unwrap();
    assert_eq!(namespace.forgotten_ns, Some(109));
    let namespace = ledger.namespace(Place::Netns(fresh)).unwrap();
    assert_eq!(namespace.forgotten_ns, None);
    assert_eq!(values(&namespace.keys[KEY]).len(), 11);
    assert_eq!(ledger.entries, 11);
}

#[test]
fn an_excerpt_has_what_was_asked_for() {
    let start = in_netns(samples::started(), NODE);
    let ledger = all([start, created(nth(1), 10), created(nth(2), 20)]);
    let excerpt = ledger.excerpt(&[Place::Netns(nth(2)), Place::Netns(nth(9))]);
    assert_eq!(excerpt.node, Some(NODE));
    let inums: Vec<_> = excerpt.namespaces.iter().map(Namespace::inum).collect();
    assert_eq!(inums, [Some(nth(2).inum)]);
    assert_eq!(&excerpt.window, ledger.window());
    // What is handed on comes out as it went in.
    let text = serde_json::to_string(&excerpt).unwrap();
    let mut read: Excerpt = serde_json::from_str(&text).unwrap();
    assert_eq!(read.namespaces, excerpt.namespaces);
    read.window = excerpt.window.clone();
    assert_eq!(read, excerpt);
}

/// Lines of one number that differ: one of them was robbed of something.
#[test]
fn what_lines_tell_in_different_ways_is_disputed_in_any_order() {
    let number = |mut event: Event, number: u64| {
        event.event.sequence = number;
        event
    };
    let made = number(created(nth(1), 1_000), 1);
    let mut made_by_nobody = made.clone();
    made_by_nobody.process = None;
    let written = number(write(nth(1), "2", 2_000), 2);
    let mut without_text = written.clone();
    without_text.sysctl.as_mut().unwrap().requested = None;
    let later = number(write(nth(1), "3", 3_000), 3);

    let of = |events: Vec<Event>| {
        let known = ledger(Limits::default(), events);
        let namespace = known.namespace(Place::Netns(nth(1))).unwrap().clone();
        let disputed_ns = namespace.keys[KEY].disputed_ns;
        (namespace.created.unwrap().is_disputed, disputed_ns)
    };
    let whole = [
        made.clone(),
        made.clone(),
        written.clone(),
        written.clone(),
        later.clone(),
    ];
    assert_eq!(of(whole.to_vec()), (false, None));
    let mut events = vec![made, made_by_nobody, written, without_text, later];
    for _ in 0..events.len() {
        events.rotate_left(1);
        assert_eq!(of(events.clone()), (true, Some(2_000)));
        assert_eq!(
            of(events.iter().rev().cloned().collect()),
            (true, Some(2_000))
        );
    }
}

/// What lines dispute of one key is disputed of each key that it reaches.
#[test]
fn a_dispute_reaches_as_far_as_the_write() {
    let mut written = of_key(write(nth(1), "2", 2_000), "net.ipv4.ip_forward");
    written.event.sequence = 2;
    let mut other = written.clone();
    other.sysctl.as_mut().unwrap().requested = None;
    let known = ledger(Limits::default(), [written, other]);
    let namespace = known.namespace(Place::Netns(nth(1))).unwrap();
    let key = "net.ipv4.conf.all.forwarding";
    let asked = reach::as_asked(known.window(), namespace, key, None);
    assert_eq!(asked.keys[key].disputed_ns, Some(2_000));
}
