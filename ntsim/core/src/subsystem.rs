//! Emulated parts of the kernel, as the layers below them see them.
//!
//! A part registers with the machine when that boots ([`Builder::new`](crate::boot::Builder::new)); what is below asks
//! all of them through the functions here and knows none by name.

use core::fmt;
use core::ops::Range;

use crate::Export;
use crate::address::Va;
use crate::bugcheck::Bugcheck;
use crate::per_machine::PerMachine;
use crate::sched::Settings;

/// One emulated part of the kernel. It is stateless itself: its state is [`PerMachine`].
pub trait Subsystem: Sync {
    /// The functions that drivers may import, one slice for each file.
    fn exports(&self) -> &'static [&'static [Export]];

    /// Sets the state that depends on how the machine is to be, and starts the threads that serve the part. Called on
    /// a thread of the machine.
    fn boot(&self, _settings: &Settings) {}

    /// Waits, before a shutdown, until work that is under way has ended.
    fn settle(&self) {}

    /// Reports, as findings, the objects that drivers left behind; called once, after the last unload.
    fn inspect(&self) {}

    /// Lets the threads that serve the part see that the machine is [stopping](crate::per_machine::Stopping).
    fn stop(&self) {}

    /// The memory that drivers never freed; called when the threads of the machine have ended.
    fn leaks(&self) -> Vec<Leak> {
        Vec::new()
    }

    /// Frees what is large.
    ///
    /// # Safety
    /// Every thread of the machine has ended, and no driver is loaded.
    unsafe fn release(&self) {}

    /// The objects in use within `range`, which is being freed, taken out of the part's queues, so that they are not
    /// touched later.
    fn take_live_objects(&self, _range: &Range<Va>) -> Vec<LiveObject> {
        Vec::new()
    }

    /// Adds to the report of a machine that hangs, a line for each object that waits for a driver.
    fn describe_hang(&self, _report: &mut String) {}

    /// The name of what lies at `address`, the same whenever a run is repeated.
    fn name(&self, _address: Va) -> Option<String> {
        None
    }
}

/// A kernel object that something still refers to.
#[derive(Debug)]
pub struct LiveObject {
    /// Its type.
    pub what: &'static str,
    /// Its address.
    pub address: Va,
    /// The bug check of Windows when it finds the object in freed memory.
    pub bugcheck: Option<Bugcheck>,
}

impl fmt::Display for LiveObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.what, self.address)
    }
}

/// A block of memory that was never freed.
#[derive(Clone, Debug)]
pub struct Leak {
    /// Its pool tag.
    pub tag: Tag,
    /// Its length, in bytes.
    pub size: usize,
    /// Set if it is in paged pool.
    pub paged: bool,
    /// The block with the stack that allocated it, in words.
    pub text: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Four characters that name the purpose of a block of pool memory.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self
            .0
            .to_le_bytes()
            .map(|byte| if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'?' });
        f.write_str(str::from_utf8(&text).unwrap_or("????"))
    }
}

/// The parts of a machine, those that others need first, in the lists of their crates.
pub type Subsystems = &'static [&'static [&'static dyn Subsystem]];

/// The parts of the running machine.
#[derive(Default)]
pub(crate) struct Registered(Subsystems);

static REGISTERED: PerMachine<Registered> = PerMachine::new();

/// Registers the parts of the machine that boots.
pub(crate) fn register(parts: Subsystems) {
    REGISTERED.set(Registered(parts));
}

/// The parts of the running machine.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn Subsystem> + Clone {
    REGISTERED.get().0.iter().copied().flatten().copied()
}

/// The kernel objects in use within `range`, which is being freed. They are taken out of their queues.
pub fn take_live_objects(range: &Range<Va>) -> Vec<LiveObject> {
    all().flat_map(|part| part.take_live_objects(range)).collect()
}

/// The name of what lies at `address`, if a part knows it.
pub fn name(address: Va) -> Option<String> {
    all().find_map(|part| part.name(address))
}

/// Adds to the report of a machine that hangs.
pub(crate) fn describe_hang(report: &mut String) {
    all().for_each(|part| part.describe_hang(report));
}
