//! Receiving: the events of a connection (RX-1), and going on after bytes that were left (RX-7).
//!
//! An indication is used inside its event only, so nothing is retained and nothing is to be released (WSK-10). Winsock
//! Kernel calls the event of a connection serially
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_receive_event>).

use core::cell::Cell;
use core::ptr::NonNull;

use lifecycle::Shown;
use provider::kernel::network::Runs;
use provider::number::usize_from;
use provider::rundown::Shard;
use sys::status::{NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_SUCCESS};
use sys::wdm::{MDL, PVOID, SIZE_T, ULONG};
use sys::wsk::{WSK_BUF, WSK_DATA_INDICATION, WSK_FLAG_ABORTIVE};

use super::connect::Stream;
use super::irp::{Completion, Outcome};
use super::option;
use super::socket::Socket;
use crate::kernel::Windows;

/// Bytes that have arrived; none says that the socket is dead.
pub(super) unsafe extern "efiapi" fn receive_event(
    context: PVOID,
    _flags: ULONG,
    indication: *mut WSK_DATA_INDICATION,
    _bytes: SIZE_T,
    accepted: *mut SIZE_T,
) -> NTSTATUS {
    // SAFETY: the context is the connection, which lives until its close is complete, and so does this event before.
    let socket = unsafe { &*context.cast::<Socket<Stream>>() };
    let Some(first) = NonNull::new(indication) else {
        socket.end();
        return STATUS_SUCCESS;
    };
    // SAFETY: the indication is valid until this function returns.
    let Some(indicated) = (unsafe { Indicated::new(first) }) else {
        // Without memory for an address of the bytes the connection is of no use.
        socket.end();
        return STATUS_DATA_NOT_ACCEPTED;
    };
    let taken = socket.show(&indicated);
    if taken == indicated.length {
        return STATUS_SUCCESS;
    }
    // SAFETY: the place is one of the caller's.
    unsafe { accepted.write(taken) };
    if taken == 0 { STATUS_DATA_NOT_ACCEPTED } else { STATUS_SUCCESS }
}

/// The peer has ended its stream, or the connection.
pub(super) unsafe extern "efiapi" fn disconnect_event(context: PVOID, flags: ULONG) -> NTSTATUS {
    // SAFETY: the context is the connection, which lives until its close is complete, and so does this event before.
    let socket = unsafe { &*context.cast::<Socket<Stream>>() };
    if flags & WSK_FLAG_ABORTIVE != 0 {
        socket.end();
        return STATUS_SUCCESS;
    }
    let tell = socket.owner.arrival.lock().peer_ended();
    if tell && let Some(events) = socket.events() {
        events.finished();
    }
    STATUS_SUCCESS
}

impl Socket<Stream> {
    /// Shows the user what has arrived; the number of bytes that it took.
    fn show(&self, indicated: &Indicated) -> usize {
        let Some(events) = self.events() else { return 0 };
        let mut taken = 0_usize;
        loop {
            self.owner.arrival.lock().show();
            let rest = indicated.length.saturating_sub(taken);
            let shown = events.arrived(&Rest { indicated, offset: taken, length: rest });
            taken = taken.saturating_add(shown.bytes.min(rest));
            let next = self.owner.arrival.lock().shown(taken == indicated.length);
            match next {
                Shown::Again => {}
                Shown::All | Shown::Rest => return taken,
                Shown::AllAndEnd => {
                    events.finished();
                    return taken;
                }
            }
        }
    }

    /// See [`provider::kernel::Network::resume`].
    pub(super) fn resume(&self) {
        let asks = self.owner.arrival.lock().resume();
        if asks && self.acquire() {
            self.ask();
        }
    }

    /// Has Winsock Kernel go on with the event, by a receive of no bytes. Its request is counted.
    fn ask(&self) {
        let this = NonNull::from(self);
        let Some((pin, place)) = self.pin(Shard::Target) else {
            // SAFETY: the request's count, as it is not sent.
            return unsafe { Socket::release(this) };
        };
        // SAFETY: the socket is pinned, and one that connects.
        let table = unsafe { option::connection(place) };
        // SAFETY: the request is out once at a time, and counted.
        let irp = table
            .WskReceive
            .and_then(|receive| Some((receive, unsafe { self.owner.resume.ready::<_, Asked>(this) }?)));
        let Some((receive, irp)) = irp else {
            drop(pin);
            // Bytes that are never shown are a connection that stands still.
            self.end();
            // SAFETY: the request's count, as it is not sent.
            return unsafe { Socket::release(this) };
        };
        let mut nothing = WSK_BUF { Mdl: core::ptr::null_mut(), Offset: 0, Length: 0 };
        // SAFETY: the socket is pinned; no bytes need no memory.
        let _completed_by_its_routine = unsafe { receive(place.as_ptr(), &raw mut nothing, 0, irp.pass()) };
        drop(pin);
    }
}

/// The completion of a receive of no bytes.
struct Asked;

