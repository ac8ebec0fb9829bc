//! A client: files on two ports, and requests with the least ceremony.

use std::cell::Cell;
use std::net::SocketAddr;

use provider::port::{Port, Segment};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use super::access::Somebody;
use super::host::{Host, Log, Outcome, Pending, Record, close, pump};
use crate::address::TransportAddress;
use crate::ea::{ConnectionContext, Opening};
use crate::ndk::{Ndk, PortId};
use crate::{Command, Id, Source, Transport};

pub(crate) const NEAR: &str = "10.0.0.1:0";
pub(crate) const FAR: &str = "10.0.0.2:139";

pub(crate) struct Client {
    pub(crate) transport: Transport<Host>,
    pub(crate) log: Log,
    ports: Vec<(Port<Host>, Cell<PortId>)>,
    serial: Cell<u32>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let transport: Transport<Host> = Transport::new(Ndk::default()).unwrap();
        let segment = Segment::new().unwrap();
        let ports = [NEAR, FAR].map(|address| {
            let ip = address.parse::<SocketAddr>().unwrap().ip();
            let port = Port::new(&segment).unwrap();
            port.set_addresses(&[ip]).unwrap();
            port.set_enabled(true);
            let id = transport.network().add(&port).unwrap();
            transport.network().set_addresses(id, &[ip]).unwrap().end(&transport);
            (port, Cell::new(id))
        });
        Self { transport, log: Log::default(), ports: ports.into(), serial: Cell::new(0) }
    }

    pub(crate) fn address(&self, at: &str) -> Result<Id, NTSTATUS> {
        self.open_address(at, false)
    }

    pub(crate) fn open_address(&self, at: &str, shared: bool) -> Result<Id, NTSTATUS> {
        self.open_address_as(at, shared.then_some(&Somebody::ANYBODY))
    }

    pub(crate) fn open_address_as(&self, at: &str, sharing: Option<&Somebody>) -> Result<Id, NTSTATUS> {
        let address = TransportAddress::new(at.parse().unwrap());
        self.transport.create(&Opening::Address(address.bytes()), sharing)
    }

    pub(crate) fn endpoint(&self, context: usize) -> Id {
        self.transport.create(&Opening::Endpoint(ConnectionContext(context)), None).unwrap()
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

    /// Removes the ports: what would be left of anything makes that wait for ever, which is a failure.
    pub(crate) fn tear_down(self) {
        pump();
        for (_, id) in &self.ports {
            Ndk::remove(&self.transport, id.get());
        }
        pump();
        assert_eq!(self.transport.world().files.iter().count(), 0, "a file is left");
    }

    /// Removes the last of the ports that there are.
    pub(crate) fn remove_last_port(&mut self) {
        if let Some(last) = self.ports.len().checked_sub(1) {
            self.remove_port(last);
        }
    }

    /// Takes a port from the transport, as `OID_NDK_SET_STATE` does that disables its adapter.
    pub(crate) fn disable(&self, index: usize) {
        Ndk::remove(&self.transport, self.ports[index].1.get());
    }

    /// Gives it back.
    pub(crate) fn enable(&self, index: usize) {
        let (port, id) = &self.ports[index];
        id.set(self.transport.network().add(port).unwrap());
        self.return_address(index);
    }

    /// A port's number in the transport's network.
    pub(crate) fn port(&self, index: usize) -> PortId {
        self.ports[index].1.get()
    }

    /// Takes the address from a port that is there, as the adapter does whose interface has lost it.
    pub(crate) fn take_address(&self, index: usize) {
        self.set_addresses(index, &[]);
    }

    /// Gives it back.
    pub(crate) fn return_address(&self, index: usize) {
        self.set_addresses(index, &[[NEAR, FAR][index].parse::<SocketAddr>().unwrap().ip()]);
    }

    fn set_addresses(&self, index: usize, addresses: &[std::net::IpAddr]) {
        let (port, id) = &self.ports[index];
        port.set_addresses(addresses).unwrap();
        self.transport.network().set_addresses(id.get(), addresses).unwrap().end(&self.transport);
    }

    /// Takes a port from the transport, if it was not removed, and gives it back.
    pub(crate) fn leave_briefly(&self, index: usize) {
        if index < self.ports.len() {
            self.disable(index);
            self.enable(index);
        }
    }

    /// Removes one port.
    pub(crate) fn remove_port(&mut self, index: usize) {
        let (_, id) = self.ports.remove(index);
        Ndk::remove(&self.transport, id.get());
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
        let client = Client::new();
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

    /// Closes all four files and removes the ports.
    pub(crate) fn tear_down(self) {
        for file in [self.near, self.far, self.near_address, self.far_address] {
            self.client.close(file);
        }
        self.client.tear_down();
    }
}
