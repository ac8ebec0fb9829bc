//! Windows' stop codes.

#![forbid(unsafe_code)]

use core::fmt;

/// A bug check code with its parameters, as Windows defines them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bugcheck {
    /// The code, such as 0xC4 (DRIVER_VERIFIER_DETECTED_VIOLATION).
    pub code: u32,
    /// The four parameters.
    pub parameters: [u64; 4],
}

impl Bugcheck {
    /// The code's name in Microsoft's "Bug check code reference"; empty for one that the simulator never
    /// stops with on its own account.
    pub fn name(&self) -> &'static str {
        match self.code {
            0x0A => "IRQL_NOT_LESS_OR_EQUAL",
            0x0C => "MAXIMUM_WAIT_OBJECTS_EXCEEDED",
            0x50 => "PAGE_FAULT_IN_NONPAGED_AREA",
            0x7C => "BUGCODE_NDIS_DRIVER",
            0x7E => "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
            0x7F => "UNEXPECTED_KERNEL_MODE_TRAP",
            0xB8 => "ATTEMPTED_SWITCH_FROM_DPC",
            0xBE => "ATTEMPTED_WRITE_TO_READONLY_MEMORY",
            0xC1 => "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION",
            0xC2 => "BAD_POOL_CALLER",
            0xC4 => "DRIVER_VERIFIER_DETECTED_VIOLATION",
            0xC7 => "TIMER_OR_DPC_INVALID",
            0xC9 => "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
            0xCE => "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS",
            0xD1 => "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
            0xD5 => "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
            0xD6 => "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
            0xE2 => "MANUALLY_INITIATED_CRASH",
            0xFC => "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY",
            0x133 => "DPC_WATCHDOG_VIOLATION",
            0x13A => "KERNEL_MODE_HEAP_CORRUPTION",
            0x139 => "KERNEL_SECURITY_CHECK_FAILURE",
            0x15E => "BUGCODE_NDIS_DRIVER_LIVE_DUMP",
            _ => "",
        }
    }
}

impl fmt::Display for Bugcheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.parameters;
        write!(f, "{:#X} {} ({a:#x}, {b:#x}, {c:#x}, {d:#x})", self.code, self.name())
    }
}
