//! Objects of the framework: handles, parents and children, references, deletion.
//!
//! Deleting an object cleans up its children first, then itself, and drops the framework's reference on
//! each. With an object's last reference its destroy callback runs, and its contexts are freed.

use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdf::{WDF_OBJECT_ATTRIBUTES, WDFOBJECT};

use super::client::{Client, framework};
use super::context::Context;
use super::violation;
use crate::fault;
use crate::mm::Block;

/// The type of an object, with its state.
pub(super) enum Body {
    /// The driver.
    Driver,
    /// A device.
    Device(super::device::Devices),
    /// An object that only holds contexts.
    General,
    /// A buffer.
    Memory { block: Block, size: usize },
    /// Memory that is not the object's own.
    Foreign { start: Va, size: usize },
    /// A string.
    String(super::string::Text),
    /// A queue.
    Queue(super::queue::Queue),
    /// A request.
    Request(super::request::Request),
    /// An open file.
    File(super::file::File),
    /// A spin lock.
    SpinLock(super::lock::SpinLock),
    /// A lock that threads wait for.
    WaitLock(super::lock::WaitLock),
    /// A call put off to DISPATCH_LEVEL.
    Dpc(super::dpc::Dpc),
    /// A timer.
    Timer(super::timer::Timer),
    /// A call put off to a worker thread.
    WorkItem(super::work_item::WorkItem),
}

impl Body {
    fn name(&self) -> &'static str {
        match self {
            Self::Driver => "WDFDRIVER",
            Self::Device(_) => "WDFDEVICE",
            Self::General => "WDFOBJECT",
            Self::Memory { .. } | Self::Foreign { .. } => "WDFMEMORY",
            Self::String(_) => "WDFSTRING",
            Self::Queue(_) => "WDFQUEUE",
            Self::Request(_) => "WDFREQUEST",
            Self::File(_) => "WDFFILEOBJECT",
            Self::SpinLock(_) => "WDFSPINLOCK",
            Self::WaitLock(_) => "WDFWAITLOCK",
            Self::Dpc(_) => "WDFDPC",
            Self::Timer(_) => "WDFTIMER",
            Self::WorkItem(_) => "WDFWORKITEM",
        }
    }
}

/// An object.
pub(super) struct Object {
    pub(super) handle: Va,
    pub(super) client: Arc<Client>,
    pub(super) body: Body,
    pub(super) state: Mutex<State>,
}

/// The part of an object's state that changes.
pub(super) struct State {
    pub(super) parent: Option<Va>,
    pub(super) contexts: Vec<Context>,
    children: Vec<Va>,
    references: usize,
    deleted: bool,
}

/// Handles are addresses of nothing: a driver that uses one as a pointer crashes at once. Of the process, so that no
/// machine has a handle of another.
static NEXT_HANDLE: AtomicUsize = AtomicUsize::new(0x57DF_0000_0000_0010);

/// A new handle.
pub(super) fn next_handle() -> Va {
    Va::new(NEXT_HANDLE.fetch_add(0x10, Ordering::Relaxed))
}

impl Object {
    /// The object behind a handle; reports and returns `None` if there is none.
    pub(super) fn of(handle: WDFOBJECT) -> Option<Arc<Self>> {
        let object = framework().objects.read().get(&Va::of(handle)).cloned();
        if object.is_none() {
            violation("WdfHandle", Va::of(handle), format!("{handle:p} is no handle of the framework"));
        }
        object
    }

    /// Its parent's handle.
    pub(super) fn parent(&self) -> WDFOBJECT {
        self.state.lock().parent.unwrap_or_default().ptr()
    }

    /// Adds a reference.
    pub(super) fn reference(&self) {
        self.state.lock().references += 1;
    }

    /// Drops a reference; with the last one the object is no more.
    pub(super) fn dereference(&self) {
        let mut state = self.state.lock();
        match state.references {
            1 if !state.deleted => {
                drop(state);
                violation(
                    "WdfReference",
                    self.handle,
                    format!("{} {:#x} loses the framework's own reference", self.body.name(), self.handle),
                );
            }
            0 => {
                drop(state);
                violation(
                    "WdfReference",
                    self.handle,
                    format!("{} {:#x} has no reference left to drop", self.body.name(), self.handle),
                );
            }
            1 => {
                state.references = 0;
                drop(state);
                self.destroy();
            }
            _ => state.references -= 1,
        }
    }

    /// Deletes the object with its children.
    pub(super) fn delete(&self) {
        let Some(children) = self.begin_delete() else {
            violation(
                "WdfObjectDelete",
                self.handle,
                format!("{} {:#x} is deleted twice", self.body.name(), self.handle),
            );
            return;
        };
        for child in children {
            if let Some(child) = Self::known(child) {
                child.delete();
            }
        }
        match &self.body {
            Body::Dpc(dpc) => {
                dpc.cancel();
            }
            Body::Timer(timer) => {
                timer.cancel();
            }
            Body::Device(devices) => super::create::delete(devices),
            _ => {}
        }
        self.run_callbacks(|context| context.cleanup.take(), "EvtCleanupCallback");
        self.detach();
        self.dereference();
    }

