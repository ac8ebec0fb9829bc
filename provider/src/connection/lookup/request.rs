//! The requests that may wait, and how each is tried again.

#![expect(unsafe_code, reason = "the driver is called back")]

use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use sys::ndk::NDK_FN_CREATE_COMPLETION;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_DELETE_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS,
    STATUS_SUCCESS,
};

use crate::adapter::Adapter;
use crate::connection::{
    AddressPair, Connector, Endpoint, Listener, Origin, PrivateData, SharedEndpoint, Turn, WirePort,
};
use crate::consumer::{Completion, Opaque, Request};
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, RequestCall, Status};
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::object::{Object, ObjectRef};
use crate::queue_pair::Qp;
use crate::status::StatusError;

/// A request that waits. The consumer may close its objects meanwhile: their closes wait for it.
#[expect(clippy::large_enum_variant, reason = "few wait, in room that is allocated once")]
pub(crate) enum Waiting<K: Kernel> {
    Listen(Listen<K>),
    Connect(Connect<K>),
    CreateShared(CreateShared<K>),
}

/// NdkListen.
pub(crate) struct Listen<K: Kernel> {
    pub(crate) listener: ObjectRef<K, Listener<K>>,
    /// The address to listen on.
    pub(crate) at: SocketAddr,
    pub(crate) completion: Completion,
}

/// NdkConnect and NdkConnectWithSharedEndpoint.
pub(crate) struct Connect<K: Kernel> {
    /// Keeps other connects of the connector away.
    pub(crate) turn: Turn<K>,
    pub(crate) connector: ObjectRef<K, Connector<K>>,
    pub(crate) qp: ObjectRef<K, Qp<K>>,
    pub(crate) origin: Origin<K>,
    /// The address to connect to.
    pub(crate) remote: SocketAddr,
    pub(crate) limits: ReadLimits,
    /// The private data for the peer.
    pub(crate) data: PrivateData,
    pub(crate) completion: Completion,
}

/// The address and port of a shared endpoint.
pub(crate) enum Place<K: Kernel> {
    /// To be taken.
    At(SocketAddr),
    /// Taken, and held by TCP.
    Of(Shared<Endpoint<K>>, Shared<WirePort<K>>),
}

/// Makes a shared endpoint with its table, which the edge knows.
pub(crate) type MakeShared<K> =
    fn(&Object<K, Adapter<K>>, Place<K>) -> Result<NonNull<Object<K, SharedEndpoint<K>>>, StatusError>;

/// NdkCreateSharedEndpoint.
pub(crate) struct CreateShared<K: Kernel> {
    pub(crate) adapter: ObjectRef<K, Adapter<K>>,
    /// The address and port to take.
    pub(crate) at: SocketAddr,
    pub(crate) make: MakeShared<K>,
    pub(crate) completion: NDK_FN_CREATE_COMPLETION,
    pub(crate) context: Opaque,
}

/// The status of a request that has failed when it was tried again. An object that was being closed by then has
/// cancelled it.
pub(crate) const fn failed(StatusError(status): StatusError) -> NTSTATUS {
    match status {
        STATUS_DELETE_PENDING => STATUS_CANCELLED,
        other => other,
    }
}

/// The event of a request that is complete, from one address to another.
fn completed(
    object: Handle,
    request: RequestCall,
    (local, remote): (SocketAddr, Option<SocketAddr>),
    status: NTSTATUS,
) -> Event {
    Event::RequestCompleted { object, request, local: Some(local), remote, status: Status(status) }
}

impl<K: Kernel> Waiting<K> {
    /// Tries the request again with the addresses that the RNIC has now, unless they could not be read. Completes it,
    /// but for a connect that goes on.
    pub(crate) fn retry(self, outcome: Result<(), NTSTATUS>) {
        let outcome = outcome.map_err(|_| StatusError(STATUS_INSUFFICIENT_RESOURCES));
        match self {
            Self::Listen(request) => request.retry(outcome),
            Self::Connect(request) => request.retry(outcome),
            Self::CreateShared(request) => request.retry(outcome),
        }
    }
}

