use super::*;

#[test]
fn files_come_through_other_output() {
    let text = "first\n\n  third | with a bar\n";
    let output = format!(
        "before\n{}golden ../x.txt|no\n{}after\n",
        wrapped("a", text),
        wrapped("b.trixie", "1\n")
    );
    let files = unwrapped(&output);
    assert_eq!(files["a"], text);
    assert_eq!(files["b.trixie"], "1\n");
    assert_eq!(files.len(), 2);
    assert!(is_wrapped("golden a.txt|first") && !is_wrapped("golden rule"));
}
