//! Unwinding one frame by the tables of an image.
//!
//! The format and the procedure are those of the page "x64 exception handling"
//! (<https://learn.microsoft.com/cpp/build/exception-handling-x64>). Windows does not look at the tables before
//! it unwinds, so an image is loaded whatever is in them: nothing here relies on what they say, and a stack ends
//! where they make no sense.

#![forbid(unsafe_code)]

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Register};

use super::Image;
use crate::address::Va;
use crate::number::ToUsize;
use crate::sched::local;

/// Bytes of a `RUNTIME_FUNCTION`.
const FUNCTION: usize = 12;

/// Most pieces of unwind information that one frame may chain.
const CHAIN: usize = 32;

/// Most instructions of an epilogue: one for the stack pointer, eight registers, the end.
const EPILOGUE: usize = 10;

/// `UNW_FLAG_CHAININFO`.
const CHAINED: u8 = 4;

/// `UNW_FLAG_EHANDLER`: the handler takes exceptions.
pub(crate) const EXCEPTIONS: u8 = 1;

/// `UNW_FLAG_UHANDLER`: the handler is asked when the frame is left by force.
pub(crate) const TERMINATIONS: u8 = 2;

/// The stack pointer's place among the general registers.
const RSP: usize = 4;

/// The registers of a frame, in the order in which instructions number them; zero where they are not known.
#[derive(Clone)]
pub(crate) struct Registers {
    /// The general ones.
    pub(crate) values: [u64; 16],
    /// The vector registers, of which functions keep 6 to 15.
    pub(crate) vectors: [u128; 16],
}

/// A frame that has been undone.
pub(crate) struct Unwound {
    /// The address at which its caller goes on.
    pub(crate) address: Va,
    /// The frame's own address, by which its handler finds the function's variables.
    pub(crate) establisher: u64,
    /// Its handler, unless the function was in its prologue or epilogue.
    pub(crate) handler: Option<Handler>,
}

/// A language-specific handler; its addresses are relative to the image's base.
pub(crate) struct Handler {
    /// [`EXCEPTIONS`], [`TERMINATIONS`].
    pub(crate) flags: u8,
    /// The routine.
    pub(crate) routine: u32,
    /// The routine's data.
    pub(crate) data: u32,
    /// The function's entry in the table of functions.
    pub(crate) function: u32,
}

impl Registers {
    /// As they were when the driver had called the kernel, as far as unwinding needs them.
    pub(crate) fn at_entry(entry: &local::Entry) -> Self {
        let mut values = [0; 16];
        values[RSP] = entry.sp.wrapping_add(8);
        values[5] = entry.bp;
        Self { values, vectors: [0; 16] }
    }

    /// Goes from a frame at the offset `rva` of `image` to its caller's. At an `instruction` and not behind a call,
    /// the frame may be partly gone already.
    pub(crate) fn unwind(&mut self, image: &Image, rva: u32, instruction: bool) -> Option<Unwound> {
        let before = self.values[RSP];
        let unwound = self.leave(image, rva, instruction)?;
        // A caller's frame lies above; one that does not would go round in circles.
        (self.values[RSP] > before).then_some(unwound)
    }

    fn leave(&mut self, image: &Image, rva: u32, instruction: bool) -> Option<Unwound> {
        // A call may be the last instruction of its function.
        let rva = if instruction { rva } else { rva.checked_sub(1)? };
        let mut establisher = self.values[RSP];
        let left = |address: u64, establisher| Unwound {
            address: Va::from_bits(address),
            establisher,
            handler: None,
        };
        let Some(mut function) = Function::containing(image.function_table(), rva) else {
            return self.pop().map(|address| left(address, establisher));
        };
        function.entry += image.functions.start;
        let mut offset = Some(rva - function.begin);
        if instruction && let Some(address) = self.leave_epilogue(image, &function, rva) {
            return Some(left(address, establisher));
        }
        let mut handled = true;
        for _ in 0..CHAIN {
            let info = Info::at(image.memory(function.info))?;
            if let Some(offset) = offset {
                handled = offset >= u32::from(info.prologue);
                establisher = self.establisher(&info, offset);
            }
            if let Some(address) = self.undo(&info, offset)? {
                return Some(left(address, establisher));
            }
            let Some(outer) = info.chained(function.info)? else {
                let handler = if handled { info.handler(&function) } else { None };
                let unwound = left(self.pop()?, establisher);
                return Some(Unwound { handler, ..unwound });
            };
            (function, offset) = (outer, None);
        }
        None
    }

