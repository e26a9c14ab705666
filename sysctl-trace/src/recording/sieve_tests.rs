use super::*;

#[test]
fn needles_are_plain() {
    assert_eq!(needle("web-1"), Some("web-1"));
    assert_eq!(needle("/run/netns/blue"), Some("blue"));
    // A pod's name does not stand beside its namespace's.
    assert_eq!(needle("production/web-1"), Some("web-1"));
    assert_eq!(needle("a \"quoted name\""), Some("quoted"));
    assert_eq!(needle("ü"), None);
    assert_eq!(needle(""), None);
}

#[test]
fn needles_of_patterns_stand_in_all_that_fits() {
    assert_eq!(
        glob_needle("net.core.somaxconn"),
        Some("net.core.somaxconn")
    );
    assert_eq!(
        glob_needle("net.ipv4.conf.*.forwarding"),
        Some("net.ipv4.conf.")
    );
    assert_eq!(glob_needle("*"), None);
    // `core` is not in net.ipv4.x, nor `a` in b.
    assert_eq!(glob_needle("net.{core,ipv4}.*"), None);
    assert_eq!(glob_needle("[a]"), None);
    assert_eq!(glob_needle("!vm.*"), None);
}

#[test]
fn hits_are_told_by_line() {
    let finder = Finder::new(b"xx");
    let piece = b"a xx\nb\nxx xx\nc\nx\nx";
    let mut hits = Hits::new(&finder, piece);
    let lines = [(0, 4), (5, 6), (7, 12), (13, 14), (15, 16), (17, 18)];
    let found = lines.map(|(start, end)| hits.is_in(start, end));
    assert_eq!(found, [true, false, true, false, false, false]);
}
