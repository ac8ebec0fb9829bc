//! A loaded driver: its object, its entry point, its unloading.

use core::ffi::c_void;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use nt::ex::pool;
use nt::{io, ob, ps};
use ntsim_core::address::Va;
use ntsim_core::boundary::{self, call_image};
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::loader::mapping::Alone;
use ntsim_core::loader::{self, Image, LoadError};
use ntsim_core::number::{ToU64, narrow};
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::NTSTATUS;
use sys::wdm::{DRIVER_EXTENSION, DRIVER_OBJECT, PDRIVER_INITIALIZE, UNICODE_STRING};

/// `Type` of a driver object.
const IO_TYPE_DRIVER: i16 = 4;

/// A driver that has been loaded and whose entry point succeeded.
///
/// Dropping it unloads it, unless its machine has been shut down before.
pub struct Driver {
    image: Arc<Image>,
    /// Taken when the driver has been unloaded.
    object: Option<Alone<Object>>,
}

/// The driver object, and what it points to.
struct Object {
    driver: DRIVER_OBJECT,
    extension: DRIVER_EXTENSION,
    name: Vec<u16>,
    registry_path: Vec<u16>,
    registry: UNICODE_STRING,
    service: Vec<u16>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("image", &self.image).finish_non_exhaustive()
    }
}

impl Driver {
    /// Loads the image at `path` and calls its entry point, at PASSIVE_LEVEL.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let (image, warnings) = loader::load(path)?;
        for warning in warnings {
            verifier::report(Finding::new("CodeIntegrity").bugcheck(warning.bugcheck).text(warning.text));
        }
        let no_memory = |source| LoadError::Memory { path: path.into(), source };
        let mut object = Object::new(&image).map_err(no_memory)?;
        let entry = image.at(image.entry).ptr::<()>();
        // SAFETY: the image's header says that its entry point is here; that of a driver has this type.
        let entry: PDRIVER_INITIALIZE = unsafe { core::mem::transmute(entry) };
        object.driver.DriverInit = Some(entry);
        let driver: *mut DRIVER_OBJECT = &raw mut object.driver;
        ob::create(driver.cast(), &KIND);
        let path_argument = &raw mut object.registry;
        // SAFETY: both arguments are valid for as long as the driver may use them: the object until it is
        // unloaded, the path during the call.
        let status = boundary::call_driver("DriverEntry", || unsafe {
            call_image("DriverEntry", entry as *const (), driver.cast(), path_argument.cast()) as NTSTATUS
        });
        if status < 0 {
            leave(image, object);
            return Err(LoadError::Entry { path: path.into(), status: status as u32 });
        }
        // SAFETY: the object is that of the driver that has just been loaded.
        unsafe { io::driver_is_ready(driver) };
        image.discard();
        Ok(Self { image, object: Some(object) })
    }

    /// The driver's image.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// The driver's object, as its devices and other drivers see it.
    pub fn object(&mut self) -> *mut DRIVER_OBJECT {
        self.object.as_mut().map_or(ptr::null_mut(), |object| &raw mut object.driver)
    }

    /// Finds a device for the driver on a bus of the simulator's, and calls its AddDevice at PASSIVE_LEVEL. The device
    /// must be removed before the driver is unloaded.
    ///
    /// # Errors
    /// STATUS_NOT_SUPPORTED of a driver without AddDevice, what the routine returned, or no memory for the device.
    pub fn add_device(&mut self) -> Result<io::PnpDevice, io::StatusError> {
        // SAFETY: the object is there until the driver is unloaded, and its devices are removed before.
        unsafe { io::PnpDevice::add(self.object()) }
    }

    /// Returns whether the driver has an AddDevice.
    pub fn adds_devices(&mut self) -> bool {
        self.object.as_ref().is_some_and(|object| object.extension.AddDevice.is_some())
    }

    /// Calls the driver's unload routine, at PASSIVE_LEVEL, and removes its image. What the driver leaves
    /// behind is a finding.
    pub fn unload(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        if !self.image.is_loaded() {
            return;
        }
        let Some(mut object) = self.object.take() else { return };
        let driver: *mut DRIVER_OBJECT = &raw mut object.driver;
        match object.driver.DriverUnload {
            // SAFETY: the routine is the driver's own, called once with its own object.
            Some(unload) => boundary::call_driver("DriverUnload", || unsafe {
                call_image("DriverUnload", unload as *const (), driver.cast(), ptr::null_mut());
            }),
            None => verifier::report(
                Finding::new("DriverUnload").text(format!("{} has no unload routine", self.image.name)),
            ),
        }
        // SAFETY: the object is the driver's own, which is being unloaded.
        unsafe { io::driver_is_unloaded(driver) };
        leave(Arc::clone(&self.image), object);
    }
}

