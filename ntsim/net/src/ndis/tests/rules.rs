//! Each rule of NDIS, broken once.

use core::ptr;
use core::sync::atomic::Ordering;

use ntsim_core::number::narrow;
use sys::ndis::*;
use sys::status::*;
use sys::wdm::UNICODE_STRING;

use super::VERSION;
use super::miniport::{Break, Fixture, HANDLE, head, set_attributes, zeroed};
use crate::ndis::configuration::{NdisCloseConfiguration, NdisOpenConfigurationEx, NdisReadConfiguration};
use crate::ndis::driver::{NdisMDeregisterMiniportDriver, NdisSetOptionalHandlers};
use crate::ndis::error_log::NdisWriteErrorLogEntry;
use crate::ndis::lifecycle::NdisMRestartComplete;
use crate::ndis::oid::NdisMOidRequestComplete;
use crate::ndis::open_ndk_adapter;
use crate::ndis::pnp::NdisMIndicateStatusEx;
use crate::ndis::pool::{NdisAllocateNetBufferListPool, NdisFreeNetBufferListPool};
use crate::ndis::work_item::{NdisAllocateIoWorkItem, NdisFreeIoWorkItem, NdisQueueIoWorkItem};

/// The rules that were found broken after `f`.
fn found(rule: Break, f: impl FnOnce(&Fixture)) -> Vec<&'static str> {
    let fixture = Fixture::boot(rule);
    f(&fixture);
    fixture.finish().rules()
}

fn handle() -> NDIS_HANDLE {
    HANDLE.load(Ordering::SeqCst)
}

#[test]
fn driver_without_a_mandatory_handler_is_refused() {
    let found = found(Break::NoPauseHandler, |fixture| {
        assert_eq!(fixture.registered, NDIS_STATUS_BAD_CHARACTERISTICS)
    });
    assert_eq!(found, ["NdisMRegisterMiniportDriver"]);
}

#[test]
fn head_with_the_wrong_size_is_refused() {
    let found =
        found(Break::WrongHeader, |fixture| assert_eq!(fixture.registered, NDIS_STATUS_BAD_CHARACTERISTICS));
    assert_eq!(found, ["NdisObjectHeader"]);
}

#[test]
fn adapter_must_set_its_attributes_while_it_is_initialised() {
    assert_eq!(found(Break::NoGeneralAttributes, |_| ()), ["NdisMSetMiniportAttributes"]);
    assert_eq!(found(Break::NoNdkAttributes, |_| ()), ["NdisMSetMiniportAttributes"]);
    let late = found(Break::LateAttributes, |_| set_attributes(handle()));
    assert!(late.len() > 3 && late.iter().all(|rule| *rule == "NdisMSetMiniportAttributes"));
}

#[test]
fn pause_must_not_fail() {
    assert_eq!(found(Break::PauseFails, |_| ()), ["MiniportPause_Return"]);
}

#[test]
fn completion_of_an_operation_not_pending_is_found() {
    let twice = found(Break::PauseCompletesTwice, |fixture| {
        fixture.adapter().pause().unwrap();
        while ntsim_core::verifier::findings().is_empty() {
            std::thread::yield_now();
        }
    });
    assert_eq!(twice[0], "NdisStateTransition");
    let restarted = found(Break::Nothing, |_| unsafe { NdisMRestartComplete(handle(), NDIS_STATUS_SUCCESS) });
    assert_eq!(restarted, ["NdisStateTransition"]);
    let oid = found(Break::Nothing, |_| unsafe { NdisMOidRequestComplete(handle(), ptr::null_mut(), 0) });
    assert_eq!(oid, ["NdisOidComplete"]);
}

#[test]
fn request_must_not_be_completed_and_answered() {
    assert_eq!(found(Break::OidCompletesTwice, |_| ()), ["NdisOidDoubleComplete"]);
}

#[test]
fn event_must_not_be_raised_inside_a_request() {
    assert_eq!(found(Break::EventInsideOid, |_| ()), ["NdisMNetPnPEventInOIDRequest"]);
}

#[test]
fn event_must_not_begin_while_its_adapter_is_halted() {
    assert_eq!(found(Break::EventAtHalt, |_| ()), ["NdisMNetPnPEventAtHalt"]);
}

#[test]
fn setting_the_rdma_state_must_not_pend() {
    let found =
        found(Break::SetStatePends, |fixture| fixture.adapter().set(OID_NDK_SET_STATE, &[1]).unwrap());
    assert_eq!(found, ["NdkSetStatePending"]);
}

#[test]
fn answer_fits_its_buffer_and_mandatory_ones_are_given() {
    let found_in_query = found(Break::WritesTooMuch, |fixture| {
        assert_eq!(fixture.adapter().query_direct(OID_NDK_STATISTICS, 4).unwrap().len(), 4);
    });
    assert_eq!(found_in_query, ["NdisOidInformation"]);
    assert_eq!(found(Break::RefusesFilter, |_| ()), ["NdisOidMandatory"]);
}

