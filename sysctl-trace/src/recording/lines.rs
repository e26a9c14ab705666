//! Pieces of a file: whole lines, as many as a modest buffer holds. Read with pread(2), as mapped
//! pages would count as memory in use.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _};

use memchr::{memchr, memrchr};

/// What is read at a time. A few times this fits into a processor's second cache.
const BUFFER_BYTES: usize = 256 * 1024;

/// A longer line, its newline included, is refused as one.
pub(super) const LINE_MAX: usize = 1024 * 1024;

/// What is read at a time of a line that is passed over.
const SKIP_BYTES: usize = 16 * 1024;

/// A buffer that is used again for the next block.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

/// The lines that begin in a part of a file.
#[derive(Debug)]
pub(super) struct Pieces<'f, 'b> {
    file: &'f File,
    buffer: &'b mut Vec<u8>,
    /// Where the next line begins.
    at: u64,
    /// Lines that begin here or later are another's.
    end: u64,
    /// Where the file ends.
    file_end: u64,
}

/// What reading yields.
#[derive(Debug)]
pub(super) struct Piece<'p> {
    /// Whole lines, with their newlines.
    pub(super) lines: &'p [u8],
    /// Whether the file ends here; then the last line may lack its newline.
    pub(super) is_last: bool,
    /// Whether it is the beginning of one line that is too long.
    pub(super) is_too_long: bool,
}

impl<'f, 'b> Pieces<'f, 'b> {
    /// Those of a part of the file, which is in `whole`.
    pub(super) fn new(
        file: &'f File,
        buffer: &'b mut Buffer,
        part: Range<u64>,
        whole: Range<u64>,
    ) -> io::Result<Self> {
        let Buffer(buffer) = buffer;
        buffer.resize(BUFFER_BYTES.max(buffer.len()), 0);
        let mut pieces = Self {
            file,
            buffer,
            at: part.start,
            end: part.end,
            file_end: whole.end,
        };
        if part.start > whole.start {
            // The line that ends here, or later, began in another part.
            pieces.at -= 1;
            pieces.skip_line()?;
        }
        Ok(pieces)
    }

    /// The next piece; nothing where there is no other line.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        loop {
            let filled = self.fill()?;
            let read_to = self.at + filled as u64;
            if let Some(len) = self.whole_lines(filled) {
                self.at += len as u64;
                let is_last = self.at == self.file_end;
                return Ok(Some(Piece {
                    lines: &self.buffer[..len],
                    is_last,
                    is_too_long: false,
                }));
            }
            if self.buffer.len() >= LINE_MAX {
                self.at = read_to;
                self.skip_line()?;
                return Ok(Some(Piece {
                    lines: &self.buffer[..filled],
                    is_last: false,
                    is_too_long: true,
                }));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// How much of the buffer is whole lines that begin before the end; nothing where the first one
    /// is not whole.
    fn whole_lines(&self, filled: usize) -> Option<usize> {
        let bytes = &self.buffer[..filled];
        let is_file_end = self.at + filled as u64 == self.file_end;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if let Some(beyond) = bytes.get(left - 1..) {
            // The last line is the one that has the last byte.
            if let Some(newline) = memchr(b'\n', beyond) {
                return Some(left + newline);
            }
        }
        let newline = memrchr(b'\n', bytes);
        if is_file_end && (newline.is_some() || filled < LINE_MAX) {
            return Some(filled);
        }
        newline.map(|newline| newline + 1)
    }

    fn fill(&mut self) -> io::Result<usize> {
        let left = usize::try_from(self.file_end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(self.buffer.len());
        let buffer = &mut self.buffer[..wanted];
        self.file.read_exact_at(buffer, self.at)?;
        Ok(wanted)
    }

    /// Goes on behind the next newline; where there is none in this part, no other line begins in it.
    fn skip_line(&mut self) -> io::Result<()> {
        let mut buffer = [0; SKIP_BYTES];
        while self.at < self.end {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let buffer = &mut buffer[..left.min(SKIP_BYTES)];
            self.file.read_exact_at(buffer, self.at)?;
            if let Some(newline) = memchr(b'\n', buffer) {
                self.at += newline as u64 + 1;
                return Ok(());
            }
            self.at += buffer.len() as u64;
        }
        Ok(())
    }
}

/// The lines of a piece: where each begins and ends, its newline left out.
pub(super) fn ranges(piece: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let mut newlines = memchr::memchr_iter(b'\n', piece);
    std::iter::from_fn(move || {
        if start >= piece.len() {
            return None;
        }
        let end = newlines.next().unwrap_or(piece.len());
        let line = start..end;
        start = end + 1;
        Some(line)
    })
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
