//! A fake miniport driver, which keeps the rules unless it is told to break one.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::net::IpAddr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use ntsim_core::address::Va;
use ntsim_core::boot::{Machine, ShutdownReport};
use ntsim_core::number::narrow;
use ntsim_core::sched;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::ndk::{NDK_ADAPTER, NDK_ADAPTER_INFO};
use sys::status::*;
use sys::wdm::DRIVER_OBJECT;

use crate::ndis::attributes::NdisMSetMiniportAttributes;
use crate::ndis::buffer::data;
use crate::ndis::driver::{
    NdisMDeregisterMiniportDriver, NdisMRegisterMiniportDriver, NdisSetOptionalHandlers, of_object,
};
use crate::ndis::lifecycle::{NdisMPauseComplete, start};
use crate::ndis::oid::NdisMOidRequestComplete;
use crate::ndis::pnp::NdisMNetPnPEvent;
use crate::ndis::send::NdisMSendNetBufferListsComplete;
use crate::ndis::{Adapter, AdapterConfig};

/// The rule to break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Break {
    Nothing,
    NoPauseHandler,
    WrongHeader,
    NoGeneralAttributes,
    NoNdkAttributes,
    LateAttributes,
    InitializeFails,
    PauseFails,
    PauseCompletesTwice,
    OidCompletesTwice,
    EventInsideOid,
    EventAtHalt,
    SetStatePends,
    NeverDeregisters,
    OpensNothing,
    AnswersLate,
    WritesTooMuch,
    RefusesFilter,
    CapabilitiesOnStack,
    NeverPausesToSleep,
    OutlivesDevice,
    OldestVersion,
    NoVersion,
}

static BREAK: AtomicU8 = AtomicU8::new(0);
/// The adapter's handle.
pub(super) static HANDLE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The driver's handle.
static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// Lists that were returned.
pub(super) static RETURNED: AtomicUsize = AtomicUsize::new(0);
/// The flags of each return.
pub(super) static RETURNS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// The frames that were sent.
pub(super) static SENT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
/// Set once the device is gone.
static GONE: AtomicBool = AtomicBool::new(false);
/// RDMA adapters that were closed.
pub(super) static CLOSED: AtomicUsize = AtomicUsize::new(0);

fn breaks(rule: Break) -> bool {
    BREAK.load(Ordering::SeqCst) == rule as u8
}

/// A machine with the driver, its adapter running unless the rule to break prevents it.
pub(super) struct Fixture {
    pub(super) machine: Machine,
    pub(super) registered: NDIS_STATUS,
    pub(super) started: Result<(), nt::io::StatusError>,
    driver: Box<DRIVER_OBJECT>,
}

impl Fixture {
    pub(super) fn boot(rule: Break) -> Self {
        let machine = crate::testing::builder().boot();
        BREAK.store(rule as u8, Ordering::SeqCst);
        RETURNED.store(0, Ordering::SeqCst);
        CLOSED.store(0, Ordering::SeqCst);
        GONE.store(false, Ordering::SeqCst);
        RETURNS.lock().clear();
        SENT.lock().clear();
        let mut driver: Box<DRIVER_OBJECT> = Box::new(zeroed());
        let registered = register(&mut driver);
        crate::ndis::add_adapters([AdapterConfig::new(12, ["10.0.0.1".parse::<IpAddr>().unwrap()])]);
        let started = match of_object(&mut *driver) {
            Some(driver) => start(&driver),
            None => Ok(()),
        };
        Self { machine, registered, started, driver }
    }

    pub(super) fn adapter(&self) -> std::sync::Arc<Adapter> {
        crate::ndis::adapter(12).unwrap()
    }

    /// Halts the adapter, unloads the driver and shuts down.
    pub(super) fn finish(self) -> ShutdownReport {
        if let Some(adapter) = crate::ndis::adapter(12) {
            adapter.halt().unwrap();
        }
        if let Some(unload) = self.driver.DriverUnload {
            let object = ptr::from_ref(&*self.driver).cast_mut();
            unsafe { unload(object) };
        }
        self.machine.shutdown()
    }
}

