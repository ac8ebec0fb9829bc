//! The settings of a machine.

#![forbid(unsafe_code)]

use core::time::Duration;

use super::{Schedule, Sockets};
use crate::per_machine::PerMachine;

/// The settings of a machine. Each part reads those that concern it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The number of virtual processors, 1 to 64.
    pub processors: u32,
    /// Live blocks of pool memory that get pages of their own.
    pub special_pool: usize,
    /// The bytes of pool memory that a driver does not ask to be zero.
    pub fresh_pool: u8,
    /// Set if pageable memory is paged out at DISPATCH_LEVEL.
    pub force_irql: bool,
    /// The seed from which requests are chosen that pend; `None` lets none pend that need not.
    pub force_pending: Option<u64>,
    /// Set if an image is loaded although it imports what the simulator does not have.
    pub allow_missing_imports: bool,
    /// Set if text for the debugger also goes to standard error.
    pub echo: bool,
    /// The longest time without progress while a thread of the host waits.
    pub hang_timeout: Duration,
    /// The time of one DPC.
    pub dpc_limit: Duration,
    /// The order in which threads run; `None` leaves it to the host.
    pub schedule: Option<Schedule>,
    /// The sockets of Winsock Kernel.
    pub sockets: Sockets,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            processors: 2,
            special_pool: 16_000,
            fresh_pool: 0xA5,
            force_irql: false,
            force_pending: None,
            allow_missing_imports: false,
            echo: false,
            hang_timeout: Duration::from_secs(60),
            dpc_limit: Duration::from_secs(20),
            schedule: None,
            sockets: Sockets::default(),
        }
    }
}

impl Settings {
    /// Those of the running machine.
    pub fn current() -> &'static Self {
        SETTINGS.get()
    }

    pub(crate) fn install(self) {
        SETTINGS.set(self);
    }
}

static SETTINGS: PerMachine<Settings> = PerMachine::new();
