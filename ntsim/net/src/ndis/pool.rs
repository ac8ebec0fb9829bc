//! Net buffer lists and the pools that they come from.

use core::mem::size_of;
use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use nt::fault;
use nt::mm::Block;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::u64_of;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::wdm::MDL;

use super::header::{self, Expected};
use super::{check_owner, ndis, violation};

const PARAMETERS: Expected = Expected {
    name: "NET_BUFFER_LIST_POOL_PARAMETERS",
    kind: NDIS_OBJECT_TYPE_DEFAULT,
    revisions: &[(1, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1)],
};

/// `MEMORY_ALLOCATION_ALIGNMENT` of ntdef.h, in bytes.
const MEMORY_ALLOCATION_ALIGNMENT: usize = 16;

/// The pools and lists of one machine.
#[derive(Default)]
struct Pools {
    /// By handle.
    pools: Mutex<HashMap<Va, Arc<Pool>>>,
    /// By the list's address.
    lists: Mutex<HashMap<Va, List>>,
}

static POOLS: PerMachine<Pools> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    POOLS.get().inspect();
}

impl Pools {
    fn inspect(&self) {
        for (handle, pool) in &*self.pools.lock() {
            let text = format!("the net buffer list pool {handle:#x}, tag {:?}, was never freed", pool.tag);
            violation("NdisFreeNetBufferListPool", [0, (*handle).bits(), 0, 0], text);
        }
    }
}

struct Pool {
    /// The adapter or driver that it belongs to; 0 for NDIS itself.
    owner: Va,
    tag: String,
    context_size: u16,
    allocates_buffer: bool,
}

/// A list of a pool.
struct List {
    pool: Va,
    _block: Block,
    /// Further buffers; those and MDLs of a clone.
    more: Vec<Block>,
    /// Its owner at the moment, if it is on its way.
    passed_to: Option<&'static str>,
}

fn pools() -> &'static Pools {
    POOLS.get()
}

/// Reports the pools of an adapter that are left when it is gone.
pub(super) fn check_none_left(owner: Va, when: &str) {
    let mut live = pools().pools.lock();
    let before = live.len();
    live.retain(|_, pool| pool.owner != owner);
    let left = before - live.len();
    drop(live);
    if left > 0 {
        let text = format!("{when} and left {left} net buffer list pools");
        violation("NdisFreeNetBufferListPool", [0, owner.bits(), 0, 0], text);
    }
}

/// Notes that a list is passed on; if it was on its way already, that is a finding, and `false`.
pub(super) fn pass(list: *mut NET_BUFFER_LIST, to: &'static str) -> bool {
    let mut lists = pools().lists.lock();
    let Some(known) = lists.get_mut(&Va::of(list)) else {
        drop(lists);
        let text = format!("{list:p} is no net buffer list of any pool");
        violation("NdisNetBufferList", [0x05, 0, Va::of(list).bits(), 0], text);
        return false;
    };
    if let Some(before) = known.passed_to {
        drop(lists);
        let text = format!("the net buffer list {list:p} is passed to {to} while it is with {before}");
        violation("NdisNetBufferList", [0x05, 0, Va::of(list).bits(), 0], text);
        return false;
    }
    known.passed_to = Some(to);
    true
}

/// Notes that a list has come back from `from`; if it was not there, that is a finding, and `false`.
pub(super) fn take_back(list: *mut NET_BUFFER_LIST, from: &'static str) -> bool {
    let mut lists = pools().lists.lock();
    let was = lists.get_mut(&Va::of(list)).and_then(|known| known.passed_to.take());
    drop(lists);
    if was == Some(from) {
        return true;
    }
    let text = format!(
        "the net buffer list {list:p} comes back from {from}, but was with {}",
        was.unwrap_or("neither side")
    );
    violation("NdisNetBufferList", [0x06, 0, Va::of(list).bits(), 0], text);
    false
}

