//! The engine of a wire, in a place of its own.

#![forbid(unsafe_code)]

use iwarp::ddp::Stag;
use iwarp::mpa::Config;

use crate::heap::{Initial, Owned};
use crate::limits::ReadLimits;
use crate::memory::{Key, Token};

/// The engine of one connection, with as many reads as an RNIC has.
pub(crate) type Stream = iwarp::Stream<{ iwarp::MOST_READS }>;

/// The engine, where it stays.
pub(crate) type Engine = Owned<Stream>;

impl Initial for Stream {
    const INITIAL: Self = Self::IDLE;
}

/// The configuration of connection number `number`.
pub(super) fn config(crc: bool, limits: ReadLimits, number: u64) -> Config {
    let depth = |limit: u32| u16::try_from(limit).unwrap_or(u16::MAX);
    Config { crc, ird: depth(limits.inbound), ord: depth(limits.outbound), sink: sink(number) }
}

/// The tag that names the sinks of the reads of a connection (RD-5): of the index that no memory has, and of none of
/// the keys that mean something there.
pub(super) fn sink(number: u64) -> Stag {
    const FIRST: u64 = 2;
    let keys = (1_u64 << Key::BITS).saturating_sub(FIRST);
    let key = number.checked_rem(keys).unwrap_or(0).saturating_add(FIRST);
    Stag(u32::try_from(key).unwrap_or(Token::PRIVILEGED.0.saturating_add(1)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sink_is_named_by_no_token_of_memory() {
        for number in [0, 1, 16_381, 16_382, 16_383, u64::MAX] {
            let token = Token(sink(number).0);
            assert_eq!(token.index(), 0, "{number}");
            assert!(token != Token::PRIVILEGED && token.0 != 0, "{number}");
        }
        assert_ne!(sink(0), sink(1));
    }
}
