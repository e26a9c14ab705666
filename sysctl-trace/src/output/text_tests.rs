use super::*;

fn shown(text: &str, charset: Charset) -> String {
    let mut out = String::new();
    push(&mut out, text, charset);
    out
}

#[test]
fn plain_text_stays() {
    assert_eq!(shown("runc:[2:INIT]", Charset::Unicode), "runc:[2:INIT]");
    assert_eq!(shown("größe 日本", Charset::Unicode), "größe 日本");
}

#[test]
fn what_a_terminal_obeys_is_shown_by_its_number() {
    for (text, want) in [
        ("\x1b[31mred\x1b]0;title\x07", r"\e[31mred\e]0;title\u{7}"),
        ("a\nb\r\tc\0", r"a\nb\r\tc\u{0}"),
        ("\x7f", r"\u{7f}"),
        ("\u{9b}31m", r"\u{9b}31m"),
        ("\u{202e}txt.exe", r"\u{202e}txt.exe"),
        ("\u{2066}\u{2069}\u{200f}", r"\u{2066}\u{2069}\u{200f}"),
        ("\u{2028}\u{2029}\u{85}", r"\u{2028}\u{2029}\u{85}"),
        ("a\u{200b}\u{feff}\u{ad}b", r"a\u{200b}\u{feff}\u{ad}b"),
        ("e\u{301}", r"e\u{301}"),
        ("\u{e0041}", r"\u{e0041}"),
        ("\u{a0}\u{3000}", r"\u{a0}\u{3000}"),
        ("\u{3164}\u{115f}", r"\u{3164}\u{115f}"),
    ] {
        assert_eq!(shown(text, Charset::Unicode), want, "{text:?}");
    }
}

#[test]
fn nothing_dangerous_gets_through() {
    for char in '\0'..=char::MAX {
        let mut text = String::new();
        push(&mut text, char.encode_utf8(&mut [0; 4]), Charset::Unicode);
        assert!(!text.chars().any(char::is_control), "{char:?}");
        assert!(width(&text) >= 1, "{char:?}");
        assert!(
            shown(char.encode_utf8(&mut [0; 4]), Charset::Ascii).is_ascii(),
            "{char:?}"
        );
    }
}

#[test]
fn what_is_shown_means_one_thing() {
    assert_ne!(
        shown("\x1b", Charset::Unicode),
        shown("\\e", Charset::Unicode)
    );
    let mut out = String::new();
    push_quoted(&mut out, "a\" \"b\\", Charset::Unicode);
    assert_eq!(out, r#""a\" \"b\\""#);
}

#[test]
fn other_locales_get_ascii() {
    assert_eq!(shown("größe", Charset::Ascii), r"gr\u{f6}\u{df}e");
}

#[test]
fn cuts_at_columns_not_bytes() {
    let cases = [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ];
    for (text, columns, want) in cases {
        let mut text = text.to_owned();
        cut(&mut text, columns, Charset::Unicode);
        assert_eq!(text, want);
    }
    let mut text = "abcdef".to_owned();
    cut(&mut text, 3, Charset::Ascii);
    assert_eq!(text, "ab~");
}
