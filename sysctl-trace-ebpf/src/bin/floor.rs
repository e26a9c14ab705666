//! The least that a tracer of writes can do: one record of fixed size for each, with nothing in it.
//! `cargo xtask bench` compares with it.
//!
//! On any target other than BPF this is an empty program, so that plain `cargo build` works.

#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod probe {
    use aya_ebpf::{
        macros::{fexit, map},
        maps::RingBuf,
        programs::FExitContext,
    };

    /// As large as the tracer's by default.
    #[map(name = "EVENTS")]
    static EVENTS: RingBuf = RingBuf::with_byte_size(8 * 1024 * 1024, 0);

    // prototype: ssize_t proc_sys_write(struct kiocb *iocb, struct iov_iter *iter) [5.10..7.3]
    #[fexit(function = "proc_sys_write")]
    fn floor(_: FExitContext) -> i32 {
        if let Some(mut record) = EVENTS.reserve::<[u64; 8]>(0) {
            record.write([0; 8]);
            record.submit(0);
        }
        0
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 4] = *b"GPL\0";

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo) -> ! {
        // The verifier refuses a program that can get here.
        loop {}
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
