//! The layout of links and connections, for a debugger without private symbols.

#![expect(unsafe_code, reason = "a byte of a value without a defined layout is read at compile time")]

use core::mem::{ManuallyDrop, offset_of};

use super::call::Side;
use super::link::Link;
use super::loopback::Connection;
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::number::usize_from;

pub use super::connector::ConnectorLayout;
pub use super::loopback::ConnectionPlaces;
pub use super::state::StateLayout;
pub use super::wire::WireLayout;

/// Offsets of links, and of the connections that they lead to, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectionLayout {
    /// The first byte of a link that there is not. Any other is the kind of remotes.
    pub no_link: usize,
    /// The kind of the links that lead to a connection of this driver.
    pub loopback: usize,
    /// The kind of the links that lead to a connection over TCP.
    pub wire: usize,
    /// Of the pointer to the connection, from a link of either kind.
    pub connection: usize,
    /// Of the side of the connection, one byte, from a link of the kind of loopback: 0 connected, 1 was indicated.
    pub side: usize,
    /// In a connection, from what that pointer points to.
    pub places: ConnectionPlaces,
    /// In a connection over TCP, from what that pointer points to.
    pub over_tcp: WireLayout,
}

/// The contents of a link of the kind of loopback: a variant of a `repr(C, u8)` lies as this.
#[repr(C)]
struct Contents<K: Kernel>(Shared<Connection<K>>, Side);

impl ConnectionLayout {
    /// The layout on the kernel `K`.
    pub(crate) const fn of<K: Kernel>() -> Self {
        const { assert!(size_of::<Option<Link<K>>>() == size_of::<Link<K>>(), "a link lies where it may lie") };
        let content = align_of::<Link<K>>();
        Self {
            no_link: usize_from(Self::first_byte(ManuallyDrop::new(None::<Link<K>>))),
            loopback: 1,
            wire: 2,
            connection: content.saturating_add(offset_of!(Contents<K>, 0)),
            side: content.saturating_add(offset_of!(Contents<K>, 1)),
            places: ConnectionPlaces::of::<K>(),
            over_tcp: WireLayout::of::<K>(),
        }
    }

    /// The byte that says which kind a link is of.
    const fn first_byte<T>(link: ManuallyDrop<T>) -> u32 {
        // SAFETY: the value is a local, and has the byte; the compiler, which evaluates this, refuses one that is not set.
        u32::from_le_bytes([unsafe { (&raw const link).cast::<u8>().read() }, 0, 0, 0])
    }
}
