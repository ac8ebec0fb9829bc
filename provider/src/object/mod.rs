//! State and operations common to all objects: memory, references, DPC, timer and close.
//!
//! # The life of an object
//!
//! [`Object::create`] allocates. While the consumer uses the object, everything of ours that needs it
//! owns an [`ObjectRef`]; dropping the last one after the close has started frees it. The teardown has one
//! order:
//!
//! 1. the object's memory is freed;
//! 2. its type-specific state is taken apart: endpoints, queues and tables go, what must outlive it
//!    ([`ObjectType::Antecedents`]) stays;
//! 3. the consumer's close completion is called, if the close was pending;
//! 4. the antecedent references are dropped, which may free the antecedents in their turn (CL-5, CL-6).
//!
//! A pending close is always completed from a DPC, never inside another call of the consumer:
//! a hold may be dropped anywhere up to DISPATCH_LEVEL, and the stack stays shallow however many
//! antecedents follow.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

mod close;
mod dpc;
mod layout;
mod object_ref;
mod registry;
mod resumption;
mod timer;
mod vector;

pub use close::Waiter;
pub use layout::{CoreLayout, RefLayout};
pub use object_ref::ObjectRef;
pub use registry::{Id, OnNetwork, Reason, Registry, UnknownHandle};
pub(crate) use resumption::{Resume, Resumption};
pub use timer::ObjectTimer;
pub use vector::Vector;

use close::PendingClose;
pub(crate) use dpc::TIMER;

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU64;

use sys::ndk::{NDK_OBJECT_HEADER, NDK_OBJECT_HEADER_RESERVED_BLOCK, NDK_OBJECT_TYPE, NDK_VERSION};

use crate::heap::{self, NoMemory};
use crate::kernel::event::{self, Event, Handle};
use crate::kernel::{Dpc, Kernel, Lock};
use crate::lifetime::{AcquireError, Holds, Kind, Lifetime};
use crate::sync::AtomicU32;

/// Type-specific part of an object.
pub trait ObjectType<K: Kernel>: Sized + Send + Sync + 'static {
    /// The number that names the kind (OBJ-1).
    const TYPE: NDK_OBJECT_TYPE;

    /// The antecedent references, which are kept until the close completion has returned.
    type Antecedents: Send;

    /// Offsets of the references to antecedents that every object of the kind has in it, for a debugger; 0 where there
    /// are fewer.
    const REFERENCES: [usize; 3] = [0; 3];

    /// The registry that has the object while it exists: its RNIC's.
    fn registry(&self) -> &Registry<K>;

    /// Names the antecedents: the objects on which this one has a hold as their successor, each as often as
    /// it has. Called with the registry's lock held; may take the object's own.
    fn antecedents(&self, name: &mut dyn FnMut(Id));

    /// The state of the object's connection or port of TCP, if there is one that is not closed. As for
    /// [`ObjectType::antecedents`].
    fn on_network(&self) -> Option<OnNetwork> {
        None
    }

    /// The object's timer, if it has one.
    fn timer(&self) -> Option<&ObjectTimer<K>> {
        None
    }

    /// The vector of its notifications, if a consumer's data path causes them; it queues the object's DPC.
    fn vector(&self) -> Option<&Vector<K>> {
        None
    }

    /// Begins what closing needs: refuse what is new, cancel what is pending. The object stays alive
    /// during the call. Up to DISPATCH_LEVEL.
    fn start_close(object: &Object<K, Self>);

    /// Takes the object apart: drops everything but the antecedent references.
    fn into_antecedents(self) -> Self::Antecedents;

    /// Makes the consumer's callbacks for `events`, the bits that `Object::post` was given since the last
    /// call, and `TIMER`. At DISPATCH_LEVEL, never on two processors at once for one object.
    fn deliver(object: &Object<K, Self>, events: u32);
}

/// The part that the consumer sees: all ten objects of NDKPI begin with it.
#[repr(C)]
struct Public {
    header: NDK_OBJECT_HEADER,
    /// Set once and never read back: the NDK layer may swap it (OBJ-4).
    dispatch: *const c_void,
}

