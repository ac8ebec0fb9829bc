//! RtlQueryRegistryValues: several values at once, by a table
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-rtlqueryregistryvalues>).

use core::ffi::c_void;
use core::ptr;

use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::verifier::{self, Finding};
use sys::status::{
    NT_SUCCESS, NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};
use sys::wdm::{RTL_QUERY_REGISTRY_TABLE, UNICODE_STRING, signature};

use super::exports::path_of;
use super::{Value, value, values};
use crate::ex::pool::{self, Kind, Request, Tag};

/// The tag of the strings that are made here.
const TAG: Tag = Tag(u32::from_le_bytes(*b"RtlQ"));

/// `RTL_QUERY_REGISTRY_…`: the flags of an entry.
const SUBKEY: u32 = 1;
const TOPKEY: u32 = 2;
const REQUIRED: u32 = 4;
const NOVALUE: u32 = 8;
const DIRECT: u32 = 0x20;
const TYPECHECK: u32 = 0x100;

/// `REG_SZ`, `REG_EXPAND_SZ`, `REG_MULTI_SZ`.
const TEXTS: [u32; 3] = [1, 2, 7];

exports! {
    "ntoskrnl.exe", signature;

    /// Reads the values of a table, whose last entry has neither a routine nor a name.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlQueryRegistryValues(
        relative: u32,
        path: *const u16,
        table: *mut RTL_QUERY_REGISTRY_TABLE,
        context: *mut c_void,
        _environment: *mut c_void,
    ) -> NTSTATUS {
        let top = match start(relative, path) {
            Ok(top) => top,
            Err(status) => return status,
        };
        if values(&top).is_none() {
            return STATUS_OBJECT_NAME_NOT_FOUND;
        }
        let mut key = top.clone();
        let mut entry = table;
        loop {
            // SAFETY: the driver passes a table that ends.
            let asked = unsafe { &*entry };
            if asked.QueryRoutine.is_none() && asked.Flags & (SUBKEY | DIRECT) == 0 {
                return STATUS_SUCCESS;
            }
            // SAFETY: the driver passes terminated names.
            let name = unsafe { text(asked.Name) };
            if asked.Flags & (SUBKEY | TOPKEY) != 0 {
                key.clone_from(&top);
            }
            let status = if asked.Flags & SUBKEY != 0 {
                key = format!(r"{key}\{name}");
                if values(&key).is_some() { STATUS_SUCCESS } else { STATUS_OBJECT_NAME_NOT_FOUND }
            } else {
                read(asked, &key, &name, context)
            };
            if !NT_SUCCESS(status) {
                return status;
            }
            entry = entry.wrapping_add(1);
        }
    }
}

/// The key from which a path starts; with `RTL_REGISTRY_HANDLE` that is a handle.
fn start(relative: u32, path: *const u16) -> Result<String, NTSTATUS> {
    const HANDLE: u32 = 0x4000_0000;
    const OPTIONAL: u32 = 0x8000_0000;
    if relative & HANDLE != 0 {
        return path_of(path.cast_mut().cast()).ok_or(STATUS_INVALID_HANDLE);
    }
    let root = match relative & !OPTIONAL {
        0 => "",
        1 => r"\Registry\Machine\System\CurrentControlSet\Services\",
        2 => r"\Registry\Machine\System\CurrentControlSet\Control\",
        3 => r"\Registry\Machine\Software\Microsoft\Windows NT\CurrentVersion\",
        4 => r"\Registry\Machine\Hardware\DeviceMap\",
        5 => r"\Registry\User\.Default\",
        _ => return Err(STATUS_INVALID_PARAMETER),
    };
    // SAFETY: the driver passes a terminated path.
    Ok(format!("{root}{}", unsafe { text(path) }))
}

/// # Safety
/// `from` is null or terminated.
unsafe fn text(from: *const u16) -> String {
    let mut units = Vec::new();
    while !from.is_null() {
        // SAFETY: no unit up to this one was the terminator.
        match unsafe { from.wrapping_add(units.len()).read_unaligned() } {
            0 => break,
            unit => units.push(unit),
        }
    }
    String::from_utf16_lossy(&units)
}

