//! The entries that miniport drivers write to the event log.

use core::ffi::c_void;

use nt::variadic;
use ntsim_core::number::{Low, ToUsize};
use ntsim_core::sched::Irql;
use ntsim_core::{Export, exports};
use sys::ndis::{NDIS_ERROR_CODE, NDIS_HANDLE};

use super::{adapter, compliance, ndis};

/// The codes that the page of NdisWriteErrorLogEntry lists
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndiswriteerrorlogentry>), with the values
/// that ndis.h and netevent.h give them: events 5000 to 5014, of which the last but one informs and the last warns.
const fn is_listed(code: NDIS_ERROR_CODE) -> bool {
    matches!(code, 0xC000_1388..=0xC000_1394 | 0x4000_1395 | 0x8000_1396)
}

/// The most values of an entry. The page says that they fit into ERROR_LOG_MAXIMUM_SIZE, which wdm.h has as 240
/// bytes; an `IO_ERROR_LOG_PACKET` of 0x30 bytes comes before them.
const MOST: u32 = (240 - 0x30) / 4;

/// An entry of the event log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogEntry {
    /// The index of the adapter's interface.
    pub if_index: u32,
    /// `NDIS_ERROR_CODE_...`
    pub code: u32,
    /// The values that the driver added.
    pub values: Vec<u32>,
}

/// The entries that miniport drivers have written to the event log.
pub fn event_log() -> Vec<LogEntry> {
    ndis().event_log.lock().clone()
}

exports! {
    "(variadic)";

    /// Takes an entry, whose arguments lie in memory from `arguments` on.
    #[irql(PASSIVE..=DISPATCH)]
    fn write(arguments: *const u64) -> u32 {
        // SAFETY: the entry point below passes the arguments of a variadic call.
        unsafe { log(arguments) }
    }
}

/// # Safety
/// `arguments` points to those of a variadic call.
unsafe fn log(arguments: *const u64) -> u32 {
    // SAFETY: the caller's promise.
    let argument = |index| unsafe { arguments.wrapping_add(index).read() };
    let (handle, code, count) = (argument(0) as NDIS_HANDLE, argument(1).low_u32(), argument(2).low_u32());
    let Some(adapter) = adapter::of(handle.cast::<c_void>(), "NdisWriteErrorLogEntry") else { return 0 };
    if !is_listed(code) || count > MOST {
        let text = format!("NdisWriteErrorLogEntry got the code {code:#x} and {count} values");
        compliance("NdisErrorLog", 0, text);
        return 0;
    }
    let values = (0..count.to_usize()).map(|index| argument(3 + index).low_u32()).collect();
    ndis().event_log.lock().push(LogEntry { if_index: adapter.index(), code, values });
    0
}

variadic!(pub(super) NdisWriteErrorLogEntry, write);

/// The variadic function, whose type the table of exports can't check.
pub(super) const VARIADIC: &[Export] = &[Export {
    module: "ndis.sys",
    name: "NdisWriteErrorLogEntry",
    address: NdisWriteErrorLogEntry as *const (),
    lowest: Irql::PASSIVE,
    highest: Irql::DISPATCH,
}];
