//! The system that the transport runs on, and the callbacks of the network.

use core::net::SocketAddr;

use provider::Kernel;
use sys::irql::PassiveLevel;
use sys::status::NTSTATUS;

use crate::link_events::LinkEvents;
use crate::network::Network;
use crate::request::{Command, Request};
use crate::slab::Id;

/// The system that the transport runs on.
pub trait System: Sized + Send + Sync + 'static {
    /// Locks and events.
    type Kernel: provider::Kernel;
    /// Requests.
    type Request: Request;
    /// The network below.
    type Network: Network<Self>;
    /// The openers of shared addresses.
    type Opener: Opener;
    /// The user of the network.
    type Client: Client<Self>;

    /// Units of 100 ns since some moment; never goes back. Up to DISPATCH_LEVEL.
    fn now() -> u64;

    /// Takes over a request that a client's handler gave: it passed to this device as if the client had
    /// sent it. With the file that it is for, if that is one of this transport's. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// `irp` is what a handler of the client returned with `STATUS_MORE_PROCESSING_REQUIRED`.
    unsafe fn accept_irp(irp: core::ptr::NonNull<sys::wdm::IRP>) -> Option<HandlerIrp<Self::Request>>;
}

/// A request that a client's handler gave.
pub struct HandlerIrp<R> {
    /// The request.
    pub request: R,
    /// The file that it is for.
    pub file: Option<Id>,
    /// The command that it carries.
    pub command: Command,
}

/// An event of the system's kernel.
pub(crate) type EventOf<S> = <<S as System>::Kernel as Kernel>::Event;

/// A connect request of the system's network.
pub(crate) type ConnectRequestOf<S> = <<S as System>::Network as Network<S>>::ConnectRequest;

/// The user of a network, by its callbacks. They are called up to DISPATCH_LEVEL, with no lock held.
pub trait Client<S: System>: Clone + Send + Sync + 'static {
    /// A link of an endpoint has events.
    fn note(&self, endpoint: Id, events: LinkEvents);

    /// A link of an endpoint did not come about, or has broken; `status` is the one for its client.
    fn lost(&self, endpoint: Id, status: NTSTATUS);

    /// A peer connects to `local`.
    fn connect_event(&self, local: SocketAddr, connect_request: <S::Network as Network<S>>::ConnectRequest);

    /// Adapter removal: an RNIC has gone, also by a surprise removal, or has lost addresses. Ends what runs over these.
    fn on_adapter_removed(&self, level: PassiveLevel);

    /// Prints for the kernel debugger which endpoints are not idle. PASSIVE_LEVEL.
    fn trace_endpoints(&self);
}

/// The opener of an address that is to be shared. Its functions are called at PASSIVE_LEVEL, with no lock
/// held.
pub trait Opener {
    /// An access list. Dropped at PASSIVE_LEVEL, with no lock held.
    type List: Send + Sync + 'static;

    /// The list for an address that this opener is the first to open.
    ///
    /// # Errors
    ///
    /// The status for the create.
    fn assign(&self) -> Result<Self::List, NTSTATUS>;

    /// Checks that the list of an address grants this opener what it asks for.
    ///
    /// # Errors
    ///
    /// The status for the create, `STATUS_ACCESS_DENIED` by custom.
    fn admitted_by(&self, list: &Self::List) -> Result<(), NTSTATUS>;
}
