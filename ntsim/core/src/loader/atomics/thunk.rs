//! The code of thunks, which lies behind the image and is the same wherever that is loaded.
//!
//! The area begins with the address of the function that a point calls, then code that all thunks share: it
//! keeps what a call of that function may change, and clears the direction flag, which a driver's own code may set.
//! Then comes a thunk for each place that was changed:
//!
//! ```text
//!     pushfq; push rax; mov eax, <kind and address>; call <shared>; pop rax; popfq     the point
//!     <the instruction, as it is at its new place>
//!     pushfq; …                                                                        the point behind it
//!     <further instructions that the jump took the place of>
//!     jmp <the next instruction>
//! ```

#![forbid(unsafe_code)]

use crate::number::{ToUsize, narrow};
use iced_x86::{Encoder, FlowControl, Instruction};

/// Offset of the shared code in the area; before it is the address of what is called.
const SHARED: u32 = 8;

/// The shared code: keeps the registers that a function may change in Microsoft's convention for x64, and calls
/// one with the point and the image's base.
const KEEP: [&[u8]; 2] = [
    &[
        0xFC, // cld
        0x51, // push rcx
        0x52, // push rdx
        0x41, 0x50, // push r8
        0x41, 0x51, // push r9
        0x41, 0x52, // push r10
        0x41, 0x53, // push r11
        0x55, // push rbp
        0x48, 0x89, 0xE5, // mov rbp, rsp
        0x48, 0x83, 0xE4, 0xF0, // and rsp, -16
        0x48, 0x81, 0xEC, 0x80, 0x00, 0x00, 0x00, // sub rsp, 0x80
        0x0F, 0x11, 0x44, 0x24, 0x20, // movups [rsp+0x20], xmm0
        0x0F, 0x11, 0x4C, 0x24, 0x30, // movups [rsp+0x30], xmm1
        0x0F, 0x11, 0x54, 0x24, 0x40, // movups [rsp+0x40], xmm2
        0x0F, 0x11, 0x5C, 0x24, 0x50, // movups [rsp+0x50], xmm3
        0x0F, 0x11, 0x64, 0x24, 0x60, // movups [rsp+0x60], xmm4
        0x0F, 0x11, 0x6C, 0x24, 0x70, // movups [rsp+0x70], xmm5
        0x89, 0xC1, // mov ecx, eax
    ],
    &[
        0x0F, 0x10, 0x44, 0x24, 0x20, // movups xmm0, [rsp+0x20]
        0x0F, 0x10, 0x4C, 0x24, 0x30, // movups xmm1, [rsp+0x30]
        0x0F, 0x10, 0x54, 0x24, 0x40, // movups xmm2, [rsp+0x40]
        0x0F, 0x10, 0x5C, 0x24, 0x50, // movups xmm3, [rsp+0x50]
        0x0F, 0x10, 0x64, 0x24, 0x60, // movups xmm4, [rsp+0x60]
        0x0F, 0x10, 0x6C, 0x24, 0x70, // movups xmm5, [rsp+0x70]
        0x48, 0x89, 0xEC, // mov rsp, rbp
        0x5D, // pop rbp
        0x41, 0x5B, // pop r11
        0x41, 0x5A, // pop r10
        0x41, 0x59, // pop r9
        0x41, 0x58, // pop r8
        0x5A, // pop rdx
        0x59, // pop rcx
        0xC3, // ret
    ],
];

/// Thunks, as they are being written.
pub(super) struct Area {
    start: u32,
    bytes: Vec<u8>,
    /// The original instruction of code in the area, each by its address.
    origins: Vec<(u32, u32)>,
    encoder: Encoder,
}

impl Area {
    /// The area from the address `start` in the image on.
    pub(super) fn new(start: u32) -> Self {
        let mut area =
            Self { start, bytes: vec![0; SHARED.to_usize()], origins: Vec::new(), encoder: Encoder::new(64) };
        area.bytes.extend(KEEP[0]);
        area.bytes.extend([0x48, 0x8D, 0x15]); // lea rdx, [the image's base]
        area.relative(0);
        area.bytes.extend([0xFF, 0x15]); // call [the function]
        area.relative(start);
        area.bytes.extend(KEEP[1]);
        area
    }

    /// The address of the next thunk.
    pub(super) fn next(&self) -> u32 {
        self.start + narrow::<u32, _>(self.bytes.len())
    }

    /// Adds a point, which tells `code`.
    pub(super) fn point(&mut self, code: u32) {
        self.bytes.extend([0x9C, 0x50, 0xB8]); // pushfq; push rax; mov eax, …
        self.bytes.extend(code.to_le_bytes());
        self.bytes.push(0xE8); // call …
        self.relative(self.start + SHARED);
        self.bytes.extend([0x58, 0x9D]); // pop rax; popfq
    }

    /// Says that what follows stands for the instruction at `rva`.
    pub(super) fn stands_for(&mut self, rva: u32) {
        self.origins.push((self.next(), rva));
    }

    /// Adds an instruction of the image.
    pub(super) fn instruction(&mut self, instruction: &Instruction) -> Result<(), String> {
        let mut moved = *instruction;
        if matches!(
            instruction.flow_control(),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
        ) {
            moved.as_near_branch();
        }
        self.encoder
            .encode(&moved, u64::from(self.next()))
            .map_err(|error| format!("the instruction at {:#x} can't be moved: {error}", instruction.ip()))?;
        self.bytes.extend(self.encoder.take_buffer());
        Ok(())
    }

    /// Adds a jump.
    pub(super) fn jump(&mut self, to: u32) {
        self.bytes.push(0xE9);
        self.relative(to);
    }

    fn relative(&mut self, target: u32) {
        let next = self.next() + 4;
        self.bytes.extend(target.wrapping_sub(next).to_le_bytes());
    }

    /// The code, and for whose instructions it stands.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<(u32, u32)>) {
        (self.bytes, self.origins)
    }
}
