//! Stacks of drivers, unwound by the tables in their images.

#![forbid(unsafe_code)]

use core::fmt;
use std::sync::Arc;

use super::Image;
use super::unwind::Registers;
use crate::address::Va;
use crate::sched::local;

/// Most frames of one trace.
const DEPTH: usize = 12;

/// Most frames of one stack.
const LIMIT: usize = 64;

/// The return addresses of a driver's call, innermost first. Cheap to take and to keep.
#[derive(Clone, Copy, Default)]
pub struct Trace {
    addresses: [Va; DEPTH],
}

impl Trace {
    /// Of the driver code that called the emulated function that the calling thread is in.
    pub fn of_caller() -> Self {
        let mut addresses = [Va::NULL; DEPTH];
        if let Some(entry) = local::innermost() {
            let mut registers = Registers::at_entry(&entry);
            let slots = addresses.iter_mut();
            for (slot, (_, address)) in slots.zip(registers.frames(entry.return_address(), false)) {
                *slot = address;
            }
        }
        Self { addresses }
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> Vec<Frame> {
        self.addresses
            .iter()
            .take_while(|address| !address.is_null())
            .filter_map(|&address| Some(Frame::Driver { image: super::image_at(address)?, address }))
            .collect()
    }

    /// The image that called, if the call came from one.
    pub fn image(&self) -> Option<Arc<Image>> {
        super::image_at(self.addresses[0])
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames().iter().map(ToString::to_string)).finish()
    }
}

/// One frame of a stack.
#[derive(Clone, Debug)]
pub enum Frame {
    /// An emulated function that the driver called.
    Kernel(&'static str),
    /// A place in a driver: the address of an instruction, or behind a call.
    Driver {
        /// The image.
        image: Arc<Image>,
        /// The address.
        address: Va,
    },
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kernel(a), Self::Kernel(b)) => a == b,
            (Self::Driver { address: a, .. }, Self::Driver { address: b, .. }) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Frame {
    /// One line per function at the address (several where calls were inlined), without a final newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (image, address) = match self {
            Self::Kernel(name) => return write!(f, "nt!{name}"),
            Self::Driver { image, address } => (image, address),
        };
        // A return address may already belong to the line, or even the function, behind the call.
        let rva = image.rva(*address);
        let places = image.symbols.map(|symbols| symbols.places(rva.saturating_sub(1))).unwrap_or_default();
        if places.is_empty() {
            return write!(f, "{}+{rva:#x}", image.module());
        }
        for (index, place) in places.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}!{}", image.module(), place.function)?;
            if let Some((file, line)) = &place.line {
                write!(f, " ({file}:{line})")?;
            }
        }
        Ok(())
    }
}

/// The stack of the calling thread: each call into the kernel that it is inside of, innermost first, and
/// how the driver got there.
pub fn of_this_thread() -> Vec<Frame> {
    let mut stack = Vec::new();
    for entry in local::entries() {
        stack.push(Frame::Kernel(entry.function));
        let mut registers = Registers::at_entry(&entry);
        stack.extend(
            registers
                .frames(entry.return_address(), false)
                .map(|(image, address)| Frame::Driver { image, address }),
        );
    }
    stack.truncate(LIMIT);
    stack
}

/// The stack of the calling thread as it is now, to be shown later: a new line for each frame. `None` where it is in no
/// driver.
pub(crate) fn captured() -> Option<Box<dyn fmt::Display + Send>> {
    struct Lines(Vec<Frame>);

    impl fmt::Display for Lines {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|frame| write!(f, "\n    {frame}"))
        }
    }

    let stack = of_this_thread();
    (!stack.is_empty()).then(|| -> Box<dyn fmt::Display + Send> { Box::new(Lines(stack)) })
}

/// The stack of a driver from an address and its registers on, then that of [`of_this_thread`]. The address is that
/// of an `instruction`, or one behind a call.
pub fn from_registers(ip: Va, registers: [u64; 16], instruction: bool) -> Vec<Frame> {
    let mut registers = Registers { values: registers, vectors: [0; 16] };
    let mut stack: Vec<_> =
        registers.frames(ip, instruction).map(|(image, address)| Frame::Driver { image, address }).collect();
    if let Some(Frame::Driver { address, .. }) = stack.first_mut().filter(|_| instruction) {
        *address += 1;
    }
    stack.extend(of_this_thread());
    stack
}

impl Registers {
    /// The frames from `address` outwards, for as long as they lie in images. The first may be that of an
    /// `instruction`; all others are where a call returns to.
    fn frames(&mut self, address: Va, instruction: bool) -> impl Iterator<Item = (Arc<Image>, Va)> {
        let mut next = Some((address, instruction));
        core::iter::from_fn(move || {
            let (address, instruction) = next?;
            let image = super::image_at(address)?;
            let rva = image.rva(address);
            next = self.unwind(&image, rva, instruction).map(|unwound| (unwound.address, false));
            Some((image, address))
        })
        .take(LIMIT)
    }
}
