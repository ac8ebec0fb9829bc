//! A kernel client of the legacy transport: what drivers do with TdiBuild… and IoCallDriver.

use core::mem::size_of;
use core::net::{IpAddr, SocketAddr};
use core::ptr::null_mut;
use std::path::Path;

use ntsim::io::{File, Outcome, Request, Sending, Status};
use ntsim::loader::Driver;
use ntsim::ndis::AdapterConfig;
use ntsim::{Machine, Report};
use runner::Images;
use sys::tdi::{
    TDI_ASSOCIATE_ADDRESS, TDI_CONNECT, TDI_CONNECTION_INFORMATION, TDI_DISCONNECT, TDI_LISTEN, TDI_RECEIVE,
    TDI_REQUEST_KERNEL, TDI_REQUEST_KERNEL_ASSOCIATE, TDI_REQUEST_KERNEL_RECEIVE, TDI_REQUEST_KERNEL_SEND,
    TDI_REQUEST_KERNEL_SET_EVENT, TDI_SEND, TDI_SET_EVENT_HANDLER, TdiConnectionContext, TdiTransportAddress,
};
use tdi::address::TransportAddress;

/// The device that clients open.
pub(crate) const DEVICE: &str = "\\Device\\Softndk";
/// The address that connects; the port is picked.
pub(crate) const NEAR: &str = "10.0.0.12:0";
/// The address that is connected to.
pub(crate) const FAR: &str = "10.0.0.13:139";

/// A machine with the driver and two adapters.
pub(crate) struct Bed {
    driver: Driver,
    pub(crate) machine: Machine,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
        let machine = Machine::builder().boot();
        let adapter = |index: u8| AdapterConfig::new(index.into(), [IpAddr::from([10, 0, 0, index])]);
        machine.add_adapters([12, 13].map(adapter));
        let mut driver = machine.load(images.softndk).expect("the driver loads");
        machine.start_adapters(&mut driver).expect("its adapters start");
        Self { driver, machine }
    }

    /// Halts one adapter.
    pub(crate) fn halt(&self, index: u32) {
        let adapter = self.machine.adapter(index).expect("there is such an adapter");
        adapter.halt().expect("it can be halted");
    }

    /// Stops everything.
    pub(crate) fn end(self) -> Report {
        for index in [12, 13] {
            if let Some(adapter) = self.machine.adapter(index) {
                // One that cannot be halted is a finding.
                let _ = adapter.halt();
            }
        }
        self.driver.unload();
        self.machine.shutdown()
    }

    /// Stops everything, which must leave nothing behind.
    #[track_caller]
    pub(crate) fn end_clean(self) {
        let found = self.end();
        assert!(found.is_clean(), "{found}");
    }

    pub(crate) fn open(&self, attributes: &[u8]) -> Result<File, Status> {
        self.machine.open(DEVICE, attributes)
    }

    pub(crate) fn address(&self, at: &str) -> Result<File, Status> {
        let address = TransportAddress::new(at.parse().expect("an address"));
        self.open(&attribute(TdiTransportAddress, address.bytes()))
    }

    pub(crate) fn endpoint(&self, context: usize) -> File {
        let attribute = attribute(TdiConnectionContext, &context.to_le_bytes());
        self.open(&attribute).expect("an endpoint opens")
    }

    pub(crate) fn associated(&self, address: &File, context: usize) -> File {
        let endpoint = self.endpoint(context);
        assert_eq!(associate(&endpoint, address), 0);
        endpoint
    }

    /// Two endpoints with a connection.
    pub(crate) fn pair(&self) -> Pair {
        let near_address = self.address(NEAR).expect("the near address opens");
        let far_address = self.address(FAR).expect("the far address opens");
        let near = self.associated(&near_address, 0xA);
        let far = self.associated(&far_address, 0xB);
        let pair = Pair { near, far, near_address, far_address };
        pair.establish();
        pair
    }
}

pub(crate) struct Pair {
    pub(crate) near: File,
    pub(crate) far: File,
    pub(crate) near_address: File,
    pub(crate) far_address: File,
}

