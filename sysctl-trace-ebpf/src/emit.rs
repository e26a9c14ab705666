//! Build a record in a scratch buffer, send it, count what could not be sent.

use core::ptr::{addr_of, addr_of_mut};

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use sysctl_trace_ebpf::record::{Acted, NetnsDestroy, Span, TEXT_MAX};
use sysctl_trace_ebpf::settings::{Losses, Program};

use crate::kernel::Address;

const _: () = assert!((TEXT_MAX + 1).is_power_of_two(), "it serves as a mask");

/// Bytes behind the text that a last piece may reach into, so that one check before each piece is
/// enough. Every piece is shorter.
const PIECE_MAX: usize = 2048;

/// What the probes tell. User space sets the size before it is created.
#[map(name = "EVENTS")]
static EVENTS: RingBuf = RingBuf::with_byte_size(8 * 1024 * 1024, 0);

/// Loss, for each CPU and program, so that no two ever count in the same place.
#[map(name = "LOSSES")]
static LOSSES: PerCpuArray<Losses> = PerCpuArray::with_max_entries(Program::COUNT, 0);

/// One record under construction for each CPU and program. A program does not run twice at the
/// same time on one CPU (the kernel passes over it and counts a miss), so nothing is overwritten.
#[map(name = "DRAFTS")]
static DRAFTS: PerCpuArray<Draft> = PerCpuArray::with_max_entries(Program::COUNT, 0);

/// A record with room for its text.
#[repr(C)]
pub struct Draft {
    /// The fixed part.
    pub acted: Acted,
    text: [u8; TEXT_MAX + PIECE_MAX],
    /// Bytes that are to be read next.
    wanted: u32,
    /// Where the text begins that spans count from.
    base: u32,
    /// Bytes of the requested text that are still to come.
    left: u64,
    /// Where the bytes are that were left out last.
    skipped: u64,
    /// The mount (`struct vfsmount *`) that was looked at last; 0 before the first.
    mount: u64,
    /// Inode number of the mount namespace that it belongs to.
    mount_inum: u32,
}

/// Counts one loss that a program saw.
#[inline(always)]
pub fn count(program: Program, cause: impl FnOnce(&mut Losses) -> &mut u64) {
    if let Some(losses) = LOSSES.get_ptr_mut(program as u32) {
        // SAFETY: the map keeps the place alive; see LOSSES for why nobody else writes to it.
        *cause(unsafe { &mut *losses }) += 1;
    }
}

/// Sends a record that has no text.
#[inline(always)]
pub fn send(program: Program, record: &NetnsDestroy) {
    if EVENTS.output::<NetnsDestroy>(record, 0).is_err() {
        count(program, |losses| &mut losses.ring_full);
    }
}

