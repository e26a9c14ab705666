use super::*;

#[test]
fn the_first_variable_decides() {
    let of = |all: &str, ctype: &str, lang: &str| {
        charset_of([all, ctype, lang].map(|text| Some(text.to_owned())))
    };
    assert_eq!(of("", "", "en_US.UTF-8"), Charset::Unicode);
    assert_eq!(of("", "C.utf8", "C"), Charset::Unicode);
    assert_eq!(of("C", "C.utf8", "C.utf8"), Charset::Ascii);
    assert_eq!(of("", "", "de_DE@euro"), Charset::Ascii);
    assert_eq!(charset_of([None, None, None]), Charset::Ascii);
}