impl Pair {
    pub(crate) fn establish(&self) {
        let listen = listen(&self.far);
        let connect = connect(&self.near, FAR);
        assert_eq!((status(connect), status(listen)), (0, 0));
    }
}

/// One entry of `FILE_FULL_EA_INFORMATION`.
pub(crate) fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 0, u8::try_from(name.len()).expect("short")];
    entry.extend(u16::try_from(value.len()).expect("short").to_le_bytes());
    entry.extend(name);
    entry.push(0);
    entry.extend(value);
    entry
}

/// The bytes of a request's parameters.
fn bytes<T: Copy>(parameters: T) -> [u8; 32] {
    let mut bytes = [0; 32];
    assert!(size_of::<T>() <= bytes.len(), "parameters fit into a stack location");
    // SAFETY: there is room for them, and they are plain data.
    unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(parameters) };
    bytes
}

pub(crate) fn send_request<T: Copy>(file: &File, minor: u8, parameters: T, data: Vec<u8>) -> Request {
    let sending = Sending { minor, parameters: bytes(parameters), data };
    file.start_internal(sending).expect("there is memory for a request")
}

pub(crate) fn outcome(request: Request) -> Outcome {
    request.wait().0
}

pub(crate) fn status(request: Request) -> i32 {
    outcome(request).status
}

pub(crate) fn associate(endpoint: &File, address: &File) -> i32 {
    let parameters = TDI_REQUEST_KERNEL_ASSOCIATE { AddressHandle: address.raw() as *mut _ };
    status(send_request(endpoint, TDI_ASSOCIATE_ADDRESS, parameters, Vec::new()))
}

/// Parameters that name a remote address, which stays for the rest of the process.
fn kernel(flags: u32, to: Option<SocketAddr>) -> TDI_REQUEST_KERNEL {
    let information = to.map_or(null_mut(), |to| {
        let address = Box::leak(Box::new(TransportAddress::new(to)));
        let information = TDI_CONNECTION_INFORMATION {
            UserDataLength: 0,
            UserData: null_mut(),
            OptionsLength: 0,
            Options: null_mut(),
            RemoteAddressLength: i32::try_from(address.bytes().len()).expect("short"),
            RemoteAddress: address.bytes().as_ptr().cast_mut().cast(),
        };
        &raw mut *Box::leak(Box::new(information))
    });
    TDI_REQUEST_KERNEL {
        RequestFlags: flags,
        RequestConnectionInformation: information,
        ReturnConnectionInformation: null_mut(),
        RequestSpecific: null_mut(),
    }
}

pub(crate) fn connect(file: &File, to: &str) -> Request {
    send_request(file, TDI_CONNECT, kernel(0, to.parse().ok()), Vec::new())
}

pub(crate) fn listen(file: &File) -> Request {
    send_request(file, TDI_LISTEN, kernel(0, None), Vec::new())
}

pub(crate) fn disconnect(file: &File, flags: u32) -> Request {
    send_request(file, TDI_DISCONNECT, kernel(flags, None), Vec::new())
}

pub(crate) fn send(file: &File, data: Vec<u8>) -> Request {
    let length = u32::try_from(data.len()).expect("short");
    send_request(file, TDI_SEND, TDI_REQUEST_KERNEL_SEND { SendLength: length, SendFlags: 0 }, data)
}

pub(crate) fn receive(file: &File, length: u32) -> Request {
    let parameters = TDI_REQUEST_KERNEL_RECEIVE { ReceiveLength: length, ReceiveFlags: 0 };
    send_request(file, TDI_RECEIVE, parameters, vec![0; length as usize])
}

pub(crate) fn set_event(file: &File, event: i32, handler: *const (), context: *mut core::ffi::c_void) -> i32 {
    let parameters = TDI_REQUEST_KERNEL_SET_EVENT {
        EventType: event,
        EventHandler: handler.cast_mut().cast(),
        EventContext: context,
    };
    status(send_request(file, TDI_SET_EVENT_HANDLER, parameters, Vec::new()))
}