#[test]
fn adapter_that_is_never_halted_is_found() {
    let fixture = Fixture::boot(Break::Nothing);
    let report = fixture.machine.shutdown();
    let has = |rule| report.findings.iter().any(|finding| finding.rule == rule);
    assert!(has("NdisMiniportHalt") && has("NdisMDeregisterMiniportDriver"), "{report}");
}

#[test]
fn capabilities_on_the_stack_are_found() {
    assert_eq!(found(Break::CapabilitiesOnStack, |_| ()), ["NdisAttributesOnStack"]);
}

#[test]
fn attribute_no_pause_on_suspend_without_power_management_is_found() {
    assert_eq!(found(Break::NeverPausesToSleep, |_| ()), ["NdisNoPauseOnSuspend"]);
}

/// The adapter's configuration, open.
unsafe fn open_configuration() -> NDIS_HANDLE {
    let mut configuration = ptr::null_mut();
    unsafe {
        let object = NDIS_CONFIGURATION_OBJECT {
            Header: head(NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT, 1, 0x14),
            NdisHandle: handle(),
            ..zeroed()
        };
        assert_eq!(NdisOpenConfigurationEx(&object, &mut configuration), NDIS_STATUS_SUCCESS);
    }
    configuration
}

#[test]
fn configuration_is_read_while_it_is_open() {
    let found = found(Break::Nothing, |_| unsafe {
        let (mut status, mut value) = (0, ptr::null_mut());
        let integer = NDIS_PARAMETER_TYPE::NdisParameterInteger;
        NdisReadConfiguration(&mut status, &mut value, handle(), ptr::null(), integer);
        assert!(status < 0);
    });
    assert_eq!(found, ["NdisReadConfiguration"]);
}

#[test]
fn keywords_are_read_as_the_type_that_is_asked_for() {
    let found = found(Break::Nothing, |_| unsafe {
        let configuration = open_configuration();
        let mut name: Vec<u16> = "*NetworkDirectTechnology\0".encode_utf16().collect();
        let bytes = narrow(name.len() * 2);
        let keyword = UNICODE_STRING { Length: bytes - 2, MaximumLength: bytes, Buffer: name.as_mut_ptr() };
        let (mut status, mut value) = (0, ptr::null_mut());
        let integer = NDIS_PARAMETER_TYPE::NdisParameterInteger;
        NdisReadConfiguration(&mut status, &mut value, configuration, &keyword, integer);
        assert_eq!((status, (*value).ParameterData.IntegerData), (NDIS_STATUS_SUCCESS, 1));
        let text = NDIS_PARAMETER_TYPE::NdisParameterString;
        NdisReadConfiguration(&mut status, &mut value, configuration, &keyword, text);
        assert_eq!(nt::rtl::from_counted(&(*value).ParameterData.StringData), "1");
        let unknown = UNICODE_STRING { Length: bytes - 4, ..keyword };
        NdisReadConfiguration(&mut status, &mut value, configuration, &unknown, text);
        assert!(status < 0);
        NdisCloseConfiguration(configuration);
    });
    // The unknown one ends inside the other, without a null character.
    assert_eq!(found, ["NdisStringTermination"]);
}

#[test]
fn late_answers_are_found() {
    let found = found(Break::AnswersLate, |fixture| {
        fixture.adapter().send(b"frame").unwrap();
        fixture.adapter().pause().unwrap();
    });
    assert_eq!(found, ["NdisTimedOidComplete", "NdisTimedDataHang", "NdisTimedDataSend", "NdisWatchdog"]);
}

#[test]
fn driver_must_deregister_once() {
    assert_eq!(found(Break::NeverDeregisters, |_| ()), ["NdisMDeregisterMiniportDriver"]);
    let twice = found(Break::Nothing, |_| unsafe { NdisMDeregisterMiniportDriver(handle()) });
    assert_eq!(twice, ["NdisMDeregisterMiniportDriver"]);
}

#[test]
fn optional_handlers_are_set_only_in_the_set_options_handler() {
    let found = found(Break::Nothing, |fixture| unsafe {
        let driver = fixture.adapter().driver.handle.ptr();
        let ndk = head(NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS, 1, 0x18);
        assert_eq!(NdisSetOptionalHandlers(driver, (&raw const ndk).cast()), NDIS_STATUS_NOT_SUPPORTED);
    });
    assert_eq!(found, ["NdisSetOptionalHandlers"]);
}

#[test]
fn resources_left_by_a_halted_adapter_are_found() {
    let found = found(Break::Nothing, |_| unsafe {
        open_configuration();
        NdisAllocateIoWorkItem(handle());
        NdisAllocateNetBufferListPool(handle(), &pool());
    });
    assert_eq!(found, ["NdisFreeNetBufferListPool", "NdisIoWorkItem", "NdisCloseConfiguration"]);
}

/// Parameters of a pool that is made right.
pub(super) fn pool() -> NET_BUFFER_LIST_POOL_PARAMETERS {
    NET_BUFFER_LIST_POOL_PARAMETERS {
        Header: head(NDIS_OBJECT_TYPE_DEFAULT, 1, 0x10),
        fAllocateNetBuffer: 1,
        PoolTag: u32::from_le_bytes(*b"Test"),
        ..zeroed()
    }
}

