//! The memory of a key: what is there before and after a write.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use aya_ebpf::{macros::map, maps::HashMap};
use sysctl_trace_ebpf::{
    record::VALUE_MAX,
    settings::{Handler, ValueKind},
};

use crate::kernel::{Address, at, read, setting};

/// Handler functions whose keys' memory is understood. User space fills it from kallsyms.
#[map(name = "HANDLERS")]
static HANDLERS: HashMap<u64, u64> = HashMap::with_max_entries(256, 0);

/// Longest name of a congestion control algorithm (TCP_CA_NAME_MAX).
const CONGESTION_NAME_MAX: u32 = 16;

/// Where a key's value is and how to read it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Holder {
    /// `ctl_table.data`.
    pub data: Address,
    /// `ctl_table.maxlen`: bytes.
    pub maxlen: u32,
    /// One of [`ValueKind`].
    pub kind: u32,
    /// Place of the handler in user space's list, from 1; 0 where it is not there.
    pub place: u32,
}

/// Why there is no value to tell.
pub enum NoValue {
    /// The handler is not one whose keys' memory is understood.
    NotDecoded,
    /// The memory can't be read.
    Unreadable,
}

impl Holder {
    /// Reads where the value of a ctl_table is.
    #[inline(always)]
    pub fn of(table: Address) -> Option<Self> {
        let handler = read::<u64>(at(table, setting!(offsets.ctl_table_handler)))?;
        let data = read::<Address>(at(table, setting!(offsets.ctl_table_data)))?;
        let maxlen = read::<u32>(at(table, setting!(offsets.ctl_table_maxlen)))?;
        let mut known = Handler {
            place: 0,
            kind: ValueKind::NotDecoded as u32,
        };
        if let Some(bits) = HANDLERS.get_ptr(handler) {
            // SAFETY: the map keeps the place alive while the program runs.
            known = Handler::from_bits(unsafe { *bits });
            if data.is_null() {
                known.kind = ValueKind::NotDecoded as u32;
            }
        }
        Some(Self {
            data,
            maxlen,
            kind: known.kind,
            place: known.place,
        })
    }

    /// Whether the value is longer than what [`Self::copy`] copied.
    #[inline(always)]
    pub fn is_cut(&self, copied: u32) -> bool {
        // Of a text, one byte less: the NUL has its place, too.
        self.maxlen > VALUE_MAX as u32 && copied >= VALUE_MAX as u32 - 1
    }

    /// Copies the value to a place of [`VALUE_MAX`] bytes; how many are filled.
    #[inline(always)]
    pub fn copy(&self, to: *mut u8) -> Result<u32, NoValue> {
        const NOT_DECODED: u32 = ValueKind::NotDecoded as u32;
        const STRING: u32 = ValueKind::String as u32;
        const CONGESTION_CONTROL: u32 = ValueKind::CongestionControl as u32;
        match self.kind {
            NOT_DECODED => Err(NoValue::NotDecoded),
            STRING => copy_str(to, self.data, VALUE_MAX as u32),
            CONGESTION_CONTROL => {
                let ops = read::<Address>(self.data).ok_or(NoValue::Unreadable)?;
                let name = at(ops, setting!(offsets.congestion_ops_name));
                copy_str(to, name, CONGESTION_NAME_MAX)
            }
            _ => {
                let len = if self.maxlen > VALUE_MAX as u32 {
                    VALUE_MAX as u32
                } else {
                    self.maxlen
                };
                // SAFETY: `to` has VALUE_MAX bytes.
                let error = unsafe { bpf_probe_read_kernel(to.cast(), len, self.data.cast()) };
                if error != 0 {
                    Err(NoValue::Unreadable)
                } else {
                    Ok(len)
                }
            }
        }
    }
}

/// Copies a NUL-terminated text; its length without the NUL.
#[inline(always)]
fn copy_str(to: *mut u8, from: Address, max: u32) -> Result<u32, NoValue> {
    // SAFETY: `to` has VALUE_MAX bytes and `max` is no more.
    let read = unsafe { bpf_probe_read_kernel_str(to.cast(), max, from.cast()) };
    if read <= 0 || read > VALUE_MAX as i64 {
        Err(NoValue::Unreadable)
    } else {
        Ok(read as u32 - 1)
    }
}
