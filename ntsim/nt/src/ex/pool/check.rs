//! Checks of the use of pool memory by drivers.
//!
//! Codes and parameters: the pages of bug checks 0xC1, 0xC2 and 0xC4 in Microsoft's reference.

use core::slice;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::loader::Trace;
use ntsim_core::number::ToU64;
use ntsim_core::sched::{self, Irql};
use ntsim_core::subsystem;
use ntsim_core::verifier::{self, Finding};

use super::table::{AROUND, Block};
use super::{Kind, Request, Tag};

/// The highest level at which a pool may be used.
fn highest(kind: Kind) -> Irql {
    match kind {
        Kind::NonPaged => Irql::DISPATCH,
        Kind::Paged => Irql::APC,
    }
}

fn found(rule: &'static str, code: u32, parameters: [u64; 4], text: String) {
    verifier::report(Finding::new(rule).bugcheck(Bugcheck { code, parameters }).text(text));
}

/// An allocation that is asked for.
pub(super) fn allocation(request: Request) {
    let Request { size, tag, kind, .. } = request;
    let irql = sched::irql();
    let (level, pool) = (u64::from(irql.0), kind.pool_type());
    if size == 0 {
        found("PoolZeroSize", 0xC4, [0x0, level, pool, 0], "an allocation of no bytes".into());
    }
    if irql > highest(kind) {
        let code = if kind == Kind::Paged { 0x1 } else { 0x2 };
        let text = format!("an allocation of {size} bytes from {kind:?} pool at {irql}");
        found("IrqlExAllocatePool", 0xC4, [code, level, pool, size.to_u64()], text);
    }
    if tag.0 == 0 || tag.0.to_le_bytes() == *b"    " {
        let text = format!("an allocation of {size} bytes without a tag");
        found("PoolTag", 0xC2, [0x9B, pool, size.to_u64(), 0], text);
    }
}

/// A block that is being freed.
pub(super) fn freeing(block: &Block, tag: Option<Tag>) {
    let irql = sched::irql();
    let (address, level) = (block.address.bits(), u64::from(irql.0));
    if let Some(tag) = tag.filter(|tag| *tag != block.tag) {
        let text = format!("{}, freed with tag '{tag}'", describe(block));
        found("PoolTag", 0xC2, [0xA, address, u64::from(block.tag.0), u64::from(tag.0)], text);
    }
    if irql > highest(block.kind) {
        let code = if block.kind == Kind::Paged { 0x11 } else { 0x12 };
        let text = format!("{}, freed at {irql}", describe(block));
        found("IrqlExFreePool", 0xC4, [code, level, block.kind.pool_type(), address], text);
    }
    let range = block.address..block.address + block.size;
    for object in subsystem::take_live_objects(&range) {
        let mut finding = Finding::new("PoolLiveObject");
        finding.bugcheck = object.bugcheck;
        verifier::report(finding.text(format!("{}, freed with {object} inside", describe(block))));
    }
    for (start, end) in block.surroundings() {
        // SAFETY: the surroundings of a block that has not been released are readable memory.
        let around = unsafe { slice::from_raw_parts(start.ptr::<u8>(), end - start) };
        if let Some(at) = first_other(around, AROUND) {
            let corrupt = start + at;
            let (code, side) = if corrupt < block.address { (0x23, "before") } else { (0x24, "behind") };
            let text = format!("{}, with bytes {side} it overwritten at {corrupt:#x}", describe(block));
            found("SpecialPool", 0xC1, [address, corrupt.bits(), 0, code], text);
        }
    }
}

/// The index of the first byte that is not `value`.
pub(super) fn first_other(bytes: &[u8], value: u8) -> Option<usize> {
    // Whole chunks first, which the compiler turns into wide instructions.
    const CHUNK: usize = 256;
    let differs = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all | (byte ^ value)) != 0;
    let chunk = bytes.chunks(CHUNK).position(differs)?;
    let start = chunk * CHUNK;
    bytes[start..].iter().position(|&byte| byte != value).map(|at| start + at)
}

/// An address that is to be freed and at which no live block begins.
pub(super) fn no_block(address: Va) {
    let at = address.bits();
    match super::POOL.get().find(address) {
        Some(block) if block.address == address && block.freed.is_some() => {
            let text = format!("freed again: {}", describe(&block));
            found("PoolDoubleFree", 0xC4, [0x13, 0, at, 0], text);
        }
        Some(block) => {
            let text = format!("{address:#x} freed, which is not the beginning of {}", describe(&block));
            found("PoolBadAddress", 0xC4, [0x16, 0, at, 0], text);
        }
        None => {
            let text = format!("{address:#x} freed, which no allocation returned");
            found("PoolBadAddress", 0xC4, [0x10, at, 0, 0], text);
        }
    }
}

/// A freed block that was written to.
pub(super) fn written_after_free(block: &Block, offset: usize) {
    let text = format!("written to after it was freed, at offset {offset:#x}: {}", describe(block));
    found("SpecialPool", 0xC1, [block.address.bits(), (block.address + offset).bits(), 0, 0x23], text);
}

/// A block in words, with the stacks of who allocated and who freed it.
pub(super) fn describe(block: &Block) -> String {
    let mut text = format!("a block tagged '{}' of {} bytes at {:#x}", block.tag, block.size, block.address);
    let mut stack = |what: &str, trace: &Trace| {
        for (index, frame) in trace.frames().iter().enumerate() {
            let lead = if index == 0 { format!(", {what} at") } else { ",".into() };
            text.push_str(&format!("{lead} {}", frame.to_string().replace('\n', ", ")));
        }
    };
    stack("allocated", &block.allocated);
    if let Some(freed) = &block.freed {
        stack("freed", freed);
    }
    text
}
