//! An adapter's keywords in the registry.

use core::ffi::c_void;
use std::collections::HashMap;

use nt::fault;
use nt::rtl;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_RESOURCES,
    NDIS_STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};
use sys::wdm::UNICODE_STRING;

use super::header::{self, Expected};
use super::{AdapterConfig, adapter, ndis, text, violation};

const OBJECT: Expected = Expected {
    name: "NDIS_CONFIGURATION_OBJECT",
    kind: NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
    revisions: &[(1, NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1)],
};

/// `NDIS_STATUS_FAILURE`: the keyword is not there, or is not what was asked for.
const FAILURE: NDIS_STATUS = STATUS_UNSUCCESSFUL;

/// The open configurations of one machine, by handle.
#[derive(Default)]
struct Configurations {
    open: Mutex<HashMap<Va, Configuration>>,
}

static CONFIGURATIONS: PerMachine<Configurations> = PerMachine::new();

struct Configuration {
    adapter: Va,
    config: AdapterConfig,
    /// The values that were read, which the driver may use until it closes the configuration.
    values: Vec<Value>,
}

/// One value, with the string that it may point to.
struct Value {
    parameter: Box<NDIS_CONFIGURATION_PARAMETER>,
    _text: Vec<u16>,
}

// SAFETY: a value points only into memory that it owns.
unsafe impl Send for Value {}

fn configurations() -> &'static Configurations {
    CONFIGURATIONS.get()
}

/// Reports the configurations of an adapter that are open when it is gone.
pub(super) fn check_none_left(adapter: Va, when: &str) {
    let mut open = configurations().open.lock();
    let before = open.len();
    open.retain(|_, configuration| configuration.adapter != adapter);
    let left = before - open.len();
    drop(open);
    if left > 0 {
        let text = format!("{when} and left {left} configurations open");
        violation("NdisCloseConfiguration", [0, adapter.bits(), 0, 0], text);
    }
}

exports! {
    "ndis.sys", signature;

    /// Opens an adapter's registry key.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisOpenConfigurationEx(
        object: *const NDIS_CONFIGURATION_OBJECT,
        out: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        // SAFETY: the driver passes an object, which begins with its head.
        if !unsafe { header::check(object.cast(), &OBJECT) } {
            return NDIS_STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the head says that there is all of it but for padding.
        let handle = unsafe { (*object).NdisHandle };
        let Some(adapter) = adapter::of(handle, "NdisOpenConfigurationEx") else {
            return NDIS_STATUS_INVALID_PARAMETER;
        };
        if fault::strikes() {
            return NDIS_STATUS_RESOURCES;
        }
        let config = adapter.config.lock().clone();
        let configuration = Configuration { adapter: adapter.handle, config, values: Vec::new() };
        let handle = ndis().new_handle();
        configurations().open.lock().insert(handle, configuration);
        // SAFETY: the driver passes room for the handle.
        unsafe { out.write(handle.ptr()) };
        NDIS_STATUS_SUCCESS
    }

    /// Reads a keyword.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisReadConfiguration(
        status: *mut NDIS_STATUS,
        value: *mut *mut NDIS_CONFIGURATION_PARAMETER,
        handle: NDIS_HANDLE,
        keyword: *const UNICODE_STRING,
        kind: NDIS_PARAMETER_TYPE,
    ) {
        // SAFETY: the driver passes a valid string.
        unsafe { text::check("NdisReadConfiguration", keyword) };
        // SAFETY: as above.
        let keyword = unsafe { rtl::from_counted(keyword) };
        let read = in_open(handle, "NdisReadConfiguration", |configuration| {
            let text = configuration.config.keyword(&keyword)?;
            let mut made = Value::new(&text, kind)?;
            let parameter: *mut NDIS_CONFIGURATION_PARAMETER = &raw mut *made.parameter;
            configuration.values.push(made);
            Some(parameter)
        });
        let result = match read {
            Some(parameter) => {
                // SAFETY: the driver passes room for the pointer.
                unsafe { value.write(parameter) };
                NDIS_STATUS_SUCCESS
            }
            None => FAILURE,
        };
        // SAFETY: the driver passes room for the status.
        unsafe { status.write(result) };
    }

    /// Writes a keyword: a number or a string. Anything else "could not be written", which is one of the outcomes:
    /// <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndiswriteconfiguration>.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisWriteConfiguration(
        status: *mut NDIS_STATUS,
        handle: NDIS_HANDLE,
        keyword: *const UNICODE_STRING,
        value: *const NDIS_CONFIGURATION_PARAMETER,
    ) {
        // SAFETY: the driver passes a valid string.
        unsafe { text::check("NdisWriteConfiguration", keyword) };
        // SAFETY: as above.
        let keyword = unsafe { rtl::from_counted(keyword) };
        // SAFETY: the driver passes a value.
        let result = match unsafe { written(value) } {
            _ if fault::strikes() => NDIS_STATUS_RESOURCES,
            Ok(text) => {
                let adapter = in_open(handle, "NdisWriteConfiguration", |configuration| {
                    configuration.config.set_keyword(&keyword, &text);
                    Some(configuration.adapter)
                });
                let adapter = adapter.and_then(|handle| ndis().adapters.lock().get(&handle).cloned());
                adapter.map_or(FAILURE, |adapter| {
                    adapter.set_keyword(&keyword, &text);
                    NDIS_STATUS_SUCCESS
                })
            }
            Err(status) => status,
        };
        // SAFETY: the driver passes room for the status.
        unsafe { status.write(result) };
    }

    /// Reads the address that an administrator set in place of the permanent one.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisReadNetworkAddress(
        status: *mut NDIS_STATUS,
        address: *mut *mut c_void,
        length: *mut u32,
        handle: NDIS_HANDLE,
    ) {
        let set = in_open(handle, "NdisReadNetworkAddress", |configuration| {
            configuration.config.network_address.as_mut().map(|address| address.as_mut_ptr())
        });
        if let Some(set) = set {
            // SAFETY: the driver passes room for the pointer.
            unsafe { address.write(set.cast()) };
            // SAFETY: the driver passes room for the length.
            unsafe { length.write(6) };
        }
        // SAFETY: the driver passes room for the status.
        unsafe { status.write(if set.is_some() { NDIS_STATUS_SUCCESS } else { FAILURE }) };
    }

    /// Closes a configuration; what was read of it is gone.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisCloseConfiguration(handle: NDIS_HANDLE) {
        if configurations().open.lock().remove(&Va::of(handle)).is_none() {
            let text = format!("{handle:p} is no open configuration");
            violation("NdisCloseConfiguration", [0, Va::of(handle).bits(), 0, 0], text);
        }
    }
}

