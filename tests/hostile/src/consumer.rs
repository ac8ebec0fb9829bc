//! The consumer: what it has, and how it closes that.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

mod connect;
mod create;
mod post;

use core::ptr::NonNull;

use provider::Rnic;
use provider::rnic::Fabric;
use sys::ndk::*;
use test_kernel::{Manual, pump};

use crate::call_log::{self, Outcomes, Queue, closed};
use crate::calls::{Call, Kind, Length, REGION, Which};
use crate::memory::Memory;

/// Calls a slot of an object's table.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        // SAFETY: the consumer has the object open; every argument is what the interface asks for, or wrong
        // in a way that it permits.
        unsafe { ((*(*object).Dispatch).$slot.expect("no slot is empty"))(object $(, $argument)*) }
    }};
}
pub(crate) use call;

/// Closes an object.
macro_rules! close {
    ($object:expr, $slot:ident) => {{
        let object = $object;
        call_log::close(|context| {
            // SAFETY: the consumer has the object open, and uses it no more.
            unsafe {
                ((*(*object).Dispatch).$slot.expect("no slot is empty"))(object.cast(), Some(closed), context)
            }
        });
    }};
}

/// A PD, and whether it is the second adapter's.
#[derive(Clone, Copy)]
pub(crate) struct Pd {
    pub(crate) object: *mut NDK_PD,
    home: bool,
}

/// A CQ, and whether it is the second adapter's.
pub(crate) struct Cq {
    home: bool,
    pub(crate) object: *mut NDK_CQ,
    pub(crate) queue: Queue,
    depth: usize,
    /// Results that it may have to take.
    pub(crate) outstanding: usize,
    /// It may have overflown, and then owes nothing (CQ-6).
    pub(crate) overflown: bool,
}

/// A QP, and the queues of its results.
#[derive(Clone, Copy)]
pub(crate) struct Qp {
    pub(crate) object: *mut NDK_QP,
    pub(crate) receive: Queue,
    pub(crate) initiator: Queue,
}

/// The consumer.
pub(crate) struct Consumer {
    /// The opened adapters; they stay.
    _rnics: [Rnic<Manual>; 2],
    pub(crate) adapters: [*mut NDK_ADAPTER; 2],
    pub(crate) memory: Memory,
    pub(crate) cqs: Vec<Cq>,
    pub(crate) pds: Vec<Pd>,
    pub(crate) qps: Vec<Qp>,
    pub(crate) mrs: Vec<*mut NDK_MR>,
    pub(crate) mws: Vec<*mut NDK_MW>,
    pub(crate) srqs: Vec<*mut NDK_SRQ>,
    listeners: Vec<*mut NDK_LISTENER>,
    connectors: Vec<*mut NDK_CONNECTOR>,
    endpoints: Vec<*mut NDK_SHARED_ENDPOINT>,
    /// Tokens that were valid at some time.
    pub(crate) tokens: Vec<u32>,
    queues: Queue,
}

/// The most objects of one kind.
const MOST: usize = 12;

/// The one of `all` that `which` names.
pub(crate) fn pick<T>(all: &[T], which: Which) -> Option<&T> {
    all.get(which as usize % all.len().max(1))
}

impl Consumer {
    pub(crate) fn new() -> Self {
        call_log::begin();
        let fabric = Fabric::new().unwrap();
        let rnics = ["10.0.0.1", "10.0.0.2"].map(|address| {
            let rnic = Rnic::new(&fabric).unwrap();
            rnic.set_addresses(&[address.parse().unwrap()]).unwrap();
            rnic.set_enabled(true);
            rnic
        });
        let adapters = [&rnics[0], &rnics[1]].map(|rnic| rnic.open(NDK_VERSION_2_1).unwrap().as_ptr());
        Self {
            _rnics: rnics,
            adapters,
            memory: Memory::new(),
            cqs: Vec::new(),
            pds: Vec::new(),
            qps: Vec::new(),
            mrs: Vec::new(),
            mws: Vec::new(),
            srqs: Vec::new(),
            listeners: Vec::new(),
            connectors: Vec::new(),
            endpoints: Vec::new(),
            tokens: Vec::new(),
            queues: 0,
        }
    }