pub(super) fn zeroed<T>() -> T {
    unsafe { MaybeUninit::zeroed().assume_init() }
}

pub(super) fn head(kind: u8, revision: u8, size: usize) -> NDIS_OBJECT_HEADER {
    NDIS_OBJECT_HEADER { Type: kind, Revision: revision, Size: narrow(size) }
}

fn register(driver: &mut DRIVER_OBJECT) -> NDIS_STATUS {
    let mut characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS = zeroed();
    let size = if breaks(Break::WrongHeader) { 0x20 } else { 0xA0 };
    characteristics.Header = head(NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, 3, size);
    (characteristics.MajorNdisVersion, characteristics.MinorNdisVersion) = match () {
        () if breaks(Break::OldestVersion) => (6, 0),
        () if breaks(Break::NoVersion) => (6, 10),
        () => (6, 80),
    };
    characteristics.SetOptionsHandler = Some(set_options);
    characteristics.InitializeHandlerEx = Some(initialize);
    characteristics.HaltHandlerEx = Some(halt);
    characteristics.UnloadHandler = Some(unload);
    characteristics.PauseHandler = (!breaks(Break::NoPauseHandler)).then_some(pause);
    characteristics.RestartHandler = Some(restart);
    characteristics.OidRequestHandler = Some(oid);
    characteristics.SendNetBufferListsHandler = Some(send);
    characteristics.ReturnNetBufferListsHandler = Some(returned);
    characteristics.CancelSendHandler = Some(cancel);
    characteristics.DevicePnPEventNotifyHandler = Some(event);
    characteristics.ShutdownHandlerEx = Some(shutdown);
    characteristics.CancelOidRequestHandler = Some(cancel);
    characteristics.DirectOidRequestHandler = Some(direct_oid);
    characteristics.CancelDirectOidRequestHandler = Some(cancel);
    let mut handle = ptr::null_mut();
    let context = 0x77 as NDIS_HANDLE;
    let status = unsafe {
        NdisMRegisterMiniportDriver(driver, ptr::null_mut(), context, &characteristics, &mut handle)
    };
    DRIVER.store(handle, Ordering::SeqCst);
    status
}

unsafe extern "efiapi" fn set_options(handle: NDIS_HANDLE, context: NDIS_HANDLE) -> NDIS_STATUS {
    assert_eq!(context.addr(), 0x77);
    let ndk = NDIS_NDK_PROVIDER_CHARACTERISTICS {
        Header: head(NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS, 1, 0x18),
        Flags: 0,
        OpenNDKAdapterHandler: Some(open_ndk),
        CloseNDKAdapterHandler: Some(close_ndk),
    };
    unsafe { NdisSetOptionalHandlers(handle, (&raw const ndk).cast()) }
}

unsafe extern "efiapi" fn initialize(
    handle: NDIS_HANDLE,
    _context: NDIS_HANDLE,
    parameters: *mut NDIS_MINIPORT_INIT_PARAMETERS,
) -> NDIS_STATUS {
    HANDLE.store(handle, Ordering::SeqCst);
    assert_eq!(unsafe { (*parameters).IfIndex }, 12);
    if breaks(Break::InitializeFails) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if !breaks(Break::LateAttributes) {
        set_attributes(handle);
    }
    NDIS_STATUS_SUCCESS
}

