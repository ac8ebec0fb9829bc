//! A socket: its life from its beginning to the completion of its close.
//!
//! Counted are the socket itself, until its close is complete; its setup; and every request that is with Winsock Kernel.
//! With the last of them the last call up is made. So `closed` comes after every other call and batch, by construction.

use core::cell::UnsafeCell;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use lifecycle::{SocketCount, SocketRole, SocketSetup};
use provider::Shared;
use provider::combiner::Combiner;
use provider::kernel::network::{Events, Table};
use provider::rundown::{Pin, Rundown, Shard};
use sys::sockaddr::SOCKADDR_INET;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{ULONG, VOID};
use sys::wsk::WSK_SOCKET;

use super::NetworkState;
use super::address;
use super::close::{Closed, Closing};
use super::irp::{Irp, Outcome, ReadyIrp};
use super::setup::Setup;

/// The user of a socket: a connection or a port.
pub(super) trait Owner: Sized + Send + Sync + 'static {
    /// The table of its calls up.
    type Table: Table + Sync;

    /// The events that are enabled by [`lifecycle::SocketCall::Enable`].
    const EVENTS: ULONG;

    /// The category of its socket and the driver's functions for it, which may be null.
    fn category(role: SocketRole) -> (ULONG, *const VOID);

    /// Tells the user the local address; false if that is not to be had.
    fn bound(events: &Events<Self::Table>, local: SocketAddr) -> bool;

    /// Tells the user that the socket is open, or is of no use.
    fn opened(&self, events: &Events<Self::Table>, outcome: Result<(), NTSTATUS>);
}

/// See the module's head.
pub(super) struct Socket<O: Owner> {
    pub(super) network: Shared<NetworkState>,
    /// Pinned by every call of the socket's functions; the last pin closes (WSK-3).
    pub(super) rundown: Rundown<Closing<O>>,
    /// The socket of Winsock Kernel; null while there is none.
    pub(super) place: AtomicPtr<WSK_SOCKET>,
    /// See the module's head.
    count: SocketCount,
    /// The user. Set before the first call up, taken for the last.
    events: UnsafeCell<Option<Events<O::Table>>>,
    /// The socket's own reference to itself, from its beginning to its end.
    own: UnsafeCell<Option<Shared<Self>>>,
    pub(super) setup: Combiner<Setup>,
    /// The outcome of the setup's last call.
    outcome: Slot,
    is_ipv4: AtomicBool,
    pub(super) local: UnsafeCell<SOCKADDR_INET>,
    pub(super) remote: UnsafeCell<SOCKADDR_INET>,
    /// The request of the setup.
    pub(super) control: Irp,
    /// The request of the close, which needs no memory.
    pub(super) close: ReadyIrp<Self, Closed>,
    pub(super) owner: O,
}

// SAFETY: events and self-reference are written before the socket begins and taken by the one thread that ends it; the
// addresses are the setup's, which one thread runs at a time; the rest is made for many threads.
unsafe impl<O: Owner> Sync for Socket<O> {}
// SAFETY: as above.
unsafe impl<O: Owner> Send for Socket<O> {}

/// An outcome on its way from a completion to the setup.
struct Slot {
    there: AtomicBool,
    status: AtomicI32,
    information: AtomicUsize,
}

impl<O: Owner> Socket<O> {
    /// A socket that has not begun. Its setup has a pin from here on, so that a close before the beginning is seen.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn new(network: Shared<NetworkState>, owner: O) -> Result<Shared<Self>, NTSTATUS> {
        let control = Irp::new(network.device).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let close = ReadyIrp::new(network.device).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let unspecified = || UnsafeCell::new(address::native(address::UNSPECIFIED, 0));
        let socket = Self {
            network,
            rundown: Rundown::new(),
            place: AtomicPtr::new(null_mut()),
            count: SocketCount::new(),
            events: UnsafeCell::new(None),
            own: UnsafeCell::new(None),
            setup: Combiner::new(Setup::NOT_BEGUN),
            outcome: Slot::new(),
            is_ipv4: AtomicBool::new(true),
            local: unspecified(),
            remote: unspecified(),
            control,
            close,
            owner,
        };
        let socket = Shared::new(socket).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        // SAFETY: the socket stays in its place, and has just been made.
        if !unsafe { socket.close.make_ready() } {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        let closing = Closing(NonNull::from(&*socket));
        // SAFETY: the socket is known to this thread only, and has not been open.
        unsafe { socket.rundown.open(closing) };
        if let Some(pin) = socket.rundown.pin(Shard::Initiator) {
            pin.leave();
        }
        Ok(socket)
    }

    /// Begins the socket's life for a use. The setup is to be run by [`Socket::advance`].
    ///
    /// # Safety
    ///
    /// The socket has not begun.
    pub(super) unsafe fn begin(this: &Shared<Self>, setup: SocketSetup, any_port: bool) {
        this.network.gate.enter();
        this.count.begin();
        // SAFETY: the socket has not begun, so no thread reads this.
        unsafe { *this.own.get() = Some(this.clone()) };
        this.setup.run(|place| *place = Setup::new(setup, any_port));
    }

