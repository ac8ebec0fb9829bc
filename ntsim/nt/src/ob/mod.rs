//! The object manager: reference counts, handles, and what happens when the last of either is gone.
//!
//! An object is whatever a driver knows by a pointer and may reference: a file, a device, a thread. The
//! folder of its prefix makes it and registers it here with its [`Kind`].

pub mod exports;

use core::ffi::c_void;
use std::collections::HashMap;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::Subsystem;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[exports::EXPORTS];

/// The object manager.
pub(crate) struct Ob;

impl Subsystem for Ob {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        inspect();
    }
}

/// The properties that all objects of one kind share.
pub struct Kind {
    /// Its name, in reports.
    pub name: &'static str,
    /// Set if the machine may end while its maker has it.
    pub stays: bool,
    /// Called when the last handle is closed, while references may remain.
    pub last_handle: fn(*mut c_void),
    /// Called when the last reference is gone, after which the object is no more.
    pub last_reference: fn(*mut c_void),
}

struct Object {
    kind: &'static Kind,
    references: isize,
    handles: usize,
}

/// The objects and handles of one machine.
#[derive(Default)]
struct Objects {
    live: Mutex<HashMap<Va, Object>>,
    handles: Mutex<Handles>,
}

#[derive(Default)]
struct Handles {
    /// Object by handle.
    open: HashMap<usize, Va>,
    last: usize,
}

static OBJECTS: PerMachine<Objects> = PerMachine::new();

/// Reports what drivers left behind.
fn inspect() {
    OBJECTS.get().inspect();
}

impl Objects {
    fn inspect(&self) {
        for (address, object) in &*self.live.lock() {
            if object.kind.stays && object.references == 1 {
                continue;
            }
            verifier::report(Finding::new("ObjectLeak").text(format!(
                "the {} at {address:#x} is left with {} references and {} handles",
                object.kind.name, object.references, object.handles
            )));
        }
    }
}

fn objects() -> &'static Objects {
    OBJECTS.get()
}

/// Registers an object, which gets one reference.
pub fn create(object: *mut c_void, kind: &'static Kind) {
    objects().live.lock().insert(Va::of(object), Object { kind, references: 1, handles: 0 });
}

/// Adds a reference and returns how many there are; `None` if there is no such object.
pub fn reference(object: *mut c_void) -> Option<isize> {
    let mut live = objects().live.lock();
    let known = live.get_mut(&Va::of(object))?;
    known.references += 1;
    Some(known.references)
}

/// Drops a reference and returns how many are left; `None` if there is no such object.
pub fn dereference(object: *mut c_void) -> Option<isize> {
    let mut live = objects().live.lock();
    let known = live.get_mut(&Va::of(object))?;
    known.references -= 1;
    if known.references > 0 {
        return Some(known.references);
    }
    let kind = known.kind;
    // Out of the table before its last call, so that a reference from within that call is found.
    live.remove(&Va::of(object));
    drop(live);
    (kind.last_reference)(object);
    Some(0)
}

/// A new handle to an object, which holds a reference; `None` if there is no such object.
pub(crate) fn open(object: *mut c_void) -> Option<usize> {
    {
        let mut live = objects().live.lock();
        let known = live.get_mut(&Va::of(object))?;
        known.references += 1;
        known.handles += 1;
    }
    let mut handles = objects().handles.lock();
    // As on Windows: multiples of four, and with the highest bit for handles of the kernel.
    handles.last += 4;
    let handle = handles.last | 1 << 63;
    handles.open.insert(handle, Va::of(object));
    Some(handle)
}

/// The type of an object; `None` if there is no such object.
pub(crate) fn kind(object: *mut c_void) -> Option<&'static Kind> {
    objects().live.lock().get(&Va::of(object)).map(|known| known.kind)
}

/// The object behind a handle.
pub(crate) fn by_handle(handle: usize) -> Option<*mut c_void> {
    objects().handles.lock().open.get(&handle).map(|address| (*address).ptr::<c_void>())
}

/// Closes a handle; `false` if there is no such handle.
pub(crate) fn close(handle: usize) -> bool {
    let Some(address) = objects().handles.lock().open.remove(&handle) else { return false };
    let object = address.ptr::<c_void>();
    let last = objects().live.lock().get_mut(&address).and_then(|known| {
        known.handles -= 1;
        (known.handles == 0).then_some(known.kind.last_handle)
    });
    if let Some(last_handle) = last {
        last_handle(object);
    }
    dereference(object);
    true
}
