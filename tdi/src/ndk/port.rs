//! The port of a listener, and the two waits for it: until NdkListen is answered, and until the port is free.
//!
//! On an RNIC with a network, NdkListen and NdkCloseListener pend until TCP has the port, or has let it go. The
//! client's create and cleanup are synchronous, and wait.
//!
//! ```text
//!            NdkListen is answered        the last share goes          the close is complete
//!   Opening ──────────────────────▶ Answered ───────────────▶ Closing ───────────────▶ Closed
//!      │     the RNIC goes                                       ▲
//!      └──────────────────────▶ Abandoned ───────────────────────┘
//! ```
//!
//! An answer that comes after the RNIC went, or after the close has begun, changes nothing.

#![forbid(unsafe_code)]

use core::time::Duration;

use provider::kernel::{Event as _, Kernel};
use provider::{NoMemory, Shared};
use sys::irql::PassiveLevel;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_CANCELLED};

use super::rnic::Use;
use crate::system::{EventOf, System};

/// The time after which a wait is traced, and then each time again.
const TRACE_INTERVAL: Duration = Duration::from_secs(5);

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// NdkListen has not been answered.
    Opening,
    /// NdkListen was answered with this status.
    Answered(NTSTATUS),
    /// The RNIC went before NdkListen was answered.
    Abandoned,
    /// The listener is being closed.
    Closing,
    /// The close of the listener is complete.
    Closed,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Address objects that have the listener.
    shares: u32,
    /// Connections that came in by it and are not being closed, connect requests too: each of them keeps the listener's
    /// close pending, and the port in use.
    connections: u32,
}

impl State {
    /// Returns true if the port is about to be free, by nothing but what the network does by itself.
    fn is_being_freed(&self) -> bool {
        self.phase == Phase::Closing && self.connections == 0
    }
}

/// See the module's head. The context of the listener's callbacks, which owns it until its close has completed.
pub(super) struct Port<S: System> {
    pub(super) client: S::Client,
    pub(super) rnic: Shared<Use<S>>,
    state: lock_api::Mutex<<S::Kernel as Kernel>::Lock, State>,
    /// Signalled when the port is `Opening` no more.
    settled: EventOf<S>,
    /// Signalled when the port is `Closed`.
    closed: EventOf<S>,
}

