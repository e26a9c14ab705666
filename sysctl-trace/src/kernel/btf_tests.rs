//! A BTF put together by hand: struct inner { int a; int b; }; struct outer { int x; union { int y;
//! struct inner z; }; }; enum e { ONE = 1, SIX = 6 }.

use super::*;

#[derive(Default)]
struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Builder {
    fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
    }

    fn type_(&mut self, name: &str, kind: u32, len: u32, size_or_type: u32) {
        let name = self.name(name);
        self.words(&[name, kind << 24 | len, size_or_type]);
    }

    fn member(&mut self, name: &str, type_: u32, bytes: u32) {
        let name = self.name(name);
        self.words(&[name, type_, bytes * 8]);
    }

    fn build(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&[1, 0]);
        for word in [
            24,
            0,
            self.types.len() as u32,
            self.types.len() as u32,
            self.strings.len() as u32,
        ] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend(self.types);
        bytes.extend(self.strings);
        bytes
    }
}

fn sample() -> Vec<u8> {
    let mut builder = Builder::default();
    builder.type_("int", KIND_INT, 0, 4); // 1
    builder.words(&[0]);
    builder.type_("inner", KIND_STRUCT, 2, 8); // 2
    builder.member("a", 1, 0);
    builder.member("b", 1, 4);
    builder.type_("", KIND_UNION, 2, 8); // 3
    builder.member("y", 1, 0);
    builder.member("z", 4, 0);
    builder.type_("inner_t", KIND_TYPEDEF, 0, 2); // 4
    builder.type_("outer", KIND_STRUCT, 2, 12); // 5
    builder.member("x", 1, 0);
    builder.member("", 3, 4);
    builder.type_("e", KIND_ENUM, 2, 4); // 6
    let one = builder.name("ONE");
    let six = builder.name("SIX");
    builder.words(&[one, 1, six, 6]);
    builder.type_("f", KIND_FUNC, 0, 0); // 7
    builder.type_("g", KIND_FUNC, 0, 0); // 8
    builder.build()
}

#[test]
fn members_are_found_through_unnamed_ones_and_typedefs() {
    let bytes = sample();
    let btf = Btf::parse(&bytes, &["outer", "inner", "e"], &[]).unwrap();
    assert_eq!(btf.offset_of("inner", "b"), Some(4));
    assert_eq!(btf.offset_of("outer", "y"), Some(4));
    assert_eq!(btf.offset_of("outer", "z.b"), Some(8));
    assert_eq!(btf.size_of("outer"), Some(12));
    assert_eq!(btf.size_of_member("outer", "z"), Some(8));
    assert_eq!(btf.enum_value("e", "SIX"), Some(6));
}

#[test]
fn what_is_not_there_is_none() {
    let bytes = sample();
    let btf = Btf::parse(&bytes, &["outer", "e"], &[]).unwrap();
    assert_eq!(btf.offset_of("outer", "nothing"), None);
    assert_eq!(btf.offset_of("inner", "a"), None, "not asked for");
    assert_eq!(btf.enum_value("e", "TWO"), None);
}

#[test]
fn every_cut_is_an_error_and_no_panic() {
    let bytes = sample();
    for len in 0..bytes.len() {
        assert!(
            Btf::parse(&bytes[..len], &["outer"], &["f"]).is_err(),
            "cut at {len}"
        );
    }
    assert_eq!(
        Btf::parse(b"\x7fELF", &[], &[]).err(),
        Some(Error::Magic(0x457f))
    );
}

#[test]
fn functions_keep_their_ids_among_empty_types() {
    let bytes = sample();
    let reduced = Btf::parse(&bytes, &["outer"], &["g"])
        .unwrap()
        .functions_only();
    let btf = Btf::parse(&reduced, &["outer"], &["f", "g"]).unwrap();
    assert_eq!(btf.functions, [(&b"g"[..], 8)]);
    assert_eq!(btf.size_of("outer"), None);
    assert!(aya::Btf::parse(&reduced, aya::Endianness::Little).is_ok());
}
