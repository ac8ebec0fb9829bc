//! Crashes of drivers: a report in Windows' terms, and the end of the process.
//!
//! A fault in an image's code, or in an emulated function that was given bad memory, is what a bug check
//! is on Windows: nothing can go on. The handler runs on a stack of its own and may do what it likes,
//! locks aside: code of an image holds none of the host's.

mod exceptions;

use std::sync::Once;

use libc::{
    SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, c_int, siginfo_t, ucontext_t,
};
use nt::ex::pool;
use nt::mm;
use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::loader::{self, Frame, atomics, image_at, mapping};
use ntsim_core::pageable;
use ntsim_core::per_machine::is_running;
use ntsim_core::sched::hooks::{self, EXIT_CODE, not_attached};
use ntsim_core::sched::local::{CALLER_BP, CALLER_SP};
use ntsim_core::sched::{self, Irql, Turns, local, overrun};

use crate::last_words::{self, Reporting};
use crate::{dump, emulate, signals, system_call};

/// The `si_code` of a fault that is none of a page (`asm-generic/siginfo.h`).
const SI_KERNEL: c_int = 0x80;

/// Events that a report tells, of those before a crash under a schedule.
const TOLD: usize = 200;

/// Bytes below a stack that a thread touches when it has used it up: frames are smaller.
const GUARD: usize = 1 << 20;

/// The bit of the processor's error code that says of a page fault that the page was present.
const PRESENT: u64 = 1;

const STATUS_ACCESS_VIOLATION: u64 = 0xC000_0005;
const STATUS_ILLEGAL_INSTRUCTION: u64 = 0xC000_001D;
const STATUS_INTEGER_DIVIDE_BY_ZERO: u64 = 0xC000_0094;
const STATUS_BREAKPOINT: u64 = 0x8000_0003;
const STATUS_ENTRYPOINT_NOT_FOUND: u64 = 0xC000_0139;

/// Numbers of the general registers in a host context, in the order in which instructions number them.
const REGISTERS: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Ends the process as a bug check ends Windows: with a report on standard error and exit code 3.
fn stop(bugcheck: Bugcheck, text: &str) -> ! {
    let reporting = last_words::begin(&bugcheck);
    finish(reporting, bugcheck, text, &loader::stack(), None)
}

/// Reports a stop. `own` has the registers of the calling thread, where a signal has interrupted it.
fn finish(_: Reporting, bugcheck: Bugcheck, text: &str, stack: &[Frame], own: Option<dump::Registers>) -> ! {
    let thread = sched::current().map_or("(host)", |thread| &thread.name);
    eprintln!("\n*** STOP: {bugcheck}");
    if !text.is_empty() {
        eprintln!("{text}");
    }
    eprintln!("at {} on processor {}, thread {thread}", sched::irql(), sched::processor());
    if stack.is_empty() {
        eprintln!("    (no frame of a driver is on the stack)");
    }
    for frame in stack {
        frame.to_string().lines().for_each(|line| eprintln!("    {line}"));
    }
    let findings = ntsim_core::verifier::findings();
    if !findings.is_empty() {
        eprintln!("found before:");
        findings.iter().for_each(|finding| eprintln!("{finding}"));
    }
    if let Some(trace) = sched::schedule().and_then(Turns::trace) {
        eprintln!("{}", trace.last(TOLD));
    }
    let findings = findings.iter().map(|finding| format!("\n{finding}")).collect::<String>();
    dump::failed(&format!("STOP: {bugcheck}\n{text}{findings}"), Some(bugcheck), own);
    // SAFETY: ending the process at once is the purpose; no destructor may run after a crash.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// Takes over the host's fault signals, once per process.
pub(crate) fn install() {
    /// Of the process, as its signals are.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hooks::on_stop(stop);
        exceptions::install();
        dump::install();
        let faults = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS];
        signals::take(faults.into_iter().chain([SIGXCPU, SIGABRT, SIGALRM, dump::SIGNAL]), handle);
        if let Err(error) = system_call::keep_out(&mapping::IMAGES) {
            eprintln!(
                "the host does not filter system calls ({error}): those of a driver that runs wild reach it"
            );
        }
    });
}

/// Does what a signal asks for.
fn handle(signal: c_int, info: &siginfo_t, context: &mut ucontext_t) {
    match signal {
        SIGXCPU => expire(context),
        SIGABRT => abort(context),
        SIGALRM => last_words::end("the report took too long"),
        dump::SIGNAL => dump::stand_still(&registers(context)),
        _ => fault(signal, info, context),
    }
}

/// Says that the host's heap is broken: what a driver has written to shows there as it would in Windows' pool. A
/// panic of the simulator ends as ever, with the signal.
fn abort(context: &ucontext_t) {
    if !is_running() || std::thread::panicking() {
        return;
    }
    let ip = instruction_pointer(context).bits();
    last_words::begin(&Bugcheck { code: 0x13A, parameters: [0, 0, ip, 0] });
    // A report would need the heap.
    last_words::end("KERNEL_MODE_HEAP_CORRUPTION: the host's heap is broken");
}