    /// The address of the frame, by its frame register where that is set already.
    fn establisher(&self, info: &Info<'_>, offset: u32) -> u64 {
        let set = info.codes().any(|code| code.operation == 3 && u32::from(code.offset) <= offset);
        if info.frame_register != 0 && (set || offset >= u32::from(info.prologue)) {
            self.values[info.frame_register].wrapping_sub(info.frame_offset)
        } else {
            self.values[RSP]
        }
    }

    /// Undoes what a prologue did up to `offset`, or all of it; returns the address that went on if that is on the
    /// stack in a frame of the processor's.
    fn undo(&mut self, info: &Info<'_>, offset: Option<u32>) -> Option<Option<u64>> {
        let done = |code: &Code16| offset.is_none_or(|offset| u32::from(code.offset) <= offset);
        let frame = self.values[info.frame_register].wrapping_sub(info.frame_offset);
        let framed = info.frame_register != 0 && info.codes().any(|code| code.operation == 3 && done(&code));
        let base = if framed { frame } else { self.values[RSP] };
        for code in info.codes().filter(done) {
            match code.operation {
                0 => self.values[code.register()] = self.pop()?,
                1 | 2 => self.values[RSP] = self.values[RSP].wrapping_add(code.operand),
                3 => self.values[RSP] = frame,
                4 | 5 => self.values[code.register()] = stacked(base.wrapping_add(code.operand))?,
                8 | 9 => {
                    let place = base.wrapping_add(code.operand);
                    let halves = [stacked(place)?, stacked(place.wrapping_add(8))?].map(u128::from);
                    self.vectors[code.register()] = halves[1] << 64 | halves[0];
                }
                10 => {
                    let frame = self.values[RSP].wrapping_add(8 * u64::from(code.info));
                    self.values[RSP] = stacked(frame.wrapping_add(24))?;
                    return Some(Some(stacked(frame)?));
                }
                _ => {}
            }
        }
        info.is_whole().then_some(None)
    }

    /// Does the rest of an epilogue, if that is all that lies ahead.
    fn leave_epilogue(&mut self, image: &Image, function: &Function, rva: u32) -> Option<u64> {
        let code = image.memory(rva);
        let code = &code[..code.len().min((function.end - rva).to_usize())];
        let ip = image.base.bits() + u64::from(rva);
        let mut after = self.clone();
        let mut decoder = Decoder::with_ip(64, code, ip, DecoderOptions::NONE);
        for number in 0..EPILOGUE {
            if !decoder.can_decode() {
                return None;
            }
            let next = decoder.decode();
            match next.code() {
                Code::Add_rm64_imm8 | Code::Add_rm64_imm32
                    if number == 0 && next.op0_register() == Register::RSP =>
                {
                    after.values[RSP] = after.values[RSP].wrapping_add(next.immediate(1));
                }
                Code::Lea_r64_m if number == 0 && next.op0_register() == Register::RSP => {
                    let base = after.values[general(next.memory_base())?];
                    after.values[RSP] = base.wrapping_add(next.memory_displacement64());
                }
                Code::Pop_r64 => after.values[general(next.op0_register())?] = after.pop()?,
                _ if leaves(&next, image, function) => {
                    let address = after.pop()?;
                    *self = after;
                    return Some(address);
                }
                _ => return None,
            }
        }
        None
    }

    fn pop(&mut self) -> Option<u64> {
        let value = stacked(self.values[RSP])?;
        self.values[RSP] = self.values[RSP].wrapping_add(8);
        Some(value)
    }
}

/// The eight bytes of the calling thread's stack to which a register points.
fn stacked(register: u64) -> Option<u64> {
    local::read_stack(Va::from_bits(register))
}

/// Returns whether an instruction ends an epilogue: it returns, or jumps out of the function.
fn leaves(instruction: &Instruction, image: &Image, function: &Function) -> bool {
    match instruction.code() {
        Code::Retnq | Code::Jmp_rm64 => true,
        Code::Jmp_rel32_64 | Code::Jmp_rel8_64 => {
            let target = instruction.near_branch_target().wrapping_sub(image.base.bits());
            !(u64::from(function.begin)..u64::from(function.end)).contains(&target)
        }
        _ => false,
    }
}

/// Number of a general register.
fn general(register: Register) -> Option<usize> {
    register.is_gpr64().then(|| register.number())
}

/// The four bytes at `offset`.
fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// A `RUNTIME_FUNCTION`.
struct Function {
    begin: u32,
    end: u32,
    info: u32,
    /// Its place in the table, or in the image if it is chained.
    entry: u32,
}

