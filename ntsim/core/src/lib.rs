//! The core of the simulator, on which its parts of the kernel are built: it runs the threads of a driver, loads its
//! image and collects what is found of it, and emulates no function of Windows itself.
//!
//! For the author of a driver whose kernel functions are not in `ntsim` yet: implement them as a
//! [`Subsystem`](subsystem::Subsystem) (the head of [`boundary::export`] says how a function is declared) and boot a
//! machine with it, [`Builder::new`](boot::Builder::new).
//!
//! # Example
//!
//! A machine with one function of the kernel, which a driver would import from `ntoskrnl.exe`:
//!
//! ```
//! use softndk_ntsim_core::boot::{Builder, Machine};
//! use softndk_ntsim_core::subsystem::Subsystem;
//! use softndk_ntsim_core::{Export, exports};
//!
//! exports! {
//!     "ntoskrnl.exe";
//!
//!     /// Adds two numbers.
//!     #[irql(PASSIVE..=DISPATCH)]
//!     fn KeAddNumbers(a: u32, b: u32) -> u32 {
//!         a + b
//!     }
//! }
//!
//! struct Numbers;
//!
//! impl Subsystem for Numbers {
//!     fn exports(&self) -> &'static [&'static [Export]] {
//!         &[EXPORTS]
//!     }
//! }
//!
//! fn main() {
//!     let machine: Machine = Builder::new(&[&[&Numbers]]).processors(2).boot();
//!     // `loader::load` maps an image and binds it to the function; a test may call it as a driver does.
//!     // SAFETY: the function may be called with any numbers.
//!     assert_eq!(unsafe { KeAddNumbers(2, 3) }, 5);
//!     assert!(machine.shutdown().is_clean());
//! }
//! ```
//!
//! # Layers
//!
//! A module uses those below it only.
//!
//! | module | contents |
//! |---|---|
//! | `boot` | booting a machine, shutting it down, its report |
//! | `subsystem` | what a part of the kernel does for the machine and for other parts |
//! | `boundary` | calls of emulated functions, calls into drivers, the stack they take |
//! | `exception` | structured exceptions: raising, asking handlers, leaving frames |
//! | `verifier` | findings |
//! | `loader` | images, symbols, stacks, points at atomics |
//! | `sched` | processors, levels, threads, time, schedules; the one place in which anything blocks |
//! | `pageable` | memory that can be paged out |
//! | `bugcheck` | stop codes |
//! | `per_machine` | state that is kept per machine |
//! | `address` | addresses in the simulated machine |
//! | `number` | conversions between integers, with their reasons |

#![cfg(not(windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    clippy::std_instead_of_alloc,
    reason = "a tool that runs in user mode: a broken invariant of its own stops it loudly"
)]
#![cfg_attr(
    test,
    allow(
        clippy::multiple_unsafe_ops_per_block,
        clippy::undocumented_unsafe_blocks,
        reason = "a test plays a driver: its calls belong together, and break rules on purpose"
    )
)]

pub mod address;
#[expect(unsafe_code, reason = "exports are functions of any type, by their address")]
pub mod boot;
#[expect(unsafe_code, reason = "drivers are called by addresses, and call by them")]
pub mod boundary;
pub mod bugcheck;
#[expect(unsafe_code, reason = "registers are saved and loaded, and handlers of drivers called")]
pub mod exception;
#[expect(unsafe_code, reason = "images are mapped and run")]
pub mod loader;
pub mod number;
#[expect(unsafe_code, reason = "pages of images are protected")]
pub mod pageable;
#[expect(unsafe_code, reason = "the state of a machine is shared by its address")]
pub mod per_machine;
#[expect(unsafe_code, reason = "threads switch stacks and processors")]
pub mod sched;
#[expect(unsafe_code, reason = "exports are functions of any type, by their address")]
pub mod subsystem;
#[cfg(test)]
#[allow(dead_code, reason = "the table of the one function is not registered")]
#[expect(unsafe_code, reason = "exports take addresses, as those of the kernel do")]
pub mod testing;
pub mod verifier;

pub use boundary::export::Export;
pub use sched::Settings;
