//! OID requests: questions and orders to an adapter.

use core::cell::Cell;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use nt::io::StatusError;
use nt::mm::Block;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, STATUS_DEVICE_NOT_READY,
    STATUS_INSUFFICIENT_RESOURCES,
};

use super::adapter::{self, Adapter, State};
use super::wait::Answer;
use super::{compliance, variation, violation};

/// The longest time that a miniport may take for a request, by Driver Verifier's rule NdisTimedOidComplete;
/// tests are less patient.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 12 });

/// Size of `NDIS_OID_REQUEST` in revision 1: through the reserved members.
const SIZE: u16 = 0xF0;

/// The requests of an adapter.
#[derive(Default)]
pub(super) struct Oids {
    /// Held for the time of a request that is not direct: NDIS sends one at a time.
    serial: serial::Serial,
    pending: Mutex<HashMap<Va, Arc<Answer<NDIS_STATUS>>>>,
}

/// A lock that a thread of the machine holds across a call into a driver.
mod serial {
    use ntsim_core::sched::{self, Thread};
    use parking_lot::Mutex;

    /// Lets one thread through at a time; the others block as threads of the machine do.
    #[derive(Default)]
    pub(super) struct Serial {
        state: Mutex<(bool, Vec<&'static Thread>)>,
    }

    impl Serial {
        pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
            loop {
                {
                    let mut state = self.state.lock();
                    if !state.0 {
                        state.0 = true;
                        break;
                    }
                    state.1.extend(sched::current());
                }
                sched::block(None);
            }
            let result = f();
            let mut state = self.state.lock();
            state.0 = false;
            state.1.drain(..).for_each(sched::wake);
            drop(state);
            result
        }
    }
}