    /// Undoes [`Socket::begin`] of a socket that Winsock Kernel closes itself.
    ///
    /// # Safety
    ///
    /// The socket has begun, no call was made for it, and it has no user.
    pub(super) unsafe fn retract(this: &Shared<Self>) {
        // SAFETY: as the caller promises, no other thread ends the socket.
        let own = unsafe { (*this.own.get()).take() };
        let gate = NonNull::from(&this.network.gate);
        this.close.cancel();
        drop(own);
        // SAFETY: a halt waits for the socket, and keeps the gate.
        unsafe { gate.as_ref() }.leave();
    }

    /// Sets the user.
    ///
    /// # Safety
    ///
    /// The user was not set before, and no call up can be made yet.
    pub(super) unsafe fn set_events(&self, events: Events<O::Table>) {
        // SAFETY: as the caller promises, no thread reads this.
        unsafe { *self.events.get() = Some(events) };
    }

    /// The user; `None` before it is set.
    pub(super) fn events(&self) -> Option<&Events<O::Table>> {
        // SAFETY: written before any call up, and taken when nothing that could make one is left.
        unsafe { (*self.events.get()).as_ref() }
    }

    /// Sets the addresses of a socket that has not begun.
    ///
    /// # Safety
    ///
    /// The socket has not begun.
    pub(super) unsafe fn set_addresses(&self, local: SocketAddr, remote: Option<SocketAddr>) {
        self.is_ipv4.store(local.is_ipv4(), Ordering::Relaxed);
        let interface = self.network.interface;
        // SAFETY: as the caller promises, no thread reads this.
        unsafe { *self.local.get() = address::native(local, interface) };
        if let Some(remote) = remote {
            // SAFETY: as above.
            unsafe { *self.remote.get() = address::native(remote, interface) };
        }
    }

    /// Returns whether its addresses are of IPv4.
    pub(super) fn is_ipv4(&self) -> bool {
        self.is_ipv4.load(Ordering::Relaxed)
    }

    /// Pins the socket for a call of its functions; `None` if there is none, or it is being closed.
    pub(super) fn pin(&self, shard: Shard) -> Option<(Pin<'_, Closing<O>>, NonNull<WSK_SOCKET>)> {
        let pin = self.rundown.pin(shard)?;
        let place = NonNull::new(self.place.load(Ordering::Acquire))?;
        Some((pin, place))
    }

    /// Counts a request that is passed to Winsock Kernel, until [`Socket::release`]. Returns false if the socket has ended.
    #[must_use]
    pub(super) fn acquire(&self) -> bool {
        self.count.acquire()
    }

    /// Ends what was counted. With the last of it the socket is closed, and the user is told.
    ///
    /// # Safety
    ///
    /// One count is the caller's, which does not touch the socket any more.
    pub(super) unsafe fn release(this: NonNull<Self>) {
        // SAFETY: the socket lives as long as anything is counted.
        let socket = unsafe { this.as_ref() };
        if !socket.count.release() {
            return;
        }
        // SAFETY: nothing else is left that uses the user.
        let events = unsafe { (*socket.events.get()).take() };
        // SAFETY: as above.
        let own = unsafe { (*socket.own.get()).take() };
        let gate = NonNull::from(&socket.network.gate);
        if let Some(events) = events {
            events.closed();
        }
        socket.close.cancel();
        drop(own);
        // The last use of anything of the adapter's, which may go from here on: the socket is gone before.
        // SAFETY: the halt of the adapter waits for this, and keeps the gate.
        unsafe { gate.as_ref() }.leave();
    }

    /// Makes the calls of the setup, as far as they go.
    ///
    /// # Safety
    ///
    /// The socket has begun; either this is the first call, or the setup's call was completed just now.
    pub(super) unsafe fn advance(this: NonNull<Self>) {
        // SAFETY: the setup is counted.
        let socket = unsafe { this.as_ref() };
        let mut over = false;
        // A call that is completed before it returns leaves a note to this thread: calls do not nest.
        socket.setup.run(|setup| over |= setup.step(socket));
        if over {
            // SAFETY: the setup's count, which ends once.
            unsafe { Self::release(this) };
        }
    }

    /// Keeps the outcome of the setup's call for the step that follows.
    pub(super) fn keep_outcome(&self, outcome: Outcome) {
        self.outcome.put(outcome);
    }

    /// Takes the outcome of the setup's call.
    pub(super) fn take_outcome(&self) -> Option<Outcome> {
        self.outcome.take()
    }
}

impl Slot {
    const fn new() -> Self {
        Self { there: AtomicBool::new(false), status: AtomicI32::new(0), information: AtomicUsize::new(0) }
    }

    fn put(&self, outcome: Outcome) {
        self.status.store(outcome.status, Ordering::Relaxed);
        self.information.store(outcome.information, Ordering::Relaxed);
        self.there.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Outcome> {
        self.there.swap(false, Ordering::Acquire).then(|| Outcome {
            status: self.status.load(Ordering::Relaxed),
            information: self.information.load(Ordering::Relaxed),
        })
    }
}