impl<K: Kernel> Listen<K> {
    fn retry(self, outcome: Result<(), StatusError>) {
        let Self { listener, at, completion } = self;
        if let (Ok(()), Some(network)) = (outcome, listener.rnic().network()) {
            // On success the completion comes from the network.
            if let Err(failure) = listener.listen_over(network, at, completion) {
                Request::new(completion, listener).complete(failed(failure));
            }
            return;
        }
        let listening = outcome.and_then(|()| {
            let _open = listener.try_acquire(Kind::Request)?;
            Ok(listener.listen(at)?)
        });
        let status = listening.map_or_else(failed, |()| STATUS_SUCCESS);
        let local = listener.local_address().unwrap_or(at);
        let request = Request::new(completion, listener);
        event::write::<K>(|| completed(request.handle(), RequestCall::Listen, (local, None), status));
        request.complete(status);
    }
}

impl<K: Kernel> Connect<K> {
    fn retry(self, outcome: Result<(), StatusError>) {
        let Self { turn, connector, qp, origin, remote, limits, data, completion } = self;
        // The turn ends in here in any case: the consumer may connect again inside the completion.
        let connecting = outcome.and_then(|()| {
            let request = Request::new(completion, connector.try_acquire(Kind::Request)?);
            let addresses = AddressPair { source: origin.source(), remote };
            Ok(connector.connect_in_turn(turn, &qp, addresses, limits, data, request)?)
        });
        // On success the completion comes from the connection. Its QP and endpoint outlive the one that comes from
        // here.
        if let Err(failure) = connecting {
            let (status, ends) = (failed(failure), (origin.source().address(), Some(remote)));
            let request = Request::new(completion, connector);
            event::write::<K>(|| completed(request.handle(), RequestCall::Connect, ends, status));
            request.complete(status);
        }
        drop((qp, origin));
    }
}

impl<K: Kernel> CreateShared<K> {
    /// Has TCP asked for the port of an address of the RNIC; the completion is called when it is there, or refused,
    /// perhaps before this returns.
    ///
    /// # Errors
    ///
    /// Gives the request back with the status that answers it.
    pub(crate) fn over(self, network: &K::Network) -> Result<(), (StatusError, Self)> {
        let rnic = self.adapter.rnic();
        if !rnic.is_local(self.at.ip()) {
            return Err((StatusError(STATUS_INVALID_ADDRESS), self));
        }
        let endpoint = match self.at.port() {
            0 => None,
            _ => match Endpoint::bind(rnic.fabric(), self.at) {
                Ok(endpoint) => Some(endpoint),
                Err(error) => return Err((error.into(), self)),
            },
        };
        WirePort::share(network, endpoint, self).map_err(|(status, request)| (StatusError(status), request))
    }

    fn retry(self, outcome: Result<(), StatusError>) {
        let rnic = self.adapter.rnic().clone();
        match (outcome, rnic.network()) {
            (Ok(()), Some(network)) => {
                if let Err((failure, request)) = self.over(network) {
                    request.retry_inline(Err(failure));
                }
            }
            (outcome, _) => self.retry_inline(outcome),
        }
    }

    fn retry_inline(self, outcome: Result<(), StatusError>) {
        let Self { adapter, at, make, completion, context } = self;
        let made = outcome.and_then(|()| make(&adapter, Place::At(at)));
        // The consumer may close the object inside the completion: the close waits until that has returned (CL-3).
        // SAFETY: the object is new, and the consumer does not know it yet.
        let hold =
            made.as_ref().ok().and_then(|object| unsafe { object.as_ref() }.try_acquire(Kind::Request).ok());
        let (status, object) = match made {
            Ok(object) => (STATUS_SUCCESS, object.as_ptr().cast()),
            Err(failure) => (failed(failure), null_mut()),
        };
        // SAFETY: the consumer passed this function and context for exactly this call.
        unsafe { completion(context.0, status, object) };
        drop(hold);
        drop(adapter);
    }
}
