//! The simulated IP stack's view of the machine: interfaces and their unicast addresses.
//!
//! An adapter brings its interface when it is initialised and takes it away when it is halted. Drivers
//! ask through the IP Helper functions of `netio.sys`, and are told of changes if they wish.

mod exports;
mod notify;

use core::net::IpAddr;

use parking_lot::Mutex;
use sys::netioapi::{MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, NET_LUID, NL_DAD_STATE};
use sys::sockaddr::{AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET};

use crate::export::Export;
use crate::machine::{self, Part};
use crate::sched;

/// The functions of this folder.
pub(crate) const EXPORTS: &[&[Export]] = &[exports::EXPORTS];

/// `IF_TYPE_ETHERNET_CSMACD`, in the topmost 16 bits of an interface's identity.
const ETHERNET: u64 = 6;

/// One interface.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    /// Its index.
    pub(crate) index: u32,
    /// The name an administrator sees.
    pub(crate) alias: String,
    /// Its addresses, each with the length of its prefix.
    pub(crate) addresses: Vec<(IpAddr, u8)>,
}

impl Interface {
    /// Its persistent identity.
    pub(crate) fn luid(&self) -> NET_LUID {
        NET_LUID { Value: ETHERNET << 48 | u64::from(self.index) << 24 }
    }

    fn rows(&self) -> impl Iterator<Item = MIB_UNICASTIPADDRESS_ROW> {
        self.addresses.iter().map(|(address, prefix)| row(self, *address, *prefix))
    }
}

/// The interfaces of one machine.
#[derive(Default)]
struct Interfaces {
    present: Mutex<Vec<Interface>>,
}

impl Part for Interfaces {}

fn interfaces() -> &'static Interfaces {
    machine::current().part()
}

/// Adds an interface, and tells drivers of its addresses.
pub(crate) fn add(interface: Interface) {
    let rows: Vec<_> = interface.rows().collect();
    interfaces().present.lock().push(interface);
    rows.iter().for_each(|row| notify::tell(row, MIB_NOTIFICATION_TYPE::MibAddInstance));
}

/// Removes an interface, and tells drivers that its addresses are gone.
pub(crate) fn remove(index: u32) {
    let mut present = interfaces().present.lock();
    let Some(at) = present.iter().position(|interface| interface.index == index) else { return };
    let gone = present.remove(at);
    drop(present);
    gone.rows().for_each(|row| notify::tell(&row, MIB_NOTIFICATION_TYPE::MibDeleteInstance));
}

/// The interfaces that there are.
fn present() -> Vec<Interface> {
    interfaces().present.lock().clone()
}

fn row(interface: &Interface, address: IpAddr, prefix: u8) -> MIB_UNICASTIPADDRESS_ROW {
    // SAFETY: all zero is a valid row: integers only.
    let mut row: MIB_UNICASTIPADDRESS_ROW = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
    row.Address = socket_address(address);
    row.InterfaceLuid = interface.luid();
    row.InterfaceIndex = interface.index;
    row.ValidLifetime = u32::MAX;
    row.PreferredLifetime = u32::MAX;
    row.OnLinkPrefixLength = prefix;
    row.DadState = NL_DAD_STATE::IpDadStatePreferred;
    row.CreationTimeStamp = sched::system_time().cast_signed();
    row
}

fn socket_address(address: IpAddr) -> SOCKADDR_INET {
    match address {
        IpAddr::V4(address) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: 0,
                sin_addr: IN_ADDR { S_addr: u32::from(address).to_be() },
                sin_zero: [0; 8],
            },
        },
        IpAddr::V6(address) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: address.octets() },
                sin6_scope_id: 0,
            },
        },
    }
}
