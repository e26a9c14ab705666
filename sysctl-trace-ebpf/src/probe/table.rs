//! Keys that come and go while the node runs: those of a device, of a module, of a device that was
//! renamed or moved to another namespace.
//!
//! The keys that a network namespace begins with are in its creation, and those that are left at its
//! end in its destruction: they cost no record here. Nothing is remembered to tell them apart: the
//! kernel registers the first before it puts the namespace into its list of namespaces, and takes the
//! last away when it is no longer in it.

use core::ptr::addr_of;

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use sysctl_trace_ebpf::{
    record::{
        CUT_TABLE, Deed, Header, KIND_TABLE_REGISTER, KIND_TABLE_UNREGISTER, Netns, Span,
        TABLE_ENTRIES_MAX, TABLE_VALUE_MAX, TEXT_MAX,
    },
    settings::{ABSENT, Program, ValueKind},
};

use super::{
    netns::describe,
    sysctl::{NAME_MAX, NO_NETNS, record_path},
    value::Holder,
};
use crate::{
    context::record_actor,
    emit::{Draft, Piece, count},
    kernel::{Address, ByHelper, at, read, setting},
};

// The arguments differ between kernels, what it returns does not.
//
// prototype: struct ctl_table_header *__register_sysctl_table(struct ctl_table_set *set,
//                    const char *path, struct ctl_table *table) [5.10..6.5]
// prototype: struct ctl_table_header *__register_sysctl_table(struct ctl_table_set *set,
//                    const char *path, struct ctl_table *table, size_t table_size) [6.6..6.10]
// prototype: struct ctl_table_header *__register_sysctl_table(struct ctl_table_set *set,
//                    const char *path, const struct ctl_table *table, size_t table_size) [6.11..7.3]
#[fexit(function = "__register_sysctl_table")]
fn table_register_fexit(ctx: FExitContext) -> i32 {
    // Its place depends on how many arguments there are. The verifier lets no program load from its
    // context by a place that was computed, and the compiler makes one of two loads; a helper may.
    let place = if setting!(offsets.ctl_header_table_size) == ABSENT {
        3
    } else {
        4
    };
    let header = at(ctx.as_ptr().cast(), place * size_of::<u64>() as u32);
    let Some(header) = read::<Address>(header) else {
        count(Program::TableRegister, |losses| &mut losses.unreadable);
        return 0;
    };
    changed(Program::TableRegister, KIND_TABLE_REGISTER, header);
    0
}

#[kretprobe]
fn table_register_kretprobe(ctx: RetProbeContext) -> u32 {
    let header = ctx.ret::<u64>() as Address;
    changed(Program::TableRegister, KIND_TABLE_REGISTER, header);
    0
}

// prototype: void unregister_sysctl_table(struct ctl_table_header *header) [5.10..7.3]
#[fentry(function = "unregister_sysctl_table")]
fn table_unregister_fentry(ctx: FEntryContext) -> i32 {
    changed(
        Program::TableUnregister,
        KIND_TABLE_UNREGISTER,
        ctx.arg::<Address>(0),
    );
    0
}

#[kprobe]
fn table_unregister_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(header) = ctx.arg::<Address>(0) {
        changed(Program::TableUnregister, KIND_TABLE_UNREGISTER, header);
    }
    0
}

/// A table came to be, or is about to end.
#[inline(always)]
fn changed(program: Program, kind: u32, header: Address) {
    if header.is_null() {
        return;
    }
    // Before 6.6 a header may stand for several others, which come one by one: it has no table.
    let Some(table) = read::<Address>(at(header, setting!(offsets.ctl_header_table))) else {
        count(program, |losses| &mut losses.unreadable);
        return;
    };
    if table.is_null() {
        return;
    }
    let place = match Place::of(header) {
        Some(Place::Elsewhere) => return,
        Some(place) => place,
        None => {
            count(program, |losses| &mut losses.unreadable);
            return;
        }
    };
    if record(program, kind, header, table, place).is_none() {
        count(program, |losses| &mut losses.unreadable);
    }
}

/// Where a table belongs to.
#[derive(Clone, Copy)]
enum Place {
    /// The whole node.
    Node,
    /// A network namespace that is in use.
    Netns(Address),
    /// A network namespace that is being made or taken down, or a namespace of another kind.
    Elsewhere,
}

impl Place {
    #[inline(always)]
    fn of(header: Address) -> Option<Self> {
        let root = read::<Address>(at(header, setting!(offsets.ctl_header_root)))?;
        let lookup = read::<u64>(at(root, setting!(offsets.ctl_root_lookup)))?;
        // The root of the node's keys has no function that looks for a set.
        if lookup == 0 {
            return Some(Self::Node);
        }
        if lookup != setting!(symbols.net_ctl_header_lookup) {
            return Some(Self::Elsewhere);
        }
        let set = read::<u64>(at(header, setting!(offsets.ctl_header_set)))?;
        let net = set.wrapping_sub(u64::from(setting!(offsets.net_sysctls))) as Address;
        Some(if is_listed(net) {
            Self::Netns(net)
        } else {
            Self::Elsewhere
        })
    }
}

