//! The setup of a socket: the calls of [`SocketSetup`], one after the other.

use core::ptr::{NonNull, null_mut, with_exposed_provenance_mut};
use core::sync::atomic::Ordering;

use lifecycle::{SetupEnd, SocketCall, SocketRole, SocketSetup};
use provider::rundown::Shard;
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED,
    STATUS_SHARING_VIOLATION, STATUS_SUCCESS, STATUS_TOO_MANY_ADDRESSES, STATUS_UNSUCCESSFUL,
};
use sys::wdm::IRP;
use sys::wsk::{IPPROTO_TCP, SOCK_STREAM, WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH};
use wdk::nt_success;

use super::irp::{Completion, Outcome};
use super::option::{self, SocketOption};
use super::socket::{Owner, Socket};
use super::{address, client, status};

/// The progress of a socket's setup. Its functions run in the socket's combiner.
pub(super) struct Setup {
    calls: SocketSetup,
    /// Set if the local port may be any that is free.
    any_port: bool,
    /// Set while the setup has a pin: from the making of the socket until it connects, and for what follows that. No
    /// call of it takes longer than the local stack needs, but the connect, during which it has none.
    pinned: bool,
    /// Set once the user was told that the socket is open, or that it failed.
    told: bool,
    /// Set once the end of the setup was reported.
    over: bool,
}

impl Setup {
    /// That of a socket which has not begun.
    pub(super) const NOT_BEGUN: Self = Self::new(SocketSetup::new(SocketRole::Accepted), false);

    /// The setup by these calls, which has a pin.
    pub(super) const fn new(calls: SocketSetup, any_port: bool) -> Self {
        let told = matches!(calls.role(), SocketRole::Accepted);
        Self { calls, any_port, pinned: true, told, over: false }
    }

    /// Goes on, after a call was completed or at the beginning, until a call is under way or none is left. Returns true
    /// once, when the setup is over.
    pub(super) fn step<O: Owner>(&mut self, socket: &Socket<O>) -> bool {
        if self.over {
            return false;
        }
        if let Some(outcome) = socket.take_outcome() {
            self.completed(socket, outcome);
        }
        loop {
            if !self.calls.is_over() && !self.pin(socket) {
                self.fail(socket, STATUS_CANCELLED);
            }
            let Some(call) = self.calls.next_call() else { break };
            match call {
                SocketCall::Announce => {
                    self.told = true;
                    if let Some(events) = socket.events() {
                        socket.owner.opened(events, Ok(()));
                    }
                    self.done(socket, STATUS_SUCCESS);
                }
                SocketCall::Enable => {
                    let place = NonNull::new(socket.place.load(Ordering::Acquire));
                    // SAFETY: the setup has a pin.
                    let enable = |place| unsafe { option::enable(place, O::EVENTS) };
                    self.done(socket, place.map_or(STATUS_UNSUCCESSFUL, enable));
                }
                call => {
                    if !Self::call(socket, self.calls.role(), call) {
                        self.fail(socket, STATUS_INSUFFICIENT_RESOURCES);
                        continue;
                    }
                    if call == SocketCall::Connect {
                        self.unpin(socket);
                    }
                    return false;
                }
            }
        }
        self.unpin(socket);
        self.over = true;
        true
    }

    /// Sees to it that the setup has a pin; false if the socket is to be closed.
    fn pin<O: Owner>(&mut self, socket: &Socket<O>) -> bool {
        if !self.pinned
            && let Some(pin) = socket.rundown.pin(Shard::Initiator)
        {
            pin.leave();
            self.pinned = true;
        }
        self.pinned && socket.rundown.is_open(Shard::Initiator)
    }

    /// Gives the setup's pin back, which may close the socket.
    fn unpin<O: Owner>(&mut self, socket: &Socket<O>) {
        if core::mem::take(&mut self.pinned) {
            // SAFETY: the setup has left a pin, as was noted.
            unsafe { socket.rundown.unpin(Shard::Initiator) };
        }
    }

