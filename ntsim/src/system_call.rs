//! Keeps system calls of an image from the host's kernel.
//!
//! Windows' kernel calls no system service by `syscall`: the instruction occurs in a driver that runs wild. Here it
//! would ask Linux for whatever the registers say, exit without a word included. A filter by the instruction's
//! address (<https://docs.kernel.org/userspace-api/seccomp_filter.html>) raises SIGSYS in place of the call.

use core::mem::offset_of;
use core::ops::Range;
use std::io;

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, seccomp_data, sock_filter};
use ntsim_core::address::Va;
use ntsim_core::number::narrow;

/// The calls of 64-bit code (`linux/audit.h`); `int 0x80` and `sysenter` make those of 32-bit code.
const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;

/// Bytes of the instructions that make a system call.
pub(super) const LENGTH: usize = 2;

/// Lets SIGSYS be raised for every system call in `images`, whose bounds are multiples of 4 GiB, and for all of
/// 32-bit code, in every thread of the process.
///
/// # Errors
/// The host refuses filters, or another part of the process has its own in some threads only.
pub(super) fn keep_out(images: &Range<Va>) -> io::Result<()> {
    let [start, end] = [images.start, images.end].map(|bound| narrow(bound.bits() >> 32));
    let upper = offset_of!(seccomp_data, instruction_pointer) + 4;
    let mut filter = [
        load(offset_of!(seccomp_data, arch)),
        jump(BPF_JEQ, AUDIT_ARCH_X86_64, 0, 3),
        load(upper),
        jump(BPF_JGE, start, 0, 2),
        jump(BPF_JGE, end, 1, 0),
        give(libc::SECCOMP_RET_TRAP),
        give(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: narrow(filter.len()), filter: filter.as_mut_ptr() };
    // SAFETY: the call takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The filter guards from accidents: no mitigation of speculation is worth its time.
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program and its instructions are valid during the call, which copies them.
    match unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) } {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        thread => Err(io::Error::other(format!("thread {thread} has another filter"))),
    }
}

/// Loads a part of what is known of the call.
fn load(offset: usize) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: narrow(offset) }
}

/// Skips as many instructions as the outcome says.
fn jump(condition: u32, value: u32, met: u8, missed: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt: met, jf: missed, k: value }
}

/// Decides.
fn give(action: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: action }
}
