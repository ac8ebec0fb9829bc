//! The changes to an image that make its atomics scheduling points.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iced_x86::Instruction;
use object::pe;
use object::read::pe::PeFile64;
use parking_lot::Mutex;

use super::find::{Function, Functions, Sections, can_move};
use super::thunk::Area;
use super::{KIND, Kind, reached};
use crate::address::Va;
use crate::number::{Low, ToU64, ToUsize, narrow};
use crate::sched::{Atomics, Points};

/// Bytes of a jump: its code and a distance.
const JUMP: usize = 5;

/// The code of a breakpoint.
const BREAKPOINT: u8 = 0xCC;

/// The code of a jump.
const JUMP_CODE: u8 = 0xE9;

/// The changes to an image, and the thunks they lead to. Addresses are relative to the image's base.
pub(in super::super) struct Plan {
    /// The beginning of the thunks, behind the image.
    pub(in super::super) start: u32,
    /// Bytes of address space for the thunks.
    pub(in super::super) size: usize,
    thunks: Vec<u8>,
    /// The bytes to write, by address.
    changes: Vec<(u32, Vec<u8>)>,
    /// By the address of a breakpoint: that of its thunk.
    traps: HashMap<u32, u32>,
    /// By the address of code in a thunk: that of the instruction for which it stands.
    origins: Vec<(u32, u32)>,
    points: Points,
}