    /// Marks the object deleted and yields its children, the youngest first; `None` if it was before.
    fn begin_delete(&self) -> Option<Vec<Va>> {
        let mut state = self.state.lock();
        if core::mem::replace(&mut state.deleted, true) {
            return None;
        }
        Some(core::mem::take(&mut state.children).into_iter().rev().collect())
    }

    fn detach(&self) {
        let parent = self.state.lock().parent.take();
        if let Some(parent) = parent.and_then(Self::known) {
            parent.state.lock().children.retain(|child| *child != self.handle);
        }
    }

    fn destroy(&self) {
        self.run_callbacks(|context| context.destroy.take(), "EvtDestroyCallback");
        let contexts = core::mem::take(&mut self.state.lock().contexts);
        let mut owners = framework().contexts.write();
        for context in &contexts {
            owners.remove(&context.address());
        }
        drop(owners);
        framework().objects.write().remove(&self.handle);
    }

    fn run_callbacks(
        &self,
        mut take: impl FnMut(&mut Context) -> Option<unsafe extern "efiapi" fn(WDFOBJECT)>,
        name: &'static str,
    ) {
        let callbacks: Vec<_> = self.state.lock().contexts.iter_mut().filter_map(&mut take).collect();
        for callback in callbacks {
            // SAFETY: the callback is one that the driver set for this object.
            boundary::call_driver(name, || unsafe { callback(self.handle.ptr()) });
        }
    }

    /// The object behind a handle, if there is one.
    pub(super) fn known(handle: Va) -> Option<Arc<Self>> {
        framework().objects.read().get(&handle).cloned()
    }
}

/// Makes an object as `attributes` (or null) say; its parent, where they name none, is `parent`.
///
/// # Safety
/// `attributes` is null or points to valid attributes.
///
/// # Errors
/// The status for the driver.
pub(super) unsafe fn create(
    client: &Arc<Client>,
    attributes: *const WDF_OBJECT_ATTRIBUTES,
    parent: Va,
    body: Body,
) -> Result<Arc<Object>, NTSTATUS> {
    if fault::strikes() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    // SAFETY: the caller's contract.
    let attributes = unsafe { attributes.as_ref() };
    let named = attributes.map_or(Va::NULL, |attributes| Va::of(attributes.ParentObject));
    let parent = if named.is_null() { parent } else { named };
    if named != Va::NULL && Object::of(named.ptr()).is_none() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's contract.
    let context = unsafe { Context::new(attributes) }?;
    let handle = next_handle();
    let state = State {
        parent: (parent != Va::NULL).then_some(parent),
        contexts: Vec::new(),
        children: Vec::new(),
        references: 1,
        deleted: false,
    };
    let object = Arc::new(Object { handle, client: Arc::clone(client), body, state: Mutex::new(state) });
    attach_context(&object, context);
    if let Some(parent) = Object::known(parent) {
        parent.state.lock().children.push(handle);
    }
    framework().objects.write().insert(handle, Arc::clone(&object));
    Ok(object)
}

/// Adds a context to an object.
pub(super) fn attach_context(object: &Object, context: Context) {
    framework().contexts.write().insert(context.address(), object.handle);
    object.state.lock().contexts.push(context);
}

/// Makes an object for a driver, whose handle goes to `out`.
///
/// # Safety
/// `attributes` is null or points to valid attributes; `out` may be written.
pub(super) unsafe fn create_for_driver(
    globals: *mut sys::wdf::WDF_DRIVER_GLOBALS,
    attributes: *const WDF_OBJECT_ATTRIBUTES,
    body: Body,
    out: *mut *mut c_void,
) -> NTSTATUS {
    let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
    // SAFETY: the caller's contract.
    match unsafe { create(&client, attributes, client.driver(), body) } {
        Ok(object) => {
            // SAFETY: the caller's contract.
            unsafe { out.write(object.handle.ptr::<c_void>()) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// Reports the objects that a driver leaves behind when it is unbound, and forgets them.
pub(super) fn forget(client: &Client) {
    let mut objects = framework().objects.write();
    let left: Vec<_> =
        objects.values().filter(|object| core::ptr::eq(&raw const *object.client, client)).cloned().collect();
    left.iter().for_each(|object| drop(objects.remove(&object.handle)));
    drop(objects);
    for object in left {
        let text = format!(
            "{} {:#x} of {} is left with {} references when the driver is unbound",
            object.body.name(),
            object.handle,
            client.name,
            object.state.lock().references
        );
        violation("WdfObjectLeak", object.handle, text);
    }
}
