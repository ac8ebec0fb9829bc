//! A file with the bytes of all connections, as packets that a protocol analyser reads.
//!
//! The headers of IP and TCP are made up: what a socket sends is a packet, whatever the transport makes of it. A
//! connection between two sockets of the machine is written once, by its senders. Format:
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>.

#![forbid(unsafe_code)]

use core::net::{IpAddr, SocketAddr};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};

use etherparse::PacketBuilder;
use ntsim_core::Settings;
use ntsim_core::number::{Low, narrow};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, CaptureFile};
use parking_lot::Mutex;

use super::buffer;
use super::stack::End;

/// The most bytes of one packet, below what the length field of IPv4 holds.
const LONGEST: usize = 32 << 10;
/// The type of packets that begin with a header of IP (LINKTYPE_RAW).
const RAW: u32 = 101;
/// From 1601 to 1970, in units of 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The file of one machine.
struct Capture(Option<Mutex<Writer>>);

static CAPTURE: PerMachine<Capture> = PerMachine::new();

impl Default for Capture {
    fn default() -> Self {
        let asked = Settings::current().sockets.capture;
        Self(asked.map(|target| {
            let file = File::create(&target.path).map_err(|error| target.fail(error)).ok();
            Mutex::new(Writer::new(target, file.map(BufWriter::new)))
        }))
    }
}

struct Writer {
    target: &'static CaptureFile,
    /// None once it has failed.
    file: Option<BufWriter<File>>,
    /// The next sequence number of a direction, by source and destination.
    numbers: HashMap<(SocketAddr, SocketAddr), u32>,
    /// Local and remote address of the machine's own ends.
    own: HashSet<(SocketAddr, SocketAddr)>,
}

/// A segment's flags.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    fin: bool,
    reset: bool,
}

/// Notes that an end is connected; `initiator` if it is the one that connected.
pub(super) fn begin(end: &dyn End, initiator: bool) {
    with(end, |writer, local, remote| {
        if !writer.own.insert((local, remote)) || writer.own.contains(&(remote, local)) {
            return;
        }
        let (from, to) = if initiator { (local, remote) } else { (remote, local) };
        writer.numbers.insert((from, to), 0);
        writer.numbers.insert((to, from), 0);
        let syn = Flags { syn: true, ..Flags::default() };
        writer.segment(from, to, &[], syn);
        writer.segment(to, from, &[], syn);
        writer.segment(from, to, &[], Flags::default());
    });
}

/// Writes what an end has sent: the first `length` bytes of its pieces.
pub(super) fn sent(end: &dyn End, pieces: &[libc::iovec], length: usize) {
    with(end, |writer, local, remote| writer.data(local, remote, &buffer::copy(pieces, length)));
}

/// Writes what an end has received.
pub(super) fn received(end: &dyn End, bytes: &[u8]) {
    with(end, |writer, local, remote| {
        if !writer.own.contains(&(remote, local)) {
            writer.data(remote, local, bytes);
        }
    });
}

/// Writes that a direction of a connection is over, this end's own or the peer's.
pub(super) fn ended(end: &dyn End, own: bool, reset: bool) {
    with(end, |writer, local, remote| {
        if !own && writer.own.contains(&(remote, local)) {
            return;
        }
        let (from, to) = if own { (local, remote) } else { (remote, local) };
        if writer.numbers.contains_key(&(from, to)) {
            writer.segment(from, to, &[], Flags { fin: !reset, reset, ..Flags::default() });
        }
        if reset {
            writer.numbers.remove(&(from, to));
        }
    });
}

/// Completes the file.
pub(super) fn end() {
    if let Some(Capture(Some(writer))) = CAPTURE.made() {
        writer.lock().write(Write::flush);
    }
}

/// Runs `f` with the writer and the addresses of an end, if there is a file.
fn with(end: &dyn End, f: impl FnOnce(&mut Writer, SocketAddr, SocketAddr)) {
    if Settings::current().sockets.capture.is_none() {
        return;
    }
    if let (Some(writer), Some(local), Some(remote)) = (&CAPTURE.get().0, end.local(), end.remote()) {
        f(&mut writer.lock(), local, remote);
    }
}

impl Writer {
    fn new(target: &'static CaptureFile, file: Option<BufWriter<File>>) -> Self {
        let mut writer = Self { target, file, numbers: HashMap::new(), own: HashSet::new() };
        // Section header: byte order, version 1.0, no length. Interface: its type, no limit.
        let section = [0x1A2B_3C4D_u32.to_le_bytes(), [1, 0, 0, 0], [0xFF; 4], [0xFF; 4]].concat();
        writer.block(0x0A0D_0D0A, &section);
        writer.block(1, &[RAW.to_le_bytes(), [0; 4]].concat());
        writer
    }

    /// Writes to the file, unless it has failed, and ends it if it does now.
    fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        if let Some(file) = &mut self.file
            && let Err(error) = write(file)
        {
            self.target.fail(error);
            // What is left in the buffer would fail once more.
            drop(self.file.take().map(BufWriter::into_parts));
        }
    }

    /// Writes a block: its type and length before, its length behind.
    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = narrow::<u32, _>(body.len() + 12).to_le_bytes();
        let parts = [&kind.to_le_bytes()[..], &length, body, &length];
        self.write(|file| parts.iter().try_for_each(|part| file.write_all(part)));
    }

    fn data(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        bytes.chunks(LONGEST).for_each(|part| self.segment(from, to, part, Flags::default()));
    }

    fn segment(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], flags: Flags) {
        let number = *self.numbers.entry((from, to)).or_default();
        let acknowledged = self.numbers.get(&(to, from)).copied().unwrap_or_default();
        let builder = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
            (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
            _ => return,
        };
        let mut tcp = builder.tcp(from.port(), to.port(), number, u16::MAX);
        if flags.syn {
            tcp = tcp.syn();
        }
        if flags.fin {
            tcp = tcp.fin();
        }
        if flags.reset {
            tcp = tcp.rst();
        }
        if !bytes.is_empty() {
            tcp = tcp.psh();
        }
        if !flags.syn || acknowledged > 0 {
            tcp = tcp.ack(acknowledged);
        }
        let mut packet = Vec::with_capacity(tcp.size(bytes.len()));
        tcp.write(&mut packet, bytes).expect("a vector grows");
        let used = narrow::<u32, _>(bytes.len()) + u32::from(flags.syn) + u32::from(flags.fin);
        self.numbers.insert((from, to), number.wrapping_add(used));
        self.packet(&packet);
    }

    /// Writes a packet with the machine's time.
    fn packet(&mut self, packet: &[u8]) {
        let microseconds = sched::system_time().saturating_sub(EPOCH) / 10;
        let length = narrow::<u32, _>(packet.len());
        let mut body = Vec::with_capacity(packet.len() + 24);
        for word in [0, narrow(microseconds >> 32), microseconds.low_u32(), length, length] {
            body.extend_from_slice(&u32::to_le_bytes(word));
        }
        body.extend_from_slice(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(6, &body);
    }
}
