//! The damage done to an image, from a seed and a number.

use core::ops::Range;

use fastrand::Rng;

use super::layout::Layout;

/// Numbers that a reader of a format may not expect.
const ODD: [u64; 12] =
    [0, 1, 2, 3, 7, 0xFFF, 0x1000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF, u64::MAX];

/// The directories whose contents are damaged, with their names.
const DIRECTORIES: [(usize, &str); 7] = [
    (0, "exports"),
    (1, "imports"),
    (3, "functions' table"),
    (5, "relocations"),
    (6, "debug directory"),
    (10, "load configuration"),
    (12, "import addresses"),
];

/// One in this many images keeps a checksum that is wrong by then.
const WRONG_SUM: usize = 24;

/// Damages an intact image; says in words what was done.
pub(super) fn damage(intact: &[u8], layout: &Layout, random: &mut Rng) -> (Vec<u8>, Vec<String>) {
    let mut image = Image { bytes: intact.to_vec(), layout, random, done: Vec::new() };
    for _ in 0..image.random.usize(1..4) {
        image.damage();
    }
    if image.random.usize(..WRONG_SUM) > 0 {
        image.sum_up();
    }
    (image.bytes, image.done)
}

struct Image<'a> {
    bytes: Vec<u8>,
    layout: &'a Layout,
    random: &'a mut Rng,
    done: Vec<String>,
}

impl Image<'_> {
    fn damage(&mut self) {
        match self.random.u8(..14) {
            0 => self.flip(0..self.bytes.len(), "anywhere"),
            1 => self.flip(self.layout.headers.clone(), "in the headers"),
            2 => self.header_field(),
            3 => self.section_field(),
            4 => self.swap_sections(),
            5 => self.directory(),
            6 | 7 => self.table(),
            8 => self.entry_point(),
            9 => self.flip(self.layout.code.clone(), "in the code"),
            10 => {
                let entry = self.layout.entry;
                self.flip(entry..entry + 0x400, "at the entry point");
            }
            11 => self.code_run(),
            12 => self.unwind_data(),
            _ => self.length(),
        }
    }

    /// Changes bits or bytes in a place of the file.
    fn flip(&mut self, place: Range<usize>, what: &str) {
        let place = place.start..place.end.min(self.bytes.len());
        if place.is_empty() {
            return;
        }
        for _ in 0..self.random.usize(1..6) {
            let at = self.random.usize(place.clone());
            self.bytes[at] = match self.random.bool() {
                true => self.bytes[at] ^ (1 << self.random.u8(..8)),
                false => self.random.u8(..),
            };
            self.done.push(format!("byte {at:#x} {what}"));
        }
    }

    /// Changes a number of 1, 2, 4 or 8 bytes.
    fn number(&mut self, at: usize, size: usize, what: &str) {
        let Some(bytes) = self.bytes.get_mut(at..at + size) else { return };
        let old = bytes.iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        let new = match self.random.u8(..5) {
            0 => ODD[self.random.usize(..ODD.len())],
            1 => old.wrapping_add(u64::from(self.random.u16(..0x2000))).wrapping_sub(0x1000),
            2 => old ^ (1 << self.random.usize(..8 * size)),
            3 => u64::from(self.random.u32(..self.layout.size)),
            _ => self.random.u64(..),
        };
        bytes.copy_from_slice(&new.to_le_bytes()[..size]);
        self.done.push(format!("{what} at {at:#x}: {old:#x} to {new:#x}"));
    }

    fn header_field(&mut self) {
        let size = [2, 4, 4, 8][self.random.usize(..4)];
        let fields = self.layout.headers.len() / size;
        let at = self.layout.headers.start + size * self.random.usize(..fields);
        self.number(at, size, "header field");
    }

    fn section_field(&mut self) {
        let count = self.layout.section_headers.len() / 40;
        let section = self.layout.section_headers.start + 40 * self.random.usize(..count);
        let field = [8, 12, 16, 20, 36][self.random.usize(..5)];
        self.number(section + field, 4, "section field");
    }

    /// Exchanges what two headers of sections say.
    fn swap_sections(&mut self) {
        let count = self.layout.section_headers.len() / 40;
        let [a, b] = [(); 2].map(|()| self.layout.section_headers.start + 40 * self.random.usize(..count));
        let field = [(8, 4), (12, 4), (20, 4), (0, 40)][self.random.usize(..4)];
        for byte in field.0..field.0 + field.1 {
            if a.max(b) + byte < self.bytes.len() {
                self.bytes.swap(a + byte, b + byte);
            }
        }
        self.done.push(format!("section headers {a:#x} and {b:#x} exchange {field:?}"));
    }

    fn directory(&mut self) {
        let count = self.layout.directories.len() / 4;
        let at = self.layout.directories.start + 4 * self.random.usize(..count);
        self.number(at, 4, "directory");
    }

    /// Changes what a directory refers to.
    fn table(&mut self) {
        let (number, name) = DIRECTORIES[self.random.usize(..DIRECTORIES.len())];
        let place = self.layout.tables.iter().find(|(known, _)| *known == number);
        let Some((_, place)) = place.cloned() else { return };
        if self.random.bool() {
            return self.flip(place, name);
        }
        let at = place.start + 4 * self.random.usize(..place.len().div_ceil(4));
        self.number(at, 4, name);
    }

    fn entry_point(&mut self) {
        self.number(self.layout.optional + 16, 4, "entry point");
    }

    /// Writes over a run of code.
    fn code_run(&mut self) {
        let code = self.layout.code.clone();
        let near = self.random.bool();
        let at = if near { self.layout.entry + self.random.usize(..0x800) } else { self.random.usize(code) };
        let length = self.random.usize(1..64);
        let value = [0x00, 0x90, 0xCC, 0xC3, 0xFF, self.random.u8(..)][self.random.usize(..6)];
        let end = (at + length).min(self.bytes.len());
        if at < end {
            self.bytes[at..end].fill(value);
            self.done.push(format!("code at {at:#x}..{end:#x} is {value:#x}"));
        }
    }

    /// Changes what says of one function how to unwind it, or points elsewhere.
    fn unwind_data(&mut self) {
        let Some((_, table)) = self.layout.tables.iter().find(|(number, _)| *number == 3).cloned() else {
            return;
        };
        let function = table.start + 12 * self.random.usize(..table.len() / 12);
        let Some(field) = self.bytes.get(function + 8..function + 12) else { return };
        // The information lies in a section whose addresses and places in the file differ by a constant.
        let rva = u32::from_le_bytes([field[0], field[1], field[2], field[3]]) as usize;
        let shift = self.layout.unwind_shift;
        match rva.checked_sub(shift).filter(|_| self.random.bool()) {
            Some(info) => self.flip(info..info + 16, "of unwind information"),
            None => {
                let at = function + 4 * self.random.usize(..3);
                self.number(at, 4, "function");
            }
        }
    }

    fn length(&mut self) {
        let length = match self.random.u8(..4) {
            0 => self.bytes.len() + self.random.usize(1..0x2000),
            1 => self.random.usize(..0x1000),
            _ => self.random.usize(..self.bytes.len()),
        };
        self.bytes.resize(length, 0);
        self.done.push(format!("{length:#x} bytes long"));
    }

    /// Lets the checksum be right, so that the loader goes on.
    fn sum_up(&mut self) {
        let field = self.layout.optional + 64;
        if self.bytes.len() >= field + 4 {
            let sum = crate::image::checksum(&self.bytes, field);
            self.bytes[field..field + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }
}