impl Completion<Socket<Stream>> for Asked {
    unsafe fn complete(subject: NonNull<Socket<Stream>>, _: Outcome) {
        // SAFETY: the request is counted.
        let socket = unsafe { subject.as_ref() };
        let again = socket.owner.arrival.lock().asked();
        if again {
            socket.ask();
        } else {
            // SAFETY: the request's count, as it is not sent again.
            unsafe { Socket::release(subject) };
        }
    }
}

/// The bytes of an indication: a list of buffers, each a part of an MDL chain.
struct Indicated {
    first: NonNull<WSK_DATA_INDICATION>,
    length: usize,
    /// The place of the last look.
    last: Cell<Place>,
}

/// A place in an indication: that of the first byte of a piece.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    indication: NonNull<WSK_DATA_INDICATION>,
    /// The bytes of the indication that lie in front of the list.
    before: usize,
    /// The list, and the bytes of it that are not the buffer's; `None` is the first list of the buffer.
    list: Option<NonNull<MDL>>,
}

impl Indicated {
    /// The bytes of an indication, all of which have addresses; `None` if there is no memory for one.
    ///
    /// # Safety
    ///
    /// The indication stays as it is while the value is in use.
    unsafe fn new(first: NonNull<WSK_DATA_INDICATION>) -> Option<Self> {
        let start = Place { offset: 0, indication: first, before: 0, list: None };
        let mut this = Self { first, length: 0, last: Cell::new(start) };
        let mut place = Some(start);
        while let Some(at) = place {
            let piece = this.piece(at)?;
            this.length = this.length.saturating_add(piece.length);
            place = this.after(at, piece);
        }
        Some(this)
    }

    /// The piece at a place; `None` if it has no address.
    fn piece(&self, at: Place) -> Option<Piece> {
        // SAFETY: the list of indications is valid while this value is.
        let buffer = unsafe { &at.indication.as_ref().Buffer };
        let skipped = if at.list.is_none() { usize_from(buffer.Offset) } else { 0 };
        let list = at.list.or(NonNull::new(buffer.Mdl));
        let left = buffer.Length.saturating_sub(at.before);
        let Some(list) = list.filter(|_| left > 0) else {
            return Some(Piece { list: None, start: NonNull::dangling(), length: 0 });
        };
        // SAFETY: the chain of a buffer is valid while the indication is.
        let bytes = usize_from(unsafe { list.as_ref() }.ByteCount);
        let length = bytes.saturating_sub(skipped).min(left);
        if length == 0 {
            return Some(Piece { list: Some(list), start: NonNull::dangling(), length });
        }
        // SAFETY: the pages of received data are locked or nonpaged.
        let start = NonNull::new(unsafe { Windows::system_address(list) })?;
        NonNull::new(start.as_ptr().wrapping_add(skipped)).map(|start| Piece {
            list: Some(list),
            start,
            length,
        })
    }

    /// The place behind a piece; `None` at the end.
    fn after(&self, at: Place, piece: Piece) -> Option<Place> {
        let offset = at.offset.saturating_add(piece.length);
        let before = at.before.saturating_add(piece.length);
        // SAFETY: the list of indications is valid while this value is.
        let indication = unsafe { at.indication.as_ref() };
        // SAFETY: the chain of a buffer is valid while the indication is.
        let next = piece.list.and_then(|list| NonNull::new(unsafe { list.as_ref() }.Next));
        if next.is_some() && before < indication.Buffer.Length {
            return Some(Place { offset, indication: at.indication, before, list: next });
        }
        let indication = NonNull::new(indication.Next)?;
        Some(Place { offset, indication, before: 0, list: None })
    }

    /// The bytes from `offset` on that lie in one piece.
    fn at(&self, offset: usize) -> &[u8] {
        let start = Place { offset: 0, indication: self.first, before: 0, list: None };
        let last = self.last.get();
        let mut place = Some(if last.offset <= offset { last } else { start });
        while let Some(at) = place {
            let Some(piece) = self.piece(at) else { break };
            let within = offset.saturating_sub(at.offset);
            if within < piece.length {
                self.last.set(at);
                // SAFETY: the piece has so many bytes, which the network does not write until the event returns.
                let bytes = unsafe { core::slice::from_raw_parts(piece.start.as_ptr(), piece.length) };
                return bytes.get(within..).unwrap_or_default();
            }
            place = self.after(at, piece);
        }
        &[]
    }
}

/// A piece of an indication.
#[derive(Clone, Copy)]
struct Piece {
    /// The list that has it; `None` if the buffer is empty.
    list: Option<NonNull<MDL>>,
    start: NonNull<u8>,
    length: usize,
}

/// The bytes of an indication that are not taken.
struct Rest<'a> {
    indicated: &'a Indicated,
    offset: usize,
    length: usize,
}

impl Runs for Rest<'_> {
    fn length(&self) -> usize {
        self.length
    }

    fn at(&self, offset: usize) -> &[u8] {
        self.indicated.at(self.offset.saturating_add(offset))
    }
}
