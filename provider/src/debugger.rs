//! The layout of objects for a debugger that has no private symbols: offsets that an extension reads from the image.

use core::ffi::c_void;

use crate::adapter::{Adapter, Cq, Mr, Mw, Pd};
use crate::connection::{Connector, Listener, SharedEndpoint};
use crate::kernel::Kernel;
use crate::object::{CoreLayout, Object};
use crate::queue_pair::{Qp, Srq};
use crate::rnic::Rnic;

/// The layout of the objects of an RNIC, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Layout {
    /// Of what all objects begin with.
    pub core: CoreLayout,
    /// The size of each kind of object, by its NDK_OBJECT_TYPE; zero where there is no such kind.
    pub sizes: [usize; 11],
}

impl Layout {
    /// The layout in a driver that runs on the kernel `K`.
    #[must_use]
    pub const fn of<K: Kernel>() -> Self {
        let sizes = [
            0,
            size_of::<Object<K, Adapter<K>>>(),
            size_of::<Object<K, Qp<K>>>(),
            size_of::<Object<K, Cq<K>>>(),
            size_of::<Object<K, Mr<K>>>(),
            size_of::<Object<K, Mw<K>>>(),
            size_of::<Object<K, Pd<K>>>(),
            size_of::<Object<K, SharedEndpoint<K>>>(),
            size_of::<Object<K, Connector<K>>>(),
            size_of::<Object<K, Listener<K>>>(),
            size_of::<Object<K, Srq<K>>>(),
        ];
        Self { core: CoreLayout::of::<K>(), sizes }
    }
}

/// The place of the pointer to an RNIC's first object, as long as the RNIC is there.
#[must_use]
pub fn objects<K: Kernel>(rnic: &Rnic<K>) -> *const c_void {
    rnic.state().objects().first()
}
