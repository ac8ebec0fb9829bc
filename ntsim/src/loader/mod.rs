//! Loading `.sys` images: mapping, relocating, binding imports, protecting sections; and what can be
//! said about an address in one: function, file, line, and who called.
//!
//! Several images may be loaded at a time. An unloaded image's addresses stay reserved and inaccessible,
//! so that a late call into it stops there and can be named.

pub(crate) mod atomics;
mod crash;
mod cross;
mod driver;
mod emulate;
mod error;
mod headers;
mod image;
mod last_words;
mod lint;
mod map;
mod mapping;
mod stack;
mod symbols;
mod system_call;
#[cfg(test)]
mod tests;
mod unwind;

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

pub use atomics::Points;
pub(crate) use crash::{AlternateStack, install as install_crash_handler, not_attached, stop};
pub(crate) use cross::Crossing;
pub use driver::Driver;
pub use error::LoadError;
pub use image::Image;
pub(crate) use stack::of_this_thread as stack;
pub use stack::{Frame, Trace};

use crate::machine;

/// The images of one machine, unloaded ones included.
#[derive(Default)]
pub(crate) struct Images {
    all: RwLock<Vec<Arc<Image>>>,
}

impl Images {
    /// The image that `address` lies in, loaded or not.
    pub(crate) fn at(&self, address: u64) -> Option<Arc<Image>> {
        // A crash may happen while the list is being changed; then it does without.
        let all = self.all.try_read_for(core::time::Duration::from_secs(1))?;
        all.iter().find(|image| image.contains(address)).cloned()
    }

    /// Removes every image.
    ///
    /// # Safety
    /// Nobody runs or uses any of them any more.
    pub(crate) unsafe fn clear(&self) {
        // SAFETY: the caller's promise; an image that is in no list any more is released once.
        self.all.write().drain(..).for_each(|image| unsafe { map::release(&image) });
    }

    fn add(&self, image: Arc<Image>) {
        self.all.write().push(image);
    }
}

/// Maps the image at `path`, binds its imports to the simulator's functions and protects its sections.
///
/// # Errors
/// Where the file is no x64 driver image, or imports what the simulator does not have.
pub(crate) fn load(path: &Path) -> Result<Arc<Image>, LoadError> {
    let image = Arc::new(map::map(path)?);
    let machine = machine::current();
    machine.images.add(Arc::clone(&image));
    if let (Some(turns), Some(plan)) = (&machine.turns, image.atomics) {
        turns.loaded(plan.points());
    }
    Ok(image)
}

/// Maps an image from its bytes as [`Machine::load`](crate::Machine::load) does, and releases it again. Nothing of it
/// runs, so the bytes may be anything.
///
/// # Errors
/// As [`Machine::load`](crate::Machine::load) has them, up to the call of the entry point.
///
/// # Panics
/// If no machine is running.
pub fn examine(data: &[u8]) -> Result<(), LoadError> {
    let image = map::map_bytes(Path::new("examined.sys"), data)?;
    // SAFETY: nothing has the image but this function.
    unsafe { map::release(&image) };
    Ok(())
}

/// The address of a function of the simulator, as an image that imports it by these names gets it.
pub(crate) fn routine(module: &str, name: &str) -> Option<*const ()> {
    map::resolve(module, name).map(|export| export.address)
}

/// The function at which `address` is, as well as it is known.
pub(crate) fn name(address: u64) -> String {
    match machine::current().images.at(address) {
        // A frame's address is one behind its call.
        Some(image) => Frame::Driver { image, address: address + 1 }.to_string(),
        None => format!("{address:#x}"),
    }
}

/// The image whose code called the emulated function that the calling thread is in.
pub(crate) fn caller() -> Option<Arc<Image>> {
    let entry = crate::sched::local::innermost()?;
    machine::current().images.at(entry.return_address())
}
