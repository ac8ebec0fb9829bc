//! The calls of a hostile consumer. An object is named by a number modulo the count of its kind; the objects
//! of both adapters are in one list.

use arbitrary::{Arbitrary, Result, Unstructured};

/// Names one of the objects of a kind.
pub(crate) type Which = u8;

/// A kind of object.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Kind {
    Cq,
    Pd,
    Qp,
    Mr,
    Mw,
    Srq,
    Listener,
    Connector,
    SharedEndpoint,
}

/// A token; mostly one that was valid at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// One that was valid at some time, perhaps of the other adapter.
    Seen(Which),
    /// The privileged one of a PD.
    Privileged(Which),
    /// Any number.
    MadeUp(u32),
}

/// The number of bytes of its block that the first region of each adapter has.
pub(crate) const REGION: u16 = 3000;
/// The end of a short range, within such a region or beyond.
const NEAR_THE_END: u16 = REGION - 200;

/// The address that is given for a range of memory; mostly in the consumer's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In a block of the consumer's, or beyond its end.
    Block(Which, u16),
    /// Anywhere.
    Anywhere(u64),
    /// So near to the end of the address space.
    End(u16),
}

/// A scatter/gather entry.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Sge {
    pub(crate) place: Place,
    pub(crate) length: Length,
    pub(crate) token: Token,
}

/// A length; mostly a short one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    Short(u8),
    Long(u16),
    Any(u32),
}

impl Length {
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Self::Short(bytes) => bytes.into(),
            Self::Long(bytes) => bytes.into(),
            Self::Any(bytes) => bytes,
        }
    }
}

/// Flags of a work request; mostly none or one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags(pub(crate) u16);

/// A work request.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) enum Work {
    Send(Vec<Sge>, Flags),
    SendAndInvalidate(Vec<Sge>, Flags, Token),
    Receive(Vec<Sge>),
    Write(Vec<Sge>, Flags, Place, Token),
    Read(Vec<Sge>, Flags, Place, Token),
    Bind { mr: Which, mw: Which, place: Place, length: Length, flags: Flags },
    FastRegister { mr: Which, pages: u8, offset: Length, length: Length, base: Place, flags: Flags },
    InvalidateMr(Which, Flags),
    InvalidateMw(Which, Flags),
    Flush,
}

impl Arbitrary<'_> for Token {
    fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u8::arbitrary(input)? {
            0..=200 => Self::Seen(input.arbitrary()?),
            201..=230 => Self::Privileged(input.arbitrary()?),
            _ => Self::MadeUp(input.arbitrary()?),
        })
    }
}

impl Arbitrary<'_> for Flags {
    fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self(match u8::arbitrary(input)? {
            0..=120 => 0,
            bit @ 121..=220 => 1 << (bit % 10),
            _ => input.arbitrary()?,
        }))
    }
}

impl Arbitrary<'_> for Place {
    fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u8::arbitrary(input)? {
            0..=120 => Self::Block(input.arbitrary()?, u8::arbitrary(input)?.into()),
            121..=190 => Self::Block(input.arbitrary()?, NEAR_THE_END + u16::from(u8::arbitrary(input)?)),
            191..=220 => Self::Block(input.arbitrary()?, input.arbitrary()?),
            221..=240 => Self::End(input.arbitrary()?),
            _ => Self::Anywhere(input.arbitrary()?),
        })
    }
}

impl Arbitrary<'_> for Length {
    fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match u8::arbitrary(input)? {
            0..=200 => Self::Short(input.arbitrary()?),
            201..=240 => Self::Long(input.arbitrary()?),
            _ => Self::Any(input.arbitrary()?),
        })
    }
}

/// The next action: mostly a work request and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Step(pub(crate) Call);

impl Arbitrary<'_> for Step {
    fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self(match u8::arbitrary(input)? {
            0..=150 => Call::Post { qp: input.arbitrary()?, work: input.arbitrary()? },
            151..=170 => Call::Poll { cq: input.arbitrary()?, room: 16 },
            171..=180 => Call::Pump,
            181..=200 => Call::Establish { port: input.arbitrary()? },
            _ => input.arbitrary()?,
        }))
    }
}

/// One call, or a few that belong together.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) enum Call {
    CreateCq {
        adapter: bool,
        depth: Length,
    },
    CreatePd {
        adapter: bool,
    },
    CreateQp {
        pd: Which,
        receive: Which,
        initiator: Which,
        depths: (u16, u16),
        sges: (u8, u8),
        inline: u16,
    },
    CreateQpWithSrq {
        pd: Which,
        cqs: (Which, Which),
        srq: Which,
        depth: u16,
        sges: u8,
        inline: u16,
    },
    CreateMr {
        pd: Which,
        fast: bool,
    },
    CreateMw {
        pd: Which,
    },
    CreateSrq {
        pd: Which,
        depth: u16,
        sges: u8,
        threshold: u16,
    },
    CreateListener {
        adapter: bool,
    },
    CreateConnector {
        adapter: bool,
    },
    CreateSharedEndpoint {
        adapter: bool,
        port: u8,
    },
    Close(Kind, Which),
    Register {
        mr: Which,
        block: Which,
        length: u16,
        flags: u8,
    },
    InitializeFast {
        mr: Which,
        pages: u16,
        remote: bool,
    },
    Deregister {
        mr: Which,
    },
    Listen {
        listener: Which,
        adapter: bool,
        port: u8,
    },
    Pause {
        listener: Which,
        pause: bool,
    },
    Connect {
        connector: Which,
        qp: Which,
        to: bool,
        port: u8,
        data: u8,
    },
    ConnectShared {
        connector: Which,
        qp: Which,
        endpoint: Which,
        to: bool,
        port: u8,
    },
    Accept {
        connector: Which,
        qp: Which,
        data: u8,
    },
    CompleteConnect {
        connector: Which,
    },
    Reject {
        connector: Which,
        data: u8,
    },
    Disconnect {
        connector: Which,
    },
    /// A new connection between new QPs, as it should be made.
    Establish {
        port: u8,
    },
    Post {
        qp: Which,
        work: Work,
    },
    SrqReceive {
        srq: Which,
        sges: Vec<Sge>,
    },
    ModifySrq {
        srq: Which,
        depth: u16,
        threshold: u16,
    },
    Arm {
        cq: Which,
        class: u8,
    },
    Resize {
        cq: Which,
        depth: Length,
    },
    /// Neither is limited if it is the greatest number.
    Moderate {
        cq: Which,
        interval: Length,
        count: u8,
    },
    Poll {
        cq: Which,
        room: u8,
    },
    PollEx {
        cq: Which,
        room: u8,
    },
    Pump,
    PumpOne,
    /// The time of everything that is to happen at some time comes.
    Expire,
}
