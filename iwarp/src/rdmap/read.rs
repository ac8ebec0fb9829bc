//! The body of a Read Request (RFC 5040 section 4.4).

use crate::bytes::Bytes;
use crate::ddp::Stag;

/// The length of the body.
pub const READ_REQUEST: usize = 28;

/// The body of a Read Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The memory of the reader that the response names.
    pub sink: Stag,
    /// The place in it.
    pub sink_offset: u64,
    /// The number of bytes.
    pub length: u32,
    /// The memory that is read.
    pub source: Stag,
    /// The place in it.
    pub source_offset: u64,
}

impl ReadRequest {
    /// Returns whether the source goes on behind the last place that there is (RFC 5040 section 4.8: TO wrap). One of no
    /// length is at no place.
    pub fn wraps(&self) -> bool {
        let further = u64::from(self.length).saturating_sub(1);
        self.source_offset.checked_add(further).is_none()
    }

    /// The meaning of a body. Any bytes are one.
    pub const fn parse(bytes: &[u8; READ_REQUEST]) -> Self {
        let [
            k0,
            k1,
            k2,
            k3,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            t6,
            t7,
            l0,
            l1,
            l2,
            l3,
            s0,
            s1,
            s2,
            s3,
            o0,
            o1,
            o2,
            o3,
            o4,
            o5,
            o6,
            o7,
        ] = *bytes;
        Self {
            sink: Stag(u32::from_be_bytes([k0, k1, k2, k3])),
            sink_offset: u64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
            source: Stag(u32::from_be_bytes([s0, s1, s2, s3])),
            source_offset: u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
        }
    }

    /// The bytes of the body.
    pub fn emit(self) -> [u8; READ_REQUEST] {
        let mut bytes = Bytes::<READ_REQUEST>::new();
        bytes.put(&self.sink.0.to_be_bytes());
        bytes.put(&self.sink_offset.to_be_bytes());
        bytes.put(&self.length.to_be_bytes());
        bytes.put(&self.source.0.to_be_bytes());
        bytes.put(&self.source_offset.to_be_bytes());
        bytes.first_chunk().copied().unwrap_or([0; READ_REQUEST])
    }
}
