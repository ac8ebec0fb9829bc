//! A QP whose peer is another machine: messages into FPDUs, and FPDUs into memory.
//!
//! | module | contents |
//! |---|---|
//! | this one | the state of the transfers of one connection |
//! | `transmit` | FPDUs into batches: the initiator's messages, and those of the engine |
//! | `answer` | reads of the peer |
//! | `flight` | requests that are on their way, in the order of their posts |
//! | `outcome` | the status that a Terminate gives to a request |
//! | `sinks` | the sinks of reads that are awaited |
//! | `arrive` | what the peer sends |
//! | `look` | the next things in what the peer sends |
//! | `place` | the memory into which it goes |
//! | `input` | the bytes of the peer, in one piece where the engine asks for that |
//!
//! The initiator's engine runs one at a time (its combiner), and is what sends; the network calls with what has
//! arrived, one call at a time. They meet in the iWARP engine, under the lock of its connection, and in the sinks. A
//! request that waits for the network leaves nothing behind that the peer could hold up: memory is looked up anew for
//! each piece that comes or goes, and is in use only while bytes are moved.

mod answer;
mod arrive;
mod flight;
mod input;
mod look;
mod outcome;
mod place;
mod sinks;
mod transmit;

pub(super) use flight::{Launched, Until};

use crate::combiner::Combiner;
use crate::connection::{BATCHES, Batch, Wire};
use crate::heap::{NoMemory, Shared};
use crate::kernel::network::{Batch as _, Runs, Taken};
use crate::kernel::{Kernel, Lock};
use crate::number::usize_from;
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::rundown::Shard;
use crate::sync::{AtomicBool, AtomicU32, Line, Ordering};
use arrayvec::ArrayVec;
use arrive::Arrival;
use flight::Flight;
use iwarp::rdmap::Terminate;
use sinks::Sinks;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use transmit::Pump;

/// The batches that TCP has.
struct Out {
    numbers: ArrayVec<u64, BATCHES>,
    /// The number of the one that is sent next.
    next: u64,
}

/// The transfers of one connection. In each function `wire` is that connection, and `qp` the QP of it.
pub(crate) struct WireTransfers<K: Kernel> {
    /// The messages that are being sent. The initiator's engine alone runs it.
    pump: Line<Combiner<Pump<K>>>,
    /// The bytes that have arrived. The network's calls, and the end of a wait, run it.
    arrival: Line<Combiner<Arrival<K>>>,
    flight: Lock<K, Flight<K>>,
    sinks: Sinks<K>,
    out: Lock<K, Out>,
    /// The Terminate of the peer, until the requests have been told of it.
    terminate: Lock<K, Option<Terminate>>,
    /// There is one.
    terminated: AtomicBool,
    /// Expirations of the QP's timer that the arrival has not counted yet.
    expirations: AtomicU32,
    /// Bytes of the peer lie there, as a receive is missing or memory is in use.
    stalled: AtomicBool,
}

impl<K: Kernel> WireTransfers<K> {
    /// Those of a connection that begins; [`WireTransfers::prepare`] follows when its QP is known.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    #[inline(never)]
    pub(crate) fn shared() -> Result<Shared<Self>, NoMemory> {
        Shared::new(Self {
            pump: Line(Combiner::new(Pump::new())),
            arrival: Line(Combiner::new(Arrival::new())),
            flight: Lock::<K, _>::new(Flight::new()),
            sinks: Sinks::new()?,
            out: Lock::<K, _>::new(Out { numbers: ArrayVec::new(), next: FIRST_BATCH }),
            terminate: Lock::<K, _>::new(None),
            terminated: AtomicBool::new(false),
            expirations: AtomicU32::new(0),
            stalled: AtomicBool::new(false),
        })
    }

    /// Allocates the rest of what the transfers of `qp` will need, when that is claimed and before its first FPDU. Once
    /// for a connection, whose bytes have not come here yet.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn prepare(&self, qp: &Qp<K>) -> Result<(), NoMemory> {
        let flight = Flight::with_room(usize_from(qp.initiator.depth()))?;
        let mut stash = Some(input::stash()?);
        *self.flight.lock() = flight;
        self.arrival.run(|arrival| {
            if let Some(stash) = stash.take() {
                arrival.set_stash(stash);
            }
        });
        Ok(())
    }

    /// Bytes of the peer have arrived. The network calls it, one call at a time. Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn arrived(&self, qp: &Object<K, Qp<K>>, wire: &Wire<K>, runs: &dyn Runs) -> Taken {
        let mut bytes = 0;
        self.arrival.run(|arrival| arrival.advance(qp, wire, (runs, &mut bytes)));
        Taken { bytes }
    }

    /// A batch is back. Up to DISPATCH_LEVEL, no lock held. One that TCP could not send stays out: what is in it has not
    /// been sent, and the connection is about to end.
    pub(crate) fn sent(&self, wire: &Wire<K>, batch: Batch<K>, status: NTSTATUS) {
        let tag = batch.tag();
        // Before the batch can be sent again, for whose number there is room then.
        if status == STATUS_SUCCESS {
            self.out.lock().numbers.retain(|out| *out != tag);
        }
        wire.put_batch(batch);
        if let Some(joined) = wire.joined(Shard::Initiator) {
            joined.qp().progress();
        }
    }

    /// Returns true if bytes of the peer lie there: the time for the rest of an FPDU does not run (TM-4).
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// A wait of the arrival may be over: for a receive, the delivery, the end of an invalidation. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(super) fn resume(&self, qp: &Object<K, Qp<K>>, wire: &Wire<K>) {
        self.poke(qp, wire);
        if !self.is_stalled() {
            wire.resume();
        }
    }

    /// The QP's timer has expired.
    pub(super) fn on_timer(&self, qp: &Object<K, Qp<K>>, wire: &Wire<K>) {
        self.expirations.fetch_add(1, Ordering::Relaxed);
        self.resume(qp, wire);
    }

    /// Runs the arrival without new bytes.
    pub(super) fn poke(&self, qp: &Object<K, Qp<K>>, wire: &Wire<K>) {
        self.arrival.run(|arrival| arrival.advance(qp, wire, (&Nothing, &mut 0)));
    }

    /// Notes that the next batch is about to be sent: its number, which it carries along.
    fn number_batch(&self) -> u64 {
        let mut out = self.out.lock();
        let number = out.next;
        out.next = number.wrapping_add(1);
        // There is room: there are no more batches.
        let _noted = out.numbers.try_push(number);
        number
    }

    /// The number of the batch that is sent next.
    fn next_batch(&self) -> u64 {
        self.out.lock().next
    }

    /// Returns true if this batch, and all before it, are back.
    fn is_back(&self, batch: u64) -> bool {
        let out = self.out.lock();
        batch < out.next && out.numbers.iter().all(|out| *out > batch)
    }
}

/// The number of the first batch: those of the start of the connection have none.
const FIRST_BATCH: u64 = 1;

/// The stripe of the counters of a connection.
fn stripe<K: Kernel>(wire: &Wire<K>) -> usize {
    // Its address is as good as a number: connections lie far from each other.
    core::ptr::from_ref(wire).addr() >> 10
}

/// No bytes.
struct Nothing;

impl Runs for Nothing {
    fn length(&self) -> usize {
        0
    }

    fn at(&self, _: usize) -> &[u8] {
        &[]
    }
}
