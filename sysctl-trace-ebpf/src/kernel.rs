//! Reading the kernel's memory.

use core::ptr;

use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel,
};
use sysctl_trace_ebpf::settings::Settings;

/// A place in the kernel's memory.
pub type Address = *const u8;

/// Written by user space before the program is loaded, constant afterwards.
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = {
    // SAFETY: Settings is plain integers, for which all zeroes are a value.
    unsafe { core::mem::zeroed() }
};

/// Reads one setting, named by its path in [`Settings`].
macro_rules! setting {
    ($($field:ident).+) => {
        $crate::kernel::constant(&$crate::kernel::SETTINGS.$($field).+)
    };
}
pub(crate) use setting;

/// Reads a global that user space may have changed before loading: the compiler must not take it
/// for its initial value.
#[inline(always)]
pub fn constant<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is valid to read from.
    unsafe { ptr::read_volatile(place) }
}

/// Moves on by an offset from BTF.
#[inline(always)]
pub fn at(base: Address, offset: u32) -> Address {
    base.wrapping_add(offset as usize)
}

/// How fields behind the current task are read.
pub trait Reach {
    /// The current task.
    fn current() -> Address;

    /// Reads a field through the current task, or through a pointer that was read so. A pointer
    /// that is not there reads as `None`.
    fn load<T: Copy>(base: Address, offset: u32) -> Option<T>;
}

/// By plain loads through pointers that the kernel knows the type of. Cheap to run; dear to load,
/// as the verifier looks up the type behind each. Not for 5.10.
pub struct Typed;

impl Reach for Typed {
    #[inline(always)]
    fn current() -> Address {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_current_task_btf() as Address }
    }

    #[inline(always)]
    fn load<T: Copy>(base: Address, offset: u32) -> Option<T> {
        if base.is_null() {
            return None;
        }
        // SAFETY: the verifier admits the load only for a typed pointer and an offset within it;
        // the kernel turns a fault into zero.
        Some(unsafe { ptr::read_volatile(at(base, offset).cast::<T>()) })
    }
}

/// By bpf_probe_read_kernel. Cheap to load; each field costs a call.
pub struct ByHelper;

impl Reach for ByHelper {
    #[inline(always)]
    fn current() -> Address {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_current_task() as Address }
    }

    #[inline(always)]
    fn load<T: Copy>(base: Address, offset: u32) -> Option<T> {
        if base.is_null() {
            return None;
        }
        read(at(base, offset))
    }
}

/// Reads from any kernel address.
#[inline(always)]
pub fn read<T: Copy>(address: Address) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes size_of::<T>() bytes to the place, or zeroes on a fault.
    let error = unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address.cast(),
        )
    };
    if error != 0 {
        return None;
    }
    // SAFETY: written by the helper; T is only used with integers and pointers.
    Some(unsafe { value.assume_init() })
}