/// Sets all attributes that the rule to break leaves.
pub(super) fn set_attributes(handle: NDIS_HANDLE) {
    let registration = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
        Header: head(NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, 2, 0x1C),
        MiniportAdapterContext: 0x99 as NDIS_HANDLE,
        AttributeFlags: if breaks(Break::NeverPausesToSleep) {
            NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND
        } else {
            0
        },
        ..zeroed()
    };
    static OIDS: [u32; 2] = [OID_GEN_CURRENT_PACKET_FILTER, OID_NDK_STATISTICS];
    let mut general: NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = zeroed();
    general.Header = head(NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, 2, 0xE0);
    general.MtuSize = 1500;
    general.MacAddressLength = 6;
    general.CurrentMacAddress[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    general.SupportedOidList = OIDS.as_ptr();
    general.SupportedOidListLength = narrow(size_of_val(&OIDS));
    let info: &NDK_ADAPTER_INFO = Box::leak(Box::new(zeroed()));
    let mut capabilities: NDIS_NDK_CAPABILITIES = zeroed();
    capabilities.Header = head(NDIS_OBJECT_TYPE_DEFAULT, 1, 0x38);
    capabilities.NdkInfo = info;
    let kept = if breaks(Break::CapabilitiesOnStack) {
        &raw const capabilities
    } else {
        Box::leak(Box::new(capabilities))
    };
    let ndk = NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES {
        Header: head(NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES, 1, 0x10),
        Enabled: 1,
        NdkCapabilities: kept,
    };
    unsafe {
        NdisMSetMiniportAttributes(handle, (&raw const registration).cast());
        if !breaks(Break::NoGeneralAttributes) {
            NdisMSetMiniportAttributes(handle, (&raw const general).cast());
        }
        if !breaks(Break::NoNdkAttributes) {
            NdisMSetMiniportAttributes(handle, (&raw const ndk).cast());
        }
    }
}

unsafe extern "efiapi" fn halt(_context: NDIS_HANDLE, _action: NDIS_HALT_ACTION) {
    if breaks(Break::EventAtHalt) {
        sched::block(Some(core::time::Duration::from_millis(200)));
        raise(NET_PNP_EVENT_CODE::NetEventNDKEnable);
    }
}

unsafe extern "efiapi" fn unload(_object: *mut DRIVER_OBJECT) {
    if !breaks(Break::NeverDeregisters) {
        unsafe { NdisMDeregisterMiniportDriver(DRIVER.load(Ordering::SeqCst)) };
    }
}

unsafe extern "efiapi" fn pause(
    context: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_PAUSE_PARAMETERS,
) -> NDIS_STATUS {
    assert!(context.addr() == 0x99 || breaks(Break::LateAttributes));
    if breaks(Break::PauseFails) {
        return NDIS_STATUS_RESOURCES;
    }
    let handle = Va::of(HANDLE.load(Ordering::SeqCst));
    let completed = move || unsafe { NdisMPauseComplete(handle.ptr()) };
    sched::spawn("pause", move || {
        hesitate("NdisWatchdog");
        completed();
        if breaks(Break::PauseCompletesTwice) {
            completed();
        }
    })
    .unwrap();
    NDIS_STATUS_PENDING
}

