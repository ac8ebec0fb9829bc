//! Probing what a user has passed: ProbeForRead and ProbeForWrite.
//!
//! "If the specified range of memory is not a valid user-mode address range, [they raise] the
//! STATUS_ACCESS_VIOLATION exception", STATUS_DATATYPE_MISALIGNMENT if the beginning is not aligned
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-probeforread>). Both "must be called from
//! inside a try/except block".

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::loader::image_at;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use ntsim_core::verifier::{self, Finding};
use ntsim_core::{exception, pageable};
use sys::wdm::signature;

use super::Range;

/// `MmUserProbeAddress` on x64: the first address that no user has.
const END: usize = 0x7FFF_FFFF_0000;

/// The status of an access that is not aligned.
const DATATYPE_MISALIGNMENT: u32 = 0x8000_0002;

/// Bytes of a page.
const PAGE: usize = 0x1000;

exports! {
    raising "ntoskrnl.exe", signature;

    /// Checks that a range is one of a user. It is not read.
    #[irql(PASSIVE..=APC)]
    fn ProbeForRead(address: *const c_void, length: usize, alignment: u32) {
        if let Err(exception) = probe("ProbeForRead", Range { start: Va::of(address), length }, alignment, 0) {
            exception.raise();
        }
    }

    /// Checks that a range is one of a user that can be written: a byte of each page is.
    #[irql(PASSIVE..=APC)]
    fn ProbeForWrite(address: *mut c_void, length: usize, alignment: u32) {
        let range = Range { start: Va::of(address), length };
        let probed = probe("ProbeForWrite", range, alignment, 1);
        let written = probed.and_then(|()| if range.length == 0 { Ok(()) } else { write(range) });
        if let Err(exception) = written {
            exception.raise();
        }
    }
}

/// An exception that a probe raises.
struct Refused {
    function: &'static str,
    status: u32,
    at: Va,
    access: Option<[usize; 2]>,
}

impl Refused {
    /// Raises it in the driver; a finding where that has no handler for it. Bug check 0x1E: the status.
    fn raise(self) {
        if exception::caller_has_handler() {
            exception::raise(self.status, self.access);
            return;
        }
        let parameters = [u64::from(self.status), 0, 0, 0];
        let Self { function, status, at, .. } = self;
        let text = format!("{function} of {at:#x} raised {status:#010x} in a driver without a handler");
        verifier::report(Finding::new("Probe").bugcheck(Bugcheck { code: 0x1E, parameters }).text(text));
    }
}

fn probe(function: &'static str, range: Range, alignment: u32, write: usize) -> Result<(), Refused> {
    if !matches!(alignment, 1 | 2 | 4 | 8 | 16) {
        let text = format!("{function} was given the alignment {alignment}");
        verifier::report(Finding::new("Probe").text(text));
        return Ok(());
    }
    if range.length == 0 {
        return Ok(());
    }
    if !range.start.is_multiple_of(alignment.to_usize()) {
        return Err(Refused { function, status: DATATYPE_MISALIGNMENT, at: range.start, access: None });
    }
    let end = range.start.checked_add(range.length);
    if end.is_none_or(|end| end > Va::new(END)) || is_kernel(range.start) {
        let access = Some([write, range.start.get()]);
        return Err(Refused { function, status: exception::ACCESS_VIOLATION, at: range.start, access });
    }
    Ok(())
}

/// Returns whether an address is one of the kernel's, which has no half of the address space of its own here.
fn is_kernel(address: Va) -> bool {
    image_at(address).is_some()
        || sched::on_own_stack(address)
        || pageable::contains(address)
        || super::explain(address).is_some()
        || ntsim_core::subsystem::name(address).is_some()
}

/// Writes a byte of each page back.
fn write(range: Range) -> Result<(), Refused> {
    let first = range.start.align_down(PAGE);
    for page in (0..range.pages()).map(|page| first + page * PAGE) {
        let at = page.max(range.start);
        // SAFETY: the routine touches one byte, and keeps nothing.
        let routine = unsafe { exception::Guarded::new(touch as *const ()) };
        // SAFETY: a byte that can be written keeps its value.
        unsafe { exception::guarded(routine, at.get(), 0, 0) }.map_err(|access| Refused {
            function: "ProbeForWrite",
            status: exception::ACCESS_VIOLATION,
            at,
            access: Some(access),
        })?;
    }
    Ok(())
}

/// # Safety
/// The byte may be written.
unsafe extern "C" fn touch(at: *mut u8) {
    // SAFETY: the caller's contract.
    let byte = unsafe { at.read_volatile() };
    // SAFETY: the caller's contract.
    unsafe { at.write_volatile(byte) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::Block;

    #[test]
    fn probe_of_kernel_memory_without_a_handler_is_found() {
        let machine = crate::testing::builder().boot();
        // A stack of the kernel's is none of the user's memory.
        let user = Box::new([0_u64; 4]);
        let pool = unsafe { crate::ex::ExAllocatePool2(0x40, 64, u32::from_le_bytes(*b"Prob")) };
        unsafe {
            ProbeForRead(user.as_ptr().cast(), 32, 8);
            ProbeForRead(pool, 64, 1);
            ProbeForRead(0xFFFF_8000_0000_0000_usize as *const c_void, 1, 1);
            ProbeForRead(user.as_ptr().cast::<u8>().add(1).cast(), 4, 4);
            ProbeForRead(user.as_ptr().cast(), 4, 3);
            crate::ex::ExFreePool(pool);
        }
        let statuses: Vec<_> =
            machine.shutdown().findings.iter().map(|f| f.bugcheck.map(|b| b.parameters[0])).collect();
        assert_eq!(statuses, [Some(0xC000_0005), Some(0xC000_0005), Some(0x8000_0002), None]);
    }

    #[test]
    fn probe_for_write_keeps_what_is_there() {
        let machine = crate::testing::builder().boot();
        let memory = Block::new(3 * PAGE).unwrap();
        let start = memory.as_ptr::<u8>();
        unsafe {
            start.write_bytes(7, 3 * PAGE);
            ProbeForWrite(start.cast(), 3 * PAGE, 1);
            ProbeForWrite(core::ptr::null_mut(), 0, 1);
            assert!((0..3 * PAGE).all(|at| start.add(at).read() == 7));
        }
        assert!(machine.shutdown().is_clean());
    }
}
