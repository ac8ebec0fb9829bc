//! Structured exceptions on x64: raising them, asking the handlers of the driver's frames, leaving frames.
//!
//! The procedure is that of the page "x64 exception handling"
//! (<https://learn.microsoft.com/cpp/build/exception-handling-x64>); the tables of blocks that a C compiler writes are
//! those of `winnt.h` (`SCOPE_TABLE_AMD64`).
//!
//! An exception is the processor's (`raise_at`), or the kernel's: a function that has one to raise leaves it with
//! [`raise()`] and returns; its entry point then dispatches it with the registers of the driver, so nothing of the
//! simulator's is ever left by force. The frames that are searched are those of the driver up to the call by which the
//! simulator entered it.
//!
//! | module | contents |
//! |---|---|
//! | `raise` | the ways into the dispatcher |
//! | `scope` | the handler of C |
//! | `dispatch` | searching the frames, and leaving them |
//! | `guard` | the simulator's own accesses to memory that a driver names |
//! | `registers` | saving and loading registers |

mod dispatch;
mod guard;
mod raise;
mod registers;
mod scope;

pub use dispatch::{has_handler, on_unhandled};
pub use guard::{Guarded, fault as guarded_fault, guarded};
pub use raise::{Start, caller_has_handler, raise, raise_at, raise_pending};
pub use registers::capture;
pub use scope::handle_c;

use sys::wdm::{CONTEXT, EXCEPTION_RECORD};

/// The status of an access to memory that is not there.
pub const ACCESS_VIOLATION: u32 = 0xC000_0005;

/// An exception with the registers of the thread that raised it.
#[repr(C)]
struct Raised {
    context: CONTEXT,
    record: EXCEPTION_RECORD,
    /// Set if the registers are at an instruction, and not behind a call.
    instruction: bool,
}
