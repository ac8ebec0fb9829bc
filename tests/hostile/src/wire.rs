//! Arbitrary bytes as a peer on the network, against a provider with a listener, a QP and memory.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

use core::cell::Cell;
use core::ffi::c_void;
use core::net::{IpAddr, SocketAddr};
use core::ptr::{NonNull, null, null_mut};

use arbitrary::{Arbitrary, Unstructured};
use iwarp::crc::Digest;
use iwarp::ddp::{Msn, Stag};
use iwarp::fpdu::pad;
use iwarp::mpa::Config;
use iwarp::rdmap::{Message, Placed, ReadRequest, SendKind, Sequenced};
use provider::Rnic;
use provider::kernel::Network;
use provider::kernel::network::{Batch as _, ConnectionTable, Events, LocalEnd, Runs, Taken};
use provider::rnic::{Fabric, WireSettings};
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::network::{self, BoxBatch, BoxConnection, InABox};
use test_kernel::{Manual, expire_timers, pump};

use crate::consumer::call;
use crate::memory::{Memory, SIZE};

/// The most things that one input leads to.
const MOST: usize = 60;

/// The next thing that the peer, or the consumer, does.
#[derive(Arbitrary, Debug)]
enum Part {
    /// Bytes that mean what they mean.
    Raw(Vec<u8>),
    /// A segment with any bytes, in a right FPDU.
    Segment(Vec<u8>),
    Write {
        token: u8,
        at: i16,
        last: bool,
        length: u8,
    },
    Send {
        msn: u8,
        offset: u8,
        last: bool,
        length: u8,
        invalidates: Option<u8>,
    },
    Read {
        msn: u8,
        token: u8,
        at: i16,
        length: u16,
    },
    Receive {
        length: u8,
    },
    Flush,
    Wait,
    Piece(u8),
    Finish,
    Abort,
}

thread_local! {
    static OFFERED: Cell<*mut NDK_CONNECTOR> = const { Cell::new(null_mut()) };
    static CLOSED: Cell<bool> = const { Cell::new(false) };
}

unsafe fn bound(_: NonNull<c_void>, _: SocketAddr) -> bool {
    true
}

unsafe fn opened(_: NonNull<c_void>, _: Result<(), NTSTATUS>) {}

unsafe fn arrived(_: NonNull<c_void>, runs: &dyn Runs) -> Taken {
    Taken { bytes: runs.length() }
}

unsafe fn sent(_: NonNull<c_void>, batch: BoxBatch, _: NTSTATUS) {
    drop(batch);
}

unsafe fn finished(_: NonNull<c_void>) {}

unsafe fn closed(_: NonNull<c_void>) {
    CLOSED.set(true);
}

static TABLE: ConnectionTable<InABox> = ConnectionTable { bound, opened, arrived, sent, finished, closed };

unsafe extern "efiapi" fn created(_: PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

unsafe extern "efiapi" fn offered(_: PVOID, connector: *mut NDK_CONNECTOR) {
    OFFERED.set(connector);
}

unsafe extern "efiapi" fn completed(_: PVOID, _: NTSTATUS) {}

unsafe extern "efiapi" fn notified(_: PVOID, _: NTSTATUS) {}

unsafe extern "efiapi" fn disconnected(_: PVOID) {}

unsafe extern "efiapi" fn closed_object(_: PVOID) {}

fn made<T>(create: impl FnOnce(*mut *mut T) -> NTSTATUS) -> *mut T {
    let mut object = null_mut();
    assert_eq!(create(&raw mut object), STATUS_SUCCESS);
    object
}

macro_rules! close {
    ($object:expr, $slot:ident) => {{
        let object = $object;
        // SAFETY: the consumer has the object open, and uses it no more.
        unsafe {
            ((*(*object).Dispatch).$slot.expect("no slot is empty"))(
                object.cast(),
                Some(closed_object),
                null_mut(),
            )
        };
        run();
    }};
}

/// Lets the network and the DPCs run until nothing is left to do.
fn run() {
    pump();
    while network::step(0) {
        pump();
    }
}

fn send(tcp: &BoxConnection, bytes: &[u8]) {
    let mut batch = InABox.batch(bytes.len()).unwrap();
    batch.room().copy_from_slice(bytes);
    batch.set_length(bytes.len());
    InABox::send(tcp, batch);
}

fn fpdu(ulpdu: &[u8], crc: bool) -> Vec<u8> {
    let length = u16::try_from(ulpdu.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&ulpdu[..length.into()]);
    bytes.resize(bytes.len() + usize::from(pad(length)), 0);
    let mut digest = Digest::new();
    digest.update(&bytes);
    bytes.extend_from_slice(&if crc { digest.to_wire() } else { [0; 4] });
    bytes
}

/// An address and length as the interface takes them.
fn name(address: SocketAddr) -> ([u8; 16], u32) {
    let SocketAddr::V4(address) = address else { panic!("IPv4") };
    let mut bytes = [0; 16];
    bytes[0] = 2;
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&address.ip().octets());
    (bytes, 16)
}

