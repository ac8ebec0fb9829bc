//! Finding the instructions of an image that are to be points.
//!
//! Code is decoded function by function, so that data between functions is left alone: the functions of the
//! exception directory, and those without an entry there, which are leaves: what branches, calls, addresses in
//! code and relocated pointers lead to. ("x64 exception handling" and "PE Format" in Microsoft's pages.)

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use crate::number::{Low, ToUsize, narrow};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::LittleEndian as LE;
use object::pe;
use object::read::pe::PeFile64;

use super::Kind;

/// Largest access that can be an atomic one.
const WIDEST: usize = 8;

/// The padding that linkers put between functions: INT3.
const PADDING: u8 = 0xCC;

/// The alignment that compilers give to functions.
const ALIGNMENT: usize = 16;

/// The sections of an image file.
pub(super) struct Sections<'d> {
    all: Vec<Section<'d>>,
}

struct Section<'d> {
    start: u32,
    content: &'d [u8],
    executable: bool,
    writable: bool,
}

impl<'d> Sections<'d> {
    pub(super) fn of(file: &PeFile64<'_>, data: &'d [u8]) -> Self {
        let sections = file.section_table().iter().filter_map(|section| {
            let flags = section.characteristics.get(LE);
            Some(Section {
                start: section.virtual_address.get(LE),
                content: section.pe_data(data).ok()?,
                executable: flags.contains(pe::IMAGE_SCN_MEM_EXECUTE),
                writable: flags.contains(pe::IMAGE_SCN_MEM_WRITE),
            })
        });
        Self { all: sections.collect() }
    }

    fn at(&self, rva: u32) -> Option<(&Section<'d>, &'d [u8])> {
        self.all.iter().find_map(|section| {
            let offset = rva.checked_sub(section.start)?.to_usize();
            Some((section, section.content.get(offset..)?)).filter(|(_, rest)| !rest.is_empty())
        })
    }

    fn code(&self, rva: u32) -> Option<&'d [u8]> {
        self.at(rva).filter(|(section, _)| section.executable).map(|(_, code)| code)
    }

    /// Beginnings of code after padding, aligned as functions are.
    fn padded(&self) -> impl Iterator<Item = u32> {
        let executable = self.all.iter().filter(|section| section.executable);
        executable.flat_map(|section| {
            let begins = |at: &usize| section.content[at - 1] == PADDING && section.content[*at] != PADDING;
            let places = (ALIGNMENT..section.content.len()).step_by(ALIGNMENT).filter(begins);
            places.map(|at| section.start + narrow::<u32, _>(at))
        })
    }

    fn is_read_only(&self, rva: u32) -> bool {
        self.at(rva).is_some_and(|(section, _)| !section.writable)
    }

    fn word(&self, rva: u32) -> Option<u32> {
        let (_, content) = self.at(rva)?;
        Some(u32::from_le_bytes(content.get(..4)?.try_into().ok()?))
    }
}

/// A function's instructions, in their order.
pub(super) struct Function {
    pub(super) instructions: Vec<Instruction>,
    /// The register through which it reaches its stack frame, besides `rsp`.
    frame: Option<Register>,
    /// Set if it can be entered at places that no branch leads to: by a jump table or an exception's handler.
    pub(super) has_hidden_entries: bool,
}

/// All functions that are known, and where branches lead.
#[derive(Default)]
pub(super) struct Functions {
    pub(super) all: Vec<Function>,
    pub(super) targets: BTreeSet<u32>,
    /// Ends of functions, by their beginnings.
    covered: BTreeMap<u32, u32>,
}

impl Functions {
    /// The functions of the image, whose pointers in need of relocation are at `relocated`.
    pub(super) fn of(
        file: &PeFile64<'_>,
        data: &[u8],
        sections: &Sections<'_>,
        relocated: impl Iterator<Item = u32>,
    ) -> Self {
        let mut functions = Self::default();
        functions.listed(file, data, sections);
        let base = file.nt_headers().optional_header.image_base.get(LE);
        for place in relocated {
            let low = sections.word(place).unwrap_or(0);
            let high = sections.word(place + 4).unwrap_or(0);
            let pointer = (u64::from(high) << 32 | u64::from(low)).wrapping_sub(base);
            functions.targets.extend(u32::try_from(pointer).ok());
        }
        functions.targets.insert(file.nt_headers().optional_header.address_of_entry_point.get(LE));
        functions.leaves(sections);
        functions
    }

