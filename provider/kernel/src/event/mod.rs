//! Events for trace sessions: their list, with names, keywords, levels and fields.
//!
//! A portable crate gives [`write()`] a value of [`Event`]; the driver passes it to Event Tracing for Windows in the form of
//! TraceLogging, which brings its own description, so that no manifest is needed. The list in `list` is the only one:
//! the type, the descriptions, docs/events.md and the tests follow from it.

mod describe;
mod encode;
mod list;
mod names;

pub use describe::Description;
pub use encode::{Encode, FieldType, Payload};
pub use list::{EVENTS, Event};
pub use names::{
    AdapterState, Count, Handle, HolderKind, Microseconds, Oid, RegistrationCall, RequestCall, Status,
    TransportRequest, object_type_name,
};

use sys::wdm::GUID;

use crate::Kernel;

/// The provider's name.
pub const PROVIDER_NAME: &str = "softndk";

/// The provider's identifier: the hash of its name by which tools find a provider that they know by name only
/// (<https://learn.microsoft.com/dotnet/api/system.diagnostics.tracing.eventsource.getguid>), so that `*softndk` stands
/// for it.
pub const PROVIDER: GUID = GUID {
    Data1: 0x5CDF_31CF,
    Data2: 0x3B81,
    Data3: 0x5846,
    Data4: [0x8C, 0xB0, 0x47, 0x39, 0x7B, 0xFB, 0xDD, 0x2B],
};

/// The provider's traits: its name behind the length of the whole.
pub const PROVIDER_TRAITS: &[u8] = b"\x0a\0softndk\0";

/// Keywords: the categories by which a session chooses events.
pub mod keyword {
    /// Creates and closes of NDK objects.
    pub const OBJECT: u64 = 0x1;
    /// Connections.
    pub const CONNECTION: u64 = 0x2;
    /// Work requests that failed.
    pub const WORK_REQUEST: u64 = 0x4;
    /// Completion queues.
    pub const COMPLETION_QUEUE: u64 = 0x8;
    /// Registrations and invalidations of memory that were refused.
    pub const MEMORY: u64 = 0x10;
    /// The adapter: its state, and the requests of NDIS.
    pub const ADAPTER: u64 = 0x20;
    /// Requests of the legacy transport.
    pub const LEGACY: u64 = 0x40;
}

/// Levels: the severities up to which a session takes events
/// (<https://learn.microsoft.com/windows/win32/wes/defining-severity-levels>).
pub mod level {
    /// An error.
    pub const ERROR: u8 = 2;
    /// A warning.
    pub const WARNING: u8 = 3;
    /// Information.
    pub const INFORMATION: u8 = 4;
    /// Details.
    pub const VERBOSE: u8 = 5;
}

/// Writes an event if a trace session listens to the provider; else `event` is not called, and the cost is one load and
/// a comparison. Up to DISPATCH_LEVEL, also with a lock held.
#[inline(always)]
pub fn write<K: Kernel>(event: impl FnOnce() -> Event) {
    if K::is_traced() {
        write_now::<K>(event);
    }
}

#[cold]
#[inline(never)]
fn write_now<K: Kernel>(event: impl FnOnce() -> Event) {
    K::write_event(&event());
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::collections::BTreeSet;
    use alloc::{format, string::String};

    use super::*;

    /// The two bytes in front as a number, and the rest.
    fn sized(bytes: &[u8]) -> (usize, &[u8]) {
        let (length, rest) =
            bytes.split_first_chunk().map_or(([0, 0], bytes), |(first, rest)| (*first, rest));
        (u16::from_le_bytes(length).into(), rest)
    }

    #[test]
    fn event_names_and_fields_are_unique_and_metadata_has_its_length() {
        let names: BTreeSet<_> = EVENTS.iter().map(|event| event.name).collect();
        assert_eq!(names.len(), EVENTS.len());
        for event in EVENTS {
            let (length, rest) = sized(event.metadata);
            assert_eq!(length, event.metadata.len());
            let text = String::from_utf8_lossy(rest);
            assert!(text.starts_with(&format!("\0{}\0", event.name)), "{text:?}");
            let fields: BTreeSet<_> = event.fields.iter().map(|field| field.0).collect();
            assert_eq!(fields.len(), event.fields.len(), "{}", event.name);
            assert_eq!(event.keyword.count_ones(), 1, "{}", event.name);
        }
    }

    #[test]
    fn provider_traits_have_the_name_and_its_length() {
        let (length, name) = sized(PROVIDER_TRAITS);
        assert_eq!(length, PROVIDER_TRAITS.len());
        assert_eq!(name, format!("{PROVIDER_NAME}\0").as_bytes());
    }
}
