use super::*;

#[test]
fn numbers_are_grouped() {
    assert_eq!(number(0.0, 0), "0");
    assert_eq!(number(-0.2, 0), "0");
    assert_eq!(number(999.4, 0), "999");
    assert_eq!(number(1_234_567.0, 0), "1,234,567");
    assert_eq!(number(-1234.56, 1), "−1,234.6");
}

#[test]
fn only_what_is_between_the_markers_is_replaced() {
    let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
    let expected = format!("before\n{BEGIN}\nnew\n{END}\nafter\n");
    assert_eq!(replace(&page, BEGIN, END, "new\n"), Some(expected));
    assert_eq!(replace("no markers", BEGIN, END, "new"), None);
}
