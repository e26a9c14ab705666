//! What the table looks like stands in tests/golden; `UPDATE_EXPECT=1` writes it anew.

use std::path::Path;

use super::*;
use crate::output::samples;

fn table(width: Option<usize>, charset: Charset, colour: bool) -> String {
    let mut table = Table::new(width, charset, colour);
    let mut out = Vec::new();
    table.push_header(&mut out);
    let mut events = samples::all();
    let mut hostile = samples::write("\x1b[2J\u{202e}", "a\nb", "日本語日本語日本語日本語");
    let mut process = samples::process(4194304, "\x1b]0;x\x07 15 char");
    process.parent = Some(samples::ancestor(1, "ü\u{9b}31m"));
    hostile.process = Some(std::sync::Arc::new(crate::rendered::Rendered::new(process)));
    let sysctl = hostile.sysctl.as_mut().unwrap();
    sysctl.key = "net.ipv6.conf.eth0/100.stable_secret".into();
    sysctl.type_ = crate::event::ValueType::String;
    events.push(hostile);
    for event in &events {
        table.push_event(&mut out, event);
    }
    String::from_utf8(out).unwrap()
}

fn expect(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == want,
        "{} differs; UPDATE_EXPECT=1 takes the new one:\n{got}",
        path.display()
    );
}

#[test]
fn looks_as_expected() {
    for (name, width) in [
        ("table-piped.txt", None),
        ("table-40.txt", Some(40)),
        ("table-60.txt", Some(60)),
        ("table-80.txt", Some(80)),
        ("table-100.txt", Some(100)),
        ("table-132.txt", Some(132)),
        ("table-200.txt", Some(200)),
    ] {
        expect(name, &table(width, Charset::Unicode, false));
    }
    expect(
        "table-80-ascii.txt",
        &table(Some(80), Charset::Ascii, false),
    );
    expect(
        "table-80-colour.txt",
        &table(Some(80), Charset::Unicode, true).replace('\x1b', "\\e"),
    );
}

#[test]
fn a_row_never_wraps() {
    for columns in 3..300 {
        for charset in [Charset::Ascii, Charset::Unicode] {
            for line in table(Some(columns), charset, false).lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
        }
    }
    table(Some(0), Charset::Unicode, false);
}

#[test]
fn nothing_is_cut_when_piped() {
    let text = table(None, Charset::Unicode, false);
    assert!(!text.contains('…'));
    for whole in [
        "2026-11-22T07:40:34.939150120Z",
        "net.ipv6.conf.eth0/100.stable_secret",
        "日本語日本語日本語日本語",
        "containerd-shim[200]",
    ] {
        assert!(text.contains(whole), "{whole}");
    }
}

#[test]
fn nothing_reaches_the_terminal_that_it_would_obey() {
    for width in [None, Some(80), Some(200)] {
        let text = table(width, Charset::Unicode, false);
        assert!(!text.contains(|char: char| char.is_control() && char != '\n'));
        assert!(!text.contains('\u{202e}'));
        assert_eq!(text.lines().count(), 1 + samples::all().len() + 1);
    }
}

#[test]
fn colour_changes_nothing_else() {
    let plain = table(Some(120), Charset::Unicode, false);
    let coloured = table(Some(120), Charset::Unicode, true);
    assert_ne!(plain, coloured);
    assert_eq!(plain, anstream::adapter::strip_str(&coloured).to_string());
}

#[test]
fn a_new_width_asks_for_a_new_header_only_if_columns_change() {
    let mut table = Table::new(Some(80), Charset::Unicode, false);
    assert!(!table.resize(80));
    assert!(table.resize(120));
    assert!(!table.resize(120));
}
