//! A client's event handlers: what it registered on an address, and the calls.
//!
//! This is the one place that calls a client. Each call takes a [`Call`], by which the files whose contexts the handler
//! gets count it, so that their cleanups wait for it.

use core::ffi::c_void;
use core::mem::transmute;
use core::net::SocketAddr;
use core::ptr::{NonNull, null, null_mut};

use provider::number::usize_from;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_MORE_PROCESSING_REQUIRED, STATUS_SUCCESS};
use sys::tdi::{
    PTDI_IND_CONNECT, PTDI_IND_DISCONNECT, PTDI_IND_ERROR, PTDI_IND_ERROR_EX, PTDI_IND_RECEIVE,
    PTDI_IND_RECEIVE_DATAGRAM, PTDI_IND_SEND_POSSIBLE, TDI_EVENT_CONNECT, TDI_EVENT_DISCONNECT,
    TDI_EVENT_ERROR, TDI_EVENT_ERROR_EX, TDI_EVENT_RECEIVE, TDI_EVENT_RECEIVE_DATAGRAM,
    TDI_EVENT_RECEIVE_EXPEDITED, TDI_EVENT_SEND_POSSIBLE, TDI_RECEIVE_COPY_LOOKAHEAD,
    TDI_RECEIVE_ENTIRE_MESSAGE, TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL,
};
use sys::wdm::IRP;

use crate::address::TransportAddress;
use crate::call::Call;
use crate::ea::ConnectionContext;
use crate::network::Urgency;

/// A client's function and its context, as `TDI_SET_EVENT_HANDLER` gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Handler {
    function: NonNull<c_void>,
    context: *mut c_void,
}

// SAFETY: both are handed back to the client, on any thread, as the interface has it.
unsafe impl Send for Handler {}
// SAFETY: as above.
unsafe impl Sync for Handler {}

/// Event types from `TDI_EVENT_CONNECT` to `TDI_EVENT_ERROR_EX`.
const TYPES: usize = 11;

/// The handlers of an address. Of a type that this transport never indicates, as it has no buffers to lend
/// (chained data), a handler is kept and not called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handlers([Option<Handler>; TYPES]);

impl Handlers {
    /// None.
    pub(crate) const fn new() -> Self {
        Self([None; TYPES])
    }

    /// Registers a handler, or takes it back if `function` is null.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for a type that there is not.
    pub(crate) fn set(
        &mut self,
        event: i32,
        function: *mut c_void,
        context: *mut c_void,
    ) -> Result<(), NTSTATUS> {
        const { assert!(usize_from(TDI_EVENT_ERROR_EX.unsigned_abs()) + 1 == TYPES, "one place for each type") };
        let place = usize::try_from(event).ok().and_then(|event| self.0.get_mut(event));
        *place.ok_or(STATUS_INVALID_PARAMETER)? =
            NonNull::new(function).map(|function| Handler { function, context });
        Ok(())
    }

    fn of(&self, event: i32) -> Option<Handler> {
        self.0.get(usize::try_from(event).ok()?).copied().flatten()
    }

    /// The handler that is asked about connections.
    pub(crate) fn connect(&self) -> Option<Connect> {
        self.of(TDI_EVENT_CONNECT).map(Connect)
    }

    /// The handler that is told of disconnects.
    pub(crate) fn disconnect(&self) -> Option<Disconnect> {
        self.of(TDI_EVENT_DISCONNECT).map(Disconnect)
    }

    /// The handler that is shown datagrams.
    pub(crate) fn receive_datagram(&self) -> Option<ReceiveDatagram> {
        self.of(TDI_EVENT_RECEIVE_DATAGRAM).map(ReceiveDatagram)
    }

    /// The handler that is told when sends are possible again.
    pub(crate) fn send_possible(&self) -> Option<SendPossible> {
        self.of(TDI_EVENT_SEND_POSSIBLE).map(SendPossible)
    }

    /// The handlers that are told that their address is of no use any more, if there is one.
    pub(crate) fn error(&self) -> Option<Error> {
        let error = Error { plain: self.of(TDI_EVENT_ERROR), extended: self.of(TDI_EVENT_ERROR_EX) };
        (error.plain.is_some() || error.extended.is_some()).then_some(error)
    }

