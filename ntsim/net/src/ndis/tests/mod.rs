//! NDIS against a fake miniport driver, which keeps and breaks its rules.

mod device;
mod frames;
mod miniport;
mod objects;
mod rules;

use core::sync::atomic::Ordering;

use sys::ndis::*;
use sys::ndk::NDK_VERSION;
use sys::status::*;

use super::open_ndk_adapter;
use crate::ndis::State;
use miniport::{Break, CLOSED, Fixture, raise};

const VERSION: NDK_VERSION = NDK_VERSION { Major: 2, Minor: 0 };

#[test]
fn adapter_goes_through_its_states() {
    let fixture = Fixture::boot(Break::Nothing);
    assert_eq!((fixture.registered, fixture.started), (NDIS_STATUS_SUCCESS, Ok(())));
    let adapter = fixture.adapter();
    assert_eq!(
        (adapter.state(), adapter.mtu(), adapter.mac_address()),
        (State::Running, 1500, [2, 0, 0, 0, 0, 1])
    );
    adapter.pause().unwrap();
    assert_eq!(adapter.state(), State::Paused);
    assert!(adapter.pause().is_err());
    adapter.restart().unwrap();
    adapter.surprise_remove().unwrap();
    assert_eq!(adapter.state(), State::Halted);
    assert!(crate::ndis::adapter(12).is_none());
    drop(adapter);
    assert!(fixture.finish().is_clean());
}

#[test]
fn request_is_answered_later_or_at_once() {
    let fixture = Fixture::boot(Break::Nothing);
    let adapter = fixture.adapter();
    assert_eq!(adapter.query(OID_NDK_STATISTICS, 8), Ok(0x1234_u32.to_le_bytes().to_vec()));
    assert_eq!(adapter.query_direct(OID_NDK_STATISTICS, 4), Ok(0x1234_u32.to_le_bytes().to_vec()));
    assert_eq!(adapter.set(OID_NDK_SET_STATE, &[1]), Ok(()));
    drop(adapter);
    assert!(fixture.finish().is_clean());
}

#[test]
fn rdma_opens_only_while_it_is_enabled() {
    let fixture = Fixture::boot(Break::Nothing);
    let adapter = fixture.adapter();
    let opened = open_ndk_adapter(12, VERSION).ok().unwrap();
    assert_eq!(adapter.open_ndk_adapters(), 1);
    assert_eq!(open_ndk_adapter(13, VERSION).err(), Some(STATUS_NOT_FOUND));
    std::thread::scope(|scope| {
        let disabled = scope.spawn(|| {
            let _attached = ntsim_core::sched::attach("disable");
            raise(NET_PNP_EVENT_CODE::NetEventNDKDisable)
        });
        while adapter.is_ndk_enabled() {
            std::thread::yield_now();
        }
        assert!(!disabled.is_finished());
        assert_eq!(open_ndk_adapter(12, VERSION).err(), Some(NDIS_STATUS_ADAPTER_NOT_READY));
        (opened.close)(opened.adapter);
        assert_eq!(disabled.join().unwrap(), NDIS_STATUS_SUCCESS);
    });
    assert_eq!((CLOSED.load(Ordering::SeqCst), adapter.open_ndk_adapters()), (1, 0));
    assert_eq!(raise(NET_PNP_EVENT_CODE::NetEventNDKEnable), NDIS_STATUS_SUCCESS);
    assert!(adapter.is_ndk_enabled());
    drop(adapter);
    assert!(fixture.finish().is_clean());
}

#[test]
fn adapter_that_can_not_be_initialised_leaves_nothing() {
    let fixture = Fixture::boot(Break::InitializeFails);
    assert_eq!(fixture.started, Err(nt::io::StatusError(STATUS_INSUFFICIENT_RESOURCES)));
    assert!(crate::ndis::adapter(12).is_none());
    assert!(fixture.finish().is_clean());
}
