//! The driver's registration as a client of Winsock Kernel, and its hold on the provider (WSK-1).
//!
//! The provider is there once tcpip.sys is. A work item waits for it; until it is there, ports that are to be opened are
//! kept, and connections find no network. A socket that is asked for before the work item has run looks for itself,
//! without waiting.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use lock_api::RawMutex as _;
use provider::Kernel;
use sys::irql::PassiveLevel;
use sys::status::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES, STATUS_NETWORK_UNREACHABLE,
    STATUS_SUCCESS,
};
use sys::wsk::{
    MAKE_WSK_VERSION, WSK_CLIENT, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_DISPATCH,
    WSK_PROVIDER_NPI, WSK_REGISTRATION, WskCaptureProviderNPI, WskDeregister, WskRegister,
    WskReleaseProviderNPI,
};
use wdk::nt_success;

use super::listen::Port;
use super::socket::Socket;
use crate::heap;
use crate::kernel::{Lock, SpinLock, Windows};

static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: MAKE_WSK_VERSION(1, 0), Reserved: 0, WskClientEvent: None };

/// The time, in milliseconds, that one call waits for the provider.
const WAIT: u32 = 1000;

/// The registration, which stays in its place from loading to unloading.
struct Registration(UnsafeCell<MaybeUninit<WSK_REGISTRATION>>);

// SAFETY: Winsock Kernel synchronises the use of a registration, which it alone looks into.
unsafe impl Sync for Registration {}

static REGISTRATION: Registration = Registration(UnsafeCell::new(MaybeUninit::zeroed()));

/// The provider, as the driver has captured it.
#[derive(Clone, Copy)]
pub(super) struct Provider {
    pub(super) client: *mut WSK_CLIENT,
    pub(super) dispatch: NonNull<WSK_PROVIDER_DISPATCH>,
}

// SAFETY: the provider may be called on any thread.
unsafe impl Send for Provider {}

/// The driver's hold on the provider.
enum Hold {
    /// Not registered, or being deregistered: the provider is not captured any more.
    None,
    /// Registered.
    Absent,
    /// Captured.
    Captured(Provider),
}

struct State {
    hold: Hold,
    /// Ports that are to be opened once the provider is there.
    kept: Vec<NonNull<Socket<Port>>>,
}

// SAFETY: a port that is kept stays until it is taken out of the list, and may be used on any thread.
unsafe impl Send for State {}

static STATE: Lock<State> = Lock::const_new(SpinLock::INIT, State { hold: Hold::None, kept: Vec::new() });

/// Marks the driver as a client, for the work item that captures the provider.
pub(crate) struct Client;

impl Client {
    /// Registers the driver.
    ///
    /// # Errors
    ///
    /// Those of Winsock Kernel.
    pub(crate) fn register(_: PassiveLevel) -> Result<(), NTSTATUS> {
        let npi = WSK_CLIENT_NPI { ClientContext: null_mut(), Dispatch: &raw const DISPATCH };
        // SAFETY: registration and dispatch table are static; the NPI is read during the call.
        let status = unsafe { WskRegister(&raw const npi, REGISTRATION.0.get().cast()) };
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        STATE.lock().hold = Hold::Absent;
        Ok(())
    }

    /// Waits for the provider, and opens the ports that wait for it. Run by a work item, as the wait may be long;
    /// [`Client::end_wait`] ends it.
    ///
    /// Not in one call without limit, which WskDeregister would end: nothing says when that call has begun, and one that
    /// begins after WskDeregister names a registration that is none any more.
    pub(crate) fn wait_for_provider(&self, _: PassiveLevel) {
        while matches!(STATE.lock().hold, Hold::Absent) {
            match capture(WAIT) {
                Ok(_) | Err(STATUS_DEVICE_NOT_READY) => {}
                Err(status) => {
                    // None will come, for which ports and connections would wait.
                    let mut state = STATE.lock();
                    if matches!(state.hold, Hold::Absent) {
                        state.hold = Hold::None;
                    }
                    drop(state);
                    <Windows as Kernel>::trace(format_args!("no provider of Winsock Kernel: {status:#x}"));
                }
            }
        }
        open_kept();
    }