    /// The handler that is shown data.
    pub(crate) fn receive(&self, urgency: Urgency) -> Option<Receive> {
        let (event, flag) = match urgency {
            Urgency::Normal => (TDI_EVENT_RECEIVE, TDI_RECEIVE_NORMAL),
            Urgency::Expedited => (TDI_EVENT_RECEIVE_EXPEDITED, TDI_RECEIVE_EXPEDITED),
        };
        self.of(event).map(|handler| Receive { handler, flag })
    }
}

/// See [`Handlers::connect`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect(Handler);

impl Connect {
    /// Asks the client; `Some` is the accept request that it made.
    pub(crate) fn call(self, _call: &Call<()>, peer: SocketAddr) -> Option<NonNull<IRP>> {
        // SAFETY: the client registered the function for this event, so it has this type.
        let function: PTDI_IND_CONNECT = unsafe { transmute(self.0.function.as_ptr()) };
        let address = TransportAddress::new(peer);
        let (mut context, mut irp) = (null_mut(), null_mut());
        // SAFETY: the client's function with its context; all pointers are to locals or null with length 0.
        let status = unsafe {
            function(
                self.0.context,
                i32::try_from(address.bytes().len()).unwrap_or(0),
                address.bytes().as_ptr().cast(),
                0,
                null(),
                0,
                null(),
                &raw mut context,
                &raw mut irp,
            )
        };
        if status == STATUS_MORE_PROCESSING_REQUIRED { NonNull::new(irp) } else { None }
    }
}

/// See [`Handlers::disconnect`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnect(Handler);

impl Disconnect {
    /// Tells the client; `flags` is `TDI_DISCONNECT_ABORT` or `TDI_DISCONNECT_RELEASE`.
    pub(crate) fn call(self, call: &Call<ConnectionContext>, flags: u32) {
        // SAFETY: the client registered the function for this event, so it has this type.
        let function: PTDI_IND_DISCONNECT = unsafe { transmute(self.0.function.as_ptr()) };
        let connection = core::ptr::with_exposed_provenance_mut(call.context().0);
        // SAFETY: the client's function with its contexts; there is no data and no information. What it
        // returns has no meaning for a disconnect.
        let _ignored = unsafe { function(self.0.context, connection, 0, null(), 0, null(), flags) };
    }
}

/// See [`Handlers::receive`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receive {
    handler: Handler,
    /// The data that it is shown.
    flag: u32,
}

/// The result of a receive indication, as the client's handler returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndicationResult {
    /// Bytes that it took.
    pub(crate) bytes: usize,
    /// A receive request for more.
    pub(crate) irp: Option<NonNull<IRP>>,
}

// SAFETY: the pointer is a request that the client gave away.
unsafe impl Send for IndicationResult {}

impl IndicationResult {
    /// Reads a handler's answer for `shown` bytes.
    fn new(status: NTSTATUS, taken: u32, irp: *mut IRP, shown: usize) -> Self {
        let bytes = match status {
            STATUS_SUCCESS | STATUS_MORE_PROCESSING_REQUIRED => usize_from(taken).min(shown),
            _ => 0,
        };
        Self { bytes, irp: NonNull::new(irp).filter(|_| status == STATUS_MORE_PROCESSING_REQUIRED) }
    }
}

/// A number of bytes as a handler gets it; none of ours is near the limit.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Receive {
    /// Shows the client data; `available` counts what follows `data` too.
    pub(crate) fn call(
        self,
        call: &Call<ConnectionContext>,
        data: &[u8],
        available: usize,
    ) -> IndicationResult {
        // SAFETY: the client registered the function for one of two events, which have this type.
        let function: PTDI_IND_RECEIVE = unsafe { transmute(self.handler.function.as_ptr()) };
        let connection = core::ptr::with_exposed_provenance_mut(call.context().0);
        let (mut taken, mut irp) = (0, null_mut());
        // SAFETY: the client's function with its contexts; the data is readable during the call, and the
        // other pointers are to locals.
        let status = unsafe {
            function(
                self.handler.context,
                connection,
                self.flag | TDI_RECEIVE_COPY_LOOKAHEAD,
                count(data.len()),
                count(available),
                &raw mut taken,
                data.as_ptr().cast(),
                &raw mut irp,
            )
        };
        IndicationResult::new(status, taken, irp, data.len())
    }
}

/// See [`Handlers::receive_datagram`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveDatagram(Handler);

