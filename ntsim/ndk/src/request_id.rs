//! The request context that the provider gets in place of the consumer's: it names one request.

#![forbid(unsafe_code)]

use core::ptr;

use ntsim_core::number::{Low, ToU64, ToUsize, narrow};
use sys::wdm::PVOID;

/// The queue of a QP, or of an SRQ, that a request stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Initiator,
    Receive,
}

/// Names one request: the object that it was posted to, the queue, and its number there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RequestId {
    /// The object's serial number.
    pub(crate) object: u32,
    pub(crate) side: Side,
    /// 31 bits, going round.
    pub(crate) number: u32,
}

/// Numbers of requests go round below this.
pub(crate) const NUMBERS: u32 = 1 << 31;

impl RequestId {
    /// The request context that the provider gets.
    pub(crate) fn pointer(self) -> PVOID {
        let side = if self.side == Side::Receive { NUMBERS } else { 0 };
        let low = u64::from((self.number % NUMBERS) | side);
        ptr::without_provenance_mut(((u64::from(self.object) << 32) | low).to_usize())
    }

    /// The id that a result's request context is, if it is one.
    pub(crate) fn of(context: PVOID) -> Self {
        let bits = context.addr().to_u64();
        let side = if bits.low_u32() & NUMBERS == 0 { Side::Initiator } else { Side::Receive };
        Self { object: narrow(bits >> 32), side, number: bits.low_u32() % NUMBERS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_id_survives_the_provider() {
        for side in [Side::Initiator, Side::Receive] {
            let id = RequestId { object: 0x1234_5678, side, number: NUMBERS - 1 };
            assert_eq!(RequestId::of(id.pointer()), id);
        }
    }
}
