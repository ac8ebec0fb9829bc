//! Reads of the peer, and the FPDUs of the engine's own: what is sent without a request of the initiator.

#![forbid(unsafe_code)]

use iwarp::rdmap::ReadRequest;
use iwarp::{State, fault};

use super::transmit::{Job, Pump, Stuck};
use super::{WireTransfers, place};
use crate::connection::Wire;
use crate::kernel::Kernel;
use crate::memory::AccessError;
use crate::object::Object;
use crate::queue_pair::Qp;

/// The most batches of responses while a request of the initiator waits (TX-7).
const IN_TURN: u32 = 4;

/// The source of a read is refused: the connection breaks.
pub(in crate::queue_pair) struct Refused;

impl<K: Kernel> WireTransfers<K> {
    /// Answers reads of the peer, and sends what the engine owes. `waits`: a request of the initiator does.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub(in crate::queue_pair) fn serve(
        &self,
        qp: &Object<K, Qp<K>>,
        wire: &Wire<K>,
        waits: bool,
    ) -> Result<(), Refused> {
        let mut outcome = Ok(());
        self.pump.run(|pump| outcome = pump.serve((qp, wire), waits));
        outcome
    }
}

impl<K: Kernel> Pump<K> {
    fn serve(&mut self, (qp, wire): (&Object<K, Qp<K>>, &Wire<K>), waits: bool) -> Result<(), Refused> {
        loop {
            let (owes, request) = wire.with_stream(|stream| {
                let may_answer = stream.state() == State::Operating;
                (stream.owes_fpdu(), stream.read_to_answer().filter(|_| may_answer))
            });
            if owes {
                if !self.send_own(wire) {
                    return Ok(());
                }
                continue;
            }
            match (self.job, request) {
                (Job::Message(_), _) | (Job::Idle, None) => return Ok(()),
                (Job::Response(request), _) => match self.respond((qp, wire), request) {
                    Ok(true) => self.job = Job::Idle,
                    Ok(false) => return Ok(()),
                    Err(error) => return Err(self.refuse(wire, error)),
                },
                (Job::Idle, Some(_)) if waits && self.responses >= IN_TURN => return Ok(()),
                (Job::Idle, Some(request)) => {
                    // Its source is looked at before the response begins, and again for each piece.
                    if request.wraps() {
                        return Err(self.refuse(wire, fault::AccessError::Wrap));
                    }
                    if let Err(error) = source(qp, request, 0, &mut []) {
                        return Err(self.refuse(wire, error));
                    }
                    if wire.with_stream(|stream| stream.answer()).is_err() {
                        return Ok(());
                    }
                    self.job = Job::Response(request);
                }
            }
        }
    }

    /// Sends an FPDU of the engine's own. Returns false if there is no batch for it.
    fn send_own(&mut self, wire: &Wire<K>) -> bool {
        let cuts = match self.next_cuts(wire) {
            Ok(cuts) => cuts,
            Err(Stuck::NoBatch | Stuck::NoCut) => return false,
        };
        for cut in &cuts {
            // It has no payload.
            let _written = self.write(cut, |_, _| Ok(()));
        }
        if wire.with_stream(|stream| stream.state()) == State::Closing {
            // It was the Terminate, the last of this side (RD-8).
            self.job = Job::Idle;
            self.submit(wire);
        }
        true
    }

    /// Cuts the response to a read as far as there are batches for it. Returns true if it is all cut.
    fn respond(
        &mut self,
        (qp, wire): (&Object<K, Qp<K>>, &Wire<K>),
        request: ReadRequest,
    ) -> Result<bool, AccessError> {
        loop {
            let cuts = match self.next_cuts(wire) {
                Ok(cuts) => cuts,
                Err(Stuck::NoBatch | Stuck::NoCut) => return Ok(false),
            };
            for cut in &cuts {
                self.write(cut, |at, to| source(qp, request, at, to))?;
            }
            if cuts.iter().any(|cut| cut.last) {
                qp.pd().adapter().rnic().counters().sent(super::stripe(wire), request.length.into());
                return Ok(true);
            }
        }
    }

    fn refuse(&mut self, wire: &Wire<K>, error: impl Into<fault::AccessError>) -> Refused {
        self.job = Job::Idle;
        wire.with_stream(|stream| stream.refuse_read(error.into()));
        Refused
    }
}

/// Copies bytes of the source of a read, from byte `at` on. A read of no length has none (RD-3).
fn source<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    ReadRequest { source, source_offset, length, .. }: ReadRequest,
    at: u32,
    to: &mut [u8],
) -> Result<(), AccessError> {
    if length == 0 { Ok(()) } else { place::read_named(qp, (source, source_offset, length), at, to) }
}