    /// Adds the functions of the exception directory.
    fn listed(&mut self, file: &PeFile64<'_>, data: &[u8], sections: &Sections<'_>) {
        let directory = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION);
        let table = directory.and_then(|directory| directory.data(data, &file.section_table()).ok());
        for entry in table.unwrap_or_default().chunks_exact(12) {
            let field =
                |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
            let (begin, end, unwind) = (field(0), field(4), field(8));
            let listed = begin < end && !self.covers(begin);
            let Some(code) = sections.code(begin).filter(|_| listed) else { continue };
            let code = &code[..code.len().min((end - begin).to_usize())];
            // UNWIND_INFO: version and flags, size of the prologue, count of codes, frame register.
            let info = sections.word(unwind & !1).unwrap_or(0);
            let frame = (info >> 24 & 15).to_usize();
            let frame = (frame != 0).then(|| Register::RAX + frame as u32);
            let handled = info >> 3 & 3 != 0;
            self.targets.insert(begin);
            self.covered.insert(begin, begin + narrow::<u32, _>(code.len()));
            self.add(decode(code, begin, |_, _| false), frame, handled);
        }
    }

    /// Adds the functions that the directory does not list: those that something leads to, and then those that
    /// begin, aligned, where padding ends. A function with a jump table leads to others in ways not seen here.
    fn leaves(&mut self, sections: &Sections<'_>) {
        let mut looked_at = BTreeSet::new();
        loop {
            while let Some(&start) = self.targets.difference(&looked_at).next() {
                looked_at.insert(start);
                self.leaf(start, sections);
            }
            let padded = sections.padded().chain(self.behind_nops(sections));
            let padded: Vec<_> =
                padded.filter(|start| !self.covers(*start) && !looked_at.contains(start)).collect();
            if padded.is_empty() {
                return;
            }
            self.targets.extend(padded);
        }
    }

    /// Beginnings of code, aligned as functions are, behind NOPs that follow a function: padding within the code of one
    /// source file.
    fn behind_nops(&self, sections: &Sections<'_>) -> impl Iterator<Item = u32> {
        self.covered.values().filter_map(move |&end| {
            let is_nop = |instruction: &Instruction| instruction.mnemonic() == Mnemonic::Nop;
            let instructions = decode(sections.code(end)?, end, |instruction, _| !is_nop(instruction));
            let start = instructions.last().filter(|last| !is_nop(last))?.ip().low_u32();
            (start > end && start.is_multiple_of(ALIGNMENT as u32)).then_some(start)
        })
    }

    /// Adds the function that begins at `start`, if that is code which belongs to none yet.
    fn leaf(&mut self, start: u32, sections: &Sections<'_>) {
        let Some(code) = sections.code(start).filter(|_| !self.covers(start)) else { return };
        let room =
            self.covered.range(start..).next().map_or(code.len(), |(next, _)| (next - start).to_usize());
        let code = &code[..room.min(code.len())];
        let (mut furthest, mut has_table) = (start, false);
        let instructions = decode(code, start, |instruction, next| {
            furthest = furthest.max(jump(instruction).unwrap_or(0));
            has_table |= jumps_by_table(instruction);
            let padding = code.get((next - start).to_usize()) == Some(&PADDING);
            ends(instruction) && next > furthest && (padding || !has_table)
        });
        let end = instructions.last().map_or(start, |last| last.next_ip().low_u32());
        self.covered.insert(start, end);
        self.add(instructions, None, false);
    }

    fn covers(&self, rva: u32) -> bool {
        self.covered.range(..=rva).next_back().is_some_and(|(_, &end)| rva < end)
    }

    fn add(&mut self, instructions: Vec<Instruction>, frame: Option<Register>, handled: bool) {
        let mut has_hidden_entries = handled;
        for instruction in &instructions {
            self.targets.extend(branch(instruction));
            if instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand() {
                self.targets.extend(u32::try_from(instruction.ip_rel_memory_address()).ok());
            }
            has_hidden_entries |= jumps_by_table(instruction);
        }
        self.all.push(Function { instructions, frame, has_hidden_entries });
    }
}

