use super::*;

const PAGE: &str = "# Keys\n\nText.\n\n## 6.1\n\n* a\n* b\n\n## 6.12\n\n* c\n";

#[test]
fn a_section_ends_where_the_next_begins() {
    assert_eq!(find(PAGE, "6.1"), Some("## 6.1\n\n* a\n* b\n"));
    assert_eq!(find(PAGE, "6.12"), Some("## 6.12\n\n* c\n"));
}

#[test]
fn a_kernel_without_a_section_has_none() {
    assert_eq!(find(PAGE, "5.10"), None);
    assert_eq!(find(PAGE, "6"), None);
}
