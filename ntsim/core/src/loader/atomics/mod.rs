//! The atomics of an image as scheduling points.
//!
//! Under a schedule, threads switch where a driver calls the kernel. Two threads that meet in a driver's own
//! atomics, with no call between, would be seen in one order only. So an image that is loaded for such a
//! schedule is changed: each of its locked and exchanging instructions (`find` says which) is replaced by a
//! jump to a thunk behind the image (`thunk`), which passes a scheduling point, executes the instruction,
//! passes another point and goes back. Where a jump does not fit, a breakpoint leads to the thunk. Other
//! accesses to memory can be points, too: on x64 an atomic load or store is a plain MOV.
//!
//! A driver can see this in two ways: its code, if it reads that, differs from the file's; and it uses up to
//! 300 bytes more of the stack, which are not counted as the driver's own.

mod find;
mod plan;
mod thunk;

use libc::ucontext_t;

pub(super) use plan::Plan;
pub(super) use plan::of;

use crate::address::Va;
use crate::number::ToUsize;
use crate::sched::{self, Place};

/// Bits of a thunk's argument that are the point's address in its image.
const ADDRESS: u32 = 0x0FFF_FFFF;

/// The bit of a thunk's argument from which on it has the kind of the point.
const KIND: u32 = 28;

/// Kind of a point in code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Atomic,
    Access,
    Pause,
}

impl Kind {
    fn place(code: u32) -> Place {
        match code >> KIND {
            0 => Place::Atomic,
            1 => Place::Access,
            _ => Place::Pause,
        }
    }
}

/// Called by thunks: the calling thread has reached, or just left, the instruction that `code` stands for, in
/// the image at `base`.
extern "efiapi" fn reached(code: u32, base: u64) {
    sched::reached(Kind::place(code), Va::from_bits(base) + (code & ADDRESS).to_usize());
}

/// Continues in a thunk where the calling thread has come to a breakpoint that leads to one; whether it has.
pub fn trapped(context: &mut ucontext_t) -> bool {
    let ip = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
    let Some(at) = ip.cast_unsigned().checked_sub(1).map(Va::from_bits) else { return false };
    let Some(image) = super::image_at(at) else { return false };
    let thunk = image.atomics.and_then(|plan| plan.thunk(image.rva(at)));
    if let Some(thunk) = thunk {
        *ip = image.at(thunk).bits().cast_signed();
    }
    thunk.is_some()
}