unsafe extern "efiapi" fn restart(
    _context: NDIS_HANDLE,
    _parameters: *mut NDIS_MINIPORT_RESTART_PARAMETERS,
) -> NDIS_STATUS {
    NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn oid(_context: NDIS_HANDLE, request: *mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    let handle = HANDLE.load(Ordering::SeqCst);
    let asked = unsafe { &mut *request };
    let oid = unsafe { asked.DATA.QUERY_INFORMATION.Oid };
    if GONE.load(Ordering::SeqCst) && !breaks(Break::OutlivesDevice) {
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    if breaks(Break::OidCompletesTwice) {
        unsafe { NdisMOidRequestComplete(handle, request, NDIS_STATUS_SUCCESS) };
        return NDIS_STATUS_SUCCESS;
    }
    if breaks(Break::EventInsideOid) {
        raise(NET_PNP_EVENT_CODE::NetEventNDKEnable);
    }
    match oid {
        OID_GEN_CURRENT_PACKET_FILTER if breaks(Break::RefusesFilter) => return NDIS_STATUS_NOT_SUPPORTED,
        OID_NDK_SET_STATE if !breaks(Break::SetStatePends) => return NDIS_STATUS_SUCCESS,
        OID_NDK_STATISTICS => answer(asked),
        _ => {}
    }
    let (handle, request) = (Va::of(handle), Va::of(request));
    let body = move || unsafe {
        hesitate("NdisTimedOidComplete");
        NdisMOidRequestComplete(handle.ptr(), request.ptr::<NDIS_OID_REQUEST>(), NDIS_STATUS_SUCCESS);
    };
    sched::spawn("oid", body).unwrap();
    NDIS_STATUS_PENDING
}

unsafe extern "efiapi" fn direct_oid(_context: NDIS_HANDLE, request: *mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    answer(unsafe { &mut *request });
    NDIS_STATUS_SUCCESS
}

fn answer(request: &mut NDIS_OID_REQUEST) {
    let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
    unsafe { query.InformationBuffer.cast::<u32>().write(0x1234) };
    query.BytesWritten = if breaks(Break::WritesTooMuch) { 5 } else { 4 };
}

/// Raises an event for the RDMA consumers.
pub(super) fn raise(event: NET_PNP_EVENT_CODE) -> NDIS_STATUS {
    let mut notification: NET_PNP_EVENT_NOTIFICATION = zeroed();
    notification.Header = head(NDIS_OBJECT_TYPE_DEFAULT, 2, 0xAC);
    notification.NetPnPEvent.NetEvent = event;
    unsafe { NdisMNetPnPEvent(HANDLE.load(Ordering::SeqCst), &notification) }
}

unsafe extern "efiapi" fn send(
    _context: NDIS_HANDLE,
    lists: *mut NET_BUFFER_LIST,
    _port: NDIS_PORT_NUMBER,
    _flags: u32,
) {
    let gone = GONE.load(Ordering::SeqCst) && !breaks(Break::OutlivesDevice);
    let mut next = lists;
    while let Some(list) = unsafe { next.as_mut() } {
        list.Status = if gone { NDIS_STATUS_NOT_ACCEPTED } else { NDIS_STATUS_SUCCESS };
        let mut buffer = list.FirstNetBuffer;
        while !buffer.is_null() {
            SENT.lock().push(unsafe { data(buffer) });
            buffer = unsafe { (*buffer).Next };
        }
        next = list.Next;
    }
    let (handle, lists) = (Va::of(HANDLE.load(Ordering::SeqCst)), Va::of(lists));
    let completed = move || unsafe {
        hesitate("NdisTimedDataSend");
        NdisMSendNetBufferListsComplete(handle.ptr(), lists.ptr::<NET_BUFFER_LIST>(), 0);
    };
    sched::spawn("send", completed).unwrap();
}

unsafe extern "efiapi" fn returned(_context: NDIS_HANDLE, lists: *mut NET_BUFFER_LIST, flags: u32) {
    let mut next = lists;
    let mut count = 0;
    RETURNS.lock().push(flags);
    while !next.is_null() {
        count += 1;
        next = unsafe { (*next).Next };
    }
    RETURNED.fetch_add(count, Ordering::SeqCst);
}

/// Waits until NDIS has given up by `rule`, if that is what is to be seen.
fn hesitate(rule: &str) {
    let lost = || ntsim_core::verifier::findings().iter().any(|finding| finding.rule == rule);
    while breaks(Break::AnswersLate) && !lost() {
        std::thread::yield_now();
    }
}

unsafe extern "efiapi" fn cancel(_context: NDIS_HANDLE, _id: *mut c_void) {}

unsafe extern "efiapi" fn event(_context: NDIS_HANDLE, event: *mut NET_DEVICE_PNP_EVENT) {
    let removed = NDIS_DEVICE_PNP_EVENT::NdisDevicePnPEventSurpriseRemoved;
    GONE.fetch_or(unsafe { (*event).DevicePnPEvent } == removed, Ordering::SeqCst);
}

unsafe extern "efiapi" fn shutdown(_context: NDIS_HANDLE, _action: NDIS_SHUTDOWN_ACTION) {}

unsafe extern "efiapi" fn open_ndk(
    _context: NDIS_HANDLE,
    _parameters: *const NDIS_OPEN_NDK_ADAPTER_PARAMETERS,
    out: *mut *mut NDK_ADAPTER,
) -> NDIS_STATUS {
    if !breaks(Break::OpensNothing) {
        unsafe { out.write(0x1000 as *mut NDK_ADAPTER) };
    }
    NDIS_STATUS_SUCCESS
}

unsafe extern "efiapi" fn close_ndk(_context: NDIS_HANDLE, adapter: *mut NDK_ADAPTER) {
    assert_eq!(adapter.addr(), 0x1000);
    CLOSED.fetch_add(1, Ordering::SeqCst);
}
