//! Open files: what user mode has a handle to.

use core::fmt::Write as _;
use core::mem::size_of;
use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NT_SUCCESS, NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_SUCH_DEVICE,
    STATUS_OBJECT_NAME_NOT_FOUND,
};
use sys::wdm::{
    DEVICE_OBJECT, DO_DEVICE_INITIALIZING, DO_EXCLUSIVE, FILE_DEVICE_SECURE_OPEN, FILE_OBJECT,
    FILE_SYNCHRONOUS_IO_NONALERT, FO_SYNCHRONOUS_IO, IO_STACK_CREATE, IO_STACK_LOCATION, IRP, IRP_MJ_CLEANUP,
    IRP_MJ_CLOSE, IRP_MJ_CREATE, UNICODE_STRING, UserMode, signature,
};

use super::device::{self, related, security};
use super::dispatch;
use super::file_lock::FileLock;
use super::irp::{self, Owner};
use super::namespace::namespace;
use super::opener::Opener;
use super::request::{Buffers, Outcome, Transfer, kept, outstanding};
use super::statistics::counters;
use crate::ex::queue_work;
use crate::mm::Block;
use crate::ob::{self, Kind};
use crate::se::Access;

/// `Type` of a file object.
const TYPE: i16 = 5;
/// `FILE_OPEN` as the disposition in the highest byte of a create's options.
const FILE_OPEN: u32 = 1 << 24;

/// Returns the addresses of the file objects that exist, of all devices.
#[must_use]
pub fn open_files() -> Vec<Va> {
    let mut all: Vec<_> = FILES.get().live.lock().keys().copied().collect();
    all.sort_unstable();
    all
}

/// The state that belongs to an open file.
struct Memory {
    _object: Block,
    _name: Vec<u16>,
    /// Of a file for synchronous I/O.
    lock: Option<Arc<FileLock>>,
}

/// The memory of open files, by address.
#[derive(Default)]
struct Files {
    live: Mutex<HashMap<Va, Memory>>,
}

static FILES: PerMachine<Files> = PerMachine::new();

/// A file's last handle makes the I/O manager send a cleanup, its last reference a close.
static KIND: Kind =
    Kind {
        name: "file",
        stays: false,
        last_handle: |object| cleanup(object.cast()),
        last_reference: |object| {
            if sched::irql() == Irql::PASSIVE {
                return close(object.cast());
            }
            verifier::report(Finding::new("ObDereferenceObject").text(format!(
                "the last reference to the file at {object:p} was dropped at {}",
                sched::irql()
            )));
            let object = Va::of(object);
            queue_work(move || close(object.ptr::<FILE_OBJECT>()));
        },
    };

/// `IoFileObjectType`: the kernel's variable, which holds the type of file objects.
static FILE_OBJECT_TYPE: &Kind = &KIND;

const _: () = assert!(size_of::<&Kind>() == size_of::<signature::IoFileObjectType>());

/// The variables of this file.
pub(crate) const DATA: &[Export] = &[Export {
    module: "ntoskrnl.exe",
    name: "IoFileObjectType",
    address: (&raw const FILE_OBJECT_TYPE).cast(),
    lowest: Irql::PASSIVE,
    highest: Irql::HIGH,
}];

/// One handle of user mode; closed with its last owner.
#[derive(Debug)]
pub(super) struct Handle {
    handle: usize,
    pub(super) object: Va,
}

impl Drop for Handle {
    fn drop(&mut self) {
        as_thread(|| ob::close(self.handle));
    }
}

/// An open file, as a user program has it. Dropping it closes the handle.
#[derive(Clone, Debug)]
pub struct File {
    pub(super) handle: Arc<Handle>,
}

impl File {
    /// A second handle to the same open file: the driver sees its cleanup when both are closed.
    ///
    /// # Panics
    /// Never: this handle keeps the file.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let object = self.handle.object;
        let handle = ob::open(object.ptr::<_>()).expect("an open file can be opened again");
        Self { handle: Arc::new(Handle { handle, object }) }
    }

    /// The handle's value, as a driver may get it from its user.
    pub fn raw(&self) -> usize {
        self.handle.handle
    }

    /// The lock that serialises the requests, if the file was opened for synchronous I/O.
    pub(super) fn lock(&self) -> Option<Arc<FileLock>> {
        lock(self.object())
    }

    pub(super) fn object(&self) -> *mut FILE_OBJECT {
        self.handle.object.ptr::<FILE_OBJECT>()
    }
}

/// Runs `f` as a thread of the machine, which the calling host thread becomes for the time if need be.
pub(super) fn as_thread<R>(f: impl FnOnce() -> R) -> R {
    let _attached = sched::current().is_none().then(|| sched::attach("user"));
    f()
}

