//! TCP for the provider, by Winsock Kernel.
//!
//! | module | contents |
//! |---|---|
//! | `client` | the driver's registration, and the provider of Winsock Kernel |
//! | [`socket`], `setup`, `close` | the life of a socket: beginning, the calls that bring it into use, close |
//! | `connect`, `listen` | connections and ports |
//! | `send`, `receive` | batches, and the end of this side's stream; events, and going on after bytes that were left |
//! | `option`, `address`, `status` | options of sockets; addresses and statuses of Winsock Kernel |
//! | `irp` | requests |
//! | `gate` | the number of sockets of an adapter |
//!
//! Every call of a socket's functions is made with a pin of its rundown, and none with a lock held. No event and no
//! completion waits. The locks here guard what stands in them, and are taken alone (WSK-4).

#![expect(unsafe_code, reason = "Winsock Kernel is called, and calls back with addresses")]

mod address;
mod client;
mod close;
mod connect;
mod gate;
mod irp;
mod listen;
mod option;
mod receive;
mod send;
mod setup;
mod socket;
mod status;

use core::net::SocketAddr;

use provider::kernel::network::{ConnectionEvents, LocalEnd, PortEvents, Purpose};
use provider::{NoMemory, Shared};
use sys::irql::PassiveLevel;
use sys::status::NTSTATUS;
use sys::wdm::ULONG;
use vswitch::MTU;

pub(crate) use client::Client;
use connect::Connection;
use gate::Gate;
pub(crate) use irp::Device;
use listen::PortHandle;
use send::Batch;

/// Bytes of the headers of IPv4 and TCP, with the timestamps that TCP may have (FP-2).
const HEADERS_IPV4: u32 = 20 + 20 + 12;
/// As [`HEADERS_IPV4`], for IPv6.
const HEADERS_IPV6: u32 = 40 + 20 + 12;

/// The network of one adapter: its sockets are counted together.
#[derive(Clone)]
pub(crate) struct WskNetwork(Shared<NetworkState>);

/// The state that an adapter's sockets share.
struct NetworkState {
    gate: Gate,
    device: Device,
    /// The index of the adapter's interface.
    interface: ULONG,
}

impl WskNetwork {
    /// The network of an adapter, with its device and the index of its interface.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(device: Device, interface: ULONG) -> Result<Self, NoMemory> {
        let state = Shared::new(NetworkState { gate: Gate::new(), device, interface })?;
        state.gate.initialise();
        Ok(Self(state))
    }

    /// Waits until the adapter has no socket. All are to be closed before, and none begins any more.
    pub(crate) fn wait_until_closed(&self, level: PassiveLevel) {
        self.0.gate.wait(level);
    }
}

// SAFETY: a socket counts what can call up, and gives its user back when nothing is left; Winsock Kernel calls the
// receive event serially, and completes each request once.
unsafe impl provider::kernel::Network for WskNetwork {
    type Connection = Connection;
    type Port = PortHandle;
    type Batch = Batch;

    fn connection(&self) -> Result<Connection, NTSTATUS> {
        Connection::new(&self.0)
    }

    fn batch(&self, room: usize) -> Result<Batch, NTSTATUS> {
        Batch::new(self.0.device, room)
    }

    fn port(&self) -> Result<PortHandle, NTSTATUS> {
        PortHandle::new(&self.0)
    }

    fn connect(on: &Connection, from: LocalEnd, to: SocketAddr, events: ConnectionEvents<Self>) {
        on.connect(from, to, events);
    }

    fn send(on: &Connection, batch: Batch) {
        on.0.send(batch);
    }

    fn resume(on: &Connection) {
        on.0.resume();
    }

    fn finish(on: &Connection) {
        on.0.finish();
    }

    fn abort(on: &Connection) {
        on.0.end();
    }

    fn segment(on: &Connection) -> u32 {
        on.0.segment()
    }

    fn open(port: &PortHandle, at: SocketAddr, purpose: Purpose, events: PortEvents<Self>) {
        port.open(at, purpose, events);
    }

    fn close(port: &PortHandle) {
        port.close();
    }
}

impl socket::Socket<connect::Stream> {
    /// The payload of a segment of TCP that the adapter's interface can carry.
    fn segment(&self) -> u32 {
        MTU.saturating_sub(if self.is_ipv4() { HEADERS_IPV4 } else { HEADERS_IPV6 })
    }
}
