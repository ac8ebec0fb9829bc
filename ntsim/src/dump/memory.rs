//! The memory of a dump: the images, and all that has been written to; and the page of times that the kernel shares.
//!
//! It is read through the host's file of the process's memory, so that a page that is gone is an error and no fault.
//! While the other threads stand still, nothing here allocates: one of them may have the heap's lock.

use core::ops::Range;
use core::sync::atomic::Ordering;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use ntsim_core::address::Va;
use ntsim_core::loader::mapping::IMAGES;

use crate::emulate::{self, WORDS};

/// The address of the page of shared data.
const SHARED_DATA: usize = Va::from_bits(emulate::SHARED_DATA).get();

/// Bytes of a page.
const PAGE: usize = 0x1000;

/// Most ranges of a dump; what lies beyond is left out.
pub(super) const RANGES: usize = 1 << 17;

/// Bytes for the host's list of mappings.
const MAPS: usize = 16 << 20;

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Bytes of the largest shared mapping that is dumped whole.
const SHARED: usize = 16 << 20;

/// Entries of the host's page map that are read at a time.
const ENTRIES: usize = 512;

/// The bits of an entry that say that a page has been touched: it is in memory, or swapped out.
const TOUCHED: u64 = 3 << 62;

/// The process's memory, with room for the list of what of it is dumped.
pub(super) struct Memory {
    maps: File,
    pages: Option<File>,
    content: File,
    text: Vec<u8>,
    chunk: Vec<u8>,
    /// The page that the kernel shares with processes: the dump has it at the kernel's address.
    shared: [u64; WORDS],
    pub(super) ranges: Vec<Range<usize>>,
}

impl Memory {
    /// Opens the host's files.
    ///
    /// # Errors
    /// The host's.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            maps: File::open("/proc/self/maps")?,
            // A host may keep it from its processes; then pages are dumped that nothing was written to.
            pages: File::open("/proc/self/pagemap").ok(),
            content: File::open("/proc/self/mem")?,
            text: vec![0; MAPS],
            chunk: vec![0; CHUNK],
            shared: emulate::shared_data().each_ref().map(|word| word.load(Ordering::Relaxed)),
            ranges: Vec::with_capacity(RANGES),
        })
    }

    /// Chooses what is dumped: of the images all that can be read, and each page that is written to.
    ///
    /// # Errors
    /// The host's.
    pub(super) fn choose(&mut self) -> io::Result<()> {
        let mut length = 0;
        loop {
            match self.maps.read(&mut self.text[length..])? {
                0 => break,
                read => length += read,
            }
        }
        let Self { text, pages, ranges, .. } = self;
        for (mapping, shared) in text[..length].split(|&byte| byte == b'\n').filter_map(chosen) {
            match pages {
                // What is written through another mapping of the same memory does not show in the page map of this.
                Some(pages) if !shared || mapping.len() > SHARED => {
                    touched(pages, mapping, |range| add(ranges, range))?;
                }
                _ => add(ranges, mapping),
            }
        }
        add(ranges, SHARED_DATA..SHARED_DATA + size_of_val(&self.shared));
        Ok(())
    }

    /// Writes the content of what was chosen. A page that has gone since is zero.
    ///
    /// # Errors
    /// The host's, of the file.
    pub(super) fn copy(&mut self, file: &mut File) -> io::Result<()> {
        for range in &self.ranges {
            if range.start == SHARED_DATA {
                self.shared.iter().try_for_each(|word| file.write_all(&word.to_le_bytes()))?;
                continue;
            }
            let mut at = range.start;
            while at < range.end {
                let wanted = &mut self.chunk[..CHUNK.min(range.end - at)];
                let read = self.content.read_at(wanted, Va::new(at).bits()).unwrap_or_default();
                let length = if read == 0 {
                    let page = PAGE.min(wanted.len());
                    wanted[..page].fill(0);
                    page
                } else {
                    read
                };
                file.write_all(&wanted[..length])?;
                at += length;
            }
        }
        Ok(())
    }

    /// The eight bytes at an address, if they can be read.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.content.read_exact_at(&mut word, address).ok()?;
        Some(u64::from_le_bytes(word))
    }
}

/// Adds a range, to the one before where that ends there: readers look for an object in one range.
fn add(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    if let Some(last) = ranges.last_mut().filter(|last| last.end == range.start) {
        last.end = range.end;
    } else if ranges.len() < RANGES {
        ranges.push(range);
    }
}

/// The addresses of a line of the host's list, if it is one of memory that is dumped, and whether it is shared, as pool is
/// with the mappings of its blocks.
fn chosen(line: &[u8]) -> Option<(Range<usize>, bool)> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut ends = words.next()?.split(|&byte| byte == b'-').map(number);
    let (start, end) = (ends.next()??, ends.next()??);
    let permissions = words.next()?;
    let own = permissions.get(1) == Some(&b'w') || IMAGES.contains(&Va::new(start));
    let shared = permissions.get(3) == Some(&b's');
    (own && permissions.first() == Some(&b'r')).then_some((start..end, shared))
}

/// A hexadecimal number.
fn number(digits: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// Passes on the runs of pages of a mapping that have been touched.
fn touched(pages: &File, mapping: Range<usize>, mut run: impl FnMut(Range<usize>)) -> io::Result<()> {
    let mut bytes = [0; 8 * ENTRIES];
    let mut at = mapping.start;
    while at < mapping.end {
        let count = ENTRIES.min((mapping.end - at) / PAGE);
        let bytes = &mut bytes[..8 * count];
        pages.read_exact_at(bytes, Va::new(at / PAGE * 8).bits())?;
        for entry in bytes.as_chunks().0 {
            if u64::from_le_bytes(*entry) & TOUCHED != 0 {
                run(at..at + PAGE);
            }
            at += PAGE;
        }
    }
    Ok(())
}
