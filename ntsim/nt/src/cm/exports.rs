//! Opening keys and reading values.

use core::ffi::c_void;
use core::ptr;
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};
use sys::wdm::{
    ACCESS_MASK, HANDLE, KEY_VALUE_INFORMATION_CLASS, OBJECT_ATTRIBUTES, UNICODE_STRING, signature,
};

use super::Value;
use crate::mm::Block;
use crate::ob::{self, Kind};
use crate::rtl;

/// `OBJ_KERNEL_HANDLE`.
const KERNEL_HANDLE: u32 = 0x200;

/// An open key.
struct Open {
    path: String,
    _object: Block,
}

/// The open keys of one machine, by the address of the object.
#[derive(Default)]
struct Keys(Mutex<HashMap<Va, Open>>);

static KEYS: PerMachine<Keys> = PerMachine::new();

/// An open key is an object, which goes with its last reference; one that is left is a finding.
static KIND: Kind = Kind { name: "key", stays: false, last_handle: |_| (), last_reference: gone };

fn gone(object: *mut c_void) {
    KEYS.get().0.lock().remove(&Va::of(object));
}

exports! {
    "ntoskrnl.exe", signature;

    /// Opens a key.
    #[irql(PASSIVE..=PASSIVE)]
    fn ZwOpenKey(out: *mut HANDLE, _access: ACCESS_MASK, attributes: *mut OBJECT_ATTRIBUTES) -> NTSTATUS {
        // SAFETY: the driver passes valid attributes.
        let attributes = unsafe { &*attributes };
        if attributes.Length.to_usize() != size_of::<OBJECT_ATTRIBUTES>() {
            return STATUS_INVALID_PARAMETER;
        }
        if attributes.Attributes & KERNEL_HANDLE == 0 {
            // "If the caller is not running in a system thread context, it must set the OBJ_KERNEL_HANDLE attribute"
            // (https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-zwopenkey); bug check 0xC4, 0xF6.
            let text = "ZwOpenKey is called without OBJ_KERNEL_HANDLE";
            verifier::report(Finding::new("KernelHandle").text(text));
        }
        // SAFETY: the driver passes a valid string.
        let name = unsafe { rtl::from_counted(attributes.ObjectName) };
        let root = attributes.RootDirectory;
        let path = if root.is_null() {
            name
        } else {
            match path_of(root) {
                Some(path) => format!(r"{path}\{name}"),
                None => return STATUS_INVALID_HANDLE,
            }
        };
        match open(&path) {
            Ok(handle) => {
                // SAFETY: the driver passes room for the handle.
                unsafe { out.write(ptr::with_exposed_provenance_mut(handle)) };
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }

    /// Reads a value of a key.
    #[irql(PASSIVE..=PASSIVE)]
    fn ZwQueryValueKey(
        handle: HANDLE,
        name: *mut UNICODE_STRING,
        class: KEY_VALUE_INFORMATION_CLASS,
        out: *mut c_void,
        length: u32,
        needed: *mut u32,
    ) -> NTSTATUS {
        let Some(path) = path_of(handle) else { return STATUS_INVALID_HANDLE };
        // SAFETY: the driver passes a valid string.
        let name = unsafe { rtl::from_counted(name) };
        let Some((name, value)) = crate::cm::value(&path, &name) else { return STATUS_OBJECT_NAME_NOT_FOUND };
        let Some((fixed, bytes)) = information(class.0, &name, &value) else { return STATUS_INVALID_PARAMETER };
        // SAFETY: the driver passes room for the number.
        unsafe { needed.write(narrow(bytes.len())) };
        let length = length.to_usize();
        if length < fixed {
            return STATUS_BUFFER_TOO_SMALL;
        }
        // SAFETY: the driver passes so much room.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast(), bytes.len().min(length)) };
        if length < bytes.len() { STATUS_BUFFER_OVERFLOW } else { STATUS_SUCCESS }
    }
}

/// Opens a key that exists; returns a handle.
pub(super) fn open(path: &str) -> Result<usize, NTSTATUS> {
    if super::values(path).is_none() {
        return Err(STATUS_OBJECT_NAME_NOT_FOUND);
    }
    let block = Block::new(16).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let object = block.as_ptr::<c_void>();
    KEYS.get().0.lock().insert(Va::of(object), Open { path: path.to_owned(), _object: block });
    ob::create(object, &KIND);
    let handle = ob::open(object).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    // From now on the handle is what holds the key.
    ob::dereference(object);
    Ok(handle)
}

/// The path of an open key.
pub(super) fn path_of(handle: HANDLE) -> Option<String> {
    let object = ob::by_handle(handle.addr())?;
    KEYS.get().0.lock().get(&Va::of(object)).map(|key| key.path.clone())
}

/// The structure of a class (`KEY_VALUE_BASIC_INFORMATION`, `…_FULL_…`, `…_PARTIAL_…`) with what follows it, and the size
/// of the structure alone.
fn information(class: i32, name: &str, value: &Value) -> Option<(usize, Vec<u8>)> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (kind, data) = (value.kind, &value.data);
    let mut bytes = Vec::new();
    let mut words = |words: &[u32]| words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    let fixed = match class {
        0 => {
            words(&[0, kind, narrow(name.len())]);
            bytes.extend(name);
            12
        }
        1 => {
            let offset = (20 + name.len()).next_multiple_of(8);
            words(&[0, kind, narrow(offset), narrow(data.len()), narrow(name.len())]);
            bytes.extend(name);
            bytes.resize(offset, 0);
            bytes.extend(data);
            20
        }
        2 => {
            words(&[0, kind, narrow(data.len())]);
            bytes.extend(data);
            12
        }
        _ => return None,
    };
    Some((fixed, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cm::set_value;
    use crate::ob::exports::ZwClose;

    fn counted(units: &mut [u16]) -> UNICODE_STRING {
        let size = narrow(size_of_val(units));
        UNICODE_STRING { Length: size, MaximumLength: size, Buffer: units.as_mut_ptr() }
    }

    fn open(path: &str, attributes: u32) -> (NTSTATUS, HANDLE) {
        let mut units: Vec<u16> = path.encode_utf16().collect();
        let mut name = counted(&mut units);
        // SAFETY: all-zero is a valid value: integers and null pointers.
        let mut asked: OBJECT_ATTRIBUTES = unsafe { core::mem::zeroed() };
        asked.Length = narrow(size_of::<OBJECT_ATTRIBUTES>());
        (asked.ObjectName, asked.Attributes) = (&mut name, attributes);
        let mut handle = ptr::null_mut();
        // SAFETY: all of it is this function's own.
        (unsafe { ZwOpenKey(&mut handle, 0x2_0019, &mut asked) }, handle)
    }

    #[test]
    fn value_that_a_test_has_set_is_read_in_whole_or_refused() {
        let machine = crate::testing::builder().boot();
        set_value(r"\Registry\Machine\Software\Example", "Count", Value::number(7));
        assert_eq!(open(r"\Registry\Machine\Software\Other", 0x240).0, STATUS_OBJECT_NAME_NOT_FOUND);
        let (status, handle) = open(r"\registry\machine\software\example", 0x240);
        assert_eq!(status, STATUS_SUCCESS);
        let mut units: Vec<u16> = "count".encode_utf16().collect();
        let mut name = counted(&mut units);
        let (mut out, mut needed) = ([0_u32; 4], 0);
        let mut read = |length| unsafe {
            let class = KEY_VALUE_INFORMATION_CLASS(2);
            let status =
                ZwQueryValueKey(handle, &mut name, class, out.as_mut_ptr().cast(), length, &mut needed);
            (status, needed)
        };
        assert_eq!(read(8), (STATUS_BUFFER_TOO_SMALL, 16));
        assert_eq!(read(12), (STATUS_BUFFER_OVERFLOW, 16));
        assert_eq!(read(16), (STATUS_SUCCESS, 16));
        assert_eq!(out, [0, 4, 4, 7]);
        assert_eq!(unsafe { ZwClose(handle) }, STATUS_SUCCESS);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn key_that_is_left_open_or_not_for_the_kernel_is_found() {
        let machine = crate::testing::builder().boot();
        crate::cm::make_key(r"\Registry\Machine\Software\Example");
        assert_eq!(open(r"\Registry\Machine\Software\Example", 0x40).0, STATUS_SUCCESS);
        let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["KernelHandle", "ObjectLeak"]);
    }
}
