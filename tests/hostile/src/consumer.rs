//! The consumer: what it has, and the calls that create, connect and close.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use provider::Port;
use provider::port::Segment;
use sys::ndk::*;
use sys::sockaddr::{AF_INET, IN_ADDR, SOCKADDR, SOCKADDR_IN};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_BUFFER_OVERFLOW};
use sys::wdm::PVOID;

use crate::calls::{Call, Kind, Length, REGION, Which};
use crate::kernel::{Host, expire, pump, pump_one};
use crate::ledger::{self, Queue, Tally, closed, completed};
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
        ledger::close(|context| {
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
    /// What is opened; it stays.
    _ports: [Port<Host>; 2],
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

unsafe extern "win64" fn notified(_: PVOID, status: NTSTATUS) {
    assert!(NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW, "a notification of {status:#010x}");
}

unsafe extern "win64" fn offered(_: PVOID, connector: *mut NDK_CONNECTOR) {
    ledger::offer(connector.expose_provenance());
}

unsafe extern "win64" fn disconnected(_: PVOID) {}

unsafe extern "win64" fn created(_: PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

/// The IPv4 address of an adapter with a port.
fn address(adapter: bool, port: u8) -> SOCKADDR_IN {
    // SAFETY: all bytes zero is a valid socket address.
    let mut address: SOCKADDR_IN = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sin_family = AF_INET;
    address.sin_port = u16::from(port % 8).to_be();
    let bytes = if adapter { [10, 0, 0, 2] } else { [10, 0, 0, 1] };
    // SAFETY: an IPv4 address is four bytes, in network order.
    address.sin_addr = unsafe { core::mem::transmute::<[u8; 4], IN_ADDR>(bytes) };
    address
}

const ADDRESS_LENGTH: u32 = size_of::<SOCKADDR_IN>() as u32;

fn name(address: &SOCKADDR_IN) -> *const SOCKADDR {
    core::ptr::from_ref(address).cast()
}

/// Private data of some length, beyond the most that is permitted too.
static DATA: [u8; 1024] = [0xDD; 1024];

/// The object that a create made; one that fails must not have touched the place (RQ-1).
fn made<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> Option<*mut T> {
    let mut object = null_mut();
    let status = create(&raw mut object);
    assert_eq!(NT_SUCCESS(status), !object.is_null(), "a create returned {status:#010x} with {object:p}");
    NT_SUCCESS(status).then_some(object)
}

/// Keeps what was made.
fn keep<T>(all: &mut Vec<T>, make: impl FnOnce() -> Option<T>) {
    if all.len() < MOST {
        all.extend(make());
    }
}

impl Consumer {
    pub(crate) fn new() -> Self {
        ledger::begin();
        let segment = Segment::new().unwrap();
        let ports = ["10.0.0.1", "10.0.0.2"].map(|address| {
            let port = Port::new(&segment).unwrap();
            port.set_addresses(&[address.parse().unwrap()]).unwrap();
            port.set_enabled(true);
            port
        });
        let adapters = [&ports[0], &ports[1]].map(|port| port.open(NDK_VERSION_2_1).unwrap().as_ptr());
        Self {
            _ports: ports,
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
        self.connectors.extend(ledger::offers().into_iter().map(core::ptr::with_exposed_provenance_mut));
    }

    fn create(&mut self, call: &Call) -> Option<()> {
        let (none, null) = (null_mut(), Some(created as NDK_FN_CREATE_COMPLETION));
        match *call {
            Call::CreateCq { adapter, depth } => {
                let (home, depth) = (adapter, depth.bytes());
                let adapter = self.adapters[usize::from(home)];
                self.queues += 1;
                let cq = |object| Cq {
                    home,
                    object,
                    queue: self.queues,
                    depth: depth as usize,
                    outstanding: 0,
                    overflown: false,
                };
                keep(&mut self.cqs, || {
                    made(|out| {
                        call!(adapter, NdkCreateCq, depth, Some(notified), none, none.cast(), null, none, out)
                    })
                    .map(cq)
                });
            }
            Call::CreatePd { adapter } => {
                let (object, home) = (self.adapters[usize::from(adapter)], adapter);
                keep(&mut self.pds, || {
                    made(|out| call!(object, NdkCreatePd, null, none, out)).map(|object| Pd { object, home })
                });
            }
            Call::CreateQp { pd, receive, initiator, depths, sges, inline } => {
                let (pd, receive, initiator) =
                    (pick(&self.pds, pd)?.object, pick(&self.cqs, receive)?, pick(&self.cqs, initiator)?);
                let (receives, requests) = (depths.0.into(), depths.1.into());
                let (receive_sges, sges) = (sges.0.into(), sges.1.into());
                let qp = |object| Qp { object, receive: receive.queue, initiator: initiator.queue };
                keep(&mut self.qps, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateQp,
                            receive.object,
                            initiator.object,
                            none,
                            receives,
                            requests,
                            receive_sges,
                            sges,
                            inline.into(),
                            null,
                            none,
                            out
                        )
                    })
                    .map(qp)
                });
            }
            Call::CreateQpWithSrq { pd, cqs, srq, depth, sges, inline } => {
                let (pd, srq) = (pick(&self.pds, pd)?.object, *pick(&self.srqs, srq)?);
                let (receive, initiator) = (pick(&self.cqs, cqs.0)?, pick(&self.cqs, cqs.1)?);
                let qp = Qp { object: null_mut(), receive: receive.queue, initiator: initiator.queue };
                let (receive, initiator) = (receive.object, initiator.object);
                let before = self.qps.len();
                keep(&mut self.qps, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateQpWithSrq,
                            receive,
                            initiator,
                            srq,
                            none,
                            depth.into(),
                            sges.into(),
                            inline.into(),
                            null,
                            none,
                            out
                        )
                    })
                    .map(|object| Qp { object, ..qp })
                });
                if self.qps.len() != before {
                    // How many receives end there is the peers' doing.
                    self.queue(qp.receive)?.overflown = true;
                }
            }
            Call::CreateMr { pd, fast } => {
                let pd = pick(&self.pds, pd)?.object;
                keep(&mut self.mrs, || made(|out| call!(pd, NdkCreateMr, fast.into(), null, none, out)));
            }
            Call::CreateMw { pd } => {
                let pd = pick(&self.pds, pd)?.object;
                keep(&mut self.mws, || made(|out| call!(pd, NdkCreateMw, null, none, out)));
            }
            Call::CreateSrq { pd, depth, sges, threshold } => {
                let pd = pick(&self.pds, pd)?.object;
                let (depth, sges, threshold) = (depth.into(), sges.into(), threshold.into());
                keep(&mut self.srqs, || {
                    made(|out| {
                        call!(
                            pd,
                            NdkCreateSrq,
                            depth,
                            sges,
                            threshold,
                            Some(notified),
                            none,
                            none.cast(),
                            null,
                            none,
                            out
                        )
                    })
                });
            }
            Call::CreateListener { adapter } => {
                let adapter = self.adapters[usize::from(adapter)];
                keep(&mut self.listeners, || {
                    made(|out| call!(adapter, NdkCreateListener, Some(offered), none, null, none, out))
                });
            }
            Call::CreateConnector { adapter } => {
                let adapter = self.adapters[usize::from(adapter)];
                keep(&mut self.connectors, || {
                    made(|out| call!(adapter, NdkCreateConnector, null, none, out))
                });
            }
            Call::CreateSharedEndpoint { adapter, port } => {
                let (object, own) = (self.adapters[usize::from(adapter)], address(adapter, port));
                keep(&mut self.endpoints, || {
                    made(|out| {
                        call!(object, NdkCreateSharedEndpoint, name(&own), ADDRESS_LENGTH, null, none, out)
                    })
                });
            }
            Call::Close(kind, which) => self.close(kind, which),
            _ => {}
        }
        Some(())
    }

    fn connect(&mut self, call: &Call) -> Option<()> {
        let qp = |which| pick(&self.qps, which).map(|qp| qp.object);
        let connector = |which| pick(&self.connectors, which).copied();
        let listener = |which| pick(&self.listeners, which).copied();
        let request = Some(completed as NDK_FN_REQUEST_COMPLETION);
        let data = DATA.as_ptr().cast();
        match *call {
            Call::Listen { listener: which, adapter, port } => {
                let (listener, own) = (listener(which)?, address(adapter, port));
                ledger::request(|context| {
                    call!(listener, NdkListen, name(&own), ADDRESS_LENGTH, request, context)
                });
            }
            Call::Pause { listener: which, pause } => {
                call!(listener(which)?, NdkControlConnectEvents, pause.into())
            }
            Call::Connect { connector: which, qp: with, to, port, data: length } => {
                let (from, to) = (address(!to, 0), address(to, port));
                let (connector, qp) = (connector(which)?, qp(with)?);
                ledger::request(|context| {
                    call!(
                        connector,
                        NdkConnect,
                        qp,
                        name(&from),
                        ADDRESS_LENGTH,
                        name(&to),
                        ADDRESS_LENGTH,
                        4,
                        4,
                        data,
                        u32::from(length) * 4,
                        request,
                        context
                    )
                });
            }
            Call::ConnectShared { connector: which, qp: with, endpoint, to, port } => {
                let (connector, qp, to) = (connector(which)?, qp(with)?, address(to, port));
                let endpoint = *pick(&self.endpoints, endpoint)?;
                ledger::request(|context| {
                    call!(
                        connector,
                        NdkConnectWithSharedEndpoint,
                        qp,
                        endpoint,
                        name(&to),
                        ADDRESS_LENGTH,
                        4,
                        4,
                        data,
                        8,
                        request,
                        context
                    )
                });
            }
            Call::Accept { connector: which, qp: with, data: length } => {
                let (connector, qp) = (connector(which)?, qp(with)?);
                ledger::request(|context| {
                    call!(
                        connector,
                        NdkAccept,
                        qp,
                        4,
                        4,
                        data,
                        u32::from(length) * 4,
                        Some(disconnected),
                        null_mut(),
                        request,
                        context
                    )
                });
            }
            Call::CompleteConnect { connector: which } => {
                let connector = connector(which)?;
                ledger::request(|context| {
                    call!(connector, NdkCompleteConnect, Some(disconnected), null_mut(), request, context)
                });
            }
            Call::Reject { connector: which, data: length } => {
                call!(connector(which)?, NdkReject, data, u32::from(length) * 4);
            }
            Call::Disconnect { connector: which } => {
                let connector = connector(which)?;
                ledger::request(|context| call!(connector, NdkDisconnect, request, context));
            }
            Call::Establish { port } => return self.establish(port),
            Call::Pump => pump(),
            Call::PumpOne => pump_one(),
            Call::Expire => expire(),
            _ => {}
        }
        Some(())
    }

    /// The calls of a connection between new QPs, in their order; each may fail all the same.
    fn establish(&mut self, port: u8) -> Option<()> {
        let last = |length: usize| (length.saturating_sub(1)) as Which;
        let from = self.fresh_qp(false)?;
        let to = self.fresh_qp(true)?;
        self.create(&Call::CreateListener { adapter: true });
        let listener = last(self.listeners.len());
        self.connect(&Call::Listen { listener, adapter: true, port });
        self.create(&Call::CreateConnector { adapter: false });
        let connector = last(self.connectors.len());
        self.connect(&Call::Connect { connector, qp: from, to: true, port, data: 3 });
        pump();
        let offers = ledger::offers();
        self.connectors.extend(offers.into_iter().map(core::ptr::with_exposed_provenance_mut));
        let offered = last(self.connectors.len());
        self.connect(&Call::Accept { connector: offered, qp: to, data: 1 });
        pump();
        self.connect(&Call::CompleteConnect { connector });
        pump();
        Some(())
    }

    /// A new QP of one adapter; if there are too many, an old one goes.
    fn fresh_qp(&mut self, adapter: bool) -> Option<Which> {
        if self.qps.len() + 1 >= MOST {
            self.close(Kind::Qp, 0);
            self.close(Kind::Connector, 0);
            self.close(Kind::Listener, 0);
        }
        let pd = self.pds.iter().position(|pd| pd.home == adapter)? as Which;
        let cq = self.cqs.iter().position(|cq| cq.home == adapter)? as Which;
        let (depths, sges) = ((8, 8), (3, 3));
        self.create(&Call::CreateQp { pd, receive: cq, initiator: cq, depths, sges, inline: 64 });
        Some(self.qps.len().checked_sub(1)? as Which)
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
            // Nobody will ever take it.
            None => ledger::forgive(queue),
        }
    }

    fn close(&mut self, kind: Kind, which: Which) {
        fn take<T>(all: &mut Vec<T>, which: Which) -> Option<T> {
            (!all.is_empty()).then(|| all.swap_remove(which as usize % all.len()))
        }
        match kind {
            Kind::Cq => {
                if let Some(cq) = take(&mut self.cqs, which) {
                    ledger::forgive(cq.queue);
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
    pub(crate) fn end(mut self) -> Tally {
        self.close_all(Kind::Qp, |all| !all.qps.is_empty());
        self.close_all(Kind::Listener, |all| !all.listeners.is_empty());
        pump();
        self.connectors.extend(ledger::offers().into_iter().map(core::ptr::with_exposed_provenance_mut));
        self.close_all(Kind::Connector, |all| !all.connectors.is_empty());
        pump();
        for cq in &self.cqs {
            while crate::post::poll(cq, 16) != 0 {}
            if !cq.overflown {
                ledger::queue_is_done(cq.queue);
            }
            ledger::forgive(cq.queue);
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
            unsafe { Port::<Host>::close(adapter) };
        }
        self.memory.check();
        ledger::end()
    }
}
