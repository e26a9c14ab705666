use std::io::Write as _;

use tempfile::tempfile;

use super::*;

fn file(text: &[u8]) -> File {
    let mut file = tempfile().unwrap();
    file.write_all(text).unwrap();
    file
}

/// The lines of each block of so many bytes.
fn blocks(text: &[u8], bytes: u64) -> Vec<Vec<Vec<u8>>> {
    let file = file(text);
    let mut buffer = Buffer::default();
    let whole = 0..text.len() as u64;
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < whole.end {
        let part = start..(start + bytes).min(whole.end);
        let mut pieces = Pieces::new(&file, &mut buffer, part, whole.clone()).unwrap();
        let mut block = Vec::new();
        while let Some(Piece { lines, .. }) = pieces.next().unwrap() {
            block.extend(ranges(lines).map(|range| lines[range].to_vec()));
        }
        blocks.push(block);
        start += bytes;
    }
    blocks
}

#[test]
fn every_line_is_in_one_block_whatever_their_size() {
    let text = b"one\n\ntwo and a half\nthree\n\n\nlast";
    let lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for bytes in 1..40 {
        assert_eq!(blocks(text, bytes).concat(), lines, "{bytes}");
    }
    // It is in the one that it begins in.
    assert_eq!(
        blocks(b"aaaa\nbb\n", 5),
        [[b"aaaa".to_vec()], [b"bb".to_vec()]]
    );
    assert_eq!(blocks(b"aaaa\nbb\n", 6)[1], [] as [Vec<u8>; 0]);
}

#[test]
fn lines_may_be_longer_than_a_block_and_the_buffer() {
    let long = vec![b'x'; BUFFER_BYTES * 2 + 10];
    let text = [b"a\n", long.as_slice(), b"\nb\n"].concat();
    for bytes in [100_000, BUFFER_BYTES as u64, 1 << 30] {
        let lines = blocks(&text, bytes).concat();
        assert_eq!(lines, [b"a".to_vec(), long.clone(), b"b".to_vec()]);
    }
}

#[test]
fn a_line_that_is_too_long_is_cut_once() {
    let long = vec![b'x'; LINE_MAX * 3];
    let text = [b"a\n", long.as_slice(), b"\nb\n"].concat();
    let lines = blocks(&text, 1 << 30).concat();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].len() >= LINE_MAX && lines[1].len() < long.len());
    assert_eq!(lines[2], b"b");
}

#[test]
fn only_the_end_of_the_file_is_the_end() {
    let file = file(b"a\nb");
    let mut buffer = Buffer::default();
    let mut is_last = |part| {
        let mut pieces = Pieces::new(&file, &mut buffer, part, 0..3).unwrap();
        pieces.next().unwrap().map(|piece| piece.is_last)
    };
    assert_eq!(is_last(0..2), Some(false));
    assert_eq!(is_last(2..3), Some(true));
    assert_eq!(is_last(0..3), Some(true));
    // What was there when it was opened counts.
    let mut pieces = Pieces::new(&file, &mut buffer, 0..9, 0..9).unwrap();
    let gone = pieces.next().unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::UnexpectedEof);
}