#[test]
fn pool_needs_a_tag_and_is_freed_once() {
    let found = found(Break::Nothing, |_| unsafe {
        let made = NdisAllocateNetBufferListPool(
            handle(),
            &NET_BUFFER_LIST_POOL_PARAMETERS { PoolTag: 0, ..pool() },
        );
        NdisFreeNetBufferListPool(made);
        NdisFreeNetBufferListPool(made);
    });
    assert_eq!(found, ["NdisAllocateNetBufferListPool", "NdisFreeNetBufferListPool"]);
}

#[test]
fn work_items_and_configurations_are_used_as_what_they_are() {
    let found = found(Break::Nothing, |_| unsafe {
        let item = NdisAllocateIoWorkItem(handle());
        NdisQueueIoWorkItem(item, None, ptr::null_mut());
        NdisFreeIoWorkItem(item);
        NdisFreeIoWorkItem(item);
        NdisCloseConfiguration(item);
    });
    assert_eq!(found, ["NdisIoWorkItem", "NdisIoWorkItem", "NdisIoWorkItem", "NdisCloseConfiguration"]);
}

#[test]
fn status_must_have_its_buffer_and_a_live_adapter() {
    let found = found(Break::Nothing, |fixture| unsafe {
        let mut indication: NDIS_STATUS_INDICATION = zeroed();
        indication.Header = head(NDIS_OBJECT_TYPE_STATUS_INDICATION, 1, 0x70);
        indication.StatusCode = NDIS_STATUS_LINK_STATE;
        NdisMIndicateStatusEx(handle(), &indication);
        assert_eq!(fixture.adapter().take_indicated_statuses(), [NDIS_STATUS_LINK_STATE]);
        indication.StatusBufferSize = 4;
        NdisMIndicateStatusEx(handle(), &indication);
        fixture.adapter().halt().unwrap();
        NdisMIndicateStatusEx(handle(), &indication);
    });
    assert_eq!(found, ["NdisMIndicateStatusEx", "NdisHandle"]);
}

#[test]
fn open_that_succeeds_yields_an_adapter() {
    let found = found(Break::OpensNothing, |_| {
        assert_eq!(open_ndk_adapter(12, VERSION).err(), Some(STATUS_INTERNAL_ERROR));
    });
    assert_eq!(found, ["OpenNDKAdapterHandler"]);
}

#[test]
fn halting_with_rdma_adapters_open_is_found() {
    let found = found(Break::Nothing, |_| drop(open_ndk_adapter(12, VERSION)));
    assert_eq!(found, ["NdkAdapterOpenAtHalt"]);
}

#[test]
fn entry_of_event_log_has_listed_code_and_fits() {
    let write = NdisWriteErrorLogEntry as *const ();
    // SAFETY: this is the function's prototype.
    let write: signature::NdisWriteErrorLogEntry = unsafe { core::mem::transmute(write) };
    let found = found(Break::Nothing, |_bench| {
        let kept = |entries: usize| assert_eq!(crate::ndis::event_log().len(), entries);
        unsafe { write(handle(), NDIS_ERROR_CODE_DRIVER_FAILURE, 2, 7_u32, 8_u32) };
        let entry = &crate::ndis::event_log()[0];
        assert_eq!((entry.if_index, entry.code, &entry.values[..]), (12, 0xC000_138D, &[7, 8][..]));
        unsafe { write(handle(), 0xC000_1395, 0) };
        unsafe { write(handle(), NDIS_ERROR_CODE_OUT_OF_RESOURCES, 49) };
        kept(1);
        unsafe { write(ptr::null_mut(), NDIS_ERROR_CODE_DRIVER_FAILURE, 0) };
        kept(1);
    });
    assert_eq!(found, ["NdisErrorLog", "NdisErrorLog", "NdisHandle"]);
}

#[test]
fn device_that_answers_after_its_removal_is_found() {
    let found = found(Break::OutlivesDevice, |fixture| fixture.adapter().surprise_remove().unwrap());
    assert_eq!(found, ["NdisSurpriseRemoval"; 2]);
}

#[test]
fn allocations_for_no_adapter_and_odd_contexts_are_found() {
    let found = found(Break::Nothing, |_| unsafe {
        NdisFreeIoWorkItem(NdisAllocateIoWorkItem(0x10 as NDIS_HANDLE));
        let mut parameters = pool();
        NdisFreeNetBufferListPool(NdisAllocateNetBufferListPool(0x10 as NDIS_HANDLE, &parameters));
        NdisFreeNetBufferListPool(NdisAllocateNetBufferListPool(ptr::null_mut(), &parameters));
        parameters.ContextSize = 8;
        NdisFreeNetBufferListPool(NdisAllocateNetBufferListPool(handle(), &parameters));
    });
    assert_eq!(found, ["NdisHandle", "NdisHandle", "NdisContextSize"]);
}
