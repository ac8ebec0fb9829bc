//! The entries that miniport drivers write to the event log.

use core::ffi::c_void;
use core::fmt;
use std::collections::BTreeMap;

use nt::variadic;
use ntsim_core::address::Va;
use ntsim_core::number::{Low, ToUsize};
use ntsim_core::sched::Irql;
use ntsim_core::{Export, exports, loader};
use sys::ndis::{NDIS_ERROR_CODE, NDIS_HANDLE};

use super::adapter::{self, Adapter};
use super::{compliance, ndis};

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
    /// The text that Event Viewer shows, from the message table of the driver's image; `None` for a driver that is no image.
    pub text: Option<String>,
}

/// The number in an entry that Event Viewer shows as its identifier.
const IDENTIFIER: u32 = 0xFFFF;

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.as_deref().unwrap_or("no text");
        write!(f, "event {}: {text} {:x?}", self.code & IDENTIFIER, self.values)
    }
}

/// A message with its insertion strings: `%1` is the first of `strings`. NDIS gives the names of device and adapter, as the
/// messages in netevent.h ask for.
///
/// # Errors
/// The insertion that there is no string for.
fn formatted(message: &str, strings: &[String]) -> Result<String, char> {
    let (mut text, mut parts) = (String::new(), message.trim_end().chars());
    while let Some(part) = parts.next() {
        let insertion = if part == '%' { parts.next() } else { None };
        match insertion {
            None => text.push(part),
            Some('%') => text.push('%'),
            Some(digit) => {
                let string =
                    digit.to_digit(10).and_then(|number| strings.get(number.to_usize().checked_sub(1)?));
                text.push_str(string.ok_or(digit)?);
            }
        }
    }
    Ok(text)
}

/// The text of an entry by the message table of the adapter's driver: the driver is the source of its entries, and the INF
/// names its image as the file of messages.
fn text(adapter: &Adapter, code: NDIS_ERROR_CODE) -> Option<String> {
    // SAFETY: the driver object outlives the registration that the adapter has.
    let start = unsafe { (*adapter.driver.object).DriverStart };
    let image = loader::image_at(Va::of(start))?;
    let strings = [format!("\\Device\\NDMP{}", adapter.index()), adapter.config.lock().alias.clone()];
    let text = described(&image.messages, code, &strings);
    text.map_err(|why| compliance("NdisErrorLog", 0, format!("{}: {why}", image.name))).ok()
}

/// The text of a code with its insertion strings.
///
/// # Errors
/// The reason why Event Viewer shows no text, or one with a gap.
fn described(messages: &BTreeMap<u32, String>, code: u32, strings: &[String]) -> Result<String, String> {
    let message = messages.get(&code).ok_or_else(|| format!("its message table has no {code:#x}"))?;
    let gap = |insertion| format!("its message {code:#x} has %{insertion}, for which NDIS has no string");
    formatted(message, strings).map_err(gap)
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
    let text = text(&adapter, code);
    ndis().event_log.lock().push(LogEntry { if_index: adapter.index(), code, values, text });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_a_string_for_each_insertion() {
        let strings = ["device", "adapter"].map(str::to_owned);
        assert_eq!(formatted("%2 of %1: 5 %%\r\n", &strings), Ok("adapter of device: 5 %".to_owned()));
        for (message, insertion) in [("%3", '3'), ("%0", '0'), ("%n", 'n')] {
            assert_eq!(formatted(message, &strings), Err(insertion));
        }
        assert_eq!(formatted("%", &strings), Ok("%".to_owned()));
    }

    #[test]
    fn entry_without_a_message_or_with_a_gap_in_it_is_found() {
        let messages = BTreeMap::from([(5, "%2 of %1\r\n".to_owned()), (6, "%3".to_owned())]);
        let strings = ["device", "adapter"].map(str::to_owned);
        assert_eq!(described(&messages, 5, &strings), Ok("adapter of device".to_owned()));
        assert!(described(&messages, 6, &strings).unwrap_err().contains("has %3"));
        assert!(described(&messages, 7, &strings).unwrap_err().ends_with("has no 0x7"));
    }
}
