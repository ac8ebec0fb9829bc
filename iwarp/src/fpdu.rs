//! Framed protocol data units (FPDU, RFC 5044 section 4): finds them in a stream, and knows nothing of what they carry.
//!
//! ```text
//! | length of the ULPDU (2) | ULPDU | 0 to 3 zero bytes | CRC32C, or zero (4) |
//! ```
//!
//! The ULPDU is what DDP gave: a segment with its header. Markers are never there.

/// The length of the field before the ULPDU.
pub const LENGTH: usize = 2;
/// The length of the sum.
pub const CRC: usize = 4;

/// The number of zero bytes behind a ULPDU of this length.
pub const fn pad(ulpdu: u16) -> u8 {
    // The length field has two bytes of its own.
    match ulpdu & 3 {
        0 => 2,
        1 => 1,
        2 => 0,
        _ => 3,
    }
}

/// The length of an FPDU without its sum.
fn summed(ulpdu: u16) -> u32 {
    u32::from(ulpdu).saturating_add(2).saturating_add(u32::from(pad(ulpdu)))
}

/// The payload of a segment of TCP (EMSS) on an interface of this MTU, as far as that alone says: without the headers
/// of IP (20 bytes, or 40 for IPv6) and TCP, and without the timestamps that TCP may add.
pub const fn emss(mtu: u32, is_v6: bool) -> u32 {
    let ip = if is_v6 { 40 } else { 20 };
    mtu.saturating_sub(ip).saturating_sub(20).saturating_sub(12)
}

/// The length of the longest ULPDU that is sent (MULPDU).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mulpdu(u16);

impl Mulpdu {
    /// The shortest that is possible: a Terminate has to fit.
    pub const SHORTEST: u16 = 126;
    /// The longest that is possible: an FPDU of 65,535 bytes at most.
    pub const LONGEST: u16 = 65_526;

    /// The length with which an FPDU fills a segment of TCP of `emss` bytes, within what is possible.
    pub const fn of_segment(emss: u32) -> Self {
        // 6 is the length field and the sum; what is over a multiple of 4 would be padding.
        let longest = (emss & !3).saturating_sub(6);
        if longest > 65_526 {
            Self(Self::LONGEST)
        } else if longest < 126 {
            Self(Self::SHORTEST)
        } else {
            let [_, _, high, low] = longest.to_be_bytes();
            Self(u16::from_be_bytes([high, low]))
        }
    }

    /// The length.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// The length of an FPDU is too small for a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramingError;

/// The sum of an FPDU is not that of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrcError;

/// The next thing in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing until there are this many bytes.
    Need(usize),
    /// An FPDU whose sum has to be judged first; this many bytes of it are summed, and the sum stands behind them.
    Check(u32),
    /// Bytes of the ULPDU: this many are left of it.
    Ulpdu(u16),
    /// The end of the FPDU.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The length field is next.
    Length,
    /// The length field is next; its FPDU is being summed.
    Summing(u16),
    /// The length field is next; its FPDU has the right sum.
    Summed(u16),
    /// The ULPDU is next: the length of all, and what is left of it.
    Ulpdu { all: u16, left: u16 },
    /// The padding and the sum are next.
    Trailer { left: u8 },
}

/// Finds FPDUs. The position in the stream is the caller's; it consumes what [`Framer::step`] and [`Framer::take`] say.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    crc: bool,
    /// The length of the shortest ULPDU.
    shortest: u16,
    state: State,
}

impl Framer {
    /// The framer of a stream, at its first FPDU. With `crc`, nothing of an FPDU is shown before its sum is right.
    pub const fn new(crc: bool, shortest: u16) -> Self {
        Self { crc, shortest, state: State::Length }
    }

    /// Returns whether the stream is between two FPDUs.
    pub const fn is_between(&self) -> bool {
        matches!(self.state, State::Length)
    }

    /// The bytes of `input` that are consumed, and the next thing in the stream.
    pub fn step(&mut self, input: &[u8]) -> Result<(usize, Found), FramingError> {
        match self.state {
            State::Length => {
                let Some(length) = input.first_chunk::<LENGTH>() else { return Ok((0, Found::Need(LENGTH))) };
                let all = u16::from_be_bytes(*length);
                if all < self.shortest {
                    return Err(FramingError);
                }
                if self.crc {
                    self.state = State::Summing(all);
                    return Ok((0, Found::Check(summed(all))));
                }
                self.state = State::Ulpdu { all, left: all };
                Ok((LENGTH, Found::Ulpdu(all)))
            }
            State::Summing(all) => Ok((0, Found::Check(summed(all)))),
            State::Summed(_) if input.len() < LENGTH => Ok((0, Found::Need(LENGTH))),
            State::Summed(all) => {
                self.state = State::Ulpdu { all, left: all };
                Ok((LENGTH, Found::Ulpdu(all)))
            }
            State::Ulpdu { left, .. } => Ok((0, Found::Ulpdu(left))),
            State::Trailer { left } => {
                let consumed = usize::from(left).min(input.len());
                let left = u8::try_from(consumed).map_or(0, |consumed| left.saturating_sub(consumed));
                if left == 0 {
                    self.state = State::Length;
                    return Ok((consumed, Found::End));
                }
                self.state = State::Trailer { left };
                Ok((consumed, Found::Need(usize::from(left))))
            }
        }
    }

    /// Judges the sum of the FPDU that [`Found::Check`] was about: the one of its bytes against the one in it.
    pub fn verdict(&mut self, sum: u32, field: [u8; CRC]) -> Result<(), CrcError> {
        let State::Summing(all) = self.state else { return Ok(()) };
        if u32::from_le_bytes(field) != sum {
            return Err(CrcError);
        }
        self.state = State::Summed(all);
        Ok(())
    }

    /// Consumes bytes of the ULPDU, at most those that are left.
    pub fn take(&mut self, bytes: u16) {
        if let State::Ulpdu { all, left } = self.state {
            let left = left.saturating_sub(bytes);
            self.state = if left == 0 {
                // At most three bytes of padding, and the sum.
                State::Trailer { left: pad(all).saturating_add(4) }
            } else {
                State::Ulpdu { all, left }
            };
        }
    }
}

#[cfg(test)]
mod tests;
