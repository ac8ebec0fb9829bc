//! The layout of a wire, for a debugger without private symbols.

#![expect(unsafe_code, reason = "the place of a value in an option is found at compile time")]

use core::mem::offset_of;

use super::state::State;
use super::{Wire, WireState};
use crate::connection::end::{AntecedentRefs, End};
use crate::heap::Shared;
use crate::kernel::{self, Kernel};
use crate::set_once::SetOnce;
use crate::socket_address::SocketAddress;

/// Offsets of what a debugger reads, from what a pointer to a wire points to unless it says otherwise, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct WireLayout {
    /// Of the side, one byte: 0 connected, 1 was connected to.
    pub side: usize,
    /// Of the number that says whether the local address is set, of four bytes, and of that [address](SocketAddress).
    pub local: [usize; 2],
    /// Of the [address](SocketAddress) of the peer.
    pub remote: usize,
    /// Of the life of TCP's connection, four bytes: 0 not begun or closed, 1 open, 2 asked to close.
    pub life: usize,
    /// Of the number of sends that TCP has, four bytes.
    pub sends: usize,
    /// Of the pointer to the block of the state.
    pub state: usize,
    /// Of the lock of the state, from what that pointer points to.
    pub lock: usize,
    /// Of the phase, one byte, from the lock's value: 0 requested, 1 replied, 2 awaited, 3 offered, 4 accepted,
    /// 5 rejected, 6 established, 7 ending, 8 failed, 9 disconnected, 10 refused.
    pub phase: usize,
    /// Of the reference of the connector to its QP, from the lock's value.
    pub qp: usize,
    /// Of the reference of the connector to its shared endpoint, from the lock's value.
    pub shared: usize,
}

impl WireLayout {
    /// The layout on the kernel `K`.
    pub(in crate::connection) const fn of<K: Kernel>() -> Self {
        let value = Shared::<Wire<K>>::VALUE;
        let local = value.saturating_add(offset_of!(Wire<K>, local));
        let [is_set, option] = SetOnce::<SocketAddress>::PLACES;
        let ties = offset_of!(State<K>, end).saturating_add(offset_of!(End<K>, ties));
        Self {
            side: value.saturating_add(offset_of!(Wire<K>, side)),
            local: [
                local.saturating_add(is_set),
                local.saturating_add(option).saturating_add(Self::address_in_option()),
            ],
            remote: value.saturating_add(offset_of!(Wire<K>, remote)),
            life: value.saturating_add(offset_of!(Wire<K>, life)),
            sends: value.saturating_add(offset_of!(Wire<K>, with_tcp)),
            state: value.saturating_add(offset_of!(Wire<K>, state)),
            lock: Shared::<WireState<K>>::VALUE.saturating_add(offset_of!(WireState<K>, 0)),
            phase: offset_of!(State<K>, phase),
            qp: ties.saturating_add(offset_of!(AntecedentRefs<K>, qp)),
            shared: ties.saturating_add(offset_of!(AntecedentRefs<K>, shared)),
        }
    }

    /// The offset of the state in its lock.
    pub(crate) fn state_in_lock<K: Kernel>() -> usize {
        kernel::value_in_lock::<K, State<K>>()
    }

    /// The offset of an address in an option that has one.
    const fn address_in_option() -> usize {
        let option = Some(SocketAddress::NONE);
        let Some(address) = &option else { return 0 };
        // SAFETY: the address is a part of the option.
        unsafe { (&raw const *address).byte_offset_from_unsigned(&raw const option) }
    }
}
