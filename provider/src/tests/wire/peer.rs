//! A peer of the network that writes its bytes by hand.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::rc::Rc;

use iwarp::crc::Digest;
use iwarp::ddp::{Msn, Stag};
use iwarp::fpdu::pad;
use iwarp::mpa::Config;
use iwarp::rdmap::{Code, Message, Placed, READ_REQUEST, ReadRequest, SendKind, Sequenced, Terminate};
use sys::status::NTSTATUS;
use test_kernel::network::{BoxBatch, BoxConnection, InABox};

use crate::kernel::Network;
use crate::kernel::network::{Batch as _, ConnectionTable, Events, LocalEnd, Runs, Taken};

/// The bytes that the provider has sent, and the state of the connection.
#[derive(Default)]
struct Seen {
    bytes: RefCell<Vec<u8>>,
    refused: Cell<bool>,
    finished: Cell<bool>,
    closed: Cell<bool>,
}

/// See the module's head.
pub(super) struct Peer {
    tcp: BoxConnection,
    seen: Rc<Seen>,
    pub(super) crc: bool,
}

/// The owner of the connection, until `closed`.
///
/// # Safety
///
/// The context is of `Peer::connect`, and `closed` was not called.
unsafe fn seen<'s>(context: NonNull<c_void>) -> &'s Seen {
    // SAFETY: as the caller promises.
    unsafe { context.cast().as_ref() }
}

unsafe fn bound(_: NonNull<c_void>, _: SocketAddr) -> bool {
    true
}

unsafe fn opened(context: NonNull<c_void>, outcome: Result<(), NTSTATUS>) {
    // SAFETY: the network calls with the context.
    unsafe { seen(context) }.refused.set(outcome.is_err());
}

unsafe fn arrived(context: NonNull<c_void>, runs: &dyn Runs) -> Taken {
    // SAFETY: the network calls with the context.
    let seen = unsafe { seen(context) };
    let mut bytes = 0;
    while bytes < runs.length() {
        let piece = runs.at(bytes);
        seen.bytes.borrow_mut().extend_from_slice(piece);
        bytes += piece.len();
    }
    Taken { bytes }
}

unsafe fn sent(_: NonNull<c_void>, batch: BoxBatch, _: NTSTATUS) {
    drop(batch);
}

unsafe fn finished(context: NonNull<c_void>) {
    // SAFETY: as above.
    unsafe { seen(context) }.finished.set(true);
}

unsafe fn closed(context: NonNull<c_void>) {
    // SAFETY: as above, for the last time.
    let seen = unsafe { Rc::from_raw(context.cast::<Seen>().as_ptr()) };
    seen.closed.set(true);
}

static TABLE: ConnectionTable<InABox> = ConnectionTable { bound, opened, arrived, sent, finished, closed };

impl Peer {
    /// Begins to connect to a listener of the provider, and sends the request of a peer-to-peer connection.
    pub(super) fn connect(to: SocketAddr, crc: bool) -> Self {
        let seen = Rc::<Seen>::default();
        let context = NonNull::new(Rc::into_raw(seen.clone()).cast_mut().cast()).unwrap();
        // SAFETY: the functions take such a context.
        let events = unsafe { Events::new(context, &TABLE) };
        let tcp = InABox.connection().unwrap();
        InABox::connect(&tcp, LocalEnd::Own("10.0.0.9:0".parse().unwrap()), to, events);
        Self { tcp, seen, crc }
    }

    /// The request that begins a connection.
    pub(super) fn request(&self) {
        let config = Config { crc: self.crc, ird: 16, ord: 16, sink: Stag(2) };
        self.send(&iwarp::mpa::request(&config, b"peer").unwrap());
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        for part in bytes.chunks(60_000) {
            let mut batch = InABox.batch(part.len()).unwrap();
            batch.room().copy_from_slice(part);
            batch.set_length(part.len());
            InABox::send(&self.tcp, batch);
        }
    }

