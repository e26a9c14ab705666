use super::*;

#[test]
fn blocks_cover_the_file() {
    for len in [
        0,
        1,
        BLOCK_BYTES_MIN,
        BLOCK_BYTES_MIN + 1,
        3_000_000_000,
        1 << 50,
    ] {
        let blocks = Blocks::of(7..7 + len);
        assert!(blocks.count() as u64 <= BLOCKS_MAX);
        let mut end = 7;
        for block in 0..blocks.count() {
            let range = blocks.range(block);
            assert_eq!(range.start, end);
            assert!(range.end > range.start);
            end = range.end;
        }
        assert_eq!(end, 7 + len);
    }
}

#[test]
fn the_latest_owners_are_at_the_end() {
    let blocks = [5, 0, 3, 0, 2].map(|owners| Index {
        owners,
        ..Index::default()
    });
    let survey = Survey {
        blocks: blocks.into(),
        ..Survey::default()
    };
    let firsts = [0, 1, 2, 3, 5, 6, 10, 99].map(|count| survey.latest_owners(count));
    assert_eq!(firsts, [5, 4, 4, 2, 2, 0, 0, 0]);
}

#[test]
fn marks_never_miss() {
    let mut marks = Marks::default();
    for inum in [NONE, 1, 4026531840, 4026532281, u32::MAX] {
        marks.set(inum);
        assert!(marks.may_have(inum));
    }
    // Neighbours are told apart.
    assert!(!marks.may_have(4026532282));
}
