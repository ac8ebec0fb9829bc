//! The steps of an initialisation, and how one that fails is told.

#![expect(unsafe_code, reason = "the debugger and the event log are written to")]

use core::ffi::CStr;

use sys::ndis::{self, NDIS_HANDLE};
use sys::status::{NDIS_STATUS_RESOURCES, NTSTATUS, STATUS_NO_MEMORY};
use sys::wdm::{self, ULONG};

/// A step of loading the driver or of initialising an adapter. docs/windows.md lists the numbers of the latter, which
/// stand in the event log and so stay what they are.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Framework,
    Fabric,
    Registration,
    LegacyTransport,
    Sockets,
    Device = 16,
    Configuration,
    Rdma,
    WorkItem,
    VirtualPort,
    Capabilities,
    Adapter,
    Attributes,
    Connect,
    AddressWatch,
    Addresses,
}

impl Step {
    /// The error of this step with a status.
    pub(crate) const fn failed(self, status: NTSTATUS) -> StepError {
        StepError { step: self, status }
    }

    /// The error of this step for want of memory.
    pub(crate) const fn out_of_memory(self) -> StepError {
        self.failed(NDIS_STATUS_RESOURCES)
    }

    /// The number for the event log.
    #[expect(clippy::as_conversions, reason = "the number of a step is its discriminant")]
    const fn number(self) -> ULONG {
        self as ULONG
    }

    /// The name for the debugger.
    const fn name(self) -> &'static CStr {
        match self {
            Self::Framework => c"DriverEntry, framework driver",
            Self::Fabric => c"DriverEntry, fabric",
            Self::Registration => c"DriverEntry, NdisMRegisterMiniportDriver",
            Self::LegacyTransport => c"DriverEntry, legacy transport",
            Self::Sockets => c"DriverEntry, WskRegister",
            Self::Device => c"MiniportInitializeEx, framework device",
            Self::Configuration => c"MiniportInitializeEx, configuration",
            Self::Rdma => c"MiniportInitializeEx, RNIC",
            Self::WorkItem => c"MiniportInitializeEx, work item",
            Self::VirtualPort => c"MiniportInitializeEx, virtual port",
            Self::Capabilities => c"MiniportInitializeEx, capabilities",
            Self::Adapter => c"MiniportInitializeEx, adapter",
            Self::Attributes => c"MiniportInitializeEx, attributes",
            Self::Connect => c"MiniportInitializeEx, connecting the RNIC",
            Self::AddressWatch => c"MiniportInitializeEx, notification of addresses",
            Self::Addresses => c"MiniportInitializeEx, addresses",
        }
    }
}

/// The step at which an initialisation has failed, and its status.
#[derive(Clone, Copy)]
pub(crate) struct StepError {
    step: Step,
    /// The status for the caller of the entry point.
    pub(crate) status: NTSTATUS,
}

impl StepError {
    /// Prints a line that a kernel debugger shows without a filter being set: its level is that of errors
    /// (<https://learn.microsoft.com/windows-hardware/drivers/devtest/reading-and-filtering-debugging-messages>).
    /// Any level.
    pub(crate) fn print(self) {
        let (component, level) = (wdm::DPFLTR_IHVNETWORK_ID, wdm::DPFLTR_ERROR_LEVEL);
        let (format, step) = (c"softndk: %s failed, 0x%08x\n", self.step.name());
        // SAFETY: the format takes a text and a number.
        unsafe { wdm::DbgPrintEx(component, level, format.as_ptr(), step.as_ptr(), self.status) };
    }

    /// Prints the line and writes an entry to the event log: NDIS's code, then step and status as its values
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndiswriteerrorlogentry>).
    /// ≤ DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// The handle is that of an adapter that is being initialised.
    pub(crate) unsafe fn log(self, adapter: NDIS_HANDLE) {
        self.print();
        let code = match self.status {
            NDIS_STATUS_RESOURCES | STATUS_NO_MEMORY => ndis::NDIS_ERROR_CODE_OUT_OF_RESOURCES,
            _ => ndis::NDIS_ERROR_CODE_DRIVER_FAILURE,
        };
        let (step, status) = (self.step.number(), self.status.cast_unsigned());
        // SAFETY: the handle is an adapter's, as the caller promises, and as many values follow as the count says.
        unsafe { ndis::NdisWriteErrorLogEntry(adapter, code, 2, step, status) };
    }
}
