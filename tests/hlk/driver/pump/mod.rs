//! A stream of TCP between two sockets of Winsock Kernel, with nothing above: what a provider that speaks over such
//! sockets is measured against.
//!
//! Sends of [`PUMP_LENGTH`] bytes, [`PUMP_OUTSTANDING`] at a time; what arrives is indicated by events and copied once.

#![expect(unsafe_code, reason = "functions of WSK are called")]

mod receiver;
mod request;
mod socket;

use alloc::boxed::Box;
use core::cell::UnsafeCell;

use protocol::{FlowReport, MEASURE_LENGTH, PUMP_LENGTH, PUMP_OUTSTANDING, PumpRequest};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_UNSUCCESSFUL};
use sys::wsk::WSK_BUF;

use self::receiver::Receiver;
use self::request::Request;
use self::socket::{Address, Socket};
use crate::buffer::Buffer;
use crate::heap::try_box;
use crate::kernel::{self, Reset};
use crate::number::usize_from;
use crate::wsk::Provider;

/// Sends before the clock runs: the windows of TCP grow meanwhile.
const FIRST: u32 = 64;

/// The value of every byte that flows.
const SENT: u8 = 0xA5;

/// Connects two sockets, lets bytes flow between them, and closes them. IRQL = PASSIVE_LEVEL.
///
/// # Errors
/// Those of Winsock Kernel; `STATUS_INVALID_PARAMETER`; `STATUS_UNSUCCESSFUL` if other bytes arrived.
pub(crate) fn run(request: &PumpRequest) -> Result<FlowReport, NTSTATUS> {
    if request.count == 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let provider = Provider::capture()?;
    let receiver = try_box(Receiver::new()?)?;
    receiver.done.place(Reset::ByWait);
    let (from, to) = (Address::of(&request.near.with_port(0)), Address::of(&request.far));
    // What is made first is dropped last: a request is completed by the end of the socket that it is with.
    let accepting = Request::new()?;
    let listener = Socket::listening(&provider, &to)?;
    // SAFETY: the receiver outlives the connection, which is dropped before.
    unsafe { listener.accept(&accepting, (&raw const *receiver).cast_mut().cast(), &receiver::EVENTS) }?;
    let near = Socket::connected(&provider, &from, &to)?;
    let far = Socket::accepted(&accepting)?;
    far.enable()?;
    let sender = Sender::new(&near)?;
    let stream = |count| {
        receiver.expect(u64::from(count).saturating_mul(PUMP_LENGTH.into()));
        let began = kernel::ticks();
        sender.send(count)?;
        receiver.wait().map(|ended| ended.saturating_sub(began))
    };
    stream(FIRST)?;
    let ticks = stream(request.count)?;
    if receiver.buffer.holds(SENT, MEASURE_LENGTH) {
        Ok(FlowReport { ticks, frequency: kernel::frequency() })
    } else {
        Err(STATUS_UNSUCCESSFUL)
    }
}

/// The sending end.
struct Sender<'a> {
    socket: &'a Socket,
    buffer: Buffer,
    sends: [Outgoing; 2],
}

const _: () = assert!(PUMP_OUTSTANDING == 2, "a sender has two sends");

/// A send.
struct Outgoing {
    // Dropped first, which waits until the part is not in use.
    request: Box<Request>,
    /// The part of the buffer that is sent. In use while the request is out.
    part: UnsafeCell<WSK_BUF>,
}

impl<'a> Sender<'a> {
    fn new(socket: &'a Socket) -> Result<Self, NTSTATUS> {
        let buffer = Buffer::new(MEASURE_LENGTH)?;
        buffer.fill(SENT, MEASURE_LENGTH);
        let part = WSK_BUF { Mdl: buffer.mdl(), Offset: 0, Length: usize_from(PUMP_LENGTH) };
        let send = || Ok::<_, NTSTATUS>(Outgoing { request: Request::new()?, part: UnsafeCell::new(part) });
        Ok(Self { socket, buffer, sends: [send()?, send()?] })
    }

    /// Sends one part of the buffer after the other, so many in all, and waits until all were sent.
    fn send(&self, count: u32) -> Result<(), NTSTATUS> {
        let function = self.socket.connection().WskSend.ok_or(STATUS_NOT_SUPPORTED)?;
        let parts = (0..self.buffer.length()).step_by(usize_from(PUMP_LENGTH)).cycle();
        for (offset, send) in parts.zip(self.sends.iter().cycle()).take(usize_from(count)) {
            send.request.wait_if_out()?;
            let part = send.part.get();
            // SAFETY: the request is not out, so the part is not in use.
            unsafe { (*part).Offset = offset };
            // SAFETY: the socket is open; part and buffer stay until the request is waited for.
            send.request.start(|irp| unsafe { function(self.socket.as_ptr(), part, 0, irp) });
        }
        self.sends.iter().try_for_each(|send| send.request.wait_if_out())
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        // The buffer is dropped before the requests.
        for send in &self.sends {
            let _sent = send.request.wait_if_out();
        }
    }
}