/// Opens a device by its name or by a symbolic link.
pub(super) fn open(name: &str, attributes: &[u8], opener: &Opener) -> Result<File, NTSTATUS> {
    let (device, below) = namespace().resolve(name).ok_or(STATUS_OBJECT_NAME_NOT_FOUND)?;
    let device = device.ptr::<DEVICE_OBJECT>();
    // The reference keeps the device while the file is open.
    ob::reference(device.cast()).ok_or(STATUS_NO_SUCH_DEVICE)?;
    create(device, &below, attributes, opener).inspect_err(|_| {
        ob::dereference(device.cast());
    })
}

fn create(
    device: *mut DEVICE_OBJECT,
    below: &str,
    attributes: &[u8],
    opener: &Opener,
) -> Result<File, NTSTATUS> {
    // SAFETY: the caller holds a reference to the device.
    let target = unsafe { &mut *device };
    // SAFETY: the caller holds a reference to the device.
    let top = unsafe { device::top(device) };
    // SAFETY: it is attached to the device.
    if (target.Flags | unsafe { (*top).Flags }) & DO_DEVICE_INITIALIZING != 0 {
        return Err(STATUS_NO_SUCH_DEVICE);
    }
    if target.Flags & DO_EXCLUSIVE != 0 && target.ReferenceCount > 0 {
        return Err(STATUS_ACCESS_DENIED);
    }
    // Names below a device are its driver's business, unless it says otherwise (the page "Controlling Device
    // Namespace Access").
    let checked = below.is_empty() || target.Characteristics & FILE_DEVICE_SECURE_OPEN != 0;
    let options = opener.options()?;
    let access = opener.ask(checked.then(|| security(device)).as_deref())?;
    let file = new_file_object(device, below, options)?;
    target.ReferenceCount += 1;
    let outcome = send_create(file, attributes, options, opener, &access);
    drop(access);
    if !NT_SUCCESS(outcome.status) {
        // No cleanup and no close follow a create that failed.
        target.ReferenceCount -= 1;
        check_failed_create(file);
        FILES.get().live.lock().remove(&Va::of(file));
        return Err(outcome.status);
    }
    ob::create(file.cast(), &KIND);
    let handle = ob::open(file.cast()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    // From now on the handle is what holds the file.
    ob::dereference(file.cast());
    Ok(File { handle: Arc::new(Handle { handle, object: Va::of(file) }) })
}

fn new_file_object(
    device: *mut DEVICE_OBJECT,
    below: &str,
    options: u32,
) -> Result<*mut FILE_OBJECT, NTSTATUS> {
    let block = Block::new(size_of::<FILE_OBJECT>()).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let file = block.as_ptr::<FILE_OBJECT>();
    let mut name: Vec<u16> = below.encode_utf16().chain([0]).collect();
    let bytes = narrow(name.len() * 2);
    // SAFETY: the block is zeroed, which is a valid file object, and has its size.
    let object = unsafe { &mut *file };
    object.Type = TYPE;
    object.Size = narrow(size_of::<FILE_OBJECT>());
    object.DeviceObject = device;
    object.FileName = UNICODE_STRING { Length: bytes - 2, MaximumLength: bytes, Buffer: name.as_mut_ptr() };
    let lock = (options & FILE_SYNCHRONOUS_IO_NONALERT != 0).then(Arc::default);
    if lock.is_some() {
        object.Flags |= FO_SYNCHRONOUS_IO;
    }
    FILES.get().live.lock().insert(Va::of(file), Memory { _object: block, _name: name, lock });
    Ok(file)
}

fn send_create(
    file: *mut FILE_OBJECT,
    attributes: &[u8],
    options: u32,
    opener: &Opener,
    access: &Access,
) -> Outcome {
    let mut buffers = Buffers::default();
    if !attributes.is_empty() {
        let Some(system) = Block::new(attributes.len()) else {
            return Outcome { status: STATUS_INSUFFICIENT_RESOURCES, information: 0 };
        };
        // SAFETY: the block is new and as long as the list.
        unsafe { ptr::copy_nonoverlapping(attributes.as_ptr(), system.as_ptr(), attributes.len()) };
        buffers.system = Some(system);
    }
    let create = IO_STACK_CREATE {
        SecurityContext: opener.context(access),
        Options: FILE_OPEN | options,
        Padding0: 0,
        FileAttributes: 0,
        ShareAccess: opener.shared(),
        Padding1: 0,
        EaLength: narrow(attributes.len()),
        Padding2: 0,
    };
    send_and_wait(file, IRP_MJ_CREATE, buffers, |irp, location| {
        irp.RequestorMode = opener.mode();
        location.Flags = opener.flags();
        location.Parameters.Create = create;
    })
}

/// A create that failed must leave nothing of the driver's in the file.
fn check_failed_create(file: *mut FILE_OBJECT) {
    // SAFETY: the file object is still there.
    let object = unsafe { &*file };
    if !object.FsContext.is_null() || !object.FsContext2.is_null() {
        verifier::report(
            Finding::new("FailedCreate").text("a create failed and left its context in the file object"),
        );
    }
}

/// The last handle is gone: the driver ends what is under way on the file.
fn cleanup(file: *mut FILE_OBJECT) {
    counters().in_flight(outstanding(file).into_iter());
    let lock = lock(file);
    let _turn = lock.as_deref().map(FileLock::acquire);
    send_and_wait(file, IRP_MJ_CLEANUP, Buffers::default(), |_, _| ());
    let left = kept(file);
    if left > 0 {
        verifier::report(
            Finding::new("CleanupPostcondition")
                .text(format!("{left} requests of the file are outstanding after its cleanup was completed")),
        );
    }
}

fn lock(file: *mut FILE_OBJECT) -> Option<Arc<FileLock>> {
    FILES.get().live.lock().get(&Va::of(file)).and_then(|memory| memory.lock.clone())
}

/// Adds a line for each file with requests that wait for its lock.
pub(super) fn describe_waits(report: &mut String) {
    for (file, memory) in FILES.get().live.lock().iter() {
        let waiting = memory.lock.as_ref().map_or(0, |lock| lock.waiting());
        if waiting > 0 {
            let _ = write!(
                report,
                "\n  {waiting} requests for the file at {file:#x} wait for the one before: its handle is synchronous"
            );
        }
    }
}

/// The last reference is gone: the driver forgets the file.
fn close(file: *mut FILE_OBJECT) {
    let outcome = send_and_wait(file, IRP_MJ_CLOSE, Buffers::default(), |_, _| ());
    if !NT_SUCCESS(outcome.status) {
        verifier::report(
            Finding::new("CloseStatus").text(format!("a close was completed with {:#010X}", outcome.status)),
        );
    }
    // SAFETY: the file object is there until the table gives it up below.
    let device = unsafe { (*file).DeviceObject };
    // SAFETY: the file holds a reference to its device until below.
    unsafe { (*device).ReferenceCount -= 1 };
    FILES.get().live.lock().remove(&Va::of(file));
    ob::dereference(device.cast());
}

/// Sends a request for a file to its device and waits for the outcome.
fn send_and_wait(
    file: *mut FILE_OBJECT,
    major: u8,
    buffers: Buffers,
    parameters: impl FnOnce(&mut IRP, &mut IO_STACK_LOCATION),
) -> Outcome {
    let system = buffers.system.as_ref().map_or(ptr::null_mut(), Block::as_ptr);
    let transfer = Transfer::new(file, buffers);
    let sent = start(&transfer, file, |irp, location| {
        irp.AssociatedIrp.SystemBuffer = system;
        location.MajorFunction = major;
        parameters(irp, location);
    });
    match sent {
        Err(status) => Outcome { status, information: 0 },
        Ok(()) => transfer.wait(None).expect("a wait without a limit ends with an outcome"),
    }
}

/// Makes a packet as [`prepare`] does, and sends it to the file's device.
pub(super) fn start(
    transfer: &Arc<Transfer>,
    file: *mut FILE_OBJECT,
    fill: impl FnOnce(&mut IRP, &mut IO_STACK_LOCATION),
) -> Result<(), NTSTATUS> {
    let irp = prepare(transfer, file, fill)?;
    // SAFETY: the caller has the file open.
    let device = unsafe { related(file) };
    // SAFETY: the packet is the caller's and its next location is filled in.
    unsafe { dispatch::send(device, irp) };
    Ok(())
}

/// Makes a packet for `transfer`, and lets `fill` fill in the packet and its first stack location.
pub(super) fn prepare(
    transfer: &Arc<Transfer>,
    file: *mut FILE_OBJECT,
    fill: impl FnOnce(&mut IRP, &mut IO_STACK_LOCATION),
) -> Result<*mut IRP, NTSTATUS> {
    // SAFETY: the caller has the file open.
    let device = unsafe { related(file) };
    // SAFETY: a file holds a reference to its device, and so to those above.
    let stack = unsafe { (*device).StackSize };
    let irp = irp::allocate(stack, Owner::Manager(Arc::clone(transfer) as _))
        .ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    // SAFETY: the packet is new, and no other code has it yet.
    let packet = unsafe { &mut *irp };
    packet.RequestorMode = UserMode;
    packet.Tail.Overlay.OriginalFileObject = file;
    packet.Tail.Overlay.Thread =
        sched::current().map_or(ptr::null_mut(), |t| ptr::from_ref(t).cast_mut().cast());
    // SAFETY: the packet is new, and no other code has it yet.
    let location = unsafe { irp::next_location(packet) };
    location.FileObject = file;
    fill(packet, location);
    transfer.carried_by(irp);
    Ok(irp)
}