    /// The call that was under way is complete.
    fn completed<O: Owner>(&mut self, socket: &Socket<O>, outcome: Outcome) {
        let Outcome { status, information } = outcome;
        match self.calls.complete(nt_success(status)) {
            SetupEnd::Continues(SocketCall::Create) => {
                // The information of the request is the socket's address.
                socket.place.store(with_exposed_provenance_mut(information), Ordering::Release);
            }
            SetupEnd::Continues(SocketCall::Discard) => socket.place.store(null_mut(), Ordering::Release),
            SetupEnd::Continues(SocketCall::LocalAddress) => self.bound(socket),
            SetupEnd::Continues(_) | SetupEnd::Stale => {}
            SetupEnd::Failed(call) => {
                if call == SocketCall::Discard {
                    // Closed as far as that goes: a second close is none.
                    socket.place.store(null_mut(), Ordering::Release);
                }
                self.fail(socket, status::of_open(status));
            }
        }
    }

    /// A call without a request is done.
    fn done<O: Owner>(&mut self, socket: &Socket<O>, status: NTSTATUS) {
        self.completed(socket, Outcome { status, information: 0 });
    }

    /// The socket has its local address: the user may refuse it.
    fn bound<O: Owner>(&mut self, socket: &Socket<O>) {
        // SAFETY: the address is the setup's, and no call is under way.
        let local = unsafe { address::read(socket.local.get().cast()) };
        let agreed = local.is_some_and(|local| socket.events().is_some_and(|events| O::bound(events, local)));
        if agreed {
            return;
        }
        if !self.any_port {
            return self.fail(socket, STATUS_SHARING_VIOLATION);
        }
        if self.calls.try_again() {
            // SAFETY: as above.
            unsafe { address::clear_port(socket.local.get()) };
        } else {
            self.fail(socket, STATUS_TOO_MANY_ADDRESSES);
        }
    }

    /// The socket is of no use: tells the user, and has it closed.
    fn fail<O: Owner>(&mut self, socket: &Socket<O>, status: NTSTATUS) {
        let _it_was_not_in_use = self.calls.end();
        if !core::mem::replace(&mut self.told, true)
            && let Some(events) = socket.events()
        {
            socket.owner.opened(events, Err(status));
        }
        socket.end();
    }

    /// Makes a call that completes the setup's request; false without memory for it.
    fn call<O: Owner>(socket: &Socket<O>, role: SocketRole, call: SocketCall) -> bool {
        // SAFETY: one call of the setup is under way at a time, and the setup is counted until it is complete.
        let irp = unsafe { socket.control.ready::<_, SetupCall>(NonNull::from(socket)) };
        let Some(irp) = irp else { return false };
        // SAFETY: the request is ready, and the socket pinned by the setup.
        let made = unsafe { make(socket, role, call, irp.as_ptr()) };
        match made {
            Ok(()) => _ = irp.pass(),
            Err(status) => irp.fail(status),
        }
        true
    }
}

/// The completion of the setup's calls.
struct SetupCall;

impl<O: Owner> Completion<Socket<O>> for SetupCall {
    unsafe fn complete(subject: NonNull<Socket<O>>, outcome: Outcome) {
        // SAFETY: the setup is counted until it has seen this.
        unsafe { subject.as_ref() }.keep_outcome(outcome);
        // SAFETY: the setup's call was completed just now.
        unsafe { Socket::advance(subject) };
    }
}

