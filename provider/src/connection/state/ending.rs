//! The transitions of a connection that ends: by a disconnect, by the close of a connector, by a transfer that failed.

#![forbid(unsafe_code)]

use sys::status::{STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_SUCCESS};

use super::State;
use super::phase::{Leaving, PerSide, Phase};
use super::transition::Transition;
use crate::connection::call::{Disconnected, Side, StateError};
use crate::connection::connector::Connector;
use crate::consumer::Request;
use crate::kernel::Kernel;
use crate::lifetime::Kind;

impl<K: Kernel> State<K> {
    /// The consumer closes the connector of `side`: its own request is cancelled, the peer learns of it, and
    /// the queue pair of an established connection is flushed, whichever side ended it.
    pub(in crate::connection) fn local_close(&mut self, side: Side) -> Transition<K> {
        self.end(side).local_close = true;
        match &mut self.phase {
            Phase::Requested { .. } | Phase::Accepted { .. } => {
                let (active, passive) = match side {
                    Side::Active => (STATUS_CANCELLED, STATUS_CONNECTION_ABORTED),
                    Side::Passive => (STATUS_CONNECTION_REFUSED, STATUS_CANCELLED),
                };
                self.refuse(active, passive)
            }
            Phase::Established { .. } => self.fail(),
            Phase::Ending { sides, .. } => {
                sides.of(side).flush = true;
                Transition::default()
            }
            Phase::Disconnected { .. } => self.flush_now(side),
            Phase::Failed(_) | Phase::Refused => Transition::default(),
        }
    }

    /// NdkDisconnect by `side`. The request is taken, and stays pending, until transfers have drained; if
    /// they have already, it is left to the caller to answer. The peer's provider answers at once, as there
    /// is no half-closed connection (CM-3); its consumer gets the event, and its queue pair is not flushed
    /// (WR-7).
    ///
    /// # Errors
    ///
    /// [`StateError`] if the connection was never established, or this side's disconnect is pending; nothing has
    /// changed.
    pub(in crate::connection) fn disconnect(
        &mut self,
        side: Side,
        request: &mut Option<Request<K, Connector<K>>>,
    ) -> Result<(Disconnected, Transition<K>), StateError> {
        match &mut self.phase {
            Phase::Established { .. } => {
                let leaving = Leaving { disconnect: request.take(), flush: true };
                Ok((Disconnected::Pending, self.begin_to_end(side, leaving)))
            }
            Phase::Ending { sides, .. } => {
                let leaving = sides.of(side);
                if leaving.disconnect.is_some() {
                    return Err(StateError);
                }
                *leaving = Leaving { disconnect: request.take(), flush: true };
                self.end(side).local_close = true;
                Ok((Disconnected::Pending, Transition::default()))
            }
            Phase::Disconnected { .. } => {
                let end = self.end(side);
                if end.due.is_disconnect_due() {
                    return Err(StateError);
                }
                end.local_close = true;
                Ok((Disconnected::Done, self.flush_now(side)))
            }
            Phase::Requested { .. } | Phase::Accepted { .. } | Phase::Failed(_) | Phase::Refused => {
                Err(StateError)
            }
        }
    }

    /// Moves from established to ending, with what the sides have there. Returns false if the connection is not
    /// established; it is as it was.
    fn stop(&mut self, sides: PerSide<Leaving<K>>) -> bool {
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Established { departure } => {
                self.phase = Phase::Ending { sides, departure };
                true
            }
            phase => {
                self.phase = phase;
                false
            }
        }
    }

    /// Ends an established connection by the disconnect of `side`: stops transfers, and makes the peer's disconnect
    /// event due.
    fn begin_to_end(&mut self, side: Side, leaving: Leaving<K>) -> Transition<K> {
        let peer = side.peer();
        let mut sides = PerSide { active: Leaving::STAYS, passive: Leaving::STAYS };
        *sides.of(side) = leaving;
        let mut next = Transition::default();
        if self.stop(sides) {
            self.end(side).local_close = true;
            self.end(peer).event.end();
            next.stop = true;
            next.wake(peer);
        }
        next
    }

    /// The flush at the end of a connection that had ended before.
    fn flush_now(&mut self, side: Side) -> Transition<K> {
        let qp = self.end(side).ties.qp.as_ref();
        Transition { flush: qp.and_then(|qp| qp.acquire(Kind::Request).ok()), ..Transition::default() }
    }

    /// Breaks an established connection: both disconnect events become due, and both queue pairs are flushed.
    pub(in crate::connection) fn fail(&mut self) -> Transition<K> {
        let broken = PerSide { active: Leaving::FLUSHED, passive: Leaving::FLUSHED };
        if !self.stop(broken) {
            return Transition::default();
        }
        self.ends.active.event.end();
        self.ends.passive.event.end();
        Transition { wake_active: true, wake_passive: true, stop: true, ..Transition::default() }
    }

    /// Completes pending disconnects, as the last transfer has ended (CM-1), and wakes both connectors, which
    /// are released then. Returns flags of the QPs to be flushed, the active side's first.
    pub(in crate::connection) fn drained(&mut self, next: &mut Transition<K>) -> [bool; 2] {
        (next.wake_active, next.wake_passive) = (true, true);
        match core::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::Ending { sides: PerSide { active, passive }, departure } => {
                self.phase = Phase::Disconnected { departure: Some(departure) };
                let PerSide { active: first, passive: second } = &mut self.ends;
                let flush = [active.flush, passive.flush];
                for (end, leaving) in [(first, active), (second, passive)] {
                    if let Some(request) = leaving.disconnect {
                        end.due.disconnect(request, STATUS_SUCCESS);
                    }
                }
                flush
            }
            phase => {
                self.phase = phase;
                debug_assert!(false, "transfers are opened once, and stopped before they drain");
                [false, false]
            }
        }
    }
}
