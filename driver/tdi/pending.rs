//! The requests that the device has, in lists through the I/O manager's packets.
//!
//! A packet has a link for the list of the driver that owns it
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/ns-wdm-_irp>). The transport needs no such list: a
//! debugger does, to which a dump says nothing of what a queue of the transport is.

#![expect(unsafe_code, reason = "a packet is known by its address")]

use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use lock_api::RawMutex as _;
use sys::wdm::{IRP, LIST_ENTRY};

use crate::kernel::{Lock, SpinLock};

/// The number of lists: so many processors begin and complete requests at a time.
pub(super) const LISTS: usize = 16;

/// The offset of the link in a packet.
pub(super) const LINK: usize = offset_of!(IRP, Tail.Overlay.ListEntry);

/// Bytes of the smallest packet, nearly: packets beside each other are in different lists.
const PACKET: usize = 256;

/// The first link of a list, null if there is none. Those behind it end with a null.
struct First(*mut LIST_ENTRY);

// SAFETY: the packets of a list are reached under its lock only, and from any thread.
unsafe impl Send for First {}

/// A list in a cache line of its own.
#[repr(align(64))]
struct List(Lock<First>);

static REQUESTS: [List; LISTS] = [const { List(Lock::const_new(SpinLock::INIT, First(null_mut()))) }; LISTS];

/// The places of the pointers to the first links, for a debugger.
pub(super) fn places() -> impl Iterator<Item = *mut c_void> {
    REQUESTS.iter().map(|list| list.0.data_ptr().cast())
}

/// The link of a packet, and its list.
fn link(irp: NonNull<IRP>) -> (*mut LIST_ENTRY, Option<&'static List>) {
    let index = irp.addr().get().wrapping_div(PACKET).checked_rem(LISTS);
    let list = index.and_then(|index| REQUESTS.get(index));
    (irp.as_ptr().wrapping_byte_add(LINK).cast(), list)
}

/// Enters a request. Up to DISPATCH_LEVEL, with no lock held.
///
/// # Safety
///
/// The caller owns the packet, which is in no list, until [`remove`].
pub(super) unsafe fn add(irp: NonNull<IRP>) {
    let (link, Some(list)) = link(irp) else { return };
    let mut first = list.0.lock();
    let after = core::mem::replace(&mut first.0, link);
    // SAFETY: the packet is the caller's, and the lock is held.
    unsafe { link.write(LIST_ENTRY { Flink: after, Blink: null_mut() }) };
    if !after.is_null() {
        // SAFETY: what is in the list is a packet that was not removed, and the lock is held.
        unsafe { (*after).Blink = link };
    }
}

/// Takes a request off its list. As [`add`].
///
/// # Safety
///
/// [`add`] has entered the packet, and the caller owns it.
pub(super) unsafe fn remove(irp: NonNull<IRP>) {
    let (link, Some(list)) = link(irp) else { return };
    let mut first = list.0.lock();
    // SAFETY: the packet is in the list, as the caller promises, and the lock is held.
    let LIST_ENTRY { Flink: after, Blink: before } = unsafe { link.read() };
    if before.is_null() {
        first.0 = after;
    } else {
        // SAFETY: what is in the list is a packet that was not removed, and the lock is held.
        unsafe { (*before).Flink = after };
    }
    if !after.is_null() {
        // SAFETY: as above.
        unsafe { (*after).Blink = before };
    }
}