    /// Ends the wait for the provider, within [`WAIT`], and gives the provider back. All sockets are closed.
    pub(crate) fn end_wait() {
        let before = core::mem::replace(&mut STATE.lock().hold, Hold::None);
        if matches!(before, Hold::Captured(_)) {
            release();
        }
    }

    /// Ends the registration, after the wait.
    pub(crate) fn deregister(_: PassiveLevel) {
        // SAFETY: the registration was made, and no other call with it is made any more.
        unsafe { WskDeregister(REGISTRATION.0.get().cast()) };
    }
}

/// The provider.
///
/// # Errors
///
/// STATUS_NETWORK_UNREACHABLE if it is not there. Up to DISPATCH_LEVEL.
pub(super) fn provider() -> Result<Provider, NTSTATUS> {
    match STATE.lock().hold {
        Hold::Captured(provider) => return Ok(provider),
        Hold::None => return Err(STATUS_NETWORK_UNREACHABLE),
        Hold::Absent => {}
    }
    capture(WSK_NO_WAIT).map_err(|_| STATUS_NETWORK_UNREACHABLE)
}

/// Captures the provider, once for the driver.
fn capture(wait: u32) -> Result<Provider, NTSTATUS> {
    let mut npi = WSK_PROVIDER_NPI { Client: null_mut(), Dispatch: core::ptr::null() };
    // SAFETY: the driver is registered, and the place is a local. A call that waits is made at PASSIVE_LEVEL.
    let status = unsafe { WskCaptureProviderNPI(REGISTRATION.0.get().cast(), wait, &raw mut npi) };
    if !nt_success(status) {
        return Err(status);
    }
    let captured = NonNull::new(npi.Dispatch.cast_mut());
    let (result, surplus) = {
        let mut state = STATE.lock();
        match (&state.hold, captured) {
            (Hold::Captured(earlier), _) => (Ok(*earlier), true),
            (Hold::Absent, Some(dispatch)) => {
                let provider = Provider { client: npi.Client, dispatch };
                state.hold = Hold::Captured(provider);
                (Ok(provider), false)
            }
            (Hold::Absent | Hold::None, _) => (Err(STATUS_NETWORK_UNREACHABLE), true),
        }
    };
    if surplus {
        release();
    }
    result
}

/// Gives one capture of the provider back.
fn release() {
    // SAFETY: the provider was captured once more than it was released.
    unsafe { WskReleaseProviderNPI(REGISTRATION.0.get().cast()) };
}

/// Keeps a port until the provider is there.
///
/// # Errors
///
/// STATUS_INSUFFICIENT_RESOURCES; STATUS_NETWORK_UNREACHABLE if the driver is no client.
pub(super) fn keep(port: NonNull<Socket<Port>>) -> Result<(), NTSTATUS> {
    let arrived = {
        let mut state = STATE.lock();
        if matches!(state.hold, Hold::None) {
            return Err(STATUS_NETWORK_UNREACHABLE);
        }
        heap::push(&mut state.kept, port).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        matches!(state.hold, Hold::Captured(_))
    };
    if arrived {
        open_kept();
    }
    Ok(())
}

/// Returns whether a port was kept, which it is not any more.
pub(super) fn forget(port: NonNull<Socket<Port>>) -> bool {
    let mut state = STATE.lock();
    let before = state.kept.len();
    state.kept.retain(|kept| *kept != port);
    state.kept.len() != before
}

/// Opens the ports that were kept.
fn open_kept() {
    loop {
        let next = STATE.lock().kept.pop();
        let Some(port) = next else { return };
        // SAFETY: a port that was kept and taken out by this thread has its setup still to go.
        unsafe { Socket::advance(port) };
    }
}