thread_local! {
    /// The number of OID handlers that the thread is inside of.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Returns whether the calling thread is inside an OID handler.
pub(super) fn inside_handler() -> bool {
    INSIDE.with(Cell::get) > 0
}

impl Adapter {
    /// Asks for information: the answer's bytes.
    ///
    /// # Errors
    /// The driver's status.
    pub fn query(&self, oid: u32, room: usize) -> Result<Vec<u8>, StatusError> {
        self.request(Kind::Query, oid, vec![0; room], false)
    }

    /// Sets information.
    ///
    /// # Errors
    /// The driver's status.
    pub fn set(&self, oid: u32, information: &[u8]) -> Result<(), StatusError> {
        self.request(Kind::Set, oid, information.to_vec(), false).map(|_| ())
    }

    /// Asks for information by the direct path, which is not serialised with the other one.
    ///
    /// # Errors
    /// The driver's status.
    pub fn query_direct(&self, oid: u32, room: usize) -> Result<Vec<u8>, StatusError> {
        self.request(Kind::Query, oid, vec![0; room], true)
    }

    fn request(
        &self,
        kind: Kind,
        oid: u32,
        mut buffer: Vec<u8>,
        direct: bool,
    ) -> Result<Vec<u8>, StatusError> {
        if matches!(self.state(), State::Halted | State::Initializing | State::Halting | State::ShutDown) {
            return Err(StatusError(STATUS_DEVICE_NOT_READY));
        }
        let block =
            Block::new(size_of::<NDIS_OID_REQUEST>()).ok_or(StatusError(STATUS_INSUFFICIENT_RESOURCES))?;
        let request = block.as_ptr::<NDIS_OID_REQUEST>();
        // SAFETY: the block is zeroed, which is a valid request, and has its size.
        kind.fill(unsafe { &mut *request }, oid, &mut buffer);
        let gone = self.is_gone();
        let status = if direct {
            self.send_direct(request, oid)
        } else {
            self.oids.serial.run(|| self.send_serial(request, oid))
        };
        if gone {
            self.check_refused("an OID request", status);
        }
        // SAFETY: the request is over, and its memory still there.
        let written = kind.bytes_written(unsafe { &*request });
        if status != NDIS_STATUS_SUCCESS {
            return Err(StatusError(status));
        }
        if written > buffer.len() {
            let text = format!("OID {oid:#010X} wrote {written} bytes into {}", buffer.len());
            violation("NdisOidInformation", [0, self.handle.bits(), Va::of(request).bits(), 0], text);
        }
        buffer.truncate(written);
        Ok(buffer)
    }

    fn send_serial(&self, request: *mut NDIS_OID_REQUEST, oid: u32) -> NDIS_STATUS {
        let handler = self.driver.handlers.OidRequestHandler.expect("registration checks for it");
        let context = self.context();
        // SAFETY: the handler is the driver's own; the request lives until it is completed.
        self.answered(request, oid, "MiniportOidRequest", || unsafe { handler(context, request) })
    }

    fn send_direct(&self, request: *mut NDIS_OID_REQUEST, oid: u32) -> NDIS_STATUS {
        let Some(handler) = self.driver.handlers.DirectOidRequestHandler else {
            return sys::status::NDIS_STATUS_NOT_SUPPORTED;
        };
        let context = self.context();
        self.answered(request, oid, "MiniportDirectOidRequest", || {
            // "NDIS calls MiniportDirectOidRequest at IRQL <= DISPATCH_LEVEL."
            let before = (variation::choose(2) == 1).then(|| sched::raise(Irql::DISPATCH));
            // SAFETY: as in `send_serial`.
            let status = unsafe { handler(context, request) };
            before.into_iter().for_each(sched::lower);
            status
        })
    }

    /// Calls a handler and waits for its answer, if that comes later.
    fn answered(
        &self,
        request: *mut NDIS_OID_REQUEST,
        oid: u32,
        name: &'static str,
        handler: impl FnOnce() -> NDIS_STATUS,
    ) -> NDIS_STATUS {
        let answer = Arc::new(Answer::default());
        self.oids.pending.lock().insert(Va::of(request), Arc::clone(&answer));
        INSIDE.with(|inside| inside.set(inside.get() + 1));
        let status = boundary::call_driver(name, handler);
        INSIDE.with(|inside| inside.set(inside.get() - 1));
        if status != NDIS_STATUS_PENDING {
            if self.oids.pending.lock().remove(&Va::of(request)).is_none() {
                let text =
                    format!("OID {oid:#010X} was completed by a call and returned {status:#010X} as well");
                compliance("NdisOidDoubleComplete", 0x91002, text);
            }
            return status;
        }
        if oid == OID_NDK_SET_STATE {
            let text = "OID_NDK_SET_STATE returned NDIS_STATUS_PENDING, which it must not".into();
            violation("NdkSetStatePending", [0, self.handle.bits(), Va::of(request).bits(), 0], text);
        }
        let late = || {
            let text = format!("OID {oid:#010X} has not been completed in {LIMIT:?}");
            compliance("NdisTimedOidComplete", 0x92003, text);
        };
        answer.wait(&[(LIMIT, &late)])
    }
}

/// The kind of a request.
#[derive(Clone, Copy)]
enum Kind {
    Query,
    Set,
}

impl Kind {
    fn fill(self, request: &mut NDIS_OID_REQUEST, oid: u32, buffer: &mut [u8]) {
        request.Header = NDIS_OBJECT_HEADER { Type: NDIS_OBJECT_TYPE_OID_REQUEST, Revision: 1, Size: SIZE };
        let (start, length) = (buffer.as_mut_ptr().cast(), narrow(buffer.len()));
        match self {
            Self::Query => {
                request.RequestType = NDIS_REQUEST_TYPE::NdisRequestQueryInformation;
                // SAFETY: the request is zeroed, so every member of the union is valid.
                let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
                (query.Oid, query.InformationBuffer, query.InformationBufferLength) = (oid, start, length);
            }
            Self::Set => {
                request.RequestType = NDIS_REQUEST_TYPE::NdisRequestSetInformation;
                // SAFETY: as above.
                let set = unsafe { &mut request.DATA.SET_INFORMATION };
                (set.Oid, set.InformationBuffer, set.InformationBufferLength) = (oid, start, length);
            }
        }
    }

    fn bytes_written(self, request: &NDIS_OID_REQUEST) -> usize {
        match self {
            // SAFETY: the request was filled as a query.
            Self::Query => unsafe { request.DATA.QUERY_INFORMATION.BytesWritten.to_usize() },
            Self::Set => 0,
        }
    }
}

exports! {
    "ndis.sys", signature;

    /// Completes a request that was pending.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMOidRequestComplete(handle: NDIS_HANDLE, request: *mut NDIS_OID_REQUEST, status: NDIS_STATUS) {
        complete(handle, request, status, "NdisMOidRequestComplete");
    }

    /// Completes a direct request that was pending.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMDirectOidRequestComplete(
        handle: NDIS_HANDLE,
        request: *mut NDIS_OID_REQUEST,
        status: NDIS_STATUS,
    ) {
        complete(handle, request, status, "NdisMDirectOidRequestComplete");
    }
}

fn complete(
    handle: NDIS_HANDLE,
    request: *mut NDIS_OID_REQUEST,
    status: NDIS_STATUS,
    function: &'static str,
) {
    let Some(adapter) = adapter::of(handle, function) else { return };
    let answer = adapter.oids.pending.lock().remove(&Va::of(request));
    let Some(answer) = answer else {
        let text = format!("{function} got {request:p}, which is not pending");
        compliance("NdisOidComplete", 0x91001, text);
        return;
    };
    if status == NDIS_STATUS_PENDING {
        let text = format!("{function} completes a request with NDIS_STATUS_PENDING");
        compliance("NdisOidComplete", 0x91001, text);
    }
    answer.set(status);
}
