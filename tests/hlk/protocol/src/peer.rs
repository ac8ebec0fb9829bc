//! A session whose other side is in another machine: the requests, and what the two harnesses say to each other when
//! they connect.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{Endpoint, Outcome, SessionReport};

/// The version of [`Greeting`] and of what crosses behind it; both sides must have the same one.
pub const PEER_VERSION: u32 = 2;

/// The connections of a session, in the order in which they are made.
pub const LANES: u32 = 4;

/// The private data of each connection of a session, and of the answer to it: the same on any processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Greeting {
    /// [`Greeting::MAGIC`].
    pub magic: [u8; 8],
    /// [`PEER_VERSION`].
    pub version: U32,
    /// The number of the connection, below [`LANES`].
    pub lane: U32,
    /// A number that the connections of a session have in common.
    pub session: U64,
    /// The longest chunk, in bytes, that the sender would like to move at once; of an answer, that moves.
    pub chunk_length: U32,
    /// A [`Refusal`]; zero if there is none.
    pub refusal: U32,
}

const _: () = assert!(size_of::<Greeting>() == 32);

impl Greeting {
    /// The beginning of every greeting.
    pub const MAGIC: [u8; 8] = *b"ndkhlk\r\n";

    /// The greeting of a connection.
    #[must_use]
    pub fn new(lane: u32, session: u64, chunk_length: u32) -> Self {
        Self {
            magic: Self::MAGIC,
            version: PEER_VERSION.into(),
            lane: lane.into(),
            session: session.into(),
            chunk_length: chunk_length.into(),
            refusal: 0.into(),
        }
    }

    /// The same greeting as an answer that refuses.
    #[must_use]
    pub fn refusing(self, refusal: Refusal) -> Self {
        Self { refusal: refusal.code().into(), ..self }
    }

    /// The greeting in private data, which may be followed by anything.
    #[must_use]
    pub fn of(private_data: &[u8]) -> Option<Self> {
        let (greeting, _) = Self::read_from_prefix(private_data).ok()?;
        (greeting.magic == Self::MAGIC).then_some(greeting)
    }

    /// Returns the session of a greeting that may be the one of connection `lane`, of `session` if that is known.
    ///
    /// # Errors
    /// The reason for which it may not.
    pub fn judge(private_data: &[u8], lane: u32, session: Option<u64>) -> Result<Self, Refusal> {
        let greeting = Self::of(private_data).ok_or(Refusal::NoGreeting)?;
        if greeting.version.get() != PEER_VERSION {
            return Err(Refusal::Version);
        }
        if session.is_some_and(|session| greeting.session.get() != session) {
            return Err(Refusal::Busy);
        }
        if greeting.lane.get() != lane || greeting.chunk_length.get() == 0 || greeting.refusal.get() != 0 {
            return Err(Refusal::NoGreeting);
        }
        Ok(greeting)
    }
}

/// A reason for which a side wants no connection with its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    /// The private data are no greeting, or none that may come now.
    NoGreeting = 1,
    /// The peer has another version.
    Version = 2,
    /// Another session is being connected.
    Busy = 3,
}

impl Refusal {
    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for Refusal {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::NoGreeting),
            2 => Ok(Self::Version),
            3 => Ok(Self::Busy),
            other => Err(other),
        }
    }
}

/// Connects to a peer.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectPeerRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The longest chunk, in bytes, that the runner would like to move at once.
    pub chunk_length: u32,
    /// A number that no other session of the peer has.
    pub session: u64,
    /// The end that is here; its port is chosen.
    pub own: Endpoint,
    /// The address of the peer; its interface index counts for nothing.
    pub peer: Endpoint,
}

/// Listens for a peer.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListenPeerRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The longest chunk, in bytes, that the runner would like to move at once.
    pub chunk_length: u32,
    /// The end that is here; a port of 0 is chosen.
    pub own: Endpoint,
}

/// The outcome of a listen.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListenPeerReport {
    /// `STATUS_SUCCESS`, or the NTSTATUS that ended the attempt (then everything is closed again).
    pub status: i32,
    /// The address that is listened on.
    pub local: Endpoint,
    /// The findings while a failed attempt was taken down; of no meaning after success.
    pub outcome: Outcome,
}

/// Accepts a peer.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AcceptPeerRequest {
    /// The time to wait for its first connection.
    pub milliseconds: u32,
}

/// The outcome of connecting to a peer, or of accepting one.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PeerReport {
    /// As for a session with both sides here; both adapters are the one that is here.
    pub session: SessionReport,
    /// The address of the peer, if there was one.
    pub peer: Endpoint,
    /// The [`Refusal`] with which one side has refused the other one; zero if none has.
    pub refusal: u32,
    /// Of an accept: 1 if it may be tried again, 0 if everything is closed or the session is open.
    pub listening: u32,
    /// Zero.
    pub reserved: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greeting_is_little_endian_whatever_follows_it() {
        let mut bytes = [0xee; 40];
        bytes[..32].copy_from_slice(Greeting::new(2, 0x0102_0304_0506_0708, 0x0010_0000).as_bytes());
        assert_eq!(bytes[..8], *b"ndkhlk\r\n");
        assert_eq!(bytes[8..12], PEER_VERSION.to_le_bytes());
        assert_eq!(bytes[12..32], [2, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 16, 0, 0, 0, 0, 0]);
        assert_eq!(Greeting::of(&bytes), Some(Greeting::new(2, 0x0102_0304_0506_0708, 0x0010_0000)));
        assert_eq!(Greeting::of(&bytes[..31]), None);
    }

    #[test]
    fn greeting_of_another_program_version_session_or_lane_is_refused() {
        let own = Greeting::new(1, 7, 65536);
        assert_eq!(Greeting::judge(own.as_bytes(), 1, Some(7)), Ok(own));
        assert_eq!(Greeting::judge(own.as_bytes(), 1, None), Ok(own));
        let newer = Greeting { version: (PEER_VERSION + 1).into(), ..own };
        let refused = [
            (newer, Refusal::Version),
            (Greeting::new(1, 8, 65536), Refusal::Busy),
            (Greeting::new(2, 7, 65536), Refusal::NoGreeting),
            (Greeting::new(1, 7, 0), Refusal::NoGreeting),
            (own.refusing(Refusal::Busy), Refusal::NoGreeting),
        ];
        for (greeting, refusal) in refused {
            assert_eq!(Greeting::judge(greeting.as_bytes(), 1, Some(7)), Err(refusal), "{greeting:?}");
        }
        for other in [&b"GET / HTTP/1.1\r\n\r\n and so on"[..], &[]] {
            assert_eq!(Greeting::judge(other, 1, Some(7)), Err(Refusal::NoGreeting), "{other:?}");
        }
    }

    #[test]
    fn code_of_a_refusal_stands_for_it() {
        for refusal in [Refusal::NoGreeting, Refusal::Version, Refusal::Busy] {
            assert_eq!(Refusal::try_from(refusal.code()), Ok(refusal));
        }
        assert_eq!(Refusal::try_from(0), Err(0));
    }
}
