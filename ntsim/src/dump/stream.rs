//! The part of a minidump before the memory: the header, the directory, the streams.
//!
//! Formats: <https://learn.microsoft.com/windows/win32/api/minidumpapiset/ns-minidumpapiset-minidump_header> and the
//! pages beside it.

use ntsim_core::number::{ToUsize, narrow};

/// `MINIDUMP_STREAM_TYPE`.
#[derive(Clone, Copy)]
pub(super) struct Kind(u32);

impl Kind {
    pub(super) const THREADS: Self = Self(3);
    pub(super) const MODULES: Self = Self(4);
    pub(super) const EXCEPTION: Self = Self(6);
    pub(super) const SYSTEM: Self = Self(7);
    pub(super) const MEMORY64: Self = Self(9);
    /// In UTF-16; WinDbg shows it when it opens a dump.
    pub(super) const COMMENT: Self = Self(11);
    pub(super) const THREAD_NAMES: Self = Self(24);
}

/// Bytes of a `MINIDUMP_HEADER`, and of a `MINIDUMP_DIRECTORY`.
const HEADER: usize = 32;
const ENTRY: usize = 12;

/// `MiniDumpWithFullMemory`: the memory is described by 64-bit lengths, and lies at the end.
const FULL_MEMORY: u64 = 2;

/// The streams, written one behind the other.
pub(super) struct Streams {
    bytes: Vec<u8>,
    /// Offset of the next entry of the directory.
    entry: usize,
    count: u32,
}

impl Streams {
    /// Makes room for a directory of `count` streams, and for `more` bytes that are added without an allocation.
    pub(super) fn new(count: u32, more: usize) -> Self {
        let mut bytes = Vec::with_capacity(more);
        bytes.resize(HEADER + ENTRY * count.to_usize(), 0);
        Self { bytes, entry: HEADER, count }
    }

    /// Appends bytes, at a multiple of eight, and returns where they are.
    pub(super) fn put(&mut self, content: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = narrow(self.bytes.len());
        self.bytes.extend_from_slice(content);
        at
    }

    /// Appends bytes right behind the last.
    pub(super) fn append(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(content);
    }

    /// Returns the number of bytes so far.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a `MINIDUMP_STRING`: the bytes of the UTF-16 text, the text, a null.
    pub(super) fn string(&mut self, text: &str) -> u32 {
        let mut content = vec![0; 4];
        content.extend(wide(text));
        let length: u32 = narrow(content.len() - 4);
        content[..4].copy_from_slice(&length.to_le_bytes());
        content.extend([0; 2]);
        self.put(&content)
    }

    /// Appends a stream.
    pub(super) fn stream(&mut self, kind: Kind, content: &[u8]) {
        let at = self.put(content);
        self.register(kind, narrow(content.len()), at);
    }

    /// Enters into the directory a stream that has been put.
    pub(super) fn register(&mut self, kind: Kind, size: u32, at: u32) {
        let fields = [kind.0, size, at];
        for (index, field) in fields.into_iter().enumerate() {
            self.patch(self.entry + 4 * index, &field.to_le_bytes());
        }
        self.entry += ENTRY;
    }

    /// Replaces bytes that have been put.
    pub(super) fn patch(&mut self, at: usize, content: &[u8]) {
        self.bytes[at..at + content.len()].copy_from_slice(content);
    }

    /// Writes the header, with the seconds since 1970, and returns the whole.
    pub(super) fn finish(&mut self, seconds: u32) -> &[u8] {
        let directory: u32 = narrow(HEADER);
        // "MDMP", and the version in the low word; then no checksum, which readers do not ask for.
        let fields = [0x504D_444D, 0xA793, self.count, directory, 0, seconds];
        for (index, field) in fields.into_iter().enumerate() {
            self.patch(4 * index, &field.to_le_bytes());
        }
        self.patch(24, &FULL_MEMORY.to_le_bytes());
        &self.bytes
    }
}

/// The bytes of a text in UTF-16.
pub(super) fn wide(text: &str) -> impl Iterator<Item = u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes)
}