impl Function {
    fn at(table: &[u8], offset: usize) -> Option<Self> {
        let [begin, end, info] = [0, 4, 8].map(|field| word(table, offset + field));
        let entry = u32::try_from(offset).ok()?;
        Some(Self { begin: begin?, end: end?, info: info?, entry })
    }

    /// The function of a sorted table that the address lies in.
    fn containing(table: &[u8], rva: u32) -> Option<Self> {
        let (mut low, mut high) = (0, table.len() / FUNCTION);
        while low < high {
            let middle = low.midpoint(high);
            if word(table, middle * FUNCTION)? <= rva {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let function = Self::at(table, low.checked_sub(1)? * FUNCTION)?;
        (function.begin..function.end).contains(&rva).then_some(function)
    }
}

/// An `UNWIND_INFO` of version 1 or 2.
struct Info<'a> {
    version: u8,
    flags: u8,
    /// Bytes of the prologue.
    prologue: u8,
    frame_register: usize,
    frame_offset: u64,
    codes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Info<'a> {
    fn at(memory: &'a [u8]) -> Option<Self> {
        let (header, rest) = memory.split_first_chunk::<4>()?;
        let (codes, rest) = rest.split_at_checked(2 * usize::from(header[2]))?;
        // What follows is aligned to four bytes.
        let rest = rest.get(codes.len() % 4..)?;
        let (version, flags) = (header[0] & 7, header[0] >> 3);
        let (frame_register, frame_offset) = (usize::from(header[3] & 15), u64::from(header[3] >> 4) * 16);
        (1..=2).contains(&version).then_some(Self {
            version,
            flags,
            prologue: header[1],
            frame_register,
            frame_offset,
            codes,
            rest,
        })
    }

    fn codes(&self) -> Codes<'a> {
        Codes { version: self.version, left: self.codes }
    }

    /// Returns whether every code is one that there is.
    fn is_whole(&self) -> bool {
        let mut codes = self.codes();
        codes.by_ref().for_each(drop);
        codes.left.is_empty()
    }

    /// The function whose prologue came before, of information at the offset `own`; the outer `None` where the memory
    /// ends before it.
    fn chained(&self, own: u32) -> Option<Option<Function>> {
        if self.flags & CHAINED == 0 {
            return Some(None);
        }
        let mut function = Function::at(self.rest, 0)?;
        function.entry = own.checked_add(self.size()?)?;
        Some(Some(function))
    }

    /// Bytes of it before what follows the codes.
    fn size(&self) -> Option<u32> {
        u32::try_from(4 + self.codes.len().next_multiple_of(4)).ok()
    }

    /// The handler of the function, if it has one.
    fn handler(&self, function: &Function) -> Option<Handler> {
        let flags = self.flags & (EXCEPTIONS | TERMINATIONS);
        if flags == 0 {
            return None;
        }
        let data = function.info.checked_add(self.size()?)?.checked_add(4)?;
        Some(Handler { flags, routine: word(self.rest, 0)?, data, function: function.entry })
    }
}

/// One operation of a prologue.
struct Code16 {
    /// Its offset in the function.
    offset: u8,
    operation: u8,
    info: u8,
    /// Bytes.
    operand: u64,
}

impl Code16 {
    fn register(&self) -> usize {
        usize::from(self.info)
    }
}

/// The operations of a prologue, the last first; ends before one that there is not.
struct Codes<'a> {
    version: u8,
    left: &'a [u8],
}

impl Iterator for Codes<'_> {
    type Item = Code16;

    fn next(&mut self) -> Option<Code16> {
        let (code, mut left) = self.left.split_first_chunk::<2>()?;
        let (operation, info) = (code[1] & 15, code[1] >> 4);
        let mut slots = |count: usize| {
            let (operand, rest) = left.split_at_checked(2 * count)?;
            left = rest;
            Some(operand.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        };
        let operand = match (operation, info) {
            (0 | 3, _) | (10, 0 | 1) => 0,
            (1, 0) | (4, _) => 8 * slots(1)?,
            (1, 1) | (5, _) => slots(2)?,
            (2, _) => 8 * u64::from(info) + 8,
            // Where epilogues are; not documented, but the compilers of today write it.
            (6, _) if self.version == 2 => 0,
            (7, _) if self.version == 2 => slots(2)?,
            (8, _) => 16 * slots(1)?,
            (9, _) => slots(2)?,
            _ => return None,
        };
        self.left = left;
        Some(Code16 { offset: code[0], operation, info, operand })
    }
}