    /// With a region and a window at each adapter, and a connection: from nothing, arbitrary calls would
    /// hardly ever come so far.
    pub(crate) fn with_a_connection() -> Self {
        let mut consumer = Self::new();
        for adapter in [false, true] {
            let own = Which::from(adapter);
            consumer.make(Call::CreateCq { adapter, depth: Length::Short(64) });
            consumer.make(Call::CreatePd { adapter });
            consumer.make(Call::CreateMr { pd: own, fast: false });
            // The second one only to be read.
            let flags = if adapter { 2 } else { 15 };
            consumer.make(Call::Register { mr: own, block: own, length: REGION, flags });
            consumer.make(Call::CreateMw { pd: own });
        }
        consumer.make(Call::Establish { port: 1 });
        consumer
    }

    /// Makes one call; it is left out if there is no object that it could be made with.
    pub(crate) fn make(&mut self, call: Call) {
        self.create(&call);
        self.connect(&call);
        self.transfer(call);
        self.connectors.extend(call_log::offers().into_iter().map(core::ptr::with_exposed_provenance_mut));
    }

    /// The CQ of a queue, while it is open.
    pub(crate) fn queue(&mut self, queue: Queue) -> Option<&mut Cq> {
        self.cqs.iter_mut().find(|cq| cq.queue == queue)
    }

    /// A result may come into `queue`.
    pub(crate) fn expect_result(&mut self, queue: Queue) {
        match self.queue(queue) {
            Some(cq) => {
                cq.outstanding += 1;
                cq.overflown |= cq.outstanding > cq.depth;
            }
            // No call will ever take it.
            None => call_log::forgive(queue),
        }
    }

    fn close(&mut self, kind: Kind, which: Which) {
        fn take<T>(all: &mut Vec<T>, which: Which) -> Option<T> {
            (!all.is_empty()).then(|| all.swap_remove(which as usize % all.len()))
        }
        match kind {
            Kind::Cq => {
                if let Some(cq) = take(&mut self.cqs, which) {
                    call_log::forgive(cq.queue);
                    close!(cq.object, NdkCloseCq);
                }
            }
            Kind::Pd => take(&mut self.pds, which).into_iter().for_each(|pd| close!(pd.object, NdkClosePd)),
            Kind::Qp => take(&mut self.qps, which).into_iter().for_each(|qp| close!(qp.object, NdkCloseQp)),
            Kind::Mr => take(&mut self.mrs, which).into_iter().for_each(|mr| close!(mr, NdkCloseMr)),
            Kind::Mw => take(&mut self.mws, which).into_iter().for_each(|mw| close!(mw, NdkCloseMw)),
            Kind::Srq => take(&mut self.srqs, which).into_iter().for_each(|srq| close!(srq, NdkCloseSrq)),
            Kind::Listener => {
                take(&mut self.listeners, which)
                    .into_iter()
                    .for_each(|listener| close!(listener, NdkCloseListener));
            }
            Kind::Connector => {
                take(&mut self.connectors, which).into_iter().for_each(|one| close!(one, NdkCloseConnector));
            }
            Kind::SharedEndpoint => {
                take(&mut self.endpoints, which)
                    .into_iter()
                    .for_each(|one| close!(one, NdkCloseSharedEndpoint));
            }
        }
    }

    fn close_all(&mut self, kind: Kind, left: impl Fn(&Self) -> bool) {
        while left(self) {
            self.close(kind, 0);
        }
    }

    /// Closes everything, takes every result, and checks that nothing is owed.
    pub(crate) fn end(mut self) -> Outcomes {
        self.close_all(Kind::Qp, |all| !all.qps.is_empty());
        self.close_all(Kind::Listener, |all| !all.listeners.is_empty());
        pump();
        self.connectors.extend(call_log::offers().into_iter().map(core::ptr::with_exposed_provenance_mut));
        self.close_all(Kind::Connector, |all| !all.connectors.is_empty());
        pump();
        for cq in &self.cqs {
            while post::poll(cq, 16) != 0 {}
            if !cq.overflown {
                call_log::queue_is_done(cq.queue);
            }
            call_log::forgive(cq.queue);
        }
        self.close_all(Kind::Cq, |all| !all.cqs.is_empty());
        self.close_all(Kind::Mw, |all| !all.mws.is_empty());
        self.close_all(Kind::Mr, |all| !all.mrs.is_empty());
        self.close_all(Kind::Srq, |all| !all.srqs.is_empty());
        self.close_all(Kind::Pd, |all| !all.pds.is_empty());
        self.close_all(Kind::SharedEndpoint, |all| !all.endpoints.is_empty());
        for adapter in self.adapters {
            let adapter = NonNull::new(adapter).expect("an adapter that was opened");
            // SAFETY: the consumer uses it no more.
            unsafe { Rnic::<Manual>::close(adapter, test_kernel::passive()) };
        }
        self.memory.check();
        call_log::end()
    }
}
