//! The memory of a key: what is there before and after a write.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use aya_ebpf::{macros::map, maps::HashMap};
use sysctl_trace_ebpf::{
    record::VALUE_MAX,
    settings::{ABSENT, Base, Handler, ValueKind},
};

use super::sysctl::target_net;
use crate::kernel::{Address, ByHelper, Reach as _, at, read, setting};

/// Handler functions whose keys' memory is understood. User space fills it from kallsyms.
#[map(name = "HANDLERS")]
static HANDLERS: HashMap<u64, Handler> = HashMap::with_max_entries(256, 0);

/// Where a key's value is and how to read it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Holder {
    /// Where the value is; NULL where that is not known.
    pub data: Address,
    /// Bytes of it; of a bitmap, bits.
    pub maxlen: u32,
    /// One of [`ValueKind`].
    pub kind: u32,
    /// Place of the handler in user space's list, from 1; 0 where it is not there.
    pub place: u32,
    /// As [`Handler::through`].
    pub through: u32,
}

/// Why there is no value to tell.
pub enum NoValue {
    /// The handler is not one whose keys' memory is understood.
    NotDecoded,
    /// The memory can't be read.
    Unreadable,
}

const NOT_DECODED: u32 = ValueKind::NotDecoded as u32;
const STRING: u32 = ValueKind::String as u32;
const NAME_OR_NONE: u32 = ValueKind::NameOrNone as u32;
const BITMAP: u32 = ValueKind::Bitmap as u32;
const PACKETS: u32 = ValueKind::Packets as u32;

impl Holder {
    /// Finds where the value of a ctl_table is.
    #[inline(always)]
    pub fn of(table: Address, header: Address) -> Option<Self> {
        Self::find(table, |handler, data| {
            elsewhere(handler, table, header, data)
        })
    }

    /// The same where `ctl_table.data` tells; others are not decoded.
    #[inline(always)]
    pub fn of_data(table: Address) -> Option<Self> {
        Self::find(table, |_, _| 0)
    }

    #[inline(always)]
    fn find(table: Address, elsewhere: impl FnOnce(&Handler, Address) -> u64) -> Option<Self> {
        let function = read::<u64>(at(table, setting!(offsets.ctl_table_handler)))?;
        let maxlen = read::<u32>(at(table, setting!(offsets.ctl_table_maxlen)))?;
        let mut holder = Self {
            data: core::ptr::null(),
            maxlen,
            kind: NOT_DECODED,
            place: 0,
            through: ABSENT,
        };
        let Some(handler) = HANDLERS.get_ptr(function) else {
            return Some(holder);
        };
        // SAFETY: the map keeps the place alive while the program runs.
        let handler = unsafe { &*handler };
        holder.place = handler.place;
        if handler.kind == NOT_DECODED {
            return Some(holder);
        }
        let data = read::<Address>(at(table, setting!(offsets.ctl_table_data)))?;
        let place = if handler.base != Base::Data as u32 {
            elsewhere(handler, data) as Address
        } else if data.is_null() {
            data
        } else {
            data.wrapping_add(handler.address as usize)
        };
        if !place.is_null() {
            holder.data = place;
            // A longer one could not be recorded whole, and a part of it says nothing.
            if handler.kind != BITMAP || maxlen <= VALUE_MAX as u32 * 8 {
                holder.kind = handler.kind;
            }
            holder.through = handler.through;
            if handler.len != 0 {
                holder.maxlen = handler.len;
            }
        }
        Some(holder)
    }

    /// Whether the value is longer than what [`Self::copy`] copied.
    #[inline(always)]
    pub fn is_cut(&self, copied: u32) -> bool {
        // Of a text, one byte less: the NUL has its place, too.
        self.kind != BITMAP && self.maxlen > VALUE_MAX as u32 && copied >= VALUE_MAX as u32 - 1
    }

    /// Copies the value to a place of [`VALUE_MAX`] bytes; how many are filled.
    #[inline(always)]
    pub fn copy(&self, to: *mut u8) -> Result<u32, NoValue> {
        if self.kind == NOT_DECODED {
            return Err(NoValue::NotDecoded);
        }
        match copied(self, to) {
            UNREADABLE => Err(NoValue::Unreadable),
            len => Ok(len as u32),
        }
    }
}

/// In place of a length.
const UNREADABLE: u64 = u64::MAX;

