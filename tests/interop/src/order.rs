//! The messages to `peer.c`, and its answers: the peer does as it is told, and answers with the same form.

/// The thing that the peer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send the message back, all of it.
    Echo,
    /// Register memory of `length` bytes, filled with a pattern that begins with `value`, and answer with its name.
    Register,
    /// Write `length` bytes of a pattern to the place that is named, and answer when that is complete.
    Write,
    /// Read `length` bytes of the place that is named, and answer with their sum.
    Read,
    /// Answer with a Send that ends the token, and asks for a solicited event if `value` is not 0.
    Invalidate,
    /// Answer with the sum of the `length` first bytes of the memory that was registered last.
    Sum,
    /// Send `length` bytes of a pattern, and answer nothing.
    Send,
    /// Answer with a Send that asks for a solicited event.
    Solicited,
    /// Disconnect.
    Quit,
}

const TASKS: [Task; 9] = [
    Task::Echo,
    Task::Register,
    Task::Write,
    Task::Read,
    Task::Invalidate,
    Task::Sum,
    Task::Send,
    Task::Solicited,
    Task::Quit,
];

/// A message to the peer, or its answer: all of its numbers have the highest byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The thing to do.
    pub task: Task,
    /// A token.
    pub stag: u32,
    /// A place in its memory.
    pub offset: u64,
    /// A number of bytes.
    pub length: u32,
    /// The start of a pattern, or a sum.
    pub value: u32,
}

impl Order {
    /// The length of the message.
    pub const LENGTH: usize = 24;

    /// An order with nothing but its task.
    pub const fn new(task: Task) -> Self {
        Self { task, stag: 0, offset: 0, length: 0, value: 0 }
    }

    /// The bytes of the message.
    pub fn emit(self) -> Vec<u8> {
        let task = TASKS.iter().zip(0_u32..).find(|(task, _)| **task == self.task);
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(task.map_or(0, |(_, number)| number).to_be_bytes());
        bytes.extend(self.stag.to_be_bytes());
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(self.value.to_be_bytes());
        bytes
    }

    /// The meaning of a message; `None` if it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let offset = u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
        let task = *TASKS.get(usize::try_from(word(0)?).ok()?)?;
        Some(Self { task, stag: word(4)?, offset, length: word(16)?, value: word(20)? })
    }

    /// The bytes of the pattern that begins with `value`: both sides can make it.
    pub fn pattern(value: u32, length: usize) -> Vec<u8> {
        let mut state = value | 1;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(next).collect()
    }

    /// The sum of bytes (FNV-1a, 32 bits): both sides can make it.
    pub fn sum(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0x811C_9DC5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_that_is_emitted_parses_to_itself() {
        for task in TASKS {
            let order = Order { task, stag: 0x0102_0304, offset: u64::MAX - 1, length: 5, value: 6 };
            let bytes = order.emit();
            assert_eq!((bytes.len(), Order::parse(&bytes)), (Order::LENGTH, Some(order)));
        }
        assert_eq!(Order::parse(&[0xFF; 24]), None);
        assert_eq!(Order::parse(&[0; 23]), None);
    }
}