impl Draft {
    /// The scratch buffer of this CPU for one program; its content is left over.
    #[inline(always)]
    pub fn of(program: Program) -> Option<&'static mut Self> {
        let draft = DRAFTS.get_ptr_mut(program as u32)?;
        // SAFETY: see DRAFTS for why nobody else holds it.
        let draft = unsafe { &mut *draft };
        draft.set_len(0);
        draft.count_from(0);
        draft.forget_mount();
        draft.acted.header.cut = 0;
        Some(draft)
    }

    /// Sends the fixed part and as much text as there is; whether there was room.
    #[inline(always)]
    pub fn send(&self, program: Program) -> bool {
        let len = self.len();
        if len > TEXT_MAX + PIECE_MAX {
            return false;
        }
        // SAFETY: the bytes lie within this draft.
        let bytes = unsafe {
            core::slice::from_raw_parts(addr_of!(*self).cast::<u8>(), size_of::<Acted>() + len)
        };
        let sent = EVENTS.output::<[u8]>(bytes, 0).is_ok();
        if !sent {
            count(program, |losses| &mut losses.ring_full);
        }
        sent
    }

    /// Appends a NUL-terminated string from kernel memory: its bytes up to the NUL. The NUL is kept
    /// where `keep_nul` says so, for lists of names. `max`: one byte more than the longest that is
    /// whole takes with its NUL, as the helper cuts without saying so.
    #[inline(always)]
    pub fn push_str(&mut self, source: Address, max: usize, keep_nul: bool) -> Piece {
        let at = self.len();
        if at > TEXT_MAX {
            return Piece::NoRoom;
        }
        // SAFETY: `at` is at most TEXT_MAX and `max` at most PIECE_MAX.
        let read =
            unsafe { bpf_probe_read_kernel_str(self.end().cast(), max as u32, source.cast()) };
        if read <= 0 || read > max as i64 {
            return Piece::Unreadable;
        }
        let len = if keep_nul {
            read as usize
        } else {
            read as usize - 1
        };
        self.set_len(at + len);
        let span = self.span(at, len);
        if read as usize == max {
            Piece::Cut(span)
        } else {
            Piece::Whole(span)
        }
    }

    /// Appends `len` bytes of kernel memory, at most `MAX`.
    #[inline(always)]
    pub fn push_kernel<const MAX: usize>(&mut self, source: Address, len: usize) -> Piece {
        self.push::<MAX>(len, |to, len| {
            // SAFETY: `push` gives a place of at least `len` bytes.
            unsafe { bpf_probe_read_kernel(to.cast(), len, source.cast()) }
        })
    }

    /// Appends `len` bytes of the current task's user memory, at most `MAX`.
    #[inline(always)]
    pub fn push_user<const MAX: usize>(&mut self, source: Address, len: usize) -> Piece {
        self.push::<MAX>(len, |to, len| {
            // SAFETY: `push` gives a place of at least `len` bytes.
            unsafe { bpf_probe_read_user(to.cast(), len, source.cast()) }
        })
    }

    #[inline(always)]
    fn push<const MAX: usize>(
        &mut self,
        len: usize,
        read: impl FnOnce(*mut u8, u32) -> i64,
    ) -> Piece {
        let at = self.len();
        if at > TEXT_MAX {
            return Piece::NoRoom;
        }
        // By way of memory, so that the compiler keeps the mask, which changes nothing: by it the
        // verifier knows the length to fit.
        self.set_wanted(if len > MAX { MAX as u32 } else { len as u32 });
        let taken = self.wanted() & (PIECE_MAX as u32 - 1);
        if read(self.end(), taken) != 0 {
            return Piece::Unreadable;
        }
        self.set_len(at + taken as usize);
        let span = self.span(at, taken as usize);
        if (taken as usize) < len {
            Piece::Cut(span)
        } else {
            Piece::Whole(span)
        }
    }

    /// Appends what `fill` writes, at most `PIECE_MAX` bytes: it says how many. Its errors are
    /// handed on.
    #[inline(always)]
    pub fn push_with<E>(
        &mut self,
        fill: impl FnOnce(*mut u8) -> Result<u32, E>,
    ) -> Result<Piece, E> {
        let at = self.len();
        if at > TEXT_MAX {
            return Ok(Piece::NoRoom);
        }
        let len = fill(self.end())? as usize;
        self.set_len(at + len);
        Ok(Piece::Whole(self.span(at, len)))
    }

    /// Where the next piece will begin.
    #[inline(always)]
    pub fn mark(&self) -> usize {
        self.len()
    }

    /// The place of the bytes left out last by [`Self::skip`], with at least `PIECE_MAX` bytes
    /// that can be read. `None` where the record is full.
    #[inline(always)]
    pub fn skipped(&mut self) -> Option<*mut u8> {
        // SAFETY: a field of this draft.
        let skipped = || unsafe { addr_of!(self.skipped).read_volatile() };
        if skipped() > TEXT_MAX as u64 {
            return None;
        }
        let at = skipped() as usize & TEXT_MAX;
        Some(addr_of_mut!(self.text).cast::<u8>().wrapping_add(at))
    }

    /// Leaves room for `len` bytes that are filled later.
    #[inline(always)]
    pub fn skip(&mut self, len: usize) {
        let at = self.len();
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.skipped).write_volatile(at as u64) };
        self.set_len(at + len);
    }

    /// All that was appended since a mark.
    #[inline(always)]
    pub fn since(&self, mark: usize) -> Span {
        self.span(mark, self.len() - mark)
    }

    /// Takes back what was appended beyond so many bytes since a mark.
    #[inline(always)]
    pub fn shorten(&mut self, mark: usize, max: usize) {
        self.set_len(mark + max);
    }

    /// Spans count from here on.
    #[inline(always)]
    pub fn count_from(&mut self, at: usize) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.base).write_volatile(at as u32) }
    }

    #[inline(always)]
    fn span(&self, at: usize, len: usize) -> Span {
        // SAFETY: a field of this draft.
        let base = unsafe { addr_of!(self.base).read_volatile() };
        Span {
            offset: (at as u32).wrapping_sub(base) as u16,
            len: len as u16,
        }
    }

    /// Where the next piece goes, with at least `PIECE_MAX` bytes; only for a text that is not
    /// full. The mask changes nothing then: it tells the verifier of 5.10, which forgets what a
    /// number was compared with once it lay on the stack.
    #[inline(always)]
    fn end(&mut self) -> *mut u8 {
        let at = self.len() & TEXT_MAX;
        addr_of_mut!(self.text).cast::<u8>().wrapping_add(at)
    }

    /// Bytes of the requested text that are still to come; in memory for the same reason as the
    /// length of the text.
    #[inline(always)]
    pub fn left(&self) -> u64 {
        // SAFETY: a field of this draft.
        unsafe { addr_of!(self.left).read_volatile() }
    }

    /// Sets [`Self::left`].
    #[inline(always)]
    pub fn set_left(&mut self, left: u64) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.left).write_volatile(left) }
    }

    #[inline(always)]
    fn wanted(&self) -> u32 {
        // SAFETY: a field of this draft.
        unsafe { addr_of!(self.wanted).read_volatile() }
    }

    #[inline(always)]
    fn set_wanted(&mut self, wanted: u32) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.wanted).write_volatile(wanted) }
    }

    /// Makes this mount the one that was looked at last: the same address as a plain number, and
    /// whether it was that already.
    #[inline(always)]
    pub fn look_at_mount(&mut self, mount: Address) -> (u64, bool) {
        let last = self.mount();
        self.set_mount(mount as u64);
        // By way of memory, which takes the type from a typed pointer: the kernel admits no
        // arithmetic with these.
        let mount = self.mount();
        (mount, mount == last)
    }

    /// Makes no mount the one that was looked at last.
    #[inline(always)]
    pub fn forget_mount(&mut self) {
        self.set_mount(0);
        self.set_mount_inum(0);
    }

    #[inline(always)]
    fn mount(&self) -> u64 {
        // SAFETY: a field of this draft.
        unsafe { addr_of!(self.mount).read_volatile() }
    }

    #[inline(always)]
    fn set_mount(&mut self, mount: u64) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.mount).write_volatile(mount) }
    }

    /// Inode number of the mount namespace of the mount looked at last; 0 where it belongs to none.
    #[inline(always)]
    pub fn mount_inum(&self) -> u32 {
        // SAFETY: a field of this draft.
        unsafe { addr_of!(self.mount_inum).read_volatile() }
    }

    /// Sets [`Self::mount_inum`].
    #[inline(always)]
    pub fn set_mount_inum(&mut self, inum: u32) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.mount_inum).write_volatile(inum) }
    }

    /// The length is kept in the record and read back each time: the verifier knows nothing of
    /// memory, so every piece begins from the same state and loops stay cheap to verify.
    #[inline(always)]
    fn len(&self) -> usize {
        // SAFETY: a field of this draft.
        unsafe { addr_of!(self.acted.deed.text_len).read_volatile() as usize }
    }

    #[inline(always)]
    fn set_len(&mut self, len: usize) {
        // SAFETY: a field of this draft.
        unsafe { addr_of_mut!(self.acted.deed.text_len).write_volatile(len as u32) }
    }
}

/// What became of a piece of text.
pub enum Piece {
    /// All of it is there.
    Whole(Span),
    /// The beginning of it is there.
    Cut(Span),
    /// It could not be read.
    Unreadable,
    /// The record is full.
    NoRoom,
}

impl Piece {
    /// The text that is there; sets `cut` in `flags` where that is not all.
    #[inline(always)]
    pub fn span(self, flags: &mut u32, cut: u32) -> Span {
        match self {
            Self::Whole(span) => span,
            Self::Cut(span) => {
                *flags |= cut;
                span
            }
            Self::Unreadable | Self::NoRoom => {
                *flags |= cut;
                Span::NONE
            }
        }
    }
}
