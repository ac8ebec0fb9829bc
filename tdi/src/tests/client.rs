//! A client: files on two RNICs, and requests with the least ceremony.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use provider::rnic::{Fabric, Rnic, WireSettings};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use test_kernel::network::{InABox, Pace, set_pace};
use test_kernel::{Manual, pump};

use super::access::TestOpener;
use super::host::{Host, Log, Outcome, Pending, Record, close};
use crate::address::TransportAddress;
use crate::ea::{ConnectionContext, Opening};
use crate::ndk::{Ndk, Refresh, RnicId};
use crate::{Command, Id, Source, Transport};

pub(crate) const NEAR: &str = "10.0.0.1:0";
pub(crate) const FAR: &str = "10.0.0.2:139";

/// An interface of the host, and the RNIC of its adapter.
struct Interface {
    transport: Transport<Host>,
    rnic: Rnic<Manual>,
    id: Cell<RnicId>,
    /// As TCP/IP has them, which may be ahead of the driver.
    addresses: RefCell<Vec<IpAddr>>,
    /// The number of times that a create read them.
    refreshed: Cell<u32>,
    /// There is no memory to read them.
    starved: Cell<bool>,
}

impl Interface {
    /// Adds the RNIC to the transport, without addresses.
    fn add(&self) {
        // SAFETY: the interface stays in its place until its RNIC has been removed.
        let refresh = unsafe { Refresh::new(refresh, std::ptr::from_ref(self).cast_mut().cast()) };
        self.id.set(self.transport.network().add(&self.rnic, refresh, test_kernel::passive()).unwrap());
    }

    /// Lets the driver read the addresses.
    fn read(&self) {
        let addresses = self.addresses.borrow().clone();
        self.rnic.set_addresses(&addresses).unwrap();
        let network = self.transport.network();
        network
            .set_addresses(self.id.get(), &addresses)
            .unwrap()
            .end(&self.transport, test_kernel::passive());
    }
}

/// A client's create has the addresses read.
unsafe extern "efiapi" fn refresh(context: *mut c_void) -> bool {
    // SAFETY: the context is the interface that was passed with this.
    let interface = unsafe { &*context.cast::<Interface>() };
    interface.refreshed.set(interface.refreshed.get() + 1);
    if !interface.starved.get() {
        interface.read();
    }
    !interface.starved.get()
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tcp {
    /// None: NdkListen and NdkCloseListener are answered inline.
    None,
    /// Listeners have ports of TCP, for which they pend; connections between the two RNICs go by loopback.
    Pends,
    /// The same, but TCP opens ports, and is done with them, inside the call.
    Inline,
    /// All connections go over TCP, as with the keyword `ForceWire`.
    Forced,
}

impl Tcp {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Pends, Self::Inline, Self::Forced];
}