/// Makes a call.
///
/// # Errors
///
/// STATUS_NETWORK_UNREACHABLE without a provider, STATUS_NOT_SUPPORTED if a function is not there; the request is not
/// used then.
///
/// # Safety
///
/// The setup's request is ready, and the setup has a pin.
unsafe fn make<O: Owner>(
    socket: &Socket<O>,
    role: SocketRole,
    call: SocketCall,
    irp: *mut IRP,
) -> Result<(), NTSTATUS> {
    if call == SocketCall::Create {
        // SAFETY: as the caller promises.
        return unsafe { create(socket, role, irp) };
    }
    let place = NonNull::new(socket.place.load(Ordering::Acquire)).ok_or(STATUS_UNSUCCESSFUL)?;
    if let Some(option) = SocketOption::of(call) {
        // SAFETY: as the caller promises.
        let set = unsafe { option.set(place, irp) };
        return if set { Ok(()) } else { Err(STATUS_NOT_SUPPORTED) };
    }
    let local = socket.local.get().cast();
    // SAFETY: the socket is pinned.
    let table = unsafe { place.as_ref() }.Dispatch;
    match call {
        SocketCall::Discard => {
            // SAFETY: the socket is pinned.
            let close = unsafe { option::basic(place) }.WskCloseSocket.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: no other call of the socket was made or can be: it is not in use.
            let _completed_by_its_routine = unsafe { close(place.as_ptr(), irp) };
        }
        SocketCall::Bind if role == SocketRole::Listens => {
            // SAFETY: the socket was created as one that listens.
            let table = unsafe { &*table.cast::<WSK_PROVIDER_LISTEN_DISPATCH>() };
            let bind = table.WskBind.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: the address stays with the socket.
            let _completed_by_its_routine = unsafe { bind(place.as_ptr(), local, 0, irp) };
        }
        SocketCall::LocalAddress if role == SocketRole::Listens => {
            // SAFETY: the socket was created as one that listens.
            let table = unsafe { &*table.cast::<WSK_PROVIDER_LISTEN_DISPATCH>() };
            let ask = table.WskGetLocalAddress.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: the address stays with the socket.
            let _completed_by_its_routine = unsafe { ask(place.as_ptr(), local, irp) };
        }
        SocketCall::Bind => {
            // SAFETY: the socket was created as one that connects.
            let table = unsafe { &*table.cast::<WSK_PROVIDER_CONNECTION_DISPATCH>() };
            let bind = table.WskBind.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: the address stays with the socket.
            let _completed_by_its_routine = unsafe { bind(place.as_ptr(), local, 0, irp) };
        }
        SocketCall::LocalAddress => {
            // SAFETY: the socket was created as one that connects.
            let table = unsafe { &*table.cast::<WSK_PROVIDER_CONNECTION_DISPATCH>() };
            let ask = table.WskGetLocalAddress.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: the address stays with the socket.
            let _completed_by_its_routine = unsafe { ask(place.as_ptr(), local, irp) };
        }
        SocketCall::Connect => {
            // SAFETY: the socket was created as one that connects.
            let table = unsafe { &*table.cast::<WSK_PROVIDER_CONNECTION_DISPATCH>() };
            let connect = table.WskConnect.ok_or(STATUS_NOT_SUPPORTED)?;
            // SAFETY: the address stays with the socket.
            let _completed_by_its_routine =
                unsafe { connect(place.as_ptr(), socket.remote.get().cast(), 0, irp) };
        }
        _ => return Err(STATUS_NOT_SUPPORTED),
    }
    Ok(())
}

/// Creates the socket.
///
/// # Errors
///
/// As [`make`].
///
/// # Safety
///
/// As [`make`].
unsafe fn create<O: Owner>(socket: &Socket<O>, role: SocketRole, irp: *mut IRP) -> Result<(), NTSTATUS> {
    let provider = client::provider()?;
    // SAFETY: the provider is captured.
    let function = unsafe { provider.dispatch.as_ref() }.WskSocket.ok_or(STATUS_NOT_SUPPORTED)?;
    // SAFETY: the address is the setup's.
    let family = unsafe { &raw const (*socket.local.get()).si_family };
    // SAFETY: as above; the family is common to all forms.
    let family = unsafe { family.read() };
    let (category, dispatch) = O::category(role);
    // SAFETY: the context stays until the socket's close is complete; no process or thread owns the socket.
    let _completed_by_its_routine = unsafe {
        function(
            provider.client,
            family,
            SOCK_STREAM,
            IPPROTO_TCP,
            category,
            (&raw const *socket).cast_mut().cast(),
            dispatch,
            null_mut(),
            null_mut(),
            null_mut(),
            irp,
        )
    };
    Ok(())
}