/// The drivers that references keep after they have been unloaded, or their entry points have failed.
#[derive(Default)]
struct Leaving(Mutex<HashMap<Va, Left>>);

/// The image and the driver object.
type Left = (Arc<Image>, Alone<Object>);

static LEAVING: PerMachine<Leaving> = PerMachine::new();

/// Driver objects. Work items are one reason for a reference: "The I/O manager [...] references the object"
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-ioinitializeworkitem>).
static KIND: ob::Kind = ob::Kind { name: "driver", stays: true, last_handle: |_| (), last_reference: gone };

/// Lets a driver go, whose image stays for as long as something references its object.
fn leave(image: Arc<Image>, object: Alone<Object>) {
    let address = &raw const object.driver;
    LEAVING.get().0.lock().insert(Va::of(address), (image, object));
    ob::dereference(address.cast_mut().cast());
}

fn gone(object: *mut c_void) {
    let left = LEAVING.get().0.lock().remove(&Va::of(object));
    if let Some((image, _object)) = left {
        remove(&image);
    }
}

/// Checks what a driver left behind and removes its image.
fn remove(image: &Image) {
    let leaks = pool::leaks(Some(image));
    if !leaks.is_empty() {
        let count = leaks.len().to_u64();
        let bytes: usize = leaks.iter().map(|leak| leak.size).sum();
        let mut text = format!("{} left {count} pool allocations, {bytes} bytes:", image.name);
        leaks.iter().for_each(|leak| text.push_str(&format!("\n    {leak}")));
        let bugcheck = Bugcheck { code: 0xC4, parameters: [0x62, 0, 0, count] };
        verifier::report(Finding::new("PoolLeak").bugcheck(bugcheck).text(text));
    }
    for object in subsystem::take_live_objects(&(image.base..image.base + image.size)) {
        let bugcheck = Bugcheck { code: 0xCE, parameters: [image.base.bits(), 0, 0, 0] };
        let text = format!("{} was unloaded with {object} in its image", image.name);
        verifier::report(Finding::new("ObjectAtUnload").bugcheck(bugcheck).text(text));
    }
    let threads = ps::running_in(image);
    if threads > 0 {
        let bugcheck = Bugcheck { code: 0xCE, parameters: [image.base.bits(), 0, 0, 0] };
        let text = format!("{} was unloaded while {threads} of its threads ran", image.name);
        verifier::report(Finding::new("ThreadAtUnload").bugcheck(bugcheck).text(text));
    }
    // SAFETY: the driver has said, by returning from its unload routine or failing to start, that
    // nothing of it runs any more. If that is not true, what still does faults in reserved addresses.
    unsafe { loader::unload(image) };
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Object {
    fn new(image: &Image) -> std::io::Result<Alone<Self>> {
        let wide = |text: String| -> Vec<u16> { text.encode_utf16().chain([0]).collect() };
        let service = image.module().to_owned();
        let mut object = Alone::new(Self {
            // SAFETY: all-zero is a valid value: integers, null pointers and no callbacks.
            driver: unsafe { MaybeUninit::zeroed().assume_init() },
            // SAFETY: as above.
            extension: unsafe { MaybeUninit::zeroed().assume_init() },
            name: wide(format!(r"\Driver\{service}")),
            registry_path: wide(format!(r"\Registry\Machine\System\CurrentControlSet\Services\{service}")),
            registry: UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() },
            service: wide(service),
        })?;
        let whole = &mut *object;
        whole.registry = string(&mut whole.registry_path);
        let extension: *mut DRIVER_EXTENSION = &raw mut whole.extension;
        whole.driver.Type = IO_TYPE_DRIVER;
        whole.driver.Size = narrow(size_of::<DRIVER_OBJECT>());
        whole.driver.DriverStart = image.base.ptr::<_>();
        whole.driver.DriverSize = narrow(image.own_size());
        whole.driver.DriverExtension = extension;
        whole.driver.DriverName = string(&mut whole.name);
        whole.extension.DriverObject = &raw mut whole.driver;
        whole.extension.ServiceKeyName = string(&mut whole.service);
        Ok(object)
    }
}

/// A counted string over a terminated one, which it must not outlive.
fn string(text: &mut [u16]) -> UNICODE_STRING {
    let size = narrow(size_of_val(text));
    UNICODE_STRING { Length: size - 2, MaximumLength: size, Buffer: text.as_mut_ptr() }
}
