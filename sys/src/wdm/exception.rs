//! Structured exceptions on x64.
//!
//! `CONTEXT` has its general registers as one array, in the order in which instructions number them; in C each is a
//! member of its own at the same offset.

use super::{LONG, PVOID, ULONG, ULONG_PTR, ULONG64, USHORT};

/// The processor's 16 bytes of one vector register.
pub type M128A = u128;

/// Decides about an exception in the frame of its function.
pub type PEXCEPTION_ROUTINE = unsafe extern "efiapi" fn(
    ExceptionRecord: *mut EXCEPTION_RECORD,
    EstablisherFrame: PVOID,
    ContextRecord: *mut CONTEXT,
    DispatcherContext: *mut DISPATCHER_CONTEXT,
) -> LONG;

/// The filter of a `__try` block: whether its `__except` block takes the exception.
pub type PEXCEPTION_FILTER =
    unsafe extern "efiapi" fn(ExceptionPointers: *mut EXCEPTION_POINTERS, EstablisherFrame: PVOID) -> LONG;

/// The `__finally` block of a `__try` block.
pub type PTERMINATION_HANDLER = unsafe extern "efiapi" fn(AbnormalTermination: u8, EstablisherFrame: PVOID);

layout! {
    /// An exception.
    struct EXCEPTION_RECORD: 0x98 {
        /// The NTSTATUS that names it.
        0x00 => ExceptionCode: ULONG,
        /// `EXCEPTION_…`.
        0x04 => ExceptionFlags: ULONG,
        /// The exception during whose handling it came.
        0x08 => ExceptionRecord: *mut EXCEPTION_RECORD,
        /// The address of the instruction.
        0x10 => ExceptionAddress: PVOID,
        /// The number of parameters.
        0x18 => NumberParameters: ULONG,
        /// Of an access violation: 0 for a read, 1 for a write, 8 for an execution; the address.
        0x20 => ExceptionInformation: [ULONG_PTR; 15],
    }

    /// The registers of a thread.
    struct CONTEXT: 0x4D0 {
        /// Homes of a callee's arguments.
        0x000 => Home: [ULONG64; 6],
        /// The parts of it that are valid.
        0x030 => ContextFlags: ULONG,
        /// The control word of the vector unit.
        0x034 => MxCsr: ULONG,
        /// The segment registers.
        0x038 => Segments: [USHORT; 6],
        /// The flags.
        0x044 => EFlags: ULONG,
        /// The debug registers.
        0x048 => Debug: [ULONG64; 6],
        /// Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8 to R15.
        0x078 => Registers: [ULONG64; 16],
        /// The instruction pointer.
        0x0F8 => Rip: ULONG64,
        /// The floating-point unit.
        0x100 => Float: [ULONG64; 20],
        /// The vector registers.
        0x1A0 => Xmm: [M128A; 16],
        /// Reserved.
        0x2A0 => Reserved: [ULONG64; 12],
        /// Upper halves of the vector registers.
        0x300 => VectorRegister: [M128A; 26],
        /// The control of those.
        0x4A0 => VectorControl: ULONG64,
        /// Records of branches.
        0x4A8 => Branches: [ULONG64; 5],
    }

    /// The frame whose handler is asked.
    struct DISPATCHER_CONTEXT: 0x50 {
        /// The address at which the function is.
        0x00 => ControlPc: ULONG64,
        /// The base address of its image.
        0x08 => ImageBase: ULONG64,
        /// Its entry in the table of functions.
        0x10 => FunctionEntry: PVOID,
        /// Its frame.
        0x18 => EstablisherFrame: ULONG64,
        /// The address at which the target of an unwinding goes on.
        0x20 => TargetIp: ULONG64,
        /// The registers of its caller.
        0x28 => ContextRecord: *mut CONTEXT,
        /// The handler.
        0x30 => LanguageHandler: PVOID,
        /// The data of the handler.
        0x38 => HandlerData: PVOID,
        /// Speeds up the search of functions.
        0x40 => HistoryTable: PVOID,
        /// The block to begin with.
        0x48 => ScopeIndex: ULONG,
        /// Padding.
        0x4C => Fill0: ULONG,
    }

    /// The argument of a filter.
    struct EXCEPTION_POINTERS: 0x10 {
        /// The exception.
        0x0 => ExceptionRecord: *mut EXCEPTION_RECORD,
        /// The registers.
        0x8 => ContextRecord: *mut CONTEXT,
    }
}

constants! { ULONG:
    /// Exception flag: the thread can't go on where it was raised.
    EXCEPTION_NONCONTINUABLE = 0x01;
    /// Exception flag: frames are being left.
    EXCEPTION_UNWINDING = 0x02;
    /// Exception flag: all frames are being left.
    EXCEPTION_EXIT_UNWIND = 0x04;
    /// Exception flag: the frame is the one that goes on.
    EXCEPTION_TARGET_UNWIND = 0x20;
}

constants! { LONG:
    /// A handler's answer: the thread goes on where it was raised.
    ExceptionContinueExecution = 0;
    /// A handler's answer: the next frame is asked.
    ExceptionContinueSearch = 1;
}
