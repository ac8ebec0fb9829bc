//! Registering with Winsock Kernel, and breaking its rules.

mod calls;
mod captures;
mod connection;
mod events;
mod faults;
mod fixture;
mod host;
mod listening;
mod rules;

use ntsim_core::address::Va;
use ntsim_core::boot::Machine;
use ntsim_core::{sched, verifier};
use sys::status::*;
use sys::wsk::*;

use super::client::*;

const DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: VERSION, Reserved: 0, WskClientEvent: None };

fn register(registration: &mut WSK_REGISTRATION, dispatch: &WSK_CLIENT_DISPATCH) {
    let npi = WSK_CLIENT_NPI { ClientContext: core::ptr::null_mut(), Dispatch: dispatch };
    assert_eq!(unsafe { WskRegister(&npi, registration) }, STATUS_SUCCESS);
}

/// A machine, and a client that is registered.
fn with_client(dispatch: &WSK_CLIENT_DISPATCH) -> (Machine, Box<WSK_REGISTRATION>) {
    let machine = crate::testing::builder().boot();
    let mut own = Box::new(unsafe { core::mem::MaybeUninit::zeroed().assume_init() });
    register(&mut own, dispatch);
    (machine, own)
}

fn capture(registration: &mut WSK_REGISTRATION) -> (NTSTATUS, WSK_PROVIDER_NPI) {
    let mut npi = WSK_PROVIDER_NPI { Client: core::ptr::null_mut(), Dispatch: core::ptr::null() };
    (unsafe { WskCaptureProviderNPI(registration, WSK_INFINITE_WAIT, &mut npi) }, npi)
}

#[test]
fn client_gets_the_provider_and_gives_it_back() {
    let (machine, mut own) = with_client(&DISPATCH);
    let (status, npi) = capture(&mut own);
    assert_eq!(status, STATUS_SUCCESS);
    unsafe {
        assert_eq!((*npi.Dispatch).Version, VERSION);
        WskReleaseProviderNPI(&mut *own);
        WskDeregister(&mut *own);
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn deregistering_waits_for_the_release() {
    let (machine, mut own) = with_client(&DISPATCH);
    assert_eq!(capture(&mut own).0, STATUS_SUCCESS);
    let at = Va::of(&raw mut *own);
    let waiter = sched::spawn("waiter", move || unsafe { WskDeregister(at.ptr::<_>()) }).unwrap();
    while !deregistering() {
        std::thread::yield_now();
    }
    assert!(!waiter.ended());
    assert_eq!(capture(&mut own).0, STATUS_DEVICE_NOT_READY);
    unsafe { WskReleaseProviderNPI(&mut *own) };
    while !waiter.ended() {
        std::thread::yield_now();
    }
    assert!(machine.shutdown().is_clean());
}

#[test]
fn release_that_does_not_come_is_found() {
    let (machine, mut own) = with_client(&DISPATCH);
    assert_eq!(capture(&mut own).0, STATUS_SUCCESS);
    let at = Va::of(&raw mut *own);
    let waiter = sched::spawn("waiter", move || unsafe { WskDeregister(at.ptr::<_>()) }).unwrap();
    while verifier::findings().is_empty() {
        std::thread::yield_now();
    }
    unsafe { WskReleaseProviderNPI(&mut *own) };
    while !waiter.ended() {
        std::thread::yield_now();
    }
    assert_eq!(machine.shutdown().findings[0].rule, "WskDeregisterHang");
}

#[test]
fn client_of_another_version_gets_no_provider() {
    let (machine, mut own) = with_client(&WSK_CLIENT_DISPATCH { Version: 0x0200, ..DISPATCH });
    assert_eq!(capture(&mut own).0, STATUS_NOINTERFACE);
    unsafe { WskDeregister(&mut *own) };
    assert!(machine.shutdown().is_clean());
}

#[test]
fn releasing_too_often_and_never_deregistering_are_found() {
    let (machine, mut own) = with_client(&DISPATCH);
    unsafe { WskReleaseProviderNPI(&mut *own) };
    let rules = machine.shutdown().rules();
    assert_eq!(rules, ["WskReleaseProviderNPI", "WskDeregister"]);
}

#[test]
fn provider_is_for_clients_that_hold_it() {
    let (machine, mut own) = with_client(&DISPATCH);
    let (_, npi) = capture(&mut own);
    let control = unsafe { (*npi.Dispatch).WskControlClient }.unwrap();
    let mut table: WSK_PROVIDER_NDK_DISPATCH = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
    let none = core::ptr::null_mut();
    let mut ask = |size| unsafe {
        let output = (&raw mut table).cast();
        let code = WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH;
        control(npi.Client, code, 0, none, size, output, core::ptr::null_mut(), core::ptr::null_mut())
    };
    assert_eq!(ask(16), STATUS_SUCCESS);
    assert_eq!(ask(8), STATUS_INVALID_PARAMETER);
    unsafe { WskReleaseProviderNPI(&mut *own) };
    assert_eq!(ask(16), STATUS_INVALID_PARAMETER);
    unsafe { WskDeregister(&mut *own) };
    assert!(table.WskOpenNdkAdapter.is_some() && table.WskCloseNdkAdapter.is_some());
    let rules = machine.shutdown().rules();
    assert_eq!(rules, ["WskControlClient", "WskProviderNpi"]);
}

#[test]
fn wsk_socket_of_another_category_is_not_supported() {
    let fixture = fixture::Fixture::new();
    let none = core::ptr::null_mut();
    let dispatch = unsafe { &*fixture.npi.Dispatch };
    let (client, make) = (fixture.npi.Client, dispatch.WskSocket.unwrap());
    for (kind, protocol, flags) in [(2, 17, 4), (1, 6, 0), (1, 6, 8)] {
        let (status, _) = fixture::request(|irp| unsafe {
            make(client, 2, kind, protocol, flags, none, core::ptr::null(), none, none, none, irp)
        });
        assert_eq!(status, STATUS_NOT_SUPPORTED);
    }
    unsafe { dispatch.WskFreeAddressInfo.unwrap()(client, 0x10 as *mut _) };
    assert_eq!(fixture.rules(), ["WskFreeAddressInfo"]);
}

#[test]
fn registration_is_used_once_and_the_provider_awaited_at_passive_level() {
    let (machine, mut own) = with_client(&DISPATCH);
    register(&mut own, &DISPATCH);
    let old = sched::raise(sched::Irql::DISPATCH);
    assert_eq!(capture(&mut own).0, STATUS_SUCCESS);
    sched::lower(old);
    unsafe {
        WskReleaseProviderNPI(&mut *own);
        WskDeregister(&mut *own);
    }
    let rules = machine.shutdown().rules();
    assert_eq!(rules, ["WskRegister", "WskCaptureProviderNPI"]);
}
