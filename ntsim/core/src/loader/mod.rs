//! Loading `.sys` images: mapping, relocating, binding imports, protecting sections; and what can be
//! said about an address in one: function, file, line, and who called.
//!
//! Several images may be loaded at a time. An unloaded image's addresses stay reserved and inaccessible,
//! so that a late call into it stops there and can be named.

mod absent;
pub mod atomics;
mod debugger;
mod error;
mod headers;
mod image;
mod lint;
mod map;
pub mod mapping;
mod messages;
mod stack;
mod symbols;
mod unwind;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

pub use error::LoadError;
pub use headers::sum as checksum;
pub use image::Image;
pub use lint::Warning;
pub use map::unload;
pub(crate) use stack::captured as captured_stack;
pub use stack::from_registers;
pub use stack::of_this_thread as stack;
pub use stack::{Frame, Trace};
pub(crate) use unwind::{EXCEPTIONS, Registers, TERMINATIONS};

use self::absent::Absent;
use crate::address::Va;
use crate::per_machine::PerMachine;
use crate::sched;

/// The images of one machine, unloaded ones included.
#[derive(Default)]
struct Images {
    all: RwLock<Vec<Arc<Image>>>,
    /// Functions that no image imports, but reach drivers through tables.
    absent: RwLock<Vec<Absent>>,
}

static IMAGES: PerMachine<Images> = PerMachine::new();

/// The image of the running machine that `address` lies in, loaded or not.
pub fn image_at(address: Va) -> Option<Arc<Image>> {
    // A crash may happen while the list is being changed; then it does without.
    let all = IMAGES.made()?.all.try_read_for(core::time::Duration::from_secs(1))?;
    all.iter().find(|image| image.contains(address)).cloned()
}

/// The name of what the simulator does not have, if `address` stands for that.
pub fn missing(address: Va) -> Option<String> {
    let images = IMAGES.made()?;
    // As for `image_at`.
    let all = images.all.try_read_for(core::time::Duration::from_secs(1))?;
    let absent = images.absent.try_read_for(core::time::Duration::from_secs(1))?;
    let imports = all.iter().filter_map(|image| image.absent.as_ref());
    imports.chain(absent.iter()).find_map(|absent| absent.name(address)).map(str::to_owned)
}

/// Addresses that stand for functions which the simulator does not have, one for each of `names`, for tables through
/// which functions reach drivers. The first call of one stops the machine, with its name and the driver's stack.
///
/// # Errors
/// The host has no room for them.
pub fn absent(names: Vec<String>) -> std::io::Result<Vec<Va>> {
    let count = names.len();
    let Some(absent) = Absent::reserve(names)? else { return Ok(Vec::new()) };
    let addresses = (0..count).map(|number| absent.address(number)).collect();
    IMAGES.get().absent.write().push(absent);
    Ok(addresses)
}

/// The images of the running machine that are loaded.
pub fn loaded_images() -> Vec<Arc<Image>> {
    let Some(images) = IMAGES.made() else { return Vec::new() };
    images.all.read().iter().filter(|image| image.is_loaded()).cloned().collect()
}

/// Removes every image.
///
/// # Safety
/// No code of any of them runs or is used any more.
pub(crate) unsafe fn release_images() {
    // SAFETY: the caller's promise; an image that is in no list any more is released once.
    IMAGES.get().all.write().drain(..).for_each(|image| unsafe { map::release(&image) });
    IMAGES.get().absent.write().clear();
}

/// The functions that images may import: by module and name, the addresses.
#[derive(Default)]
struct Exports(RwLock<HashMap<(&'static str, &'static str), Va>>);

static EXPORTS: PerMachine<Exports> = PerMachine::new();

/// Lets images import these functions: module, name, address.
pub(crate) fn export(functions: impl Iterator<Item = ((&'static str, &'static str), Va)>) {
    EXPORTS.get().0.write().extend(functions);
}

/// Maps the image at `path`, binds its imports to the simulator's functions and protects its sections. Also returns
/// what memory integrity would refuse of it.
///
/// # Errors
/// Where the file is no x64 driver image, or imports what the simulator does not have.
pub fn load(path: &Path) -> Result<(Arc<Image>, Vec<Warning>), LoadError> {
    let (image, warnings) = map::map(path)?;
    let image = Arc::new(image);
    debugger::tell(&image);
    IMAGES.get().all.write().push(Arc::clone(&image));
    if let (Some(turns), Some(plan)) = (sched::schedule(), image.atomics) {
        turns.loaded(plan.points());
    }
    Ok((image, warnings))
}

/// Maps an image from its bytes as [`load`] does, and releases it again. Nothing of it runs, so the bytes may be
/// anything.
///
/// # Errors
/// As [`load`] has them.
///
/// # Panics
/// If no machine is running.
pub fn examine(data: &[u8]) -> Result<(), LoadError> {
    let (image, _) = map::map_bytes(Path::new("examined.sys"), data)?;
    // SAFETY: nothing has the image but this function.
    unsafe { map::release(&image) };
    Ok(())
}

/// The address of a function of the simulator, as an image that imports it by these names gets it.
pub fn routine(module: &str, name: &str) -> Option<*const ()> {
    // The kernel and the HAL are one module since Windows 10 version 2004; import libraries name either.
    let other = match module {
        "hal.dll" => "ntoskrnl.exe",
        "ntoskrnl.exe" => "hal.dll",
        _ => module,
    };
    let table = EXPORTS.get().0.read();
    let address = table.get(&(module, name)).or_else(|| table.get(&(other, name)));
    address.map(|address| address.ptr::<()>().cast_const())
}

/// The function that the code at `address` belongs to, as well as it is known.
pub fn name(address: Va) -> String {
    match image_at(address) {
        // A frame's address is one behind its call.
        Some(image) => Frame::Driver { image, address: address + 1 }.to_string(),
        None => format!("{address:#x}"),
    }
}

/// The image that `address` lies in, and how far.
pub(crate) fn place(address: Va) -> Option<String> {
    image_at(address).map(|image| format!("{}+{:#x}", image.name, address - image.base))
}

/// The image whose code called the emulated function that the calling thread is in.
pub fn caller() -> Option<Arc<Image>> {
    image_at(sched::local::innermost()?.return_address())
}
