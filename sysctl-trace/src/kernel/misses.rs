//! How often the kernel passed over a program, because it was running on that CPU already.
//!
//! The same number stands in /proc/self/fdinfo, as text that is dear to make and to take apart: it is
//! asked for several times a second, of each program.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use zerocopy::{FromBytes, FromZeros as _};

/// The command `BPF_OBJ_GET_INFO_BY_FD` of bpf(2).
const GET_INFO: libc::c_int = 15;

/// What that command takes, in `union bpf_attr`.
#[repr(C)]
struct Attributes {
    fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_prog_info` up to what is wanted. All zero, it asks for no lists.
#[repr(C)]
#[derive(FromBytes)]
struct Info {
    before: [u64; 26],
    recursion_misses: u64,
}

/// The number for one program; absent where the kernel does not tell (before 5.12).
pub(super) fn of(program: BorrowedFd<'_>) -> Option<u64> {
    let mut info = Info::new_zeroed();
    let mut attributes = Attributes {
        fd: program.as_raw_fd().try_into().ok()?,
        info_len: size_of::<Info>().try_into().ok()?,
        info: (&raw mut info) as u64,
    };
    let (place, size) = (&raw mut attributes, size_of::<Attributes>());
    // SAFETY: the kernel reads the attributes and writes at most `info_len` bytes to `info`, and both
    // live until the call is over.
    let result = unsafe { libc::syscall(libc::SYS_bpf, GET_INFO, place, size) };
    let is_whole = usize::try_from(attributes.info_len).is_ok_and(|len| len >= size_of::<Info>());
    (result == 0 && is_whole).then_some(info.recursion_misses)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use aya_obj::generated::bpf_prog_info;

    use super::*;

    #[test]
    fn the_number_is_where_the_kernel_has_it() {
        let at = offset_of!(bpf_prog_info, recursion_misses);
        assert_eq!(offset_of!(Info, recursion_misses), at);
    }
}