/// The consumer that is attacked, with a region that its peer may write and read, and one that it may not.
struct Attacked {
    rnic: Rnic<Manual>,
    adapter: *mut NDK_ADAPTER,
    cq: *mut NDK_CQ,
    pd: *mut NDK_PD,
    qp: *mut NDK_QP,
    listener: *mut NDK_LISTENER,
    mrs: [*mut NDK_MR; 2],
    tokens: [u32; 2],
    memory: Memory,
    tcp: BoxConnection,
    crc: bool,
    /// The peer has ended its stream.
    finished: Cell<bool>,
}

impl Attacked {
    fn new(crc: bool) -> Self {
        OFFERED.set(null_mut());
        CLOSED.set(false);
        network::clear();
        let at: SocketAddr = "10.0.0.2:5445".parse().unwrap();
        let fabric = Fabric::new().unwrap();
        let settings = WireSettings { crc: false, fpdu_size: None, force: true };
        let rnic = Rnic::with_network(&fabric, InABox, settings).unwrap();
        rnic.set_addresses(&[IpAddr::from([10, 0, 0, 2])]).unwrap();
        rnic.set_enabled(true);
        let adapter = rnic.open(NDK_VERSION_2_1).unwrap().as_ptr();
        let (null, none) = (Some(created as NDK_FN_CREATE_COMPLETION), null_mut());
        let cq =
            made(|out| call!(adapter, NdkCreateCq, 256, Some(notified), none, none.cast(), null, none, out));
        let pd = made(|out| call!(adapter, NdkCreatePd, null, none, out));
        let qp = made(|out| call!(pd, NdkCreateQp, cq, cq, none, 32, 32, 2, 2, 0, null, none, out));
        let listener = made(|out| call!(adapter, NdkCreateListener, Some(offered), none, null, none, out));
        let (address, length) = name(at);
        let address = address.as_ptr().cast();
        assert_eq!(call!(listener, NdkListen, address, length, Some(completed), none), STATUS_PENDING);
        run();
        let mut memory = Memory::new();
        // The first for the peer, the second for receives.
        let mrs = [15, 1].map(|_| made(|out| call!(pd, NdkCreateMr, 0, null, none, out)));
        for ((block, flags), mr) in [15, 1].into_iter().enumerate().zip(mrs) {
            let mdl = memory.mdl(block);
            let status = call!(mr, NdkRegisterMr, mdl, SIZE, flags & 7, None, none);
            assert_eq!(status, STATUS_SUCCESS);
            memory.give(block, 0, SIZE);
        }
        let tokens = mrs.map(|mr| call!(mr, NdkGetLocalTokenFromMr));
        let tcp = InABox.connection().unwrap();
        // SAFETY: the functions take any context.
        let events = unsafe { Events::new(NonNull::dangling(), &TABLE) };
        InABox::connect(&tcp, LocalEnd::Own("10.0.0.9:0".parse().unwrap()), at, events);
        run();
        Self {
            rnic,
            adapter,
            cq,
            pd,
            qp,
            listener,
            mrs,
            tokens,
            memory,
            tcp,
            crc,
            finished: Cell::new(false),
        }
    }

    /// The start of the connection, as a peer does it that means well.
    fn establish(&self) {
        let config = Config { crc: self.crc, ird: 16, ord: 16, sink: Stag(2) };
        send(&self.tcp, &iwarp::mpa::request(&config, b"").unwrap());
        run();
        let connector = OFFERED.get();
        assert!(!connector.is_null(), "a request is offered");
        let (event, none) = (Some(disconnected as NDK_FN_DISCONNECT_EVENT_CALLBACK), null_mut());
        let status =
            call!(connector, NdkAccept, self.qp, 16, 16, null(), 0, event, none, Some(completed), none);
        assert_eq!(status, STATUS_PENDING);
        run();
        self.segment(&Message::Write(Placed { stag: Stag(9), offset: 0, last: true }).emit().emit());
        run();
    }