/// A client on a machine with two RNICs.
pub(crate) struct Client {
    pub(crate) transport: Transport<Host>,
    pub(crate) log: Log,
    rnics: Vec<Rc<Interface>>,
    serial: Cell<u32>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(Tcp::Pends)
    }

    /// A client of a machine with this TCP.
    pub(crate) fn with(tcp: Tcp) -> Self {
        set_pace(if tcp == Tcp::Inline { Pace::PortsInline } else { Pace::Deferred });
        let settings = WireSettings { crc: true, fpdu_size: None, force: tcp == Tcp::Forced };
        let transport: Transport<Host> = Transport::new(Ndk::default()).unwrap();
        let fabric = Fabric::new().unwrap();
        let rnics = [NEAR, FAR].map(|address| {
            let ip = address.parse::<SocketAddr>().unwrap().ip();
            let rnic = match tcp {
                Tcp::None => Rnic::new(&fabric),
                Tcp::Pends | Tcp::Inline | Tcp::Forced => Rnic::with_network(&fabric, InABox, settings),
            };
            let rnic = rnic.unwrap();
            rnic.set_enabled(true);
            let interface = Rc::new(Interface {
                transport: transport.clone(),
                rnic,
                id: Cell::new(RnicId(0)),
                addresses: RefCell::new(vec![ip]),
                refreshed: Cell::new(0),
                starved: Cell::new(false),
            });
            interface.add();
            interface.read();
            interface
        });
        Self { transport, log: Log::default(), rnics: rnics.into(), serial: Cell::new(0) }
    }

    pub(crate) fn address(&self, at: &str) -> Result<Id, NTSTATUS> {
        self.open_address(at, false)
    }

    pub(crate) fn open_address(&self, at: &str, shared: bool) -> Result<Id, NTSTATUS> {
        self.open_address_as(at, shared.then_some(&TestOpener::ANY))
    }

    pub(crate) fn open_address_as(&self, at: &str, sharing: Option<&TestOpener>) -> Result<Id, NTSTATUS> {
        let address = TransportAddress::new(at.parse().unwrap());
        self.transport.create(&Opening::Address(address.bytes()), sharing, test_kernel::passive())
    }

    pub(crate) fn endpoint(&self, context: usize) -> Id {
        self.transport
            .create(&Opening::Endpoint(ConnectionContext(context)), None, test_kernel::passive())
            .unwrap()
    }

    /// An endpoint that is associated.
    pub(crate) fn associated(&self, address: Id) -> Id {
        self.associated_as(address, 0xC0)
    }

    /// An endpoint that is associated, and that the client knows by a context.
    pub(crate) fn associated_as(&self, address: Id, context: usize) -> Id {
        let endpoint = self.endpoint(context);
        assert_eq!(self.transport.associate(endpoint, address), Ok(()));
        endpoint
    }

    /// Makes a request with a buffer, which is in runs of 1000 bytes.
    pub(crate) fn record(&self, data: Vec<u8>) -> (Record, Pending) {
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        self.log.request(serial, data, 1000)
    }

    /// Sends such a request.
    pub(crate) fn submit(&self, file: Id, command: Command, data: Vec<u8>) -> Pending {
        let (record, pending) = self.record(data);
        self.transport.submit(file, command, record);
        pending
    }

    pub(crate) fn connect(&self, file: Id, to: &str) -> Pending {
        self.submit(file, Command::Connect { to: to.parse().ok(), limit: None }, Vec::new())
    }

    pub(crate) fn listen(&self, file: Id) -> Pending {
        self.submit(file, Command::Listen { query: false }, Vec::new())
    }

    pub(crate) fn send(&self, file: Id, data: &[u8]) -> Pending {
        self.submit(file, Command::Send { length: data.len(), flags: 0 }, data.to_vec())
    }

    pub(crate) fn receive(&self, file: Id, length: usize) -> Pending {
        self.submit(file, Command::Receive { length, flags: 0 }, vec![0; length])
    }

    pub(crate) fn send_datagram(&self, file: Id, to: &str, data: &[u8]) -> Pending {
        let command = Command::SendDatagram { to: to.parse().ok(), length: data.len() };
        self.submit(file, command, data.to_vec())
    }

    pub(crate) fn receive_datagram(&self, file: Id, from: Source, length: usize) -> Pending {
        let command = Command::ReceiveDatagram { from, length, flags: 0 };
        self.submit(file, command, vec![0; length])
    }

    pub(crate) fn disconnect(&self, file: Id, flags: u32) -> Pending {
        self.submit(file, Command::Disconnect { flags, limit: None }, Vec::new())
    }

    pub(crate) fn close(&self, file: Id) {
        close(&self.transport, file);
    }

    /// Removes the RNICs: what would be left of anything makes that wait for ever, which is a failure.
    pub(crate) fn tear_down(self) {
        pump();
        for interface in &self.rnics {
            self.transport.network().remove(&self.transport, interface.id.get(), test_kernel::passive());
        }
        pump();
        assert_eq!(self.transport.lock().files.iter().count(), 0, "a file is left");
    }

    /// Removes the last of the RNICs that there are.
    pub(crate) fn remove_last_rnic(&mut self) {
        if let Some(last) = self.rnics.len().checked_sub(1) {
            self.remove_rnic(last);
        }
    }

    /// Takes an RNIC from the transport, as `OID_NDK_SET_STATE` does that disables its adapter.
    pub(crate) fn disable(&self, index: usize) {
        self.transport.network().remove(&self.transport, self.rnic(index), test_kernel::passive());
    }

    /// Gives it back.
    pub(crate) fn enable(&self, index: usize) {
        self.rnics[index].add();
        self.return_address(index);
    }

    /// An RNIC's number in the transport's network.
    pub(crate) fn rnic(&self, index: usize) -> RnicId {
        self.rnics[index].id.get()
    }

    /// Takes the address from an RNIC that is there, as the adapter does whose interface has lost it.
    pub(crate) fn take_address(&self, index: usize) {
        self.set_addresses(index, &[]);
    }

    /// Gives it back.
    pub(crate) fn return_address(&self, index: usize) {
        self.set_addresses(index, &[[NEAR, FAR][index].parse::<SocketAddr>().unwrap().ip()]);
    }

    fn set_addresses(&self, index: usize, addresses: &[IpAddr]) {
        self.change_addresses(index, addresses);
        self.rnics[index].read();
    }

    /// Changes the addresses of an RNIC's interface; the driver has not heard of it yet.
    pub(crate) fn change_addresses(&self, index: usize, addresses: &[IpAddr]) {
        *self.rnics[index].addresses.borrow_mut() = addresses.to_vec();
    }

    /// Lets no memory be left to read the addresses of an RNIC, or some again.
    #[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target has memory"))]
    pub(crate) fn starve(&self, index: usize, starved: bool) {
        self.rnics[index].starved.set(starved);
    }

    /// The number of times that creates had the addresses of each RNIC read.
    #[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target does not look"))]
    pub(crate) fn refreshed(&self) -> Vec<u32> {
        self.rnics.iter().map(|interface| interface.refreshed.get()).collect()
    }

    /// Takes an RNIC from the transport, if it was not removed, and gives it back.
    pub(crate) fn leave_briefly(&self, index: usize) {
        if index < self.rnics.len() {
            self.disable(index);
            self.enable(index);
        }
    }

    /// Removes one RNIC.
    pub(crate) fn remove_rnic(&mut self, index: usize) {
        let interface = self.rnics.remove(index);
        self.transport.network().remove(&self.transport, interface.id.get(), test_kernel::passive());
    }
}

