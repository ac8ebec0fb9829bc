//! The functions that providers call.

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::pageable;
use ntsim_core::sched::{self, Irql, time};
use ntsim_core::verifier::{self, Finding};
use sys::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY, STATUS_SUCCESS,
};
use sys::wdm::{
    ETWENABLECALLBACK, EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_DATA_DESCRIPTOR,
    EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA, EVENT_DATA_DESCRIPTOR_TYPE_NONE,
    EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA, EVENT_DESCRIPTOR, EVENT_PROVIDER_SET_TRAITS, GUID,
    REGHANDLE, signature,
};

use super::registration::{self, Registration};
use super::{ETW, decode, record};
use crate::fault;

/// `MAX_EVENT_DATA_DESCRIPTORS` of evntprov.h, which the page of EventWrite states too
/// (<https://learn.microsoft.com/windows/win32/api/evntprov/nf-evntprov-eventwrite>).
const MOST_PARTS: u32 = 128;

/// The longest event: the header and data of one fill at most 64 KB (the same page).
const LONGEST: usize = 65_536 - 80;

exports! {
    "ntoskrnl.exe", signature;

    /// Registers a provider; calls its callback, before this returns, if a session has enabled it.
    #[irql(PASSIVE..=PASSIVE)]
    fn EtwRegister(
        provider: *const GUID,
        callback: Option<ETWENABLECALLBACK>,
        context: *mut c_void,
        handle: *mut REGHANDLE,
    ) -> NTSTATUS {
        if provider.is_null() || handle.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller passes a place for the handle.
        unsafe { handle.write(0) };
        if fault::strikes() {
            return STATUS_NO_MEMORY;
        }
        // SAFETY: the caller passes an identifier.
        let provider = unsafe { provider.read() };
        let (new, filter) = {
            let mut tracing = ETW.get().0.lock();
            tracing.registered += 1;
            // The value looks like no index and no address.
            let new = 0xE7B0_0000_0000_0000 | tracing.registered;
            tracing.registrations.insert(new, Registration::new(provider, callback, Va::of(context)));
            (new, tracing.filters.get(&provider).copied())
        };
        // SAFETY: the caller passes a place for the handle, which the callback may use.
        unsafe { handle.write(new) };
        if let Some(filter) = filter {
            registration::tell_one(new, EVENT_CONTROL_CODE_ENABLE_PROVIDER, filter);
        }
        STATUS_SUCCESS
    }

    /// Ends a registration, once its callback has returned.
    #[irql(PASSIVE..=PASSIVE)]
    fn EtwUnregister(handle: REGHANDLE) -> NTSTATUS {
        match registration::end(handle) {
            Some((_, false)) => STATUS_SUCCESS,
            Some((registration, true)) => {
                found(format!("{} was unregistered by its own callback", registration.description()));
                STATUS_SUCCESS
            }
            None => no_handle("EtwUnregister", handle),
        }
    }

    /// Sets the traits of a provider.
    #[irql(PASSIVE..=PASSIVE)]
    fn EtwSetInformation(
        handle: REGHANDLE,
        class: u32,
        information: *const c_void,
        length: u32,
    ) -> NTSTATUS {
        if class != EVENT_PROVIDER_SET_TRAITS {
            return STATUS_INVALID_DEVICE_REQUEST;
        }
        if information.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller passes as many bytes as it says.
        let traits = unsafe { core::slice::from_raw_parts(information.cast::<u8>(), length.to_usize()) };
        if decode::provider_name(traits).is_none() {
            found("EtwSetInformation got traits whose length or name is not as they say".to_owned());
            return STATUS_INVALID_PARAMETER;
        }
        let known = match ETW.get().0.lock().registrations.get_mut(&handle) {
            Some(registration) => {
                registration.traits = traits.to_vec();
                true
            }
            None => false,
        };
        if known { STATUS_SUCCESS } else { no_handle("EtwSetInformation", handle) }
    }

    /// Writes an event.
    #[irql(PASSIVE..=HIGH)]
    fn EtwWriteTransfer(
        handle: REGHANDLE,
        descriptor: *const EVENT_DESCRIPTOR,
        activity: *const GUID,
        related: *const GUID,
        count: u32,
        parts: *const EVENT_DATA_DESCRIPTOR,
    ) -> NTSTATUS {
        if descriptor.is_null() || (parts.is_null() && count != 0) || count > MOST_PARTS {
            found(format!("EtwWriteTransfer got the descriptor {descriptor:p} and {count} parts at {parts:p}"));
            return STATUS_INVALID_PARAMETER;
        }
        resident(Va::of(descriptor), size_of::<EVENT_DESCRIPTOR>());
        resident(Va::of(parts), size_of::<EVENT_DATA_DESCRIPTOR>() * count.to_usize());
        // SAFETY: the caller passes a descriptor.
        let descriptor = unsafe { descriptor.read() };
        // SAFETY: the caller passes as many parts as it says.
        let parts = (0..count.to_usize()).map(|index| unsafe { parts.wrapping_add(index).read() });
        // SAFETY: the caller passes parts that are as long as they say.
        unsafe { write(handle, descriptor, parts.collect()) }
    }
}

