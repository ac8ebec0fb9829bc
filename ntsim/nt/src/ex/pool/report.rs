//! Describes accesses to pool memory after a fault.

#![forbid(unsafe_code)]

use ntsim_core::address::Va;
use ntsim_core::loader::Image;
use ntsim_core::number::ToU64;
use ntsim_core::subsystem::Leak;

use super::check::describe;
use super::{Kind, Tag};

/// The relation of a fault's address to a block.
pub struct Explanation {
    /// Set if the block had been freed.
    pub freed: bool,
    /// In words.
    pub text: String,
}

/// The block that an access to `address` was probably meant for.
pub fn explain(address: Va) -> Option<Explanation> {
    let block = super::POOL.get().find(address)?;
    let freed = block.freed.is_some();
    let offset = address.bits().wrapping_sub(block.address.bits()).cast_signed();
    let what = if freed { "use after free" } else { "out of bounds" };
    Some(Explanation { freed, text: format!("{what}, offset {offset:#x} of {}", describe(&block)) })
}

/// The block that `address` lies in: its number, its tag, and how far it lies inside.
pub fn name(address: Va) -> Option<(u64, Tag, u64)> {
    let block = super::POOL.get().find(address)?;
    Some((block.number, block.tag, address.checked_offset_from(block.address)?.to_u64()))
}

/// The live blocks, all or those that `image` allocated, by tag.
pub fn leaks(image: Option<&Image>) -> Vec<Leak> {
    let mut live = super::POOL.get().live();
    live.retain(|block| {
        image.is_none_or(|image| block.allocated.image().is_some_and(|owner| owner.base == image.base))
    });
    live.sort_by_key(|block| block.tag);
    live.iter()
        .map(|block| Leak {
            tag: block.tag,
            size: block.size,
            paged: block.kind == Kind::Paged,
            text: describe(block),
        })
        .collect()
}