pub(crate) const fn done(information: usize) -> Option<Outcome> {
    Some(Outcome { status: STATUS_SUCCESS, information })
}

pub(crate) const fn failed(status: NTSTATUS) -> Option<Outcome> {
    Some(Outcome { status, information: 0 })
}

/// Two endpoints with a connection.
pub(crate) struct Pair {
    pub(crate) client: Client,
    pub(crate) near_address: Id,
    pub(crate) far_address: Id,
    pub(crate) near: Id,
    pub(crate) far: Id,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(Tcp::Pends)
    }

    /// Two endpoints on a machine with this TCP.
    pub(crate) fn with(tcp: Tcp) -> Self {
        let client = Client::with(tcp);
        let (near_address, far_address) = (client.address(NEAR).unwrap(), client.address(FAR).unwrap());
        let (near, far) = (client.associated(near_address), client.associated(far_address));
        Self { client, near_address, far_address, near, far }
    }

    pub(crate) fn connected() -> Self {
        let pair = Self::new();
        pair.establish();
        pair.client.log.take();
        pair
    }

    pub(crate) fn establish(&self) {
        let (listen, connect) = (self.client.listen(self.far), self.client.connect(self.near, FAR));
        pump();
        assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    }

    /// Closes all four files and removes the RNICs.
    pub(crate) fn tear_down(self) {
        for file in [self.near, self.far, self.near_address, self.far_address] {
            self.client.close(file);
        }
        self.client.tear_down();
    }
}
