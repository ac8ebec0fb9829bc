//! An open adapter, the root of all other objects, its protection domains, and the state of the RNIC below.

mod counters;
mod rnic_state;

pub use counters::Statistics;
pub(crate) use counters::{Counters, Stripe};
pub(crate) use rnic_state::RnicState;
pub use rnic_state::WireSettings;

use sys::ndk::NDK_OBJECT_TYPE;

use crate::completion::{CompletionQueue, CqAdapter};
use crate::heap::{NoMemory, Shared};
use crate::kernel::Kernel;
use crate::memory::{self, Mappings, ProtectionDomain};
use crate::object::{Id, Object, ObjectRef, ObjectType, Registry};

/// One opening of an RNIC. Several may exist at a time (VER-2); each has a token table of its own.
pub(crate) struct Adapter<K: Kernel> {
    rnic: Shared<RnicState<K>>,
    table: memory::Table<K, Pd<K>>,
    /// True if a CQ notification may be called inside the call that causes it, as the RNIC had it at the opening.
    immediate: bool,
}

impl<K: Kernel> Adapter<K> {
    /// The offset of the token table, for a debugger.
    pub(crate) const TABLE: usize = core::mem::offset_of!(Self, table);

    /// An opening of `rnic`.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(rnic: Shared<RnicState<K>>) -> Result<Self, NoMemory> {
        let immediate = rnic.notifies_immediately();
        Ok(Self { rnic, table: memory::Table::new()?, immediate })
    }

    /// Returns true if a CQ notification may be called inside the call that causes it.
    pub(crate) fn notifies_immediately(&self) -> bool {
        self.immediate
    }

    /// The RNIC below.
    pub(crate) fn rnic(&self) -> &Shared<RnicState<K>> {
        &self.rnic
    }

    /// The tokens of this opening.
    pub(crate) fn table(&self) -> &memory::Table<K, Pd<K>> {
        &self.table
    }
}

impl<K: Kernel> ObjectType<K> for Adapter<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeAdapter;

    type Antecedents = ();

    fn registry(&self) -> &Registry<K> {
        self.rnic.objects()
    }

    fn antecedents(&self, _: &mut dyn FnMut(Id)) {}

    /// A mere dereference: closing waits for the descendants (CL-5).
    fn start_close(_: &Object<K, Self>) {}

    fn into_antecedents(self) -> Self::Antecedents {}

    /// An adapter has no callbacks.
    fn deliver(_: &Object<K, Self>, _: u32) {}
}

impl<K: Kernel> CqAdapter<K> for Adapter<K> {
    fn notifies_immediately(&self) -> bool {
        self.immediate
    }

    fn count_cq_error(&self) {
        self.rnic.counters().cq_error();
    }
}

/// A completion queue of an adapter.
pub(crate) type Cq<K> = CompletionQueue<K, Adapter<K>>;

/// A protection domain: what may be used together.
pub(crate) struct Pd<K: Kernel> {
    adapter: ObjectRef<K, Adapter<K>>,
}

impl<K: Kernel> Pd<K> {
    pub(crate) fn new(adapter: ObjectRef<K, Adapter<K>>) -> Self {
        Self { adapter }
    }

    /// The adapter that it belongs to.
    pub(crate) fn adapter(&self) -> &Object<K, Adapter<K>> {
        &self.adapter
    }
}

impl<K: Kernel> ProtectionDomain<K> for Pd<K> {
    fn table(&self) -> &memory::Table<K, Self> {
        self.adapter.table()
    }

    fn mappings(&self) -> &Mappings<K> {
        self.adapter.rnic().mappings()
    }
}

/// A memory region of a protection domain.
pub(crate) type Mr<K> = memory::Mr<K, Pd<K>>;

/// A memory window of a protection domain.
pub(crate) type Mw<K> = memory::Mw<K, Pd<K>>;

/// A region or a window.
pub(crate) type RegionOrWindow<K> = memory::RegionOrWindow<K, Pd<K>>;

/// A registration that a work request will make valid.
pub(crate) type PendingRegistration<K> = memory::PendingRegistration<K, Pd<K>>;

/// A list whose every entry was admitted.
pub(crate) type PinnedSgl<'t, K> = memory::PinnedSgl<'t, K, Pd<K>>;

/// A list of one entry that was admitted, of contiguous memory.
pub(crate) type PinnedEntry<'t, K> = memory::PinnedEntry<'t, K, Pd<K>>;

impl<K: Kernel> ObjectType<K> for Pd<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypePd;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, adapter)), 0, 0];

    type Antecedents = ObjectRef<K, Adapter<K>>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    /// A mere dereference: closing waits for the regions and queue pairs (CL-5).
    fn start_close(_: &Object<K, Self>) {}

    fn into_antecedents(self) -> Self::Antecedents {
        self.adapter
    }

    /// A protection domain has no callbacks.
    fn deliver(_: &Object<K, Self>, _: u32) {}
}