/// The plan for the image file at `path`, which has to be `size` bytes of address space without it.
///
/// It is made once per process and kept: the same image is usually loaded many times.
pub(in super::super) fn of(
    path: &Path,
    file: &PeFile64<'_>,
    data: &[u8],
    size: usize,
    atomics: Atomics,
) -> Result<&'static Plan, String> {
    type Known = HashMap<(PathBuf, Atomics), (Arc<[u8]>, &'static Plan)>;
    /// Of the process: files are read once.
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let mut known = KNOWN.lock();
    let known = known.get_or_insert_default();
    let key = (path.to_owned(), atomics);
    if let Some((_, plan)) = known.get(&key).filter(|(of, _)| **of == *data) {
        return Ok(plan);
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plan: &'static Plan = Box::leak(Box::new(Plan::new(name, file, data, narrow(size), atomics)?));
    known.insert(key, (data.into(), plan));
    Ok(plan)
}

impl Plan {
    pub(super) fn new(
        image: String,
        file: &PeFile64<'_>,
        data: &[u8],
        start: u32,
        atomics: Atomics,
    ) -> Result<Self, String> {
        if start >= 1 << KIND {
            return Err(format!("it takes {start:#x} bytes, too many for points at its atomics"));
        }
        let sections = Sections::of(file, data);
        let functions = Functions::of(file, data, &sections, relocated(file, data)?);
        let mut writer = Writer {
            area: Area::new(start),
            changes: Vec::new(),
            traps: HashMap::new(),
            points: Points { image, ..Points::default() },
        };
        for function in &functions.all {
            let kinds: Vec<_> = function
                .instructions
                .iter()
                .map(|one| function.kind(one, &sections))
                .map(|kind| kind.filter(|&kind| kind != Kind::Access || atomics == Atomics::All))
                .collect();
            writer.function(function, &kinds, &functions)?;
        }
        let Writer { area, changes, traps, points } = writer;
        let (thunks, origins) = area.finish();
        let size = thunks.len().next_multiple_of(super::super::mapping::PAGE);
        Ok(Self { start, size, thunks, changes, traps, origins, points })
    }

    /// The changes, the thunks among them, as (address, bytes).
    pub(in super::super) fn changes(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let changes = self.changes.iter().map(|(at, bytes)| (*at, &bytes[..]));
        changes.chain([(self.start, &self.thunks[..])])
    }

    /// The address of the function that thunks call, which has to be written where they begin.
    pub(in super::super) fn function() -> [u8; 8] {
        Va::of(reached as *const ()).bits().to_le_bytes()
    }

    /// Returns the image's points.
    pub(in super::super) fn points(&self) -> &Points {
        &self.points
    }

    /// The thunk to which the breakpoint at `rva` leads, if one is there.
    pub(super) fn thunk(&self, rva: u32) -> Option<u32> {
        self.traps.get(&rva).copied()
    }

    /// The instruction for which the code at `rva` stands, if that is a thunk's.
    pub(in super::super) fn origin(&self, rva: u32) -> Option<u32> {
        let behind = self.origins.partition_point(|&(code, _)| code <= rva);
        let (_, origin) = self.origins.get(behind.checked_sub(1)?)?;
        Some(*origin)
    }
}

/// The places at which the loader has to relocate pointers.
fn relocated(file: &PeFile64<'_>, data: &[u8]) -> Result<impl Iterator<Item = u32>, String> {
    let blocks = file.data_directories().relocation_blocks(data, &file.section_table());
    let mut places = Vec::new();
    if let Some(mut blocks) = blocks.map_err(|error| error.to_string())? {
        while let Some(block) = blocks.next().map_err(|error| error.to_string())? {
            let pointers = block.filter(|relocation| relocation.typ == pe::IMAGE_REL_BASED_DIR64);
            places.extend(pointers.map(|relocation| relocation.virtual_address));
        }
    }
    Ok(places.into_iter())
}

/// A plan in the making.
struct Writer {
    area: Area,
    changes: Vec<(u32, Vec<u8>)>,
    traps: HashMap<u32, u32>,
    points: Points,
}

impl Writer {
    /// Changes a function, whose instructions are points of these kinds or none.
    fn function(
        &mut self,
        function: &Function,
        kinds: &[Option<Kind>],
        functions: &Functions,
    ) -> Result<(), String> {
        let mut at = 0;
        while let Some(kind) = kinds.get(at) {
            if kind.is_none() {
                at += 1;
                continue;
            }
            let count = room(function, at, functions);
            let moved = &function.instructions[at..at + count.unwrap_or(1)];
            self.place(moved, &kinds[at..], count.is_some())?;
            at += moved.len();
        }
        Ok(())
    }

    /// Leads from `moved` to a thunk, by a jump or a breakpoint.
    fn place(&mut self, moved: &[Instruction], kinds: &[Option<Kind>], jumps: bool) -> Result<(), String> {
        let (Some(first), Some(last)) = (moved.first(), moved.last()) else { return Ok(()) };
        let (rva, thunk) = (first.ip().low_u32(), self.area.next());
        for (instruction, kind) in moved.iter().zip(kinds) {
            self.area.stands_for(instruction.ip().low_u32());
            let code = kind.map(|kind| (kind as u32) << KIND | instruction.ip().low_u32());
            if let Some(code) = code {
                self.area.point(code);
            }
            self.area.instruction(instruction)?;
            self.area.stands_for(instruction.next_ip().low_u32());
            match (kind, code) {
                (Some(Kind::Atomic), Some(code)) => {
                    self.area.point(code);
                    self.points.atomics += 1;
                }
                (Some(Kind::Access), _) => self.points.accesses += 1,
                (Some(Kind::Pause), _) => self.points.pauses += 1,
                _ => {}
            }
            self.points.breakpoints += u32::from(kind.is_some() && !jumps);
        }
        self.area.jump(last.next_ip().low_u32());
        let change = if jumps {
            let mut bytes = vec![BREAKPOINT; (last.next_ip() - first.ip()).to_usize()];
            let distance = thunk.wrapping_sub(rva + JUMP as u32).to_le_bytes();
            bytes.splice(..JUMP, [JUMP_CODE].into_iter().chain(distance));
            bytes
        } else {
            self.traps.insert(rva, thunk);
            vec![BREAKPOINT]
        };
        self.changes.push((rva, change));
        Ok(())
    }
}

/// Returns the number of instructions from index `at` on that have to move for a jump to fit; `None` if one
/// of them must not move.
fn room(function: &Function, at: usize, functions: &Functions) -> Option<usize> {
    let instructions = function.instructions.get(at..)?;
    let start = instructions.first()?.ip();
    for (index, instruction) in instructions.iter().enumerate() {
        let entered = index > 0
            && (function.has_hidden_entries || functions.targets.contains(&(instruction.ip().low_u32())));
        if entered || !can_move(instruction) {
            return None;
        }
        if instruction.next_ip() - start >= JUMP.to_u64() {
            return Some(index + 1);
        }
    }
    None
}