/// State of an object that does not depend on its type.
#[repr(C)]
pub(crate) struct Core<K: Kernel> {
    /// The NDK layer writes to it at any time.
    public: UnsafeCell<Public>,
    version: NDK_VERSION,
    kind: NDK_OBJECT_TYPE,
    lifetime: Lifetime,
    /// The time at which the object was closed while something held it, as [`Kernel::event_time`] has it; 0 before.
    pending_since: AtomicU64,
    /// In the registry.
    place: registry::Place<K>,
    /// Events to deliver and the state of the DPC, see [`dpc`].
    events: AtomicU32,
    dpc: K::Dpc,
    close: Lock<K, Option<PendingClose<K>>>,
    /// Frees the object and completes its close, see [`close`]; knows its kind.
    free_and_complete: unsafe fn(NonNull<Core<K>>),
    /// Delivers events; knows the object's kind.
    deliver: unsafe fn(NonNull<Core<K>>, u32),
    /// Names the object's antecedents; knows its kind.
    antecedents: registry::Antecedents<K>,
    /// Tells what it waits for from TCP; knows its kind.
    on_network: registry::Network<K>,
}

/// An NDK object of kind `B`. The consumer holds it as a pointer to its public part.
#[repr(C)]
pub struct Object<K: Kernel, B: ObjectType<K>> {
    core: Core<K>,
    body: B,
}

// SAFETY: the public part is written at creation only; the raw pointers in it belong to the NDK layer.
unsafe impl<K: Kernel, B: ObjectType<K>> Send for Object<K, B> {}
// SAFETY: as above; everything else in an object is Sync.
unsafe impl<K: Kernel, B: ObjectType<K>> Sync for Object<K, B> {}

impl<K: Kernel, B: ObjectType<K>> core::ops::Deref for Object<K, B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.body
    }
}

impl<K: Kernel, B: ObjectType<K>> Object<K, B> {
    /// The offset of the part that its type alone has, for a debugger.
    pub(crate) const BODY: usize = core::mem::offset_of!(Self, body);

    /// The offset of something in that part.
    pub(crate) const fn at(offset: usize) -> usize {
        Self::BODY.saturating_add(offset)
    }

    /// Allocates an object of interface `version` around `body`. The caller owns it until it hands the
    /// pointer to the consumer, whose close ends it.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the body, and with it what it holds, is dropped.
    pub fn create<D>(version: NDK_VERSION, dispatch: &'static D, body: B) -> Result<NonNull<Self>, NoMemory> {
        let header = NDK_OBJECT_HEADER {
            Version: version,
            ObjectType: B::TYPE,
            NdkReserved: NDK_OBJECT_HEADER_RESERVED_BLOCK { rf: [core::ptr::null_mut(); 4] },
        };
        let core = Core {
            public: UnsafeCell::new(Public { header, dispatch: core::ptr::from_ref(dispatch).cast() }),
            version,
            kind: B::TYPE,
            lifetime: Lifetime::new(),
            pending_since: AtomicU64::new(0),
            place: registry::Place::new(),
            events: AtomicU32::new(0),
            dpc: K::Dpc::new(),
            close: Lock::<K, _>::new(None),
            free_and_complete: close::free_and_complete::<K, B>,
            deliver: dpc::deliver::<K, B>,
            antecedents: registry::antecedents::<K, B>,
            on_network: registry::on_network::<K, B>,
        };
        let object = heap::place(Self { core, body })?;
        dpc::initialise(object.cast::<Core<K>>());
        timer::initialise(object);
        vector::initialise(object);
        // SAFETY: the object was placed just now.
        let registry = unsafe { object.as_ref() }.body.registry();
        // SAFETY: the object is new; `free` takes it off before it frees it.
        unsafe { registry.add(object.cast()) };
        event::write::<K>(|| Event::ObjectCreated { kind: B::TYPE, object: Handle(object.addr().get()) });
        Ok(object)
    }

    /// The version of the interface that the object keeps to.
    pub fn version(&self) -> NDK_VERSION {
        self.core.version
    }

    /// Returns a snapshot of the object's counts.
    pub fn holds(&self) -> Holds {
        self.core.lifetime.holds()
    }

    /// Takes a hold.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Closing`] once the consumer has closed the object.
    pub fn try_acquire(&self, kind: Kind) -> Result<ObjectRef<K, B>, AcquireError> {
        self.core.lifetime.try_acquire(kind)?;
        // SAFETY: the hold was taken just now and is given to the value alone.
        Ok(unsafe { ObjectRef::adopt(NonNull::from(self), kind) })
    }

    /// Has `events` delivered by [`ObjectType::deliver`] in a DPC. Up to DISPATCH_LEVEL, with no lock
    /// held. The call may be made before this returns, and whatever the consumer does in it may end the
    /// object, unless the caller owns a hold.
    pub(crate) fn post(&self, events: u32) {
        dpc::post(self, events);
    }
}
