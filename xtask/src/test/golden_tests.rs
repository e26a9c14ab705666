use super::*;

/// What docs/answers.md says that commands print is what guests printed.
#[test]
fn the_page_of_answers_has_what_its_golden_file_has() {
    let workspace = paths::workspace().unwrap();
    let page = fs::read_to_string(workspace.join("docs/answers.md")).unwrap();
    let golden = fs::read_to_string(workspace.join(FOLDER).join("answers.txt")).unwrap();
    let parts: Vec<&str> = golden.split("\n# ").collect();
    assert_eq!(parts.len(), 3);
    for part in parts {
        let (title, printed) = part.split_once("\n\n").unwrap();
        assert!(page.contains(printed.trim_end()), "{title}");
    }
}

#[test]
fn a_user_land_may_have_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.bookworm.txt"), "").unwrap();
    let name = |suite| file(folder.path(), "a", suite);
    assert_eq!(name("bookworm"), folder.path().join("a.bookworm.txt"));
    assert_eq!(name("forky"), folder.path().join("a.txt"));
}
