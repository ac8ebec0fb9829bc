//! Memory descriptor lists that drivers allocate.

use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::loader::Trace;
use ntsim_core::number::ToUsize;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{IRP, MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL, signature};

use crate::fault;
use crate::mm::{self, Block, Range};

/// The lists of one machine, by address.
#[derive(Default)]
struct Lists {
    live: Mutex<HashMap<Va, (Block, Trace)>>,
}

static LISTS: PerMachine<Lists> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    LISTS.get().inspect();
}

impl Lists {
    fn inspect(&self) {
        let live = self.live.lock();
        if live.is_empty() {
            return;
        }
        let mut text = format!("{} MDLs were never freed", live.len());
        for (address, (_, allocated)) in &*live {
            let place = allocated.frames().first().map_or_else(|| "?".into(), ToString::to_string);
            text.push_str(&format!("\n    {address:#x}, allocated at {}", place.replace('\n', " < ")));
        }
        verifier::report(Finding::new("MdlLeak").text(text));
    }
}

fn lists() -> &'static Lists {
    LISTS.get()
}

exports! {
    "ntoskrnl.exe", signature;

    /// Makes a list for a buffer, and hangs it to a request if there is one.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoAllocateMdl(
        address: *mut core::ffi::c_void,
        length: u32,
        secondary: u8,
        _quota: u8,
        irp: *mut IRP,
    ) -> *mut MDL {
        let range = Range { start: Va::of(address), length: length.to_usize() };
        if fault::strikes() {
            return core::ptr::null_mut();
        }
        let Some(block) = Block::new(range.list_size()) else { return core::ptr::null_mut() };
        let mdl = block.as_ptr::<MDL>();
        // SAFETY: the block has the size that the list needs.
        unsafe { mm::describe(mdl, range) };
        lists().live.lock().insert(Va::of(mdl), (block, Trace::of_caller()));
        if !irp.is_null() {
            // SAFETY: the driver passes its own request.
            unsafe { hang(irp, mdl, secondary != 0) };
        }
        mdl
    }

    /// Frees a list.
    #[irql(PASSIVE..=DISPATCH)]
    fn IoFreeMdl(mdl: *mut MDL) {
        if lists().live.lock().get(&Va::of(mdl)).is_none() {
            misuse(mdl, 0, "is no list, or was freed before");
            return;
        }
        // SAFETY: the list exists.
        let flags = unsafe { (*mdl).MdlFlags };
        if flags & MDL_PAGES_LOCKED != 0 && flags & MDL_PARTIAL == 0 {
            misuse(mdl, flags, "still has its pages locked");
        } else if flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL) == MDL_MAPPED_TO_SYSTEM_VA {
            misuse(mdl, flags, "is still mapped");
        }
        // SAFETY: the list exists, and is the driver's.
        unsafe { mm::unmap_part(mdl) };
        lists().live.lock().remove(&Va::of(mdl));
    }
}

/// Hangs a list to a request: in place of the one it has, or at the end of the chain.
///
/// # Safety
/// The request and the lists of its chain are there.
unsafe fn hang(irp: *mut IRP, mdl: *mut MDL, secondary: bool) {
    // SAFETY: the caller's contract.
    let mut link = unsafe { &mut (*irp).MdlAddress };
    while secondary && !link.is_null() {
        // SAFETY: the list is one of the request's chain.
        link = unsafe { &mut (**link).Next };
    }
    *link = mdl;
}

#[cold]
fn misuse(mdl: *mut MDL, flags: i16, what: &str) {
    verifier::report(
        Finding::new("IoFreeMdl")
            .bugcheck(Bugcheck {
                code: 0x4E,
                parameters: [7, Va::of(mdl).bits(), u64::from(flags.cast_unsigned()), 0],
            })
            .text(format!("IoFreeMdl got {mdl:p}, which {what}")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocate(secondary: u8, irp: *mut IRP) -> *mut MDL {
        unsafe { IoAllocateMdl(0x5010 as *mut _, 0x2000, secondary, 0, irp) }
    }

    #[test]
    fn secondary_list_hangs_at_the_end_of_the_chain() {
        let machine = crate::testing::builder().boot();
        unsafe {
            let irp = crate::io::irp::IoAllocateIrp(1, 0);
            let lists = [allocate(0, irp), allocate(1, irp), allocate(1, irp)];
            assert_eq!((*irp).MdlAddress, lists[0]);
            assert_eq!((*(*lists[0]).Next).Next, lists[2]);
            assert_eq!((Va::of((*lists[0]).StartVa), (*lists[0]).ByteOffset), (Va::new(0x5000), 0x10));
            lists.into_iter().for_each(|list| IoFreeMdl(list));
            crate::io::irp::IoFreeIrp(irp);
        }
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn list_that_is_never_freed_is_found() {
        let machine = crate::testing::builder().boot();
        allocate(0, core::ptr::null_mut());
        assert_eq!(machine.shutdown().findings[0].rule, "MdlLeak");
    }

    #[test]
    fn list_that_is_freed_twice_is_found() {
        let machine = crate::testing::builder().boot();
        let list = allocate(0, core::ptr::null_mut());
        unsafe {
            IoFreeMdl(list);
            IoFreeMdl(list);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "IoFreeMdl");
    }
}
