//! The hooks, one family a file. Each states the kernel prototype that it relies on.
//!
//! Every hook exists twice: as a BTF trampoline (`…_fentry`, `…_fexit`) and as a kprobe
//! (`…_kprobe`, `…_kretprobe`). User space loads one of the two; the logic is shared. The one on a
//! tracepoint is the same for both. [`survey`] hangs on nothing: it runs when user space asks.

mod enter;
mod netns;
mod requested;
mod survey;
mod sysctl;
mod table;
mod value;
