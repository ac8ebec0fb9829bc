//! The part of an object that provider and layer share: header, dispatch pointer, dispatch table.

use core::mem::offset_of;

use ntsim_core::address::Va;
use sys::ndk::{NDK_OBJECT_HEADER, NDK_VERSION};
use sys::wdm::PVOID;

use crate::kind::Object;
use crate::rules::{self, found};

/// Checks what a create promises of its object, on an adapter of this version; `None` if the object can't be worked with.
pub(crate) fn check_new<T: Object>(
    head: &NDK_OBJECT_HEADER,
    handle: Va,
    adapter: Option<NDK_VERSION>,
    dispatch: Va,
) -> Option<()> {
    let kind = T::KIND;
    if head.ObjectType != kind.object_type() {
        found(
            rules::OBJECT_HEADER,
            format!("new {kind} {handle:#x}: its header says object type {}", head.ObjectType.0),
        );
    }
    if let Some(adapter) = adapter
        && head.Version != adapter
    {
        let NDK_VERSION { Major, Minor } = head.Version;
        found(
            rules::OBJECT_HEADER,
            format!("new {kind} {handle:#x}: its header says version {Major}.{Minor}, its adapter's another"),
        );
    }
    if head.NdkReserved.rf.iter().any(|word| !word.is_null()) {
        found(
            rules::RESERVED_NOT_ZERO,
            format!("new {kind} {handle:#x}: reserved words are {:?}", head.NdkReserved.rf),
        );
    }
    let slots = kind.slots(head.Version);
    let table = dispatch.ptr::<usize>().cast_const();
    if table.is_null() || !table.is_aligned() {
        found(
            rules::DISPATCH_INCOMPLETE,
            format!("new {kind} {handle:#x}: the dispatch pointer is {table:p}"),
        );
        return None;
    }
    // SAFETY: a table of this kind and version holds so many pointers; any bits are a valid integer.
    let table = unsafe { core::slice::from_raw_parts(table, slots) };
    if let Some(slot) = table.iter().position(|&function| function == 0) {
        found(
            rules::DISPATCH_INCOMPLETE,
            format!("new {kind} {handle:#x}: slot {slot} of its dispatch table is null"),
        );
    }
    Some(())
}

/// The place of an object's reserved words.
pub(crate) fn words_at<T: Object>(object: *mut T) -> *mut [PVOID; 4] {
    object.wrapping_byte_add(offset_of!(NDK_OBJECT_HEADER, NdkReserved)).cast()
}

/// An object's dispatch pointer.
pub(crate) fn dispatch_of<T: Object>(object: *mut T) -> Va {
    let at = object.wrapping_byte_add(size_of::<NDK_OBJECT_HEADER>());
    // SAFETY: the caller has a live object; by the contract of `Object` the pointer follows the header.
    Va::new(unsafe { at.cast::<usize>().read() })
}

/// Points an object to another table.
pub(crate) fn set_dispatch<T: Object>(object: *mut T, table: Va) {
    let at = object.wrapping_byte_add(size_of::<NDK_OBJECT_HEADER>());
    // SAFETY: the caller has a live object; by the contract of `Object` the pointer follows the header,
    // and the interface lets the layer set it.
    unsafe { at.cast::<usize>().write(table.get()) };
}