impl<S: System> Port<S> {
    /// A port that is being opened, with one share.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new(client: S::Client, rnic: Shared<Use<S>>) -> Result<Shared<Self>, NoMemory> {
        let state = State { phase: Phase::Opening, shares: 1, connections: 0 };
        let port = Shared::new(Self {
            client,
            rnic,
            state: lock_api::Mutex::new(state),
            settled: EventOf::<S>::new(),
            closed: EventOf::<S>::new(),
        })?;
        port.settled.initialise();
        port.closed.initialise();
        Ok(port)
    }

    /// Takes the answer to NdkListen. Up to DISPATCH_LEVEL.
    pub(super) fn answered(&self, status: NTSTATUS) {
        self.settle(Phase::Answered(status));
    }

    /// Ends the wait for NdkListen, as the RNIC goes. Up to DISPATCH_LEVEL.
    pub(super) fn abandon(&self) {
        self.settle(Phase::Abandoned);
    }

    fn settle(&self, phase: Phase) {
        {
            let mut state = self.state.lock();
            if state.phase != Phase::Opening {
                return;
            }
            state.phase = phase;
        }
        self.settled.signal();
    }

    /// Waits until NdkListen is answered, or the RNIC goes.
    ///
    /// # Errors
    ///
    /// The status of NdkListen; STATUS_CANCELLED if the RNIC went.
    pub(super) fn wait_for_answer(&self, level: PassiveLevel) -> Result<(), NTSTATUS> {
        while !self.settled.wait_for(TRACE_INTERVAL, level) {
            S::Kernel::trace(format_args!("the create of an address waits for NdkListen"));
        }
        match self.state.lock().phase {
            Phase::Answered(status) if NT_SUCCESS(status) => Ok(()),
            Phase::Answered(status) => Err(status),
            Phase::Opening | Phase::Abandoned | Phase::Closing | Phase::Closed => Err(STATUS_CANCELLED),
        }
    }

    /// Counts one more share. The caller has one.
    pub(super) fn share(&self) {
        let mut state = self.state.lock();
        state.shares = state.shares.saturating_add(1);
    }

    /// Gives a share up. Returns true if it was the last: the caller closes the listener.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state.lock();
        state.shares = state.shares.saturating_sub(1);
        let last = state.shares == 0;
        if last {
            state.phase = Phase::Closing;
        }
        last
    }

    /// The close of the listener is complete. Up to DISPATCH_LEVEL.
    pub(super) fn closed(&self) {
        self.state.lock().phase = Phase::Closed;
        self.closed.signal();
    }

    /// Counts a connection that comes in. Up to DISPATCH_LEVEL.
    pub(super) fn connection_begins(&self) {
        let mut state = self.state.lock();
        state.connections = state.connections.saturating_add(1);
    }

    /// Discounts a connection whose close is about to begin, which waits for no peer. Up to DISPATCH_LEVEL.
    pub(super) fn connection_ends(&self) {
        let mut state = self.state.lock();
        state.connections = state.connections.saturating_sub(1);
    }

    /// Waits until the listener is closed, and its port free. Returns at once while the listener has shares, or
    /// connections that came in by it are left: these keep the port, for as long as their clients like.
    pub(super) fn wait_until_free(&self, level: PassiveLevel) {
        if !self.state.lock().is_being_freed() {
            return;
        }
        while !self.closed.wait_for(TRACE_INTERVAL, level) {
            S::Kernel::trace(format_args!("the end of an address waits for NdkCloseListener"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::SocketAddr;
    use std::rc::Rc;

    use provider::Shared;
    use sys::status::{STATUS_CANCELLED, STATUS_SHARING_VIOLATION, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
    use test_kernel::{Strike, enqueue, passive, preempted};

    use super::{Phase, Port};
    use crate::tests::client::{Client, FAR};
    use crate::tests::host::Host;

    /// The lock acquisition of the test at which the other processor comes in between: behind those of [`port`] and
    /// `enter_opening`.
    const POINT: usize = 2;

    /// A port that no listener has.
    fn port(client: &Client) -> Shared<Port<Host>> {
        let at: SocketAddr = FAR.parse().unwrap();
        let rnic = client.transport.network().rnic_of(at.ip()).unwrap();
        Port::new(client.transport.clone(), rnic).unwrap()
    }

    #[test]
    fn wait_for_answer_ends_with_its_status() {
        let client = Client::new();
        for (status, outcome) in [
            (STATUS_SUCCESS, Ok(())),
            (STATUS_SHARING_VIOLATION, Err(STATUS_SHARING_VIOLATION)),
            (STATUS_UNSUCCESSFUL, Err(STATUS_UNSUCCESSFUL)),
        ] {
            let port = port(&client);
            let answered = port.clone();
            enqueue(move || answered.answered(status));
            assert_eq!(port.wait_for_answer(passive()), outcome);
        }
        client.tear_down();
    }

    #[test]
    fn removal_of_rnic_ends_wait_for_answer_which_comes_too_late() {
        // The removal waits on a processor of its own until the create has let go of the RNIC.
        let client = Rc::new(Client::new());
        let removed = Rc::new(Cell::new(false));
        let (other, done) = (Rc::clone(&client), Rc::clone(&removed));
        let work = Box::new(move || {
            other.disable(1);
            done.set(true);
        });
        preempted(vec![Strike { processor: 0, point: POINT, work }], || {
            let port = port(&client);
            assert_eq!(client.transport.network().enter_opening(&port), Ok(()));
            // The other processor comes in between here, and runs until it waits.
            client.transport.network().has(port.rnic.id, FAR.parse::<SocketAddr>().unwrap().ip());
            assert_eq!(port.wait_for_answer(passive()), Err(STATUS_CANCELLED));
            assert!(!removed.get(), "the create has the RNIC in use");
            port.answered(STATUS_SUCCESS);
            assert_eq!(port.wait_for_answer(passive()), Err(STATUS_CANCELLED));
        });
        assert!(removed.get());
        let client = Rc::into_inner(client).unwrap();
        client.enable(1);
        client.tear_down();
    }

    #[test]
    fn last_share_alone_frees_port() {
        let client = Client::new();
        let port = port(&client);
        port.answered(STATUS_SUCCESS);
        port.share();
        assert!(!port.leave());
        port.wait_until_free(passive());
        assert!(port.leave());
        assert_eq!(port.state.lock().phase, Phase::Closing);
        let closed = port.clone();
        enqueue(move || closed.closed());
        port.wait_until_free(passive());
        assert_eq!(port.state.lock().phase, Phase::Closed);
        drop(port);
        client.tear_down();
    }

    #[test]
    fn port_with_connection_is_not_waited_for_until_its_close_begins() {
        let client = Client::new();
        let port = port(&client);
        port.answered(STATUS_SUCCESS);
        port.connection_begins();
        assert!(port.leave());
        port.wait_until_free(passive());
        port.connection_ends();
        let closed = port.clone();
        enqueue(move || closed.closed());
        port.wait_until_free(passive());
        assert_eq!(port.state.lock().phase, Phase::Closed);
        drop(port);
        client.tear_down();
    }
}