    fn segment(&self, ulpdu: &[u8]) {
        self.send(&fpdu(ulpdu, self.crc));
    }

    /// Sends, unless the peer has ended its stream: TCP takes nothing behind that.
    fn send(&self, bytes: &[u8]) {
        if !self.finished.get() {
            send(&self.tcp, bytes);
        }
    }

    /// A token, and an address near an end of its region.
    fn place(&self, token: u8, at: i16) -> (Stag, u64) {
        let block = usize::from(token % 2);
        let stag = if token < 200 { self.tokens[block] } else { u32::from(token) };
        let start = self.memory.address(block, 0).addr();
        (Stag(stag), (start as u64).wrapping_add_signed(at.into()))
    }

    fn perform(&self, part: Part) {
        let payload = |length: u8| vec![0x5A; length.into()];
        let with = |message: Message, payload: &[u8]| [&message.emit().emit(), payload].concat();
        match part {
            Part::Raw(bytes) => self.send(&bytes[..bytes.len().min(60_000)]),
            Part::Segment(bytes) => self.segment(&bytes[..bytes.len().min(60_000)]),
            Part::Write { token, at, last, length } => {
                let (stag, offset) = self.place(token, at);
                self.segment(&with(Message::Write(Placed { stag, offset, last }), &payload(length)));
            }
            Part::Send { msn, offset, last, length, invalidates } => {
                let invalidate = invalidates.map(|token| self.place(token, 0).0);
                let kind = SendKind { solicited: length % 2 == 0, invalidate };
                let place = Sequenced { msn: Msn(msn.into()), offset: offset.into(), last };
                self.segment(&with(Message::Send(kind, place), &payload(length)));
            }
            Part::Read { msn, token, at, length } => {
                let (source, source_offset) = self.place(token, at);
                let length = length.into();
                let body = ReadRequest { sink: Stag(7), sink_offset: 0, length, source, source_offset };
                let place = Sequenced { msn: Msn(msn.into()), offset: 0, last: true };
                self.segment(&with(Message::ReadRequest(place), &body.emit()));
            }
            Part::Receive { length } => {
                let address = NDK_SGE_ADDRESS { VirtualAddress: self.memory.address(1, 0) };
                let sge =
                    NDK_SGE { Address: address, Length: length.into(), MemoryRegionToken: self.tokens[1] };
                let _refused_or_not = call!(self.qp, NdkReceive, null_mut(), &raw const sge, 1);
            }
            Part::Flush => call!(self.qp, NdkFlush),
            Part::Wait => drop(expire_timers()),
            Part::Piece(bytes) => network::set_piece(bytes.into()),
            Part::Finish => {
                if !self.finished.replace(true) {
                    InABox::finish(&self.tcp);
                }
            }
            Part::Abort => InABox::abort(&self.tcp),
        }
        run();
    }

    /// Ends everything, which no peer holds up.
    fn end(self) {
        let connector = OFFERED.get();
        if !connector.is_null() {
            close!(connector, NdkCloseConnector);
        }
        close!(self.listener, NdkCloseListener);
        close!(self.qp, NdkCloseQp);
        for mr in self.mrs {
            close!(mr, NdkCloseMr);
        }
        close!(self.pd, NdkClosePd);
        close!(self.cq, NdkCloseCq);
        InABox::abort(&self.tcp);
        run();
        assert!(CLOSED.get(), "the peer's end is closed");
        assert_eq!(network::live(), 0, "a connection or port is left");
        // SAFETY: the consumer is done with the adapter.
        unsafe { Rnic::<Manual>::close(NonNull::new(self.adapter).unwrap(), test_kernel::passive()) };
        drop(self.rnic);
        self.memory.check();
    }
}

/// Does as a peer what `bytes` stand for, from the first byte of a connection on or once it is established; ends
/// everything, and checks that nothing was touched but what was granted.
///
/// # Panics
///
/// If a rule is broken.
pub fn run_wire(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (crc, established) = input.arbitrary().unwrap_or((false, true));
    let attacked = Attacked::new(crc);
    if established {
        attacked.establish();
    }
    for _ in 0..MOST {
        match input.arbitrary() {
            Ok(part) if !input.is_empty() => attacked.perform(part),
            _ => break,
        }
    }
    attacked.end();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn peer_of_any_bytes_touches_what_it_may_and_holds_nothing_up(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            super::run_wire(&bytes);
        }
    }
}