/// Runs `f` with an open configuration; a handle of none is a finding.
fn in_open<R>(
    handle: NDIS_HANDLE,
    function: &'static str,
    f: impl FnOnce(&mut Configuration) -> Option<R>,
) -> Option<R> {
    if let Some(configuration) = configurations().open.lock().get_mut(&Va::of(handle)) {
        return f(configuration);
    }
    let text = format!("{function} got {handle:p}, which is no open configuration");
    violation("NdisReadConfiguration", [0, Va::of(handle).bits(), 0, 0], text);
    None
}

/// A value as the string that the registry has.
///
/// # Safety
/// `value` is a value, whose string is valid if it is one.
unsafe fn written(value: *const NDIS_CONFIGURATION_PARAMETER) -> Result<String, NDIS_STATUS> {
    // SAFETY: the caller's contract.
    let value = unsafe { &*value };
    // SAFETY: the type says which member it is; each is there to be read as bytes.
    let number = unsafe { value.ParameterData.IntegerData };
    match value.ParameterType {
        NDIS_PARAMETER_TYPE::NdisParameterInteger => Ok(number.to_string()),
        NDIS_PARAMETER_TYPE::NdisParameterHexInteger => Ok(format!("{number:x}")),
        NDIS_PARAMETER_TYPE::NdisParameterString => {
            // SAFETY: the type says that it is a string.
            let string = unsafe { &value.ParameterData.StringData };
            // SAFETY: the caller's contract.
            Ok(unsafe { rtl::from_counted(string) })
        }
        NDIS_PARAMETER_TYPE::NdisParameterMultiString | NDIS_PARAMETER_TYPE::NdisParameterBinary => {
            Err(FAILURE)
        }
        _ => Err(NDIS_STATUS_NOT_SUPPORTED),
    }
}

impl Value {
    /// The value of a string in the registry, as the type that a driver asks for.
    fn new(text: &str, kind: NDIS_PARAMETER_TYPE) -> Option<Self> {
        let mut units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let data = match kind {
            NDIS_PARAMETER_TYPE::NdisParameterInteger => {
                NDIS_CONFIGURATION_PARAMETER_DATA { IntegerData: text.parse().ok()? }
            }
            NDIS_PARAMETER_TYPE::NdisParameterHexInteger => {
                NDIS_CONFIGURATION_PARAMETER_DATA { IntegerData: u32::from_str_radix(text, 16).ok()? }
            }
            NDIS_PARAMETER_TYPE::NdisParameterString => {
                let bytes = narrow(units.len() * 2);
                let buffer = units.as_mut_ptr();
                let string = UNICODE_STRING { Length: bytes - 2, MaximumLength: bytes, Buffer: buffer };
                NDIS_CONFIGURATION_PARAMETER_DATA { StringData: string }
            }
            _ => return None,
        };
        // SAFETY: all zero is a valid value.
        let mut parameter: NDIS_CONFIGURATION_PARAMETER =
            unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
        parameter.ParameterType = kind;
        parameter.ParameterData = data;
        Some(Self { parameter: Box::new(parameter), _text: units })
    }
}