/// The target of a branch within the function, as far as that can be seen.
fn jump(instruction: &Instruction) -> Option<u32> {
    branch(instruction).filter(|_| instruction.flow_control() == FlowControl::ConditionalBranch)
}

/// The target of a direct branch or call.
fn branch(instruction: &Instruction) -> Option<u32> {
    let near = matches!(instruction.op0_kind(), OpKind::NearBranch64);
    near.then(|| instruction.near_branch_target().low_u32())
}

/// Returns whether an instruction may jump to other places of its function, which a table has.
fn jumps_by_table(instruction: &Instruction) -> bool {
    instruction.flow_control() == FlowControl::IndirectBranch && instruction.op0_kind() == OpKind::Register
}

/// Returns whether nothing of the function follows, unless a branch leads there.
fn ends(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Return
            | FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Interrupt
            | FlowControl::Exception
    )
}

/// The instructions from the beginning of `code` until `last` says so, the code ends, or it makes no sense.
fn decode(code: &[u8], rva: u32, mut last: impl FnMut(&Instruction, u32) -> bool) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, code, u64::from(rva), DecoderOptions::NONE);
    let mut instructions = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            break;
        }
        instructions.push(instruction);
        if last(&instruction, decoder.ip().low_u32()) {
            break;
        }
    }
    instructions
}

impl Function {
    /// The kind of point that an instruction of the function is; `None` if it is none.
    pub(super) fn kind(&self, instruction: &Instruction, sections: &Sections<'_>) -> Option<Kind> {
        if instruction.mnemonic() == Mnemonic::Pause {
            return Some(Kind::Pause);
        }
        let in_memory = (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Memory);
        if !in_memory {
            return None;
        }
        if instruction.has_lock_prefix() || instruction.mnemonic() == Mnemonic::Xchg {
            return Some(Kind::Atomic);
        }
        self.is_shared_access(instruction, sections).then_some(Kind::Access)
    }

    /// Returns whether the instruction reads or writes memory that another thread might: through a general register, in
    /// a size that can be atomic, and neither in the stack frame nor in a section that nothing writes to.
    fn is_shared_access(&self, instruction: &Instruction, sections: &Sections<'_>) -> bool {
        let harmless = matches!(
            instruction.mnemonic(),
            Mnemonic::Lea
                | Mnemonic::Nop
                | Mnemonic::Prefetchw
                | Mnemonic::Prefetcht0
                | Mnemonic::Prefetchnta
        );
        let vector = (0..instruction.op_count()).any(|n| {
            instruction.op_kind(n) == OpKind::Register && instruction.op_register(n).is_vector_register()
        });
        let base = instruction.memory_base();
        let in_frame = base == Register::RSP || Some(base) == self.frame;
        let constant = instruction.is_ip_rel_memory_operand()
            && u32::try_from(instruction.ip_rel_memory_address()).is_ok_and(|rva| sections.is_read_only(rva));
        let segment = instruction.segment_prefix() != Register::None;
        let flows = instruction.flow_control() != FlowControl::Next;
        let size = instruction.memory_size().size();
        !(harmless || vector || in_frame || constant || segment || flows) && (1..=WIDEST).contains(&size)
    }
}

/// Returns whether an instruction can be executed elsewhere: all but calls, whose return address would be elsewhere,
/// too, and what may hold an absolute address that the loader relocates.
pub(super) fn can_move(instruction: &Instruction) -> bool {
    let flows = matches!(instruction.flow_control(), FlowControl::Next | FlowControl::Return)
        || instruction.is_jcc_short_or_near()
        || instruction.is_jmp_short_or_near();
    let wide = (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Immediate64);
    let absolute = matches!(
        instruction.code(),
        Code::Mov_EAX_moffs32 | Code::Mov_RAX_moffs64 | Code::Mov_moffs32_EAX | Code::Mov_moffs64_RAX
    );
    flows && !wide && !absolute
}
