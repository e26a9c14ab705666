use super::*;

#[test]
fn sizes() {
    for (given, want) in [
        ("4096", 4096),
        ("4096B", 4096),
        ("64K", 64 << 10),
        ("64k", 64 << 10),
        ("64KiB", 64 << 10),
        ("8MiB", 8 << 20),
        ("8 MiB", 8 << 20),
        ("1g", 1 << 30),
        ("0", 0),
    ] {
        assert_eq!(parse(given), Ok(want), "{given}");
    }
}

#[test]
fn refusals() {
    for given in ["", "M", "-1", "8X", "8.5M", "0x10", " 8M", "8M "] {
        assert_eq!(parse(given), Err(Error::Syntax), "{given:?}");
    }
    assert_eq!(
        parse("8MB").unwrap_err().to_string(),
        "MB counts in thousands; use MiB or M for powers of two"
    );
    assert_eq!(parse("99999999999999999999"), Err(Error::TooLarge));
    assert_eq!(parse("18446744073709551615K"), Err(Error::TooLarge));
}

#[test]
fn there_and_back() {
    for shift in 0..40 {
        assert_eq!(parse(&text(1 << shift)), Ok(1 << shift));
    }
    assert_eq!(text(8 << 20), "8MiB");
    assert_eq!(text(0), "0B");
}
