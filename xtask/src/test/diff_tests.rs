use super::*;

#[test]
fn only_what_differs_is_shown_with_a_little_around_it() {
    let first = "1\n2\n3\n4\nold\n5\n6\n7\n8\n";
    let second = "1\n2\n3\n4\nnew\n5\n6\n7\n8\n9\n";
    assert_eq!(
        diff(first, second),
        "  ...\n  3\n  4\n- old\n+ new\n  5\n  6\n  7\n  8\n+ 9\n"
    );
    assert_eq!(diff("", "a\n"), "+ a\n");
}