    /// Sends one segment in an FPDU.
    pub(super) fn segment(&self, ulpdu: &[u8]) {
        self.send(&fpdu(ulpdu, self.crc));
    }

    pub(super) fn finish(&self) {
        InABox::finish(&self.tcp);
    }

    pub(super) fn abort(&self) {
        InABox::abort(&self.tcp);
    }

    /// The listener has not answered.
    pub(super) fn is_refused(&self) -> bool {
        self.seen.refused.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.seen.closed.get()
    }

    /// Takes the bytes that have come.
    pub(super) fn take(&self) -> Vec<u8> {
        self.seen.bytes.take()
    }

    /// The segments that have come, behind the reply if that was not taken.
    pub(super) fn segments(&self) -> Vec<Vec<u8>> {
        let bytes = self.take();
        let (mut at, mut segments) = (0, vec![]);
        while let Some(length) = bytes[at..].first_chunk() {
            let length = u16::from_be_bytes(*length);
            let ulpdu = &bytes[at + 2..][..usize::from(length)];
            segments.push(ulpdu.to_vec());
            let end = at + 2 + usize::from(length) + usize::from(pad(length));
            if self.crc {
                let mut digest = Digest::new();
                digest.update(&bytes[at..end]);
                assert_eq!(bytes[end..][..4], digest.to_wire(), "the sum of an FPDU");
            }
            at = end + 4;
        }
        segments
    }

    /// The reason of the Terminate that has come, if one has: it is the last.
    pub(super) fn told(&self) -> Option<Code> {
        let segments = self.segments();
        let is_terminate = |segment: &Vec<u8>| segment[1] == 0x47;
        let place = segments.iter().position(is_terminate)?;
        assert_eq!(place, segments.len() - 1, "nothing follows a Terminate");
        Terminate::parse(&segments[place][18..]).map(|terminate| terminate.code)
    }
}

/// The FPDU of a segment.
pub(super) fn fpdu(ulpdu: &[u8], crc: bool) -> Vec<u8> {
    let length = u16::try_from(ulpdu.len()).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(ulpdu);
    bytes.resize(bytes.len() + usize::from(pad(length)), 0);
    let mut digest = Digest::new();
    digest.update(&bytes);
    bytes.extend_from_slice(&if crc { digest.to_wire() } else { [0; 4] });
    bytes
}

fn with(message: Message, payload: &[u8]) -> Vec<u8> {
    [&message.emit().emit(), payload].concat()
}

pub(super) fn write(stag: u32, offset: u64, last: bool, payload: &[u8]) -> Vec<u8> {
    with(Message::Write(Placed { stag: Stag(stag), offset, last }), payload)
}

pub(super) fn response(stag: u32, offset: u64, payload: &[u8]) -> Vec<u8> {
    with(Message::ReadResponse(Placed { stag: Stag(stag), offset, last: true }), payload)
}

pub(super) fn send(msn: u32, offset: u32, last: bool, payload: &[u8]) -> Vec<u8> {
    with(Message::Send(SendKind::PLAIN, Sequenced { msn: Msn(msn), offset, last }), payload)
}

pub(super) fn send_invalidate(msn: u32, stag: u32, payload: &[u8]) -> Vec<u8> {
    let kind = SendKind { solicited: false, invalidate: Some(Stag(stag)) };
    with(Message::Send(kind, Sequenced { msn: Msn(msn), offset: 0, last: true }), payload)
}

pub(super) fn read(msn: u32, stag: u32, offset: u64, length: u32) -> Vec<u8> {
    let request =
        ReadRequest { sink: Stag(7), sink_offset: 0, length, source: Stag(stag), source_offset: offset };
    let body: [u8; READ_REQUEST] = request.emit();
    with(Message::ReadRequest(Sequenced { msn: Msn(msn), offset: 0, last: true }), &body)
}
