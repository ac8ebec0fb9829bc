//! A provider of the test's own, and mistakes of it.

use core::cell::RefCell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr;

use ntsim_core::boot::Machine;
use ntsim_core::number::narrow;
use ntsim_core::sched::{self, Irql};
use sys::status::{
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
    STATUS_SUCCESS,
};
use sys::wdm::*;

use super::*;
use crate::ex::{self, ExAllocatePool2, ExFreePool, Faults};

const PROVIDER: GUID = GUID { Data1: 1, Data2: 2, Data3: 3, Data4: [4; 8] };

/// The provider's name behind its length.
const TRAITS: &[u8] = b"\x0b\0Provider\0";

/// An event of three fields: an unsigned number, a status, and an address.
const METADATA: &[u8] = b"\x24\0\0Event\0Number\0\x08Status\0\x94\x0eAddress\0\x8e\x0a";

thread_local! {
    /// The control codes, levels and keywords that the callback got.
    static TOLD: RefCell<Vec<(u32, u8, u64)>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "efiapi" fn enabled(
    _source: *const GUID,
    control: u32,
    level: u8,
    any: u64,
    _all: u64,
    _filter: *mut c_void,
    context: *mut c_void,
) {
    assert_eq!(context.addr(), 7);
    TOLD.with_borrow_mut(|told| told.push((control, level, any)));
}

fn told() -> Vec<(u32, u8, u64)> {
    TOLD.take()
}

fn boot() -> Machine {
    told();
    crate::testing::builder().boot()
}

/// Registers the provider with its traits.
fn register() -> REGHANDLE {
    let mut handle = 0;
    unsafe {
        let context = ptr::without_provenance_mut(7);
        assert_eq!(EtwRegister(&PROVIDER, Some(enabled), context, &mut handle), STATUS_SUCCESS);
        let length = narrow(TRAITS.len());
        let set = EtwSetInformation(handle, EVENT_PROVIDER_SET_TRAITS, TRAITS.as_ptr().cast(), length);
        assert_eq!(set, STATUS_SUCCESS);
    }
    handle
}

fn data() -> Vec<u8> {
    let mut data = 5_u32.to_le_bytes().to_vec();
    data.extend(0xC000_0001_u32.to_le_bytes());
    data.extend([16, 0, 2, 0, 0x1F, 0x90, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    data
}

fn part(bytes: &[u8], kind: u32) -> EVENT_DATA_DESCRIPTOR {
    EVENT_DATA_DESCRIPTOR { Ptr: Va::of(bytes.as_ptr()).bits(), Size: narrow(bytes.len()), Type: kind }
}

/// Writes an event of these parts.
fn write_parts(handle: REGHANDLE, level: u8, keyword: u64, parts: &[EVENT_DATA_DESCRIPTOR]) -> i32 {
    let descriptor = EVENT_DESCRIPTOR {
        Id: 0,
        Version: 0,
        Channel: 11,
        Level: level,
        Opcode: 0,
        Task: 0,
        Keyword: keyword,
    };
    let count = narrow(parts.len());
    unsafe { EtwWriteTransfer(handle, &descriptor, ptr::null(), ptr::null(), count, parts.as_ptr()) }
}

fn write_with(handle: REGHANDLE, (traits, metadata, data): (&[u8], &[u8], &[u8])) -> i32 {
    write_parts(handle, 4, 2, &[part(traits, 2), part(metadata, 1), part(data, 0)])
}

fn write(handle: REGHANDLE, level: u8, keyword: u64) -> i32 {
    let data = data();
    let parts = [part(TRAITS, 2), part(METADATA, 1), part(&data[..4], 0), part(&data[4..], 0)];
    write_parts(handle, level, keyword, &parts)
}

#[test]
fn event_of_an_enabled_provider_is_decoded_with_its_fields() {
    let machine = boot();
    let handle = register();
    enable(PROVIDER, 4, 0x6);
    let old = sched::raise(Irql::DISPATCH);
    assert_eq!(write(handle, 4, 2), STATUS_SUCCESS);
    sched::lower(old);
    let record = records().pop().unwrap();
    assert_eq!((&*record.provider_name, &*record.name, record.provider), ("Provider", "Event", PROVIDER));
    assert_eq!((record.descriptor.Level, record.place.irql), (4, Irql::DISPATCH));
    assert_eq!((record.number("Number"), record.number("Status")), (Some(5), Some(0xC000_0001)));
    let address: SocketAddr = "10.0.0.1:8080".parse().unwrap();
    assert_eq!(record.get("Address"), Some(&Value::Address(address)));
    unsafe { EtwUnregister(handle) };
    assert!(machine.shutdown().is_clean());
}

#[test]
fn session_takes_only_what_its_level_and_keywords_admit() {
    let machine = boot();
    let handle = register();
    write(handle, 1, 2);
    enable(PROVIDER, 4, 0x6);
    for (level, keyword) in [(4, 2), (5, 2), (4, 8), (4, 0), (0, 4)] {
        assert_eq!(write(handle, level, keyword), STATUS_SUCCESS);
    }
    disable(PROVIDER);
    write(handle, 1, 2);
    let taken: Vec<_> =
        records().iter().map(|record| (record.descriptor.Level, record.descriptor.Keyword)).collect();
    assert_eq!((taken, writes()), (vec![(4, 2), (4, 0), (0, 4)], 7));
    unsafe { EtwUnregister(handle) };
    assert!(machine.shutdown().is_clean());
}

#[test]
fn callback_is_told_of_each_change_and_of_sessions_before_the_registration() {
    let machine = boot();
    enable(PROVIDER, 3, 1);
    let handle = register();
    enable(PROVIDER, 5, 2);
    capture_state(PROVIDER);
    disable(PROVIDER);
    capture_state(PROVIDER);
    assert_eq!(told(), [(1, 3, 1), (1, 5, 2), (2, 5, 2), (0, 0, 0)]);
    assert_eq!(providers(), [PROVIDER]);
    unsafe { EtwUnregister(handle) };
    enable(PROVIDER, 5, 2);
    assert_eq!((told(), providers()), (vec![], vec![]));
    assert!(machine.shutdown().is_clean());
}

#[test]
fn arguments_that_are_none_are_refused() {
    let machine = boot();
    let handle = register();
    let mut other = 0;
    unsafe {
        assert_eq!(EtwRegister(ptr::null(), None, ptr::null_mut(), &mut other), STATUS_INVALID_PARAMETER);
        let (traits, length) = (TRAITS.as_ptr().cast(), narrow(TRAITS.len()));
        assert_eq!(EtwSetInformation(handle, 9, traits, length), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(EtwSetInformation(handle, 2, ptr::null(), length), STATUS_INVALID_PARAMETER);
        ex::inject(Faults::Nth(0), None);
        assert_eq!(EtwRegister(&PROVIDER, None, ptr::null_mut(), &mut other), STATUS_NO_MEMORY);
        EtwUnregister(handle);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn events_and_handles_that_are_not_as_they_say_are_found() {
    let machine = boot();
    let handle = register();
    enable(PROVIDER, 5, u64::MAX);
    let data = data();
    let longer = [&data[..], &[0]].concat();
    write_with(handle, (TRAITS, METADATA, &data[..3]));
    write_with(handle, (TRAITS, METADATA, &longer));
    write_with(handle, (TRAITS, &METADATA[..9], &data));
    write_with(handle, (TRAITS, b"\x07\0\0Eve", &data));
    write_with(handle, (b"\x08\0Other\0", METADATA, &data));
    assert_eq!(write_parts(handle, 4, 2, &[part(&data, 3)]), STATUS_INVALID_PARAMETER);
    let large = vec![0; 65_500];
    assert_eq!(write_with(handle, (TRAITS, METADATA, &large)), STATUS_INVALID_PARAMETER);
    let many = [part(&data, 0); 129];
    assert_eq!(write_parts(handle, 4, 2, &many), STATUS_INVALID_PARAMETER);
    unsafe {
        let short = EtwSetInformation(handle, 2, TRAITS.as_ptr().cast(), 5);
        assert_eq!(short, STATUS_INVALID_PARAMETER);
        EtwUnregister(handle);
        assert_eq!(EtwUnregister(handle), STATUS_INVALID_HANDLE);
    }
    assert_eq!(write(handle, 4, 2), STATUS_INVALID_HANDLE);
    let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["EtwEvent"; 11]);
}

#[test]
fn pageable_data_above_apc_level_is_found() {
    let machine = boot();
    let handle = register();
    unsafe {
        let block = ExAllocatePool2(0x100, 0x100, 0x3130_3030);
        block.cast::<u8>().copy_from_nonoverlapping(data().as_ptr(), 26);
        let paged = core::slice::from_raw_parts(block.cast::<u8>(), 26);
        let old = sched::raise(Irql::APC);
        write_with(handle, (TRAITS, METADATA, paged));
        sched::raise(Irql::DISPATCH);
        write_with(handle, (TRAITS, METADATA, paged));
        sched::lower(old);
        EtwUnregister(handle);
        ExFreePool(block);
    }
    let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["EtwPageable"]);
}

#[test]
fn provider_that_is_never_unregistered_is_found() {
    let machine = boot();
    register();
    let report = machine.shutdown();
    assert_eq!((report.findings[0].rule, report.codes()), ("EtwRegistrationLeak", vec![0xDD]));
}

/// The handle of the provider whose callback unregisters it.
static OWN: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

unsafe extern "efiapi" fn unregisters(
    _: *const GUID,
    _: u32,
    _: u8,
    _: u64,
    _: u64,
    _: *mut c_void,
    _: *mut c_void,
) {
    unsafe { EtwUnregister(OWN.load(core::sync::atomic::Ordering::Acquire)) };
}

#[test]
fn unregistration_inside_the_callback_is_found() {
    let machine = boot();
    let mut handle = 0;
    unsafe { EtwRegister(&PROVIDER, Some(unregisters), ptr::null_mut(), &mut handle) };
    OWN.store(handle, core::sync::atomic::Ordering::Release);
    enable(PROVIDER, 5, 1);
    let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["EtwEvent"]);
}
