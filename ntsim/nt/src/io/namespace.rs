//! Names of devices: the object directory as far as drivers need it.

use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NTSTATUS, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
};
use sys::wdm::{DEVICE_OBJECT, UNICODE_STRING, signature};

use crate::rtl;

/// The names of one machine. Letter case does not matter, as in every object directory.
#[derive(Default)]
pub(super) struct Namespace {
    names: Mutex<HashMap<String, Named>>,
}

#[derive(Clone)]
enum Named {
    /// The address of a device object.
    Device(Va),
    /// Another name.
    Link(String),
}

static NAMESPACE: PerMachine<Namespace> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    NAMESPACE.get().inspect();
}

impl Namespace {
    fn inspect(&self) {
        for (name, named) in &*self.names.lock() {
            if let Named::Link(target) = named {
                verifier::report(
                    Finding::new("SymbolicLinkLeak").text(format!("{name} still leads to {target}")),
                );
            }
        }
    }
}

pub(super) fn namespace() -> &'static Namespace {
    NAMESPACE.get()
}

/// The one spelling of a name: lower case, and one of the three ways to say "DosDevices".
fn spelled(name: &str) -> String {
    let name = name.to_lowercase();
    for prefix in ["\\dosdevices\\global\\", "\\dosdevices\\", "\\\\.\\"] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return format!("\\??\\{rest}");
        }
    }
    name
}

impl Namespace {
    /// Names a device; `false` if the name is taken.
    pub(super) fn name(&self, name: &str, device: Va) -> bool {
        self.add(name, Named::Device(device)) == STATUS_SUCCESS
    }

    /// Takes back the names of a device.
    pub(super) fn forget(&self, device: Va) {
        self.names.lock().retain(|_, named| !matches!(named, Named::Device(at) if *at == device));
    }

    /// The device that a name leads to, and what of the name lies below the device.
    pub(super) fn resolve(&self, name: &str) -> Option<(Va, String)> {
        let names = self.names.lock();
        let mut name = spelled(name);
        // As many links in a row as Windows follows.
        for _ in 0..32 {
            let at = prefixes(&name).find(|end| names.contains_key(&name[..*end]))?;
            let below = name[at..].to_owned();
            match names.get(&name[..at])? {
                Named::Device(device) => return Some((*device, below)),
                Named::Link(target) => name = spelled(target) + &below,
            }
        }
        None
    }

    fn add(&self, name: &str, named: Named) -> NTSTATUS {
        if !name.starts_with('\\') {
            return STATUS_OBJECT_NAME_INVALID;
        }
        let mut names = self.names.lock();
        if names.contains_key(&spelled(name)) {
            return STATUS_OBJECT_NAME_COLLISION;
        }
        names.insert(spelled(name), named);
        STATUS_SUCCESS
    }
}

/// The ends of the starts of a name that are names themselves, the longest first.
fn prefixes(name: &str) -> impl Iterator<Item = usize> {
    let inner = name.char_indices().filter(|(at, c)| *at > 0 && *c == '\\').map(|(at, _)| at);
    core::iter::once(name.len()).chain(inner.collect::<Vec<_>>().into_iter().rev())
}

/// Gives a name a second one.
pub fn link(link: &str, target: &str) -> NTSTATUS {
    namespace().add(link, Named::Link(target.into()))
}

/// The names of the devices that have one, in alphabetical order and lower case, without symbolic links.
pub fn device_names() -> Vec<String> {
    let names = namespace().names.lock();
    let devices = names.iter().filter(|(_, named)| matches!(named, Named::Device(_)));
    let mut names: Vec<_> = devices.map(|(name, _)| name.clone()).collect();
    names.sort_unstable();
    names
}

/// The name of a device; empty if it has none.
pub(crate) fn name_of(device: *mut DEVICE_OBJECT) -> String {
    device_name(Va::of(device)).unwrap_or_default()
}

/// The name of a device, if it has one.
pub(super) fn device_name(device: Va) -> Option<String> {
    let names = namespace().names.lock();
    let found = names.iter().find(|(_, named)| matches!(named, Named::Device(at) if *at == device));
    found.map(|(name, _)| name.clone())
}

/// Takes a second name back; `false` if it is none.
pub fn unlink(link: &str) -> bool {
    let link = spelled(link);
    let mut names = namespace().names.lock();
    let known = matches!(names.get(&link), Some(Named::Link(_)));
    if known {
        names.remove(&link);
    }
    known
}

exports! {
    "ntoskrnl.exe", signature;

    /// Gives a device a second name.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoCreateSymbolicLink(link: *const UNICODE_STRING, target: *const UNICODE_STRING) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let second = unsafe { rtl::from_counted(link) };
        // SAFETY: the driver passes a valid string.
        let target = unsafe { rtl::from_counted(target) };
        self::link(&second, &target)
    }

    /// Takes a second name back.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoDeleteSymbolicLink(link: *const UNICODE_STRING) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        let link = unsafe { rtl::from_counted(link) };
        if unlink(&link) { STATUS_SUCCESS } else { STATUS_OBJECT_NAME_NOT_FOUND }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_leads_to_the_device_and_keeps_what_is_below() {
        let names = Namespace::default();
        assert!(names.name("\\Device\\NdkHlk", Va::new(0x40)));
        assert!(!names.name("\\device\\ndkhlk", Va::new(0x80)));
        let link = Named::Link("\\Device\\NdkHlk".into());
        assert_eq!(names.add("\\DosDevices\\NdkHlk", link), STATUS_SUCCESS);
        assert_eq!(names.resolve("\\\\.\\ndkhlk\\a\\b"), Some((Va::new(0x40), "\\a\\b".into())));
        assert_eq!(names.resolve("\\Device\\Other"), None);
        names.forget(Va::new(0x40));
        assert_eq!(names.resolve("\\??\\NdkHlk"), None);
    }

    #[test]
    fn names_of_devices_are_told_without_links() {
        let machine = crate::testing::builder().boot();
        let names = namespace();
        assert!(names.name("\\Device\\Two", Va::new(0x80)) && names.name("\\Device\\One", Va::new(0x40)));
        link("\\??\\One", "\\Device\\One");
        assert_eq!(device_names(), ["\\device\\one", "\\device\\two"]);
        unlink("\\??\\One");
        drop(machine);
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let names = Namespace::default();
        names.add("\\??\\a", Named::Link("\\??\\b".into()));
        names.add("\\??\\b", Named::Link("\\??\\a".into()));
        assert_eq!(names.resolve("\\??\\a"), None);
    }

    #[test]
    fn link_that_is_left_behind_is_found() {
        let machine = crate::testing::builder().boot();
        namespace().add("\\??\\a", Named::Link("\\Device\\a".into()));
        assert_eq!(machine.shutdown().findings[0].rule, "SymbolicLinkLeak");
    }
}
