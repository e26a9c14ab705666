//! The text that a writer gave.
//!
//! It is described at entry, before the kernel moves the iterator on, and read at the return: by
//! then the kernel has touched every page of it.

use sysctl_trace_ebpf::record::{CUT_REQUESTED, CUT_REQUESTED_UNREADABLE, REQUESTED_MAX};
use sysctl_trace_ebpf::settings::ABSENT;

use crate::{
    emit::{Draft, Piece},
    kernel::{Address, at, read, setting},
};

/// How many pieces of a vector are followed.
const SEGMENTS_MAX: u64 = 16;
/// log2 of the size of a page.
const PAGE_SHIFT: u64 = 12;

/// An iov_iter as it was at entry.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Source {
    /// `iov_iter.count`: bytes in all pieces together.
    pub size: u64,
    /// The buffer, or the array of pieces.
    base: Address,
    /// Bytes of the first piece that are passed over.
    skip: u64,
    /// Pieces in the array.
    segments: u64,
    /// What it walks over, as `settings.iter` numbers it.
    kind: u64,
}

impl Source {
    /// Describes an iterator that nothing was taken from yet.
    #[inline(always)]
    pub fn of(iter: Address) -> Option<Self> {
        let place = at(iter, setting!(offsets.iter_type));
        let kind = if setting!(offsets.iter_type_size) == 1 {
            u32::from(read::<u8>(place)?)
        } else {
            read::<u32>(place)?
        } & setting!(iter.mask);
        let base = if setting!(offsets.iter_ubuf) != ABSENT && kind == setting!(iter.ubuf) {
            setting!(offsets.iter_ubuf)
        } else {
            setting!(offsets.iter_iov)
        };
        Some(Self {
            size: read(at(iter, setting!(offsets.iter_count)))?,
            base: read(at(iter, base))?,
            skip: read(at(iter, setting!(offsets.iter_iov_offset)))?,
            segments: read(at(iter, setting!(offsets.iter_nr_segs)))?,
            kind: u64::from(kind),
        })
    }

    /// Reads the text into the record.
    #[inline(always)]
    pub fn record(&self, draft: &mut Draft) {
        let mark = draft.mark();
        let cut = if self.kind == u64::from(setting!(iter.ubuf)) {
            let from = self.base.wrapping_add(self.skip as usize);
            flag(&draft.push_user::<REQUESTED_MAX>(from, self.size as usize))
        } else {
            self.record_pieces(draft, mark)
        };
        draft.acted.header.cut |= cut;
        if usize::from(draft.since(mark).len) > REQUESTED_MAX {
            draft.shorten(mark, REQUESTED_MAX);
            draft.acted.header.cut |= CUT_REQUESTED;
        }
        draft.acted.deed.requested = draft.since(mark);
    }

    /// Reads piece after piece until there are no more or the text is long enough; what is cut.
    #[inline(always)]
    fn record_pieces(&self, draft: &mut Draft, mark: usize) -> u32 {
        draft.set_left(self.size);
        for index in 0..SEGMENTS_MAX {
            if draft.left() == 0 {
                return 0;
            }
            if index >= self.segments {
                break;
            }
            let skip = if index == 0 { self.skip } else { 0 };
            let Some(cut) = self.record_piece(draft, index, skip) else {
                return CUT_REQUESTED_UNREADABLE;
            };
            if cut != 0 {
                return cut;
            }
            if usize::from(draft.since(mark).len) > REQUESTED_MAX {
                return CUT_REQUESTED;
            }
        }
        if draft.left() == 0 { 0 } else { CUT_REQUESTED }
    }

    /// Reads one piece of an array; what of it is cut.
    #[inline(always)]
    fn record_piece(&self, draft: &mut Draft, index: u64, skip: u64) -> Option<u32> {
        let user = self.kind == u64::from(setting!(iter.iovec));
        let (from, len) = if user || self.kind == u64::from(setting!(iter.kvec)) {
            let entry = self
                .base
                .wrapping_add((index * u64::from(setting!(offsets.iovec_size))) as usize);
            (
                read::<Address>(at(entry, setting!(offsets.iovec_base)))?,
                read::<u64>(at(entry, setting!(offsets.iovec_len)))?,
            )
        } else if self.kind == u64::from(setting!(iter.bvec)) {
            let entry = self
                .base
                .wrapping_add((index * u64::from(setting!(offsets.bio_vec_size))) as usize);
            let page = read::<u64>(at(entry, setting!(offsets.bio_vec_page)))?;
            let offset = read::<u32>(at(entry, setting!(offsets.bio_vec_offset)))?;
            (
                page_address(page)?.wrapping_add(offset as usize),
                u64::from(read::<u32>(at(entry, setting!(offsets.bio_vec_len)))?),
            )
        } else {
            return None;
        };
        let from = from.wrapping_add(skip as usize);
        let mut len = len.wrapping_sub(skip);
        let left = draft.left();
        if len > left {
            len = left;
        }
        draft.set_left(left - len);
        let piece = if user {
            draft.push_user::<REQUESTED_MAX>(from, len as usize)
        } else {
            draft.push_kernel::<REQUESTED_MAX>(from, len as usize)
        };
        Some(flag(&piece))
    }
}

#[inline(always)]
fn flag(piece: &Piece) -> u32 {
    match piece {
        Piece::Whole(_) => 0,
        Piece::Cut(_) | Piece::NoRoom => CUT_REQUESTED,
        Piece::Unreadable => CUT_REQUESTED_UNREADABLE,
    }
}

/// Where the kernel maps a page (x86-64: all memory is mapped in one piece).
#[inline(always)]
fn page_address(page: u64) -> Option<Address> {
    if setting!(symbols.vmemmap_base) == 0 || setting!(symbols.page_offset_base) == 0 {
        return None;
    }
    let pages = read::<u64>(setting!(symbols.vmemmap_base) as Address)?;
    let memory = read::<u64>(setting!(symbols.page_offset_base) as Address)?;
    let number = page
        .wrapping_sub(pages)
        .checked_div(u64::from(setting!(offsets.page_size_of)))?;
    Some(memory.wrapping_add(number << PAGE_SHIFT) as Address)
}