/// The length of what was copied, or [`UNREADABLE`]. A function of its own, as it is needed before and
/// after a write; it returns a number, as of an enum the compiler leaves parts of a register unset, which
/// the verifier does not take.
#[inline(never)]
fn copied(holder: &Holder, to: *mut u8) -> u64 {
    let mut from = holder.data;
    if holder.through != ABSENT {
        match read::<Address>(from) {
            Some(pointer) if !pointer.is_null() => from = at(pointer, holder.through),
            Some(_) if holder.kind == NAME_OR_NONE => return 0,
            Some(_) | None => return UNREADABLE,
        }
        if holder.kind == NAME_OR_NONE {
            match read::<Address>(from) {
                Some(name) => from = name,
                None => return UNREADABLE,
            }
        }
    }
    match holder.kind {
        STRING | NAME_OR_NONE => copy_str(to, from),
        PACKETS => {
            // Division that can't fail: what a failed one brings in, older verifiers do not take.
            let packets = match read::<u32>(from) {
                Some(bytes) => bytes.checked_div(setting!(offsets.packet_truesize)),
                None => None,
            };
            match packets {
                Some(packets) => {
                    // SAFETY: `to` has VALUE_MAX bytes.
                    unsafe { to.cast::<u32>().write_unaligned(packets) };
                    4
                }
                None => UNREADABLE,
            }
        }
        BITMAP => copy_bytes(to, from, ((holder.maxlen + 63) >> 6) << 3),
        _ => copy_bytes(to, from, holder.maxlen),
    }
}

/// Where the value is of keys that have it elsewhere than in `ctl_table.data`; 0 where that can't be
/// read. Few keys have, so it is a function of its own, which returns a number as [`copied`] does.
#[inline(never)]
fn elsewhere(handler: &Handler, table: Address, header: Address, data: Address) -> u64 {
    match place(handler, table, header, data) {
        Some(place) => place as u64,
        None => 0,
    }
}

#[inline(always)]
fn place(handler: &Handler, table: Address, header: Address, data: Address) -> Option<Address> {
    const FIXED: u32 = Base::Fixed as u32;
    const NET: u32 = Base::Net as u32;
    const NET_INDEXED: u32 = Base::NetIndexed as u32;
    const UTS: u32 = Base::Uts as u32;
    const IPC: u32 = Base::Ipc as u32;
    const HUGEPAGES: u32 = Base::Hugepages as u32;
    let offset = handler.address as usize;
    match handler.base {
        FIXED => Some(handler.address as Address),
        NET => Some(target_net(header)?.wrapping_add(offset)),
        NET_INDEXED => {
            let index = read::<u64>(at(table, setting!(offsets.ctl_table_extra1)))?;
            let first = target_net(header)?.wrapping_add(offset);
            Some(first.wrapping_add((index as usize).wrapping_mul(8)))
        }
        UTS => moved(
            data,
            setting!(symbols.init_uts_ns),
            setting!(offsets.nsproxy_uts_ns),
        ),
        IPC => moved(
            data,
            setting!(symbols.init_ipc_ns),
            setting!(offsets.nsproxy_ipc_ns),
        ),
        HUGEPAGES => {
            let index = read::<u32>(setting!(symbols.default_hstate_idx) as Address)?;
            let skipped = index.wrapping_mul(setting!(offsets.hstate_size));
            let hstates = setting!(symbols.hstates) as Address;
            Some(at(hstates, skipped).wrapping_add(offset))
        }
        _ => None,
    }
}

/// The place in the current task's namespace that has this place in the first one.
#[inline(always)]
fn moved(data: Address, first: u64, offset_in_proxy: u32) -> Option<Address> {
    if data.is_null() {
        return None;
    }
    let proxy = ByHelper::load::<Address>(ByHelper::current(), setting!(offsets.task_nsproxy))?;
    let own = ByHelper::load::<u64>(proxy, offset_in_proxy)?;
    Some((data as u64).wrapping_sub(first).wrapping_add(own) as Address)
}

/// Copies so many bytes, at most [`VALUE_MAX`].
#[inline(always)]
fn copy_bytes(to: *mut u8, from: Address, len: u32) -> u64 {
    let len = if len > VALUE_MAX as u32 {
        VALUE_MAX as u32
    } else {
        len
    };
    // SAFETY: `to` has VALUE_MAX bytes.
    let error = unsafe { bpf_probe_read_kernel(to.cast(), len, from.cast()) };
    if error != 0 { UNREADABLE } else { len.into() }
}

/// Copies a NUL-terminated text; its length without the NUL.
#[inline(always)]
fn copy_str(to: *mut u8, from: Address) -> u64 {
    // SAFETY: `to` has VALUE_MAX bytes.
    let read = unsafe { bpf_probe_read_kernel_str(to.cast(), VALUE_MAX as u32, from.cast()) };
    if read <= 0 || read > VALUE_MAX as i64 {
        UNREADABLE
    } else {
        read as u64 - 1
    }
}