/// Whether a namespace is in the kernel's list of namespaces: the one behind it names it as the one
/// before. Of a namespace that was taken out that is not so, though its own pointers are left.
#[inline(always)]
fn is_listed(net: Address) -> bool {
    let own = at(net, setting!(offsets.net_list));
    let Some(next) = read::<Address>(own) else {
        return false;
    };
    if next.is_null() || next == own {
        return false;
    }
    read::<Address>(at(next, setting!(offsets.list_head_prev))) == Some(own)
}

/// Where in a record's text no more keys are told: the rest is the actor's.
const ENTRIES_ROOM: usize = TEXT_MAX / 2;

#[inline(always)]
fn record(
    program: Program,
    kind: u32,
    header: Address,
    table: Address,
    place: Place,
) -> Option<()> {
    let draft = Draft::of(program)?;
    draft.acted.header = Header {
        kind,
        cut: 0,
        // SAFETY: a helper without arguments.
        boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
    };
    draft.acted.netns = netns(place);
    draft.acted.deed = Deed {
        result: 0,
        position: 0,
        size: 0,
        ended_boottime_ns: 0,
        value_kind: ValueKind::NotDecoded as u32,
        somaxconn: 0,
        init_somaxconn: 0,
        path: Span::NONE,
        requested: Span::NONE,
        old: Span::NONE,
        new: Span::NONE,
        text_len: 0,
        entered_by: 0,
        handler: 0,
        data: 0,
    };
    let parent = read::<Address>(at(header, setting!(offsets.ctl_header_parent)))?;
    let folder = at(parent, setting!(offsets.ctl_dir_header));
    let name = read::<Address>(at(folder, setting!(offsets.ctl_header_table)))?;
    record_path(draft, name, folder);
    if record_entries(draft, header, table, kind == KIND_TABLE_REGISTER) {
        // Its texts are the last of a record.
        record_actor::<ByHelper>(draft)?;
        draft.send(program);
    }
    Some(())
}

#[inline(always)]
fn netns(place: Place) -> Netns {
    match place {
        Place::Netns(net) => describe(net),
        Place::Node | Place::Elsewhere => NO_NETNS,
    }
}

/// One entry for each key, as [`Deed::new`] says; whether there was any.
#[inline(always)]
fn record_entries(draft: &mut Draft, header: Address, table: Address, with_values: bool) -> bool {
    // Where the kernel keeps no number, an entry without a name ends the table.
    let entries = if setting!(offsets.ctl_header_table_size) == ABSENT {
        u32::MAX
    } else {
        read::<u32>(at(header, setting!(offsets.ctl_header_table_size))).unwrap_or(0)
    };
    let mark = draft.mark();
    let mut whole = false;
    for index in 0..TABLE_ENTRIES_MAX + 1 {
        let entry = at(table, index.wrapping_mul(setting!(offsets.ctl_table_size)));
        let name = if index >= entries {
            core::ptr::null()
        } else {
            match read::<Address>(at(entry, setting!(offsets.ctl_table_procname))) {
                Some(name) => name,
                None => break,
            }
        };
        if name.is_null() {
            whole = true;
            break;
        }
        let is_full = index == TABLE_ENTRIES_MAX || draft.mark() > ENTRIES_ROOM;
        if is_full || !record_entry(draft, entry, name, with_values) {
            break;
        }
    }
    if !whole {
        draft.acted.header.cut |= CUT_TABLE;
    }
    draft.acted.deed.new = draft.since(mark);
    draft.mark() != mark || !whole
}

/// Whether there was room for it.
#[inline(always)]
fn record_entry(draft: &mut Draft, entry: Address, name: Address, with_values: bool) -> bool {
    let (kind, len, value) = if with_values {
        value(entry)
    } else {
        (ValueKind::NotDecoded as u32, 0, 0)
    };
    let head = draft.push_with::<()>(|to| {
        // SAFETY: there is room for far more.
        unsafe {
            to.write(kind as u8);
            to.wrapping_add(1).write(len as u8);
        }
        Ok(2)
    });
    let Ok(Piece::Whole(_)) = head else {
        return false;
    };
    if len > 0 {
        let from = addr_of!(value).cast::<u8>();
        draft.push_kernel::<TABLE_VALUE_MAX>(from, len as usize);
    }
    match draft.push_str(name, NAME_MAX, true) {
        Piece::Whole(_) => true,
        Piece::Cut(_) | Piece::Unreadable | Piece::NoRoom => false,
    }
}

/// How a number is held, in how many bytes, and these; no bytes where it is none, or a long list.
#[inline(always)]
fn value(entry: Address) -> (u32, u32, u64) {
    const NONE: (u32, u32, u64) = (ValueKind::NotDecoded as u32, 0, 0);
    let Some(holder) = Holder::of_data(entry) else {
        return NONE;
    };
    if holder.kind == ValueKind::NotDecoded as u32 || holder.kind >= ValueKind::String as u32 {
        return NONE;
    }
    let value = match holder.maxlen {
        1 => read::<u8>(holder.data).map(u64::from),
        4 => read::<u32>(holder.data).map(u64::from),
        8 => read::<u64>(holder.data),
        _ => None,
    };
    match value {
        Some(value) => (holder.kind, holder.maxlen, value),
        None => NONE,
    }
}
