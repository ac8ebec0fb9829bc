//! Received data as it is shown to drivers: lists of indications over MDL chains.

use nt::mm::{self, Block, Range};
use ntsim_core::Settings;
use ntsim_core::address::Va;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::Transport;
use parking_lot::Mutex;
use sys::wdm::MDL;
use sys::wsk::{WSK_BUF, WSK_DATA_INDICATION};

use super::choice::choose;

/// The most bytes of one indication.
pub(super) const LONGEST: usize = 256 << 10;

/// The parts that received data is cut into: from the seed of the machine, where it asks for that.
struct Shredder(Mutex<Option<fastrand::Rng>>);

static SHREDDER: PerMachine<Shredder> = PerMachine::new();

impl Default for Shredder {
    fn default() -> Self {
        Self(Mutex::new(Settings::current().sockets.shred.map(fastrand::Rng::with_seed)))
    }
}

/// Data that a driver is shown, and may retain.
pub(super) struct Indication {
    memory: Memory,
    first: Va,
}

/// The memory of an indication.
enum Memory {
    /// The data and the lists over it. Freed blocks become inaccessible, so a driver that touches data which it has
    /// returned stops in the act.
    Own { _blocks: Vec<Block> },
    /// A buffer that is used again and again. Taken when it goes back.
    Pooled(Option<Buffer>),
}

/// A buffer of [`LONGEST`] bytes with its list and its indication.
struct Buffer {
    data: Block,
    _list: Block,
    indication: Block,
    length: usize,
}

/// Buffers that are not in use, of one machine.
#[derive(Default)]
struct Pool(Mutex<Vec<Buffer>>);

static POOL: PerMachine<Pool> = PerMachine::new();

/// Buffers that are kept while they are not in use.
const KEPT: usize = 16;

/// Frees the buffers that are not in use.
pub(super) fn release() {
    if let Some(pool) = POOL.made() {
        pool.0.lock().clear();
    }
}

impl Buffer {
    fn new() -> Option<Self> {
        let data = Block::new(LONGEST)?;
        let range = Range { start: Va::of(data.as_ptr::<u8>()), length: LONGEST };
        let list = Block::new(range.list_size())?;
        let mdl = list.as_ptr::<MDL>();
        // SAFETY: the block has the list's size.
        unsafe { mm::describe(mdl, range) };
        // SAFETY: the list was just filled in, over memory of its own.
        unsafe { mm::build_for_nonpaged(mdl) };
        let indication = Block::new(size_of::<WSK_DATA_INDICATION>())?;
        let buffer = WSK_BUF { Mdl: mdl, Offset: 0, Length: 0 };
        let filled = WSK_DATA_INDICATION { Next: core::ptr::null_mut(), Buffer: buffer };
        // SAFETY: the block has that size.
        unsafe { indication.as_ptr::<WSK_DATA_INDICATION>().write(filled) };
        Some(Self { data, _list: list, indication, length: 0 })
    }

    /// All its bytes.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the block has so many, and is this buffer's own; a driver that has it only reads.
        unsafe { core::slice::from_raw_parts_mut(self.data.as_ptr::<u8>(), LONGEST) }
    }
}

impl Drop for Indication {
    fn drop(&mut self) {
        if let Memory::Pooled(buffer) = &mut self.memory
            && let Some(buffer) = buffer.take()
        {
            let mut pool = POOL.get().0.lock();
            if pool.len() < KEPT {
                pool.push(buffer);
            }
        }
    }
}

/// Returns whether indications are the buffers that the host's sockets fill.
pub(super) fn is_pooled() -> bool {
    let sockets = Settings::current().sockets;
    sockets.transport == Transport::Host && sockets.shred.is_none()
}

impl Indication {
    /// Lets `fill` write data where a driver will see it; returns what it returned, and the indication, with as many bytes
    /// as it says.
    pub(super) fn filled<R>(fill: impl FnOnce(&mut [u8]) -> (usize, R)) -> Option<(Self, R)> {
        let pooled = POOL.get().0.lock().pop();
        let mut buffer = pooled.or_else(Buffer::new)?;
        let (length, result) = fill(buffer.bytes());
        buffer.length = length;
        let first = buffer.indication.as_ptr::<WSK_DATA_INDICATION>();
        // SAFETY: the indication is the buffer's own.
        unsafe { (*first).Buffer.Length = length };
        Some((Self { memory: Memory::Pooled(Some(buffer)), first: Va::of(first) }, result))
    }