/// # Safety
/// Each part has as many readable bytes as it says.
unsafe fn write(
    handle: REGHANDLE,
    descriptor: EVENT_DESCRIPTOR,
    parts: Vec<EVENT_DATA_DESCRIPTOR>,
) -> NTSTATUS {
    let (mut traits, mut metadata, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for part in &parts {
        let (start, length) = (Va::from_bits(part.Ptr), part.Size.to_usize());
        resident(start, length);
        let bytes = match length {
            0 => &[],
            // SAFETY: the caller's promise.
            _ => unsafe { core::slice::from_raw_parts(start.ptr::<u8>(), length) },
        };
        match part.Type {
            EVENT_DATA_DESCRIPTOR_TYPE_PROVIDER_METADATA => traits.extend_from_slice(bytes),
            EVENT_DATA_DESCRIPTOR_TYPE_EVENT_METADATA => metadata.extend_from_slice(bytes),
            EVENT_DATA_DESCRIPTOR_TYPE_NONE => data.extend_from_slice(bytes),
            other => {
                found(format!("EtwWriteTransfer got a part of type {other}"));
                return STATUS_INVALID_PARAMETER;
            }
        }
    }
    if traits.len() + metadata.len() + data.len() > LONGEST {
        found(format!(
            "EtwWriteTransfer got an event of {} bytes",
            traits.len() + metadata.len() + data.len()
        ));
        return STATUS_INVALID_PARAMETER;
    }
    let mut tracing = ETW.get().0.lock();
    tracing.writes += 1;
    let Some(registration) = tracing.registrations.get(&handle) else {
        drop(tracing);
        return no_handle("EtwWriteTransfer", handle);
    };
    let provider = registration.provider();
    let wrong = (traits != registration.traits)
        .then(|| format!("an event names other traits than {} set", registration.description()));
    let takes = |filter: &super::Filter| filter.takes(descriptor.Level, descriptor.Keyword);
    let is_taken = tracing.filters.get(&provider).is_some_and(takes);
    drop(tracing);
    if let Some(text) = wrong {
        found(text);
    }
    if is_taken {
        match decode::event(&metadata, &data) {
            Ok((name, fields)) => {
                let place = record::Place {
                    time: time::now(),
                    processor: sched::processor(),
                    thread: sched::current().map_or(0, |thread| narrow(thread.id)),
                    irql: sched::irql(),
                };
                let provider_name = decode::provider_name(&traits).unwrap_or_default();
                let raw = record::Raw { traits, metadata, data };
                let record = record::Record { provider, provider_name, name, descriptor, fields, place, raw };
                ETW.get().0.lock().records.push(record);
            }
            Err(error) => found(format!("the description of an event: {error}")),
        }
    }
    STATUS_SUCCESS
}

/// Checks that what a driver passes at a high level is not pageable.
fn resident(start: Va, length: usize) {
    if length > 0 && sched::irql() > Irql::APC {
        let last = start.saturating_add(length - 1);
        if [start, last].into_iter().any(pageable::contains) {
            let text = format!("EtwWriteTransfer got {length} bytes at {start:#x}, in pageable memory");
            verifier::report(Finding::new("EtwPageable").text(text));
        }
    }
}

#[cold]
fn no_handle(function: &str, handle: REGHANDLE) -> NTSTATUS {
    found(format!("{function} got {handle:#x}, which no provider is registered by"));
    STATUS_INVALID_HANDLE
}

#[cold]
fn found(text: String) {
    verifier::report(Finding::new("EtwEvent").text(text));
}
