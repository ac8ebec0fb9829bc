//! The simulated IP stack's view of the machine: interfaces and their unicast addresses.
//!
//! An adapter brings its interface when it is initialised and takes it away when it is halted. Its addresses
//! come once TCP/IP has bound to it. Drivers ask through the IP Helper functions of `netio.sys`, and are told of
//! changes if they wish.

mod entry;
mod exports;
mod notify;
mod watch;

pub use watch::AddressWatch;

use core::net::IpAddr;

use nt::io::StatusError;
use ntsim_core::Export;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched;
use ntsim_core::subsystem::Subsystem;
use parking_lot::Mutex;
use sys::netioapi::{MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, NET_LUID, NL_DAD_STATE};
use sys::sockaddr::{AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET};
use sys::status::NTSTATUS;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[exports::EXPORTS];

/// The IP helper.
pub(crate) struct IpHelper;

impl Subsystem for IpHelper {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        exports::inspect();
        notify::inspect();
    }
}

/// `IF_TYPE_ETHERNET_CSMACD`, in the topmost 16 bits of an interface's identity.
const ETHERNET: u64 = 6;

/// One interface.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    /// Its index.
    pub(crate) index: u32,
    /// The name an administrator sees.
    pub(crate) alias: String,
    /// Its addresses.
    pub(crate) addresses: Vec<Address>,
}

/// A unicast address of an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    address: IpAddr,
    /// The length of its prefix.
    prefix: u8,
    /// The state of duplicate address detection.
    state: NL_DAD_STATE,
}

impl Interface {
    /// Its persistent identity.
    pub(crate) fn luid(&self) -> NET_LUID {
        NET_LUID { Value: ETHERNET << 48 | u64::from(self.index) << 24 }
    }

    fn rows(&self) -> impl Iterator<Item = MIB_UNICASTIPADDRESS_ROW> {
        self.addresses.iter().map(|address| row(self, *address))
    }
}

/// The interfaces of one machine.
#[derive(Default)]
struct Interfaces {
    present: Mutex<Vec<Interface>>,
    /// The status with which TCP/IP refuses to tell of its addresses, if a test wants that.
    refuses: Mutex<Option<NTSTATUS>>,
}

static INTERFACES: PerMachine<Interfaces> = PerMachine::new();

fn interfaces() -> &'static Interfaces {
    INTERFACES.get()
}

/// Lets TCP/IP fail with this status from now on when drivers ask for unicast addresses or changes to them,
/// as it does where it is not there (STATUS_NOT_SUPPORTED); or not any more.
pub fn refuse_addresses(status: Option<StatusError>) {
    *interfaces().refuses.lock() = status.map(|StatusError(status)| status);
}

/// The status with which TCP/IP refuses to tell of its addresses.
fn refusal() -> Option<NTSTATUS> {
    *interfaces().refuses.lock()
}

/// Adds an interface.
pub(crate) fn add(interface: Interface) {
    interfaces().present.lock().push(interface);
}

/// Gives an interface addresses, as TCP/IP does after it has bound to it: they are tentative until it is known
/// that no other machine has them, then preferred, and drivers are told of both
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/mib-unicastipaddress-row>).
pub(crate) fn assign(index: u32, addresses: &[(IpAddr, u8)]) {
    addresses.iter().for_each(|&address| add_tentative(index, address));
    for &(address, _) in addresses {
        sched::schedule_point();
        prefer(index, address);
    }
}

/// Gives an interface an address, which is tentative until [`prefer`], and tells drivers.
pub(crate) fn add_tentative(index: u32, (address, prefix): (IpAddr, u8)) {
    let tentative = Address { address, prefix, state: NL_DAD_STATE::IpDadStateTentative };
    change(index, MIB_NOTIFICATION_TYPE::MibAddInstance, |all| {
        all.push(tentative);
        Some(tentative)
    });
}

/// Ends the detection of duplicates of an address, which is usable from now on, and tells drivers.
pub(crate) fn prefer(index: u32, address: IpAddr) {
    change(index, MIB_NOTIFICATION_TYPE::MibParameterNotification, |all| {
        let known = all.iter_mut().find(|known| known.address == address)?;
        known.state = NL_DAD_STATE::IpDadStatePreferred;
        Some(*known)
    });
}

/// Takes an address away from an interface, and tells drivers.
pub(crate) fn withdraw(index: u32, address: IpAddr) {
    change(index, MIB_NOTIFICATION_TYPE::MibDeleteInstance, |all| {
        let at = all.iter().position(|known| known.address == address)?;
        Some(all.remove(at))
    });
}

/// Changes the addresses of an interface that is there, and tells drivers about the one that `f` returns.
fn change(index: u32, kind: MIB_NOTIFICATION_TYPE, f: impl FnOnce(&mut Vec<Address>) -> Option<Address>) {
    let row = {
        let mut present = interfaces().present.lock();
        let interface = present.iter_mut().find(|interface| interface.index == index);
        interface.and_then(|interface| f(&mut interface.addresses).map(|address| row(interface, address)))
    };
    if let Some(row) = row {
        notify::tell(&row, kind);
    }
}

/// Removes an interface, and tells drivers that its addresses are gone.
pub(crate) fn remove(index: u32) {
    let mut present = interfaces().present.lock();
    let Some(at) = present.iter().position(|interface| interface.index == index) else { return };
    let gone = present.remove(at);
    drop(present);
    gone.rows().for_each(|row| notify::tell(&row, MIB_NOTIFICATION_TYPE::MibDeleteInstance));
}

/// Returns whether an interface has an address that is usable.
pub(crate) fn has(address: IpAddr) -> bool {
    let usable =
        |known: &Address| known.address == address && known.state == NL_DAD_STATE::IpDadStatePreferred;
    interfaces().present.lock().iter().any(|interface| interface.addresses.iter().any(usable))
}

/// The interfaces that there are.
fn present() -> Vec<Interface> {
    interfaces().present.lock().clone()
}

fn row(interface: &Interface, address: Address) -> MIB_UNICASTIPADDRESS_ROW {
    // SAFETY: all zero is a valid row: integers only.
    let mut row: MIB_UNICASTIPADDRESS_ROW = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
    row.Address = socket_address(address.address);
    row.InterfaceLuid = interface.luid();
    row.InterfaceIndex = interface.index;
    row.ValidLifetime = u32::MAX;
    row.PreferredLifetime = u32::MAX;
    row.OnLinkPrefixLength = address.prefix;
    row.DadState = address.state;
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
