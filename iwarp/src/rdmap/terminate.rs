//! The body of a Terminate (RFC 5040 section 4.8).
//!
//! ```text
//! | layer (4 bits) type (4 bits) | code | M D R reserved (16 bits) | length of the segment, if M (2) |
//! | header of DDP, if D (14 or 18) | body of a Read Request, if R (28) |
//! ```

use crate::bytes::Bytes;
use crate::ddp::{self, Header, Packet};
use crate::rdmap::{Message, READ_REQUEST, ReadRequest};

/// The length of the longest body: with the header and the body of a Read Request.
pub const TERMINATE: usize = 4 + 2 + ddp::UNTAGGED + READ_REQUEST;

const HAS_LENGTH: u8 = 0x80;
const HAS_HEADER: u8 = 0x40;
const HAS_REQUEST: u8 = 0x20;

/// The reason of a Terminate: layer, type and code, each any number of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// 0 RDMAP, 1 DDP, 2 the layer below.
    pub layer: u8,
    /// The type of error of this layer.
    pub kind: u8,
    /// The error of this type.
    pub code: u8,
}

impl Code {
    /// A reason by its numbers; layer and type are of four bits.
    pub const fn new(layer: u8, kind: u8, code: u8) -> Self {
        Self { layer: layer & 0x0F, kind: kind & 0x0F, code }
    }
}

impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}/{}", self.layer, self.kind, self.code)
    }
}

/// The headers of the segment that a Terminate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The length of the segment of DDP, its header included.
    pub length: u16,
    /// The header of DDP, which need not be legal.
    header: Bytes<{ ddp::UNTAGGED }>,
    /// The body, if the segment was a Read Request.
    pub request: Option<ReadRequest>,
}

impl Copied {
    /// A copy of the header at the start of `bytes`.
    pub fn of(length: u16, bytes: &[u8], request: Option<ReadRequest>) -> Self {
        let header = Packet::new(bytes).map_or(bytes, Packet::bytes);
        Self { length, header: Bytes::first_of(header), request }
    }

    /// The part of the copy that a Terminate of this reason has (RFC 5040 section 4.8): none for a local catastrophe or
    /// the layer below; the body of a Read Request only where RDMAP protects memory.
    pub fn for_reason(self, code: Code) -> Option<Self> {
        match (code.layer, code.kind) {
            (0, 0) => None,
            (0, 1) => Some(self),
            (0 | 1, _) => Some(Self { request: None, ..self }),
            _ => None,
        }
    }

    /// The bytes of the header of DDP.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The meaning of the header, if it is legal.
    pub fn message(&self) -> Option<Message> {
        Message::parse(Header::parse(Packet::new(&self.header)?).ok()?).ok()
    }
}

/// The body of a Terminate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminate {
    /// The reason.
    pub code: Code,
    /// The segment that it is about; `None` if that was not read whole, or if it is about none.
    pub copied: Option<Copied>,
}

impl Terminate {
    /// The meaning of a body; `None` if it has no reason. A copy that is cut short is left out: a Terminate is the
    /// last that its sender says, and the reason counts.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ([first, code, flags, _], rest) = bytes.split_first_chunk()?;
        let code = Code::new(first >> 4, *first, *code);
        Some(Self { code, copied: copied(*flags, rest) })
    }

    /// The bytes of the body.
    pub fn emit(self) -> Bytes<TERMINATE> {
        let Self { code: Code { layer, kind, code }, copied } = self;
        let flags = match copied {
            None => 0,
            Some(Copied { request: None, .. }) => HAS_LENGTH | HAS_HEADER,
            Some(Copied { request: Some(_), .. }) => HAS_LENGTH | HAS_HEADER | HAS_REQUEST,
        };
        let mut bytes = Bytes::new();
        bytes.put(&[(layer << 4) | kind, code, flags, 0]);
        if let Some(Copied { length, header, request }) = copied {
            bytes.put(&length.to_be_bytes());
            bytes.put(&header);
            if let Some(request) = request {
                bytes.put(&request.emit());
            }
        }
        bytes
    }
}

fn copied(flags: u8, bytes: &[u8]) -> Option<Copied> {
    let has = |flag| flags & flag != 0;
    let (length, bytes) = if has(HAS_LENGTH) {
        let (length, rest) = bytes.split_first_chunk()?;
        (u16::from_be_bytes(*length), rest)
    } else {
        (0, bytes)
    };
    let header = has(HAS_HEADER).then(|| Packet::new(bytes)).flatten()?;
    let body = bytes.get(header.bytes().len()..)?;
    let request = has(HAS_REQUEST).then(|| body.first_chunk().map(ReadRequest::parse)).flatten();
    Some(Copied::of(length, header.bytes(), request))
}