/// Reports a thread that has used up its time: see [`overrun`]; or the process, where the host limits that
/// (`RLIMIT_CPU`).
fn expire(context: &ucontext_t) -> ! {
    if !is_running() {
        // SAFETY: ending the process is what the signal does where nothing handles it.
        unsafe { libc::_exit(128 + SIGXCPU) }
    }
    let (bugcheck, text) = overrun::take();
    let reporting = last_words::begin(&bugcheck);
    let registers = registers(context);
    let ip = instruction_pointer(context);
    let ip = image_at(ip).map_or(ip, |image| image.origin(ip));
    let stack = loader::from_registers(ip, registers.general, true);
    finish(reporting, bugcheck, &text, &stack, Some(registers))
}

fn fault(signal: c_int, info: &siginfo_t, context: &mut ucontext_t) {
    let ip = instruction_pointer(context);
    if signal == SIGTRAP && (emulate::stepped(context) || atomics::trapped(context)) {
        return;
    }
    // SAFETY: the signals that this is installed for carry an address.
    let address = Va::of(unsafe { info.si_addr() });
    let error = value(context, libc::REG_ERR);
    let absent = signal == SIGSEGV && error & PRESENT == 0;
    let paged_out = absent && pageable::may_be_out(address);
    if paged_out && sched::irql() < Irql::DISPATCH {
        pageable::bring_back(address);
        return;
    }
    if let Some(image) = image_at(ip)
        && signal == SIGSEGV
        && !paged_out
        && emulate::instruction(context, &image, address)
    {
        return;
    }
    // A system call is told with the address behind it.
    let ip = if signal == SIGSYS { ip - system_call::LENGTH } else { ip };
    let ip = image_at(ip).map_or(ip, |image| image.origin(ip));
    let registers = REGISTERS.map(|register| value(context, register));
    let fault = Fault { signal, code: info.si_code, address, paged_out, error, ip, registers };
    if !is_running() {
        // Not a driver's doing. The default action names the signal when the instruction runs again.
        // SAFETY: restoring the default action has no preconditions.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    // Before handlers are looked for: that, too, needs what a driver may have broken.
    let reporting = last_words::begin(&fault.stopped(STATUS_ACCESS_VIOLATION));
    if exceptions::dispatches(&fault, context) {
        reporting.withdraw();
        return;
    }
    if sched::current().is_none() && (CALLER_SP..=CALLER_BP).contains(&address.get()) {
        not_attached();
    }
    // What a driver has broken may also show in code of the simulator, in any thread of the process.
    let (bugcheck, mut text) = fault.explain();
    if exceptions::has_handler(&fault) {
        text.push_str("; Windows does not ask the handler of the block around it");
    }
    let own = dump::Registers { general: fault.registers, ip: fault.ip.bits() };
    finish(reporting, bugcheck, &text, &fault.frames(), Some(own));
}

/// The value of a register in a host context.
fn value(context: &ucontext_t, register: c_int) -> u64 {
    context.uc_mcontext.gregs[register as usize].cast_unsigned()
}

/// The registers of a host context.
fn registers(context: &ucontext_t) -> dump::Registers {
    let general = REGISTERS.map(|register| value(context, register));
    dump::Registers { general, ip: instruction_pointer(context).bits() }
}

/// The address of the instruction at which a context stands.
fn instruction_pointer(context: &ucontext_t) -> Va {
    Va::from_bits(value(context, libc::REG_RIP))
}

/// A fault of the processor.
struct Fault {
    signal: c_int,
    code: c_int,
    address: Va,
    /// Set if the address is one of memory that is paged out.
    paged_out: bool,
    error: u64,
    ip: Va,
    registers: [u64; 16],
}

impl Fault {
    /// The driver's stack.
    fn frames(&self) -> Vec<Frame> {
        let (mut ip, mut registers, mut instruction) = (self.ip, self.registers, true);
        if image_at(ip).is_none() {
            // A call to nowhere: the caller's address lies on top of the stack.
            let sp = registers[4];
            if let Some(caller) = local::read_stack(Va::from_bits(sp))
                .map(Va::from_bits)
                .filter(|&address| image_at(address).is_some())
            {
                registers[4] = sp + 8;
                (ip, instruction) = (caller, false);
            }
        }
        loader::from_registers(ip, registers, instruction)
    }

    /// Bug check 0x7E: the status, the address of the instruction.
    fn stopped(&self, status: u64) -> Bugcheck {
        Bugcheck { code: 0x7E, parameters: [status, self.ip.bits(), 0, 0] }
    }

    /// Returns whether the thread has come to the end of its stack.
    fn overflows(&self) -> bool {
        let stack = sched::current().and_then(|thread| thread.stack_bounds());
        stack.is_some_and(|(low, _)| {
            low.checked_offset_from(self.address).is_some_and(|below| (1..=GUARD).contains(&below))
        })
    }

    /// Returns the bug check that Windows would stop with, and a sentence. Parameters: the pages of the bug
    /// check reference.
    fn explain(&self) -> (Bugcheck, String) {
        match self.signal {
            SIGILL => (
                self.stopped(STATUS_ILLEGAL_INSTRUCTION),
                "illegal instruction (a panic or abort of the driver)".into(),
            ),
            SIGTRAP => (self.stopped(STATUS_BREAKPOINT), "breakpoint".into()),
            SIGSYS => (
                self.stopped(STATUS_ILLEGAL_INSTRUCTION),
                "a system call, which kernel code does not make by an instruction".into(),
            ),
            SIGFPE => (self.stopped(STATUS_INTEGER_DIVIDE_BY_ZERO), "division by zero".into()),
            // The kernel reports a privileged instruction or interrupt without an address.
            SIGSEGV if self.code == SI_KERNEL => self.explain_protection(),
            _ => self.explain_page_fault(),
        }
    }

    fn explain_protection(&self) -> (Bugcheck, String) {
        let code = self.registers[1];
        if self.is_fast_fail() {
            let text = format!("__fastfail({code})");
            return (Bugcheck { code: 0x139, parameters: [code, 0, 0, 0] }, text);
        }
        (
            self.stopped(STATUS_ACCESS_VIOLATION),
            "a privileged instruction, or an address that is not canonical".into(),
        )
    }

    /// Returns whether the instruction is `int 0x29`.
    fn is_fast_fail(&self) -> bool {
        let Some(image) = image_at(self.ip) else { return false };
        image.memory(image.rva(self.ip)).starts_with(&[0xCD, 0x29])
    }

    fn explain_page_fault(&self) -> (Bugcheck, String) {
        // Further bits of the processor's error code: a write; an instruction fetch.
        // To a process, the host's half of the address space is present.
        let present = self.error & PRESENT != 0 && self.address < exceptions::USER_END;
        let (write, execute) = (self.error & 2 != 0, self.error & 16 != 0);
        let operation = if execute {
            "execution"
        } else if write {
            "write"
        } else {
            "read"
        };
        let irql = sched::irql();
        let (at, address, ip) = (self.address, self.address.bits(), self.ip.bits());
        let stopped = |code, parameters, text| (Bugcheck { code, parameters }, text);

        if self.overflows() {
            // 8: double fault, which is what running out of kernel stack leads to.
            return stopped(
                0x7F,
                [8, address, 0, 0],
                format!("{operation} of {at:#x}: the stack has overflowed"),
            );
        }
        if let Some(name) = loader::missing(at) {
            let used = if execute { "called" } else { "used" };
            let text = format!("the driver {used} {name}, which the simulator does not have");
            return stopped(0x7E, [STATUS_ENTRYPOINT_NOT_FOUND, ip, 0, 0], text);
        }
        if let Some(image) = image_at(at).filter(|image| !image.is_loaded()) {
            let text = format!("{operation} of {at:#x} in {}, which has been unloaded", image.name);
            return stopped(0xCE, [address, u64::from(write), ip, 0], text);
        }
        if self.paged_out {
            let text = format!("{operation} of {at:#x}, which is pageable, at {irql}");
            let operation = if execute { 8 } else { u64::from(write) };
            return stopped(0xD1, [address, u64::from(irql.0), operation, ip], text);
        }
        if let Some(block) = pool::explain(at) {
            let code = if block.freed { 0xD5 } else { 0xD6 };
            let text = format!("{operation} of {at:#x}: {}", block.text);
            return stopped(code, [address, u64::from(write), ip, 0], text);
        }
        let discarded = image_at(at).filter(|image| image.is_discarded(at));
        let text = match (discarded, mm::explain(at)) {
            (Some(image), _) => format!(
                "{operation} of {at:#x} in {}, which was discarded when its entry point had succeeded",
                image.name
            ),
            (None, Some(what)) => format!("{operation} of {at:#x} in {what}"),
            (None, None) => format!("{operation} of {at:#x}"),
        };
        if execute && present {
            return stopped(0xFC, [address, 0, 0, 0], text);
        }
        if write && present {
            return stopped(0xBE, [address, 0, 0, 0], text);
        }
        if irql >= Irql::DISPATCH {
            let operation = if execute { 8 } else { u64::from(write) };
            return stopped(0xD1, [address, u64::from(irql.0), operation, ip], text);
        }
        if at < Va::new(0x1_0000) {
            return stopped(0x7E, [STATUS_ACCESS_VIOLATION, ip, 0, 0], text);
        }
        let operation = if execute { 0x10 } else { u64::from(write) * 2 };
        stopped(0x50, [address, operation, ip, 0], text)
    }
}