/// Hands one value to the driver, or its default.
fn read(asked: &RTL_QUERY_REGISTRY_TABLE, key: &str, name: &str, context: *mut c_void) -> NTSTATUS {
    if asked.Flags & NOVALUE != 0 {
        return tell(asked, name, &Value { kind: 0, data: Vec::new() }, context);
    }
    let found = value(key, name).map(|(_, value)| value);
    let given = found.or_else(|| default(asked));
    let Some(value) = given else {
        return if asked.Flags & REQUIRED != 0 { STATUS_OBJECT_NAME_NOT_FOUND } else { STATUS_SUCCESS };
    };
    if asked.Flags & DIRECT == 0 {
        return tell(asked, name, &value, context);
    }
    let expected = asked.DefaultType >> 24;
    if asked.Flags & TYPECHECK == 0 {
        // "A driver [...] must also use RTL_QUERY_REGISTRY_TYPECHECK": else a value of another type overflows its buffer.
        let text =
            format!("{key}\\{name} is read with RTL_QUERY_REGISTRY_DIRECT and without a check of its type");
        verifier::report(Finding::new("RegistryTypeCheck").text(text));
    } else if expected != value.kind {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    store(asked, &value)
}

/// The default of an entry, `REG_NONE` being none.
fn default(asked: &RTL_QUERY_REGISTRY_TABLE) -> Option<Value> {
    let kind = asked.DefaultType & 0xFF;
    if kind == 0 || asked.DefaultData.is_null() {
        return None;
    }
    let data = if asked.DefaultLength == 0 && TEXTS.contains(&kind) {
        // SAFETY: a text without a length is terminated.
        Value::text(&unsafe { text(asked.DefaultData.cast()) }).data
    } else {
        // SAFETY: the driver passes so many bytes.
        unsafe { core::slice::from_raw_parts(asked.DefaultData.cast::<u8>(), asked.DefaultLength.to_usize()) }
            .to_vec()
    };
    Some(Value { kind, data })
}

fn tell(asked: &RTL_QUERY_REGISTRY_TABLE, name: &str, value: &Value, context: *mut c_void) -> NTSTATUS {
    let Some(routine) = asked.QueryRoutine else { return STATUS_INVALID_PARAMETER };
    let mut name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let mut data = value.data.clone();
    let (name, bytes, length) = (name.as_mut_ptr(), data.as_mut_ptr().cast(), narrow(data.len()));
    let (kind, entry) = (value.kind, asked.EntryContext);
    // SAFETY: the routine is the driver's own; what it gets lives until it returns.
    boundary::call_driver("QueryRoutine", || unsafe { routine(name, kind, bytes, length, context, entry) })
}

/// Stores a value where an entry says: a text as a string, whose buffer is allocated if it has none.
fn store(asked: &RTL_QUERY_REGISTRY_TABLE, value: &Value) -> NTSTATUS {
    let to = asked.EntryContext;
    if !TEXTS.contains(&value.kind) {
        // Up to the size of a ULONG only the bytes are stored; more come behind their length, which is not done here.
        if value.data.len() > 4 {
            return STATUS_BUFFER_TOO_SMALL;
        }
        // SAFETY: the driver passes room for a ULONG.
        unsafe { ptr::copy_nonoverlapping(value.data.as_ptr(), to.cast::<u8>(), value.data.len()) };
        return STATUS_SUCCESS;
    }
    // SAFETY: the driver passes a string.
    let string = unsafe { &mut *to.cast::<UNICODE_STRING>() };
    if string.Buffer.is_null() {
        let size = value.data.len();
        let block = pool::allocate(Request { size, tag: TAG, kind: Kind::Paged, zeroed: false });
        if block.is_null() {
            return sys::status::STATUS_INSUFFICIENT_RESOURCES;
        }
        (string.Buffer, string.MaximumLength) = (block.cast(), narrow(size));
    } else if usize::from(string.MaximumLength) < value.data.len() {
        return STATUS_BUFFER_TOO_SMALL;
    }
    // SAFETY: the buffer has so much room.
    unsafe { ptr::copy_nonoverlapping(value.data.as_ptr(), string.Buffer.cast(), value.data.len()) };
    string.Length = narrow(value.data.len().saturating_sub(2));
    STATUS_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cm::set_value;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    fn query(flags: u32, name: &str, kind: u32, to: *mut c_void) -> NTSTATUS {
        let name = wide(name);
        // SAFETY: all-zero is a valid value: integers, null pointers and no routine.
        let mut table: [RTL_QUERY_REGISTRY_TABLE; 2] = unsafe { core::mem::zeroed() };
        table[0].Flags = flags;
        table[0].Name = name.as_ptr();
        table[0].EntryContext = to;
        table[0].DefaultType = kind << 24;
        let path = wide("example");
        // SAFETY: all of it is this function's own.
        unsafe {
            RtlQueryRegistryValues(1, path.as_ptr(), table.as_mut_ptr(), ptr::null_mut(), ptr::null_mut())
        }
    }

    #[test]
    fn values_are_stored_by_type_and_read_without_a_check_is_found() {
        let machine = crate::testing::builder().boot();
        let key = r"\Registry\Machine\System\CurrentControlSet\Services\Example";
        set_value(key, "Count", Value::number(9));
        set_value(key, "Text", Value::text("abc"));
        let mut count = 0_u32;
        let to: *mut c_void = (&raw mut count).cast();
        assert_eq!(query(DIRECT | TYPECHECK, "Count", 4, to), STATUS_SUCCESS);
        assert_eq!(count, 9);
        assert_eq!(query(DIRECT | TYPECHECK, "Text", 4, to), STATUS_OBJECT_TYPE_MISMATCH);
        assert_eq!(query(DIRECT | TYPECHECK | REQUIRED, "None", 4, to), STATUS_OBJECT_NAME_NOT_FOUND);
        assert_eq!(query(DIRECT | TYPECHECK, "None", 4, to), STATUS_SUCCESS);
        let mut units = [0_u16; 3];
        let mut string = UNICODE_STRING { Length: 0, MaximumLength: 6, Buffer: units.as_mut_ptr() };
        let to = (&raw mut string).cast();
        assert_eq!(query(DIRECT | TYPECHECK, "Text", 1, to), STATUS_BUFFER_TOO_SMALL);
        assert_eq!(query(DIRECT, "Count", 4, (&raw mut count).cast()), STATUS_SUCCESS);
        let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["RegistryTypeCheck"]);
    }
}
