//! Memory that text is written from: touched or not, in one piece or across pages, or none at all.

use std::{num::NonZeroUsize, os::fd::AsFd, ptr::NonNull};

use anyhow::{Context as _, Result};
use nix::{
    libc::c_void,
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
    },
};

const PAGE: usize = 4096;

/// An address that no process has anything mapped at: below vm.mmap_min_addr.
const NOWHERE: usize = 0x10;

/// Memory to write from. Its content is known without looking at it, so that the kernel can be the
/// first to touch it.
#[derive(Debug)]
pub struct Buffer {
    start: usize,
    length: usize,
    content: Option<Vec<u8>>,
    /// What keeps the memory: dropped with the buffer.
    #[expect(dead_code, reason = "only its drop matters")]
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Heap(#[expect(dead_code, reason = "only its drop matters")] Vec<u8>),
    Mapping(#[expect(dead_code, reason = "only its drop matters")] Mapping),
    Nobody,
}

impl Buffer {
    /// Ordinary memory.
    #[must_use]
    pub fn ready(text: &[u8]) -> Self {
        let bytes = text.to_vec();
        let start = bytes.as_ptr() as usize;
        Self {
            start,
            length: text.len(),
            content: Some(text.to_vec()),
            owner: Owner::Heap(bytes),
        }
    }

    /// A page that was never touched: the kernel sees zeros.
    ///
    /// # Errors
    /// When no memory can be mapped.
    pub fn fresh_page(length: usize) -> Result<Self> {
        let mapping = Mapping::anonymous(PAGE)?;
        Ok(Self::in_mapping(mapping, 0, vec![0; length]))
    }

    /// A private mapping of a file that holds the text; its page was never touched.
    ///
    /// # Errors
    /// When no file can be made or mapped.
    pub fn untouched_file(text: &[u8]) -> Result<Self> {
        let file = memfd_create("workload", MFdFlags::MFD_CLOEXEC).context("making a file")?;
        let written = nix::unistd::write(&file, text).context("filling the file")?;
        anyhow::ensure!(
            written == text.len(),
            "the file took {written} of {} bytes",
            text.len()
        );
        let mapping = Mapping::of_file(&file, text.len())?;
        Ok(Self::in_mapping(mapping, 0, text.to_vec()))
    }

    /// Text at the end of a touched page, going on with zeros in one that was never touched.
    ///
    /// # Errors
    /// When no memory can be mapped.
    pub fn across_pages(text: &[u8], zeros: usize) -> Result<Self> {
        let mapping = Mapping::anonymous(2 * PAGE)?;
        let offset = PAGE - text.len();
        // SAFETY: the mapping is writable and text.len() bytes end within its first page.
        unsafe {
            mapping
                .start
                .as_ptr()
                .cast::<u8>()
                .add(offset)
                .copy_from(text.as_ptr(), text.len());
        }
        let mut content = text.to_vec();
        content.resize(text.len() + zeros, 0);
        Ok(Self::in_mapping(mapping, offset, content))
    }

    /// An address where nothing is mapped.
    #[must_use]
    pub fn nowhere(length: usize) -> Self {
        Self {
            start: NOWHERE,
            length,
            // Of no bytes, all can be read.
            content: (length == 0).then(Vec::new),
            owner: Owner::Nobody,
        }
    }

    /// What the kernel is given; `None` where there is nothing to read.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// Where it begins, for the kernel.
    #[must_use]
    pub const fn start(&self) -> *const c_void {
        self.start as *const c_void
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The same memory in pieces that end at these lengths from its start, and at its end.
    #[must_use]
    pub fn pieces(&self, cuts: &[usize]) -> Vec<libc::iovec> {
        let mut from = 0;
        let ends = cuts
            .iter()
            .copied()
            .filter(|cut| *cut <= self.length)
            .chain([self.length]);
        ends.map(|end| {
            let piece = libc::iovec {
                iov_base: (self.start + from) as *mut c_void,
                iov_len: end - from,
            };
            from = end;
            piece
        })
        .collect()
    }

    fn in_mapping(mapping: Mapping, offset: usize, content: Vec<u8>) -> Self {
        Self {
            start: mapping.start.as_ptr() as usize + offset,
            length: content.len(),
            content: Some(content),
            owner: Owner::Mapping(mapping),
        }
    }
}

/// Mapped memory, given back on drop.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

impl Mapping {
    fn anonymous(length: usize) -> Result<Self> {
        let length = NonZeroUsize::new(length).context("an empty mapping")?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so that nothing else is there.
        let start = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE) }
            .context("mapping memory")?;
        Ok(Self { start, length })
    }

    fn of_file(file: impl AsFd, length: usize) -> Result<Self> {
        let length = NonZeroUsize::new(length).context("an empty mapping")?;
        let flags = MapFlags::MAP_PRIVATE;
        // SAFETY: as above; nobody else knows the file, so it does not change or shrink.
        let start = unsafe { mmap(None, length, ProtFlags::PROT_READ, flags, file, 0) }
            .context("mapping a file")?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and the buffer that points into it goes with it.
        let unmapped = unsafe { munmap(self.start, self.length.get()) };
        debug_assert!(unmapped.is_ok());
    }
}