/// Makes a list with one buffer over a part of an MDL chain.
///
/// # Safety
/// `chain` is null or a chain of lists that outlives the result, and has `offset + length` bytes.
pub(super) unsafe fn make(
    pool: Va,
    context_size: u16,
    chain: *mut MDL,
    offset: u32,
    length: usize,
) -> Option<*mut NET_BUFFER_LIST> {
    let head = size_of::<NET_BUFFER_LIST>();
    let context = size_of::<NET_BUFFER_LIST_CONTEXT>() + usize::from(context_size);
    let block = Block::new(head + size_of::<NET_BUFFER>() + context)?;
    let list = block.as_ptr::<NET_BUFFER_LIST>();
    let buffer = list.wrapping_byte_add(head).cast::<NET_BUFFER>();
    // SAFETY: the block is zeroed, which is a valid buffer, and has room for it after the list.
    let net_buffer = unsafe { &mut *buffer };
    net_buffer.MdlChain = chain;
    net_buffer.DataOffset = offset;
    net_buffer.DataLength = length;
    net_buffer.NdisPoolHandle = pool.ptr();
    // SAFETY: the caller's contract.
    (net_buffer.CurrentMdl, net_buffer.CurrentMdlOffset) = unsafe { locate(chain, offset) };
    // SAFETY: the block is zeroed, which is a valid list, and has room for it.
    let net_list = unsafe { &mut *list };
    net_list.FirstNetBuffer = buffer;
    net_list.NdisPoolHandle = pool.ptr();
    if context_size > 0 {
        let at = buffer.wrapping_add(1).cast::<NET_BUFFER_LIST_CONTEXT>();
        // SAFETY: the block has room for the context after the buffer.
        let context = unsafe { &mut *at };
        context.Size = context_size;
        context.Offset = 0;
        net_list.Context = at;
    }
    let record = List { pool, _block: block, more: Vec::new(), passed_to: None };
    pools().lists.lock().insert(Va::of(list), record);
    Some(list)
}

/// Adds a buffer at the end of a list that [`make`] has made.
///
/// # Safety
/// As for [`make`]; the list exists, and no driver has it.
pub(super) unsafe fn add_buffer(
    list: *mut NET_BUFFER_LIST,
    chain: *mut MDL,
    offset: u32,
    length: usize,
) -> Option<()> {
    let block = Block::new(size_of::<NET_BUFFER>())?;
    let buffer = block.as_ptr::<NET_BUFFER>();
    // SAFETY: the block is zeroed, which is a valid buffer, and has room for it.
    let net_buffer = unsafe { &mut *buffer };
    (net_buffer.MdlChain, net_buffer.DataOffset, net_buffer.DataLength) = (chain, offset, length);
    // SAFETY: the caller's contract.
    (net_buffer.CurrentMdl, net_buffer.CurrentMdlOffset) = unsafe { locate(chain, offset) };
    let mut lists = pools().lists.lock();
    lists.get_mut(&Va::of(list))?.more.push(block);
    // SAFETY: the caller's contract.
    let mut last = unsafe { (*list).FirstNetBuffer };
    // SAFETY: the buffers of a list that exists are valid.
    while let Some(next) = unsafe { last.as_ref() }.map(|last| last.Next).filter(|next| !next.is_null()) {
        last = next;
    }
    // SAFETY: a list that was made has a buffer.
    unsafe { (*last).Next = buffer };
    Some(())
}

/// The MDL in which an offset lies, and where in it.
///
/// # Safety
/// `chain` is null or a chain of lists.
pub(super) unsafe fn locate(chain: *mut MDL, offset: u32) -> (*mut MDL, u32) {
    let (mut mdl, mut left) = (chain, offset);
    // SAFETY: the caller's contract.
    while let Some(list) = unsafe { mdl.as_ref() } {
        if left < list.ByteCount || list.Next.is_null() {
            break;
        }
        left -= list.ByteCount;
        mdl = list.Next;
    }
    (mdl, left)
}

/// Makes a list over buffers that lie in `memory`, as a clone of `original`.
pub(super) fn make_clone(
    pool: Va,
    original: *mut NET_BUFFER_LIST,
    first: *mut NET_BUFFER,
    memory: Vec<Block>,
) -> Option<*mut NET_BUFFER_LIST> {
    let block = Block::new(size_of::<NET_BUFFER_LIST>())?;
    let list = block.as_ptr::<NET_BUFFER_LIST>();
    // SAFETY: the block is zeroed, which is a valid list, and has room for it.
    let net_list = unsafe { &mut *list };
    net_list.FirstNetBuffer = first;
    net_list.ParentNetBufferList = original;
    net_list.NdisPoolHandle = pool.ptr();
    let record = List { pool, _block: block, more: memory, passed_to: None };
    pools().lists.lock().insert(Va::of(list), record);
    Some(list)
}

/// Returns whether a list exists.
pub(super) fn exists(list: *mut NET_BUFFER_LIST) -> bool {
    pools().lists.lock().contains_key(&Va::of(list))
}

/// The list that a list is a clone of.
pub(super) fn parent(list: *mut NET_BUFFER_LIST) -> Option<*mut NET_BUFFER_LIST> {
    // SAFETY: a list that exists is valid.
    let parent = exists(list).then(|| unsafe { (*list).ParentNetBufferList })?;
    (!parent.is_null()).then_some(parent)
}