    /// The bytes, of an indication that was [filled](Self::filled).
    pub(super) fn bytes(&mut self) -> &[u8] {
        match &mut self.memory {
            Memory::Pooled(Some(buffer)) => {
                let length = buffer.length;
                &buffer.bytes()[..length]
            }
            _ => &[],
        }
    }

    /// Describes data; `None` if the host has no memory left.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        let mut blocks = Vec::new();
        let mut first: *mut WSK_DATA_INDICATION = core::ptr::null_mut();
        let mut link = &raw mut first;
        for part in cut(data) {
            let indication = Block::new(size_of::<WSK_DATA_INDICATION>())?;
            let (mut chain, mut next) = (core::ptr::null_mut::<MDL>(), core::ptr::null_mut::<*mut MDL>());
            let offset = if choose(4) == 1 { 1 + choose(60) } else { 0 };
            let mut skipped = offset;
            let length = part.iter().map(|piece| piece.len()).sum();
            for piece in part {
                let (block, list) = list_over(piece, skipped, &mut blocks)?;
                skipped = 0;
                if chain.is_null() {
                    chain = list;
                } else {
                    // SAFETY: it is the link of the list before, which lives as long as the indication.
                    unsafe { next.write(list) };
                }
                // SAFETY: the list is there.
                next = unsafe { &raw mut (*list).Next };
                blocks.push(block);
            }
            let filled = WSK_DATA_INDICATION {
                Next: core::ptr::null_mut(),
                Buffer: WSK_BUF { Mdl: chain, Offset: narrow(offset), Length: length },
            };
            let at = indication.as_ptr::<WSK_DATA_INDICATION>();
            // SAFETY: the block has that size.
            unsafe { at.write(filled) };
            // SAFETY: the link is the local variable, or that of the indication before.
            unsafe { link.write(at) };
            // SAFETY: the indication is there.
            link = unsafe { &raw mut (*at).Next };
            blocks.push(indication);
        }
        Some(Self { memory: Memory::Own { _blocks: blocks }, first: Va::of(first) })
    }

    /// The first structure of the list.
    pub(super) fn first(&self) -> Va {
        self.first
    }
}

/// A list over a copy of a piece, `skipped` bytes behind the beginning of what it describes.
fn list_over(piece: &[u8], skipped: usize, blocks: &mut Vec<Block>) -> Option<(Block, *mut MDL)> {
    let data = Block::new(skipped + piece.len())?;
    let start = data.as_ptr::<u8>();
    // SAFETY: the block has room for the piece behind what is skipped.
    unsafe { start.wrapping_add(skipped).copy_from(piece.as_ptr(), piece.len()) };
    let range = Range { start: Va::of(start), length: skipped + piece.len() };
    let list = Block::new(range.list_size())?;
    let mdl = list.as_ptr::<MDL>();
    // SAFETY: the block has the list's size.
    unsafe { mm::describe(mdl, range) };
    // SAFETY: the list was just filled in, over memory of its own.
    unsafe { mm::build_for_nonpaged(mdl) };
    blocks.push(data);
    Some((list, mdl))
}

/// Cuts data into the parts of indications, each of them into the pieces of a chain.
fn cut(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut shredder = SHREDDER.get().0.lock();
    let Some(random) = shredder.as_mut() else { return vec![vec![data]] };
    let (mut parts, mut rest): (Vec<Vec<&[u8]>>, _) = (vec![Vec::new()], data);
    while !rest.is_empty() {
        // Most pieces are short, the last of many takes what is left.
        let longest = if parts.len() > 16 { rest.len() } else { rest.len().min(1 << random.u32(0..=12)) };
        let (piece, others) =
            rest.split_at(if parts.len() > 16 { longest } else { random.usize(1..=longest) });
        if random.u32(..3) == 0 && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("there is one").push(piece);
        rest = others;
    }
    parts
}