impl ReceiveDatagram {
    /// Shows the client a whole datagram.
    pub(crate) fn call(self, _call: &Call<()>, from: SocketAddr, data: &[u8]) -> IndicationResult {
        // SAFETY: the client registered the function for this event, so it has this type.
        let function: PTDI_IND_RECEIVE_DATAGRAM = unsafe { transmute(self.0.function.as_ptr()) };
        let address = TransportAddress::new(from);
        let (mut taken, mut irp) = (0, null_mut());
        // SAFETY: the client's function with its context; address and data are readable during the call, and
        // the other pointers are to locals, or null with length 0.
        let status = unsafe {
            function(
                self.0.context,
                i32::try_from(address.bytes().len()).unwrap_or(0),
                address.bytes().as_ptr().cast(),
                0,
                null(),
                TDI_RECEIVE_NORMAL | TDI_RECEIVE_COPY_LOOKAHEAD | TDI_RECEIVE_ENTIRE_MESSAGE,
                count(data.len()),
                count(data.len()),
                &raw mut taken,
                data.as_ptr().cast(),
                &raw mut irp,
            )
        };
        IndicationResult::new(status, taken, irp, data.len())
    }
}

/// See [`Handlers::send_possible`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendPossible(Handler);

impl SendPossible {
    /// Tells the client, with how many bytes there is room for.
    pub(crate) fn call(self, call: &Call<ConnectionContext>, room: usize) {
        // SAFETY: the client registered the function for this event, so it has this type.
        let function: PTDI_IND_SEND_POSSIBLE = unsafe { transmute(self.0.function.as_ptr()) };
        let connection = core::ptr::with_exposed_provenance_mut(call.context().0);
        // SAFETY: the client's function with its contexts. What it returns has no meaning here.
        let _ignored = unsafe { function(self.0.context, connection, count(room)) };
    }
}

/// See [`Handlers::error`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Error {
    plain: Option<Handler>,
    extended: Option<Handler>,
}

impl Error {
    /// Tells the client. What an extended error has more, and a transport may choose, is here the address.
    pub(crate) fn call(self, _call: &Call<()>, status: NTSTATUS, local: SocketAddr) {
        if let Some(handler) = self.plain {
            // SAFETY: the client registered the function for this event, so it has this type.
            let function: PTDI_IND_ERROR = unsafe { transmute(handler.function.as_ptr()) };
            // SAFETY: the client's function with its context. What it returns has no meaning for an error.
            let _ignored = unsafe { function(handler.context, status) };
        }
        if let Some(handler) = self.extended {
            // SAFETY: as above.
            let function: PTDI_IND_ERROR_EX = unsafe { transmute(handler.function.as_ptr()) };
            let mut address = TransportAddress::new(local);
            // SAFETY: as above; the address is the callee's during the call.
            let _ignored =
                unsafe { function(handler.context, status, address.bytes_mut().as_mut_ptr().cast()) };
        }
    }
}

/// An indication about a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Indication {
    /// It has ended, by `TDI_DISCONNECT_ABORT` or `TDI_DISCONNECT_RELEASE`.
    Disconnect(Disconnect, u32),
    /// Sends are possible again, of so many bytes.
    SendPossible(SendPossible, usize),
}

impl Indication {
    /// Calls the handler.
    pub(crate) fn give(self, call: &Call<ConnectionContext>) {
        match self {
            Self::Disconnect(handler, flags) => handler.call(call, flags),
            Self::SendPossible(handler, room) => handler.call(call, room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_handler_takes_the_registration_back() {
        let mut handlers = Handlers::new();
        let function = NonNull::<c_void>::dangling().as_ptr();
        assert_eq!(handlers.set(TDI_EVENT_RECEIVE, function, null_mut()), Ok(()));
        let normal = Urgency::Normal;
        assert!(handlers.receive(Urgency::Expedited).is_none());
        assert!(handlers.receive(normal).is_some() && handlers.connect().is_none());
        assert_eq!(handlers.set(TDI_EVENT_RECEIVE, null_mut(), null_mut()), Ok(()));
        assert!(handlers.receive(normal).is_none());
    }

    #[test]
    fn every_type_of_event_has_a_place_and_no_other_number_has() {
        for event in -1..=TDI_EVENT_ERROR_EX + 1 {
            let expected = if (0..=TDI_EVENT_ERROR_EX).contains(&event) {
                Ok(())
            } else {
                Err(STATUS_INVALID_PARAMETER)
            };
            assert_eq!(Handlers::new().set(event, null_mut(), null_mut()), expected);
        }
    }
}