/// Frees a list.
pub(super) fn free(list: *mut NET_BUFFER_LIST) {
    match pools().lists.lock().remove(&Va::of(list)) {
        None => misuse(list, "is no net buffer list, or was freed before"),
        Some(List { passed_to: Some(to), .. }) => {
            misuse(list, &format!("is freed while it is with {to}"));
        }
        Some(_) => {}
    }
}

exports! {
    "ndis.sys", signature;

    /// Makes a pool of net buffer lists.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateNetBufferListPool(
        owner: NDIS_HANDLE,
        parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
    ) -> NDIS_HANDLE {
        // SAFETY: the driver passes parameters, which begin with their head.
        if !unsafe { header::check(parameters.cast(), &PARAMETERS) } || fault::strikes() {
            return ptr::null_mut();
        }
        // SAFETY: the head says that the structure has this size.
        let parameters = unsafe { &*parameters };
        if parameters.PoolTag == 0 {
            let text = "a net buffer list pool without a tag".into();
            violation("NdisAllocateNetBufferListPool", [0, Va::of(owner).bits(), 0, 0], text);
        }
        // The handle is optional, the page says.
        if !owner.is_null() {
            check_owner(owner, "NdisAllocateNetBufferListPool");
        }
        check_context(usize::from(parameters.ContextSize));
        let pool = Pool {
            owner: Va::of(owner),
            tag: String::from_utf8_lossy(&parameters.PoolTag.to_le_bytes()).into_owned(),
            context_size: parameters.ContextSize,
            allocates_buffer: parameters.fAllocateNetBuffer != 0,
        };
        let handle = ndis().new_handle();
        pools().pools.lock().insert(handle, Arc::new(pool));
        handle.ptr()
    }

    /// Frees a pool, whose lists must have been freed.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeNetBufferListPool(handle: NDIS_HANDLE) {
        if pools().pools.lock().remove(&Va::of(handle)).is_none() {
            let text = format!("{handle:p} is no pool, or was freed before");
            violation("NdisFreeNetBufferListPool", [0, Va::of(handle).bits(), 0, 0], text);
            return;
        }
        let left = pools().lists.lock().values().filter(|list| list.pool == Va::of(handle)).count();
        if left > 0 {
            let text = format!("a pool is freed with {left} of its lists outstanding");
            violation("NdisFreeNetBufferListPool", [0x27, 1, Va::of(handle).bits(), 0], text);
        }
    }

    /// Makes a list with one buffer over a part of an MDL chain.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisAllocateNetBufferAndNetBufferList(
        handle: NDIS_HANDLE,
        context_size: u16,
        back_fill: u16,
        chain: *mut MDL,
        offset: u32,
        length: usize,
    ) -> *mut NET_BUFFER_LIST {
        let Some(pool) = pools().pools.lock().get(&Va::of(handle)).cloned() else {
            violation(
                "NdisHandle",
                [0, Va::of(handle).bits(), 0, 0],
                format!("{handle:p} is no net buffer list pool"),
            );
            return ptr::null_mut();
        };
        if !pool.allocates_buffer {
            let text = "NdisAllocateNetBufferAndNetBufferList with a pool that was not made for it".into();
            violation("NdisNetBufferList", [0, Va::of(handle).bits(), 0, 0], text);
        }
        check_context(usize::from(context_size));
        check_context(usize::from(back_fill));
        if chain.is_null() && (offset != 0 || length != 0) {
            let text = "a net buffer with data, but without an MDL".into();
            violation("NdisNetBufferList", [0, Va::of(handle).bits(), 0, 0], text);
        }
        if fault::strikes() {
            return ptr::null_mut();
        }
        let context_size = context_size.max(pool.context_size);
        // SAFETY: the driver vouches for the chain.
        unsafe { make(Va::of(handle), context_size, chain, offset, length) }.unwrap_or(ptr::null_mut())
    }

    /// Frees a list.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisFreeNetBufferList(list: *mut NET_BUFFER_LIST) {
        free(list);
    }
}

/// Checks a size of context, which "must be a multiple of the value that is defined by MEMORY_ALLOCATION_ALIGNMENT"
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/nblapi/ns-nblapi-net_buffer_list_pool_parameters>).
fn check_context(size: usize) {
    if !size.is_multiple_of(MEMORY_ALLOCATION_ALIGNMENT) {
        let text = format!("{size} bytes of context are no multiple of {MEMORY_ALLOCATION_ALIGNMENT}");
        violation("NdisContextSize", [0, u64_of(size), 0, 0], text);
    }
}

#[cold]
fn misuse(list: *mut NET_BUFFER_LIST, what: &str) {
    violation("NdisNetBufferList", [0x06, 0, Va::of(list).bits(), 0], format!("{list:p} {what}"));
}
