//! Contexts: the memory that a driver keeps in an object.

use core::ptr;

use ntsim_core::address::Va;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdf::{
    PFN_WDF_OBJECT_CONTEXT_CLEANUP, PFN_WDF_OBJECT_CONTEXT_DESTROY, WDF_OBJECT_ATTRIBUTES,
    WDF_OBJECT_CONTEXT_TYPE_INFO,
};

use crate::mm::Block;

/// Memory of one type, with the callbacks that were set along with it.
pub(super) struct Context {
    /// The description that stands for its type; 0 if it has none.
    kind: Va,
    block: Block,
    pub(super) cleanup: Option<PFN_WDF_OBJECT_CONTEXT_CLEANUP>,
    pub(super) destroy: Option<PFN_WDF_OBJECT_CONTEXT_DESTROY>,
}

impl Context {
    /// A context as attributes ask for it; of no type and no size without them.
    ///
    /// # Safety
    /// The type that the attributes name is a valid description.
    pub(super) unsafe fn new(attributes: Option<&WDF_OBJECT_ATTRIBUTES>) -> Result<Self, NTSTATUS> {
        let kind = attributes.map_or(ptr::null(), |attributes| attributes.ContextTypeInfo);
        // SAFETY: the caller's contract.
        let described = unsafe { kind.as_ref() }.map_or(0, |kind| kind.ContextSize);
        let size = match attributes {
            Some(attributes) if attributes.ContextSizeOverride > 0 => attributes.ContextSizeOverride,
            _ => described,
        };
        Ok(Self {
            // SAFETY: the caller's contract.
            kind: Va::of(unsafe { unique(kind) }),
            block: Block::new(size.max(1)).ok_or(STATUS_INSUFFICIENT_RESOURCES)?,
            cleanup: attributes.and_then(|attributes| attributes.EvtCleanupCallback),
            destroy: attributes.and_then(|attributes| attributes.EvtDestroyCallback),
        })
    }

    /// The address of the memory.
    pub(super) fn address(&self) -> Va {
        Va::of(self.block.as_ptr::<u8>())
    }

    /// Returns whether it is of the type that a description stands for.
    ///
    /// # Safety
    /// `kind` is a valid description.
    pub(super) unsafe fn is_of(&self, kind: *const WDF_OBJECT_CONTEXT_TYPE_INFO) -> bool {
        // SAFETY: the caller's contract.
        !self.kind.is_null() && self.kind == Va::of(unsafe { unique(kind) })
    }
}

/// The one description that stands for a type among those of several compilation units.
///
/// # Safety
/// `kind` is null or a valid description.
unsafe fn unique(kind: *const WDF_OBJECT_CONTEXT_TYPE_INFO) -> *const WDF_OBJECT_CONTEXT_TYPE_INFO {
    // SAFETY: the caller's contract.
    let Some(known) = (unsafe { kind.as_ref() }) else { return kind };
    match known.EvtDriverGetUniqueContextType {
        // SAFETY: the function belongs to the description and takes nothing.
        Some(find) => unsafe { find() },
        None if !known.UniqueType.is_null() => known.UniqueType,
        None => kind,
    }
}
