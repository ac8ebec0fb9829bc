//! Images that are broken in one place.

use ntsim_core::loader;
use ntsim_core::sched::Irql;

use super::crash::crash;
use super::program::{Function, Imports, TEXT, write};
use super::{Frame, LoadError, SECTION_HEADERS, SUCCEED};
use crate::Machine;

/// The optional header, and the file header before it.
const OPTIONAL: usize = SECTION_HEADERS.0 - 16 * 8 - 112;
const FILE: usize = OPTIONAL - 20;

/// The error of an image that `change` has been made to.
fn refused(change: &dyn Fn(&mut Vec<u8>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "broken.sys", &[], &[&|f| _ = f.raw(SUCCEED)]);
    let mut image = std::fs::read(&path).unwrap();
    change(&mut image);
    std::fs::write(&path, image).unwrap();
    let machine = Machine::builder().boot();
    let result = machine.load(&path);
    let Err(error @ LoadError::Format { .. }) = result else { panic!("{result:?}") };
    error.to_string()
}

/// Writes a number into an image.
fn put(at: usize, value: u32) -> impl Fn(&mut Vec<u8>) {
    move |image| image[at..at + 4].copy_from_slice(&value.to_le_bytes())
}

#[test]
fn image_of_another_subsystem_is_refused() {
    let console = |image: &mut Vec<u8>| image[OPTIONAL + 68] = 3;
    assert!(refused(&console).contains("its subsystem is 3"));
}

#[test]
fn image_with_a_wrong_checksum_is_refused_and_with_none_is_not() {
    let right = |image: &[u8]| loader::checksum(image, OPTIONAL + 64);
    assert!(refused(&put(OPTIONAL + 64, 0x1234)).contains("its checksum is 0x1234"));
    let one_off = |image: &mut Vec<u8>| {
        let sum = right(image);
        put(OPTIONAL + 64, sum)(image);
        image[0x200] ^= 1;
    };
    assert!(refused(&one_off).contains("its checksum is"));
    let also_elsewhere = |image: &mut Vec<u8>| {
        let sum = right(image);
        put(OPTIONAL + 64, sum)(image);
        image[OPTIONAL + 68] = 2;
        let sum = right(image);
        put(OPTIONAL + 64, sum)(image);
    };
    assert!(refused(&also_elsewhere).contains("its subsystem is 2"));
}

#[test]
fn image_whose_size_is_not_that_of_its_sections_is_refused() {
    for size in [0, 0x1000, 0x7FFF_F000, 0xFFFF_F000] {
        assert!(refused(&put(OPTIONAL + 56, size)).contains("it says that it takes"), "{size:#x}");
    }
}

#[test]
fn image_with_a_section_moved_is_refused() {
    let section = |number: usize, field: usize| SECTION_HEADERS.0 + number * SECTION_HEADERS.1 + field;
    for (number, field, value) in [(1, 12, 0x1000), (1, 12, 0x9000), (0, 12, 0), (2, 8, 0x7000_0000)] {
        assert!(refused(&put(section(number, field), value)).contains("section "), "{number} {field}");
    }
    assert!(refused(&put(section(2, 8), 0xFFFF_0000)).contains("beyond two gigabytes"));
    assert!(refused(&put(section(1, 20), 0x10_0000)).contains("of a file of"));
    assert!(refused(&put(section(1, 20), 0x401)).contains("of a file of"));
}

#[test]
fn image_with_its_entry_point_outside_of_code_is_refused() {
    for entry in [0, 0x200, 0x2000, 0x3000, 0x10_0000, u32::MAX] {
        let said = refused(&put(OPTIONAL + 16, entry));
        assert!(said.contains("lies in no executable section"), "{entry:#x}: {said}");
    }
}

#[test]
fn image_that_its_linker_did_not_finish_is_refused() {
    assert!(refused(&|image| image[FILE + 18] &= !2).contains("did not mark it as executable"));
}

/// Rust's drivers are linked as DLLs, and Windows loads them.
#[test]
fn image_with_the_flag_of_a_dll_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "dll.sys", &[], &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}]);
    let mut image = std::fs::read(&path).unwrap();
    image[FILE + 19] |= 0x20;
    std::fs::write(&path, image).unwrap();
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    assert!(machine.shutdown().is_clean());
}

/// The stack of a finding in function 2, which function 0 calls, with unwind information that `change` was made to.
fn stack(change: &dyn Fn(&mut [u8])) -> Vec<Frame> {
    let folder = tempfile::tempdir().unwrap();
    let imports: Imports<'_> = &[("ntoskrnl.exe", "KeLowerIrql")];
    let path = write(
        folder.path(),
        "unwind.sys",
        imports,
        &[&|f| _ = f.set_unload(1).call_function(2).raw(SUCCEED), &|_| {}, &|f| _ = f.ecx(2).call(0)],
    );
    let mut image = std::fs::read(&path).unwrap();
    let info = [1, 4, 1, 0, 4, 0x42, 0, 0];
    let at = image.windows(info.len()).position(|window| window == info).unwrap();
    change(&mut image[at..at + info.len() + 36]);
    std::fs::write(&path, image).unwrap();
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    machine.shutdown().findings.remove(0).stack
}

#[test]
fn stack_ends_where_unwind_information_is_broken() {
    assert_eq!(stack(&|_| ()).len(), 3);
    // Another version; a code that there is not; more codes than there is room for.
    for (byte, value) in [(0, 3), (5, 0x4F), (2, 255)] {
        assert_eq!(stack(&|info| info[byte] = value).len(), 2, "{byte}");
    }
    // A frame register that is not set up, at the end of the address space.
    stack(&|info| (info[3], info[5]) = (0xF5, 0x03));
    // Chained to itself, and to nowhere; the table of functions comes behind it, and says where it is.
    for to in [None, Some(0), Some(0x2000), Some(0x2FF0), Some(u32::MAX)] {
        let chained = |info: &mut [u8]| {
            let own = u32::from_le_bytes(info[16..20].try_into().unwrap());
            (info[0], info[2]) = (0x21, 0);
            let outer = [TEXT, TEXT + 0x1000, to.unwrap_or(own)].map(u32::to_le_bytes).concat();
            info[4..16].copy_from_slice(&outer);
        };
        assert_eq!(stack(&chained).len(), 2, "{to:x?}");
    }
}

#[test]
fn jump_into_nothing_without_a_frame_of_a_driver_is_reported() {
    // `mov eax, 0x10; add rsp, 40; jmp rax`.
    let jump = |f: &mut Function| _ = f.raw(&[0xB8, 0x10, 0, 0, 0, 0x48, 0x83, 0xC4, 40, 0xFF, 0xE0]);
    let report = crash(
        "broken::jump_into_nothing_without_a_frame_of_a_driver_is_reported",
        Irql::PASSIVE,
        &[],
        &[&jump],
    );
    assert!(report.contains("STOP: 0x7E") && report.contains("execution of 0x10"), "{report}");
    assert!(report.contains("no frame of a driver is on the stack"), "{report}");
}

#[test]
fn fault_without_the_threads_local_data_is_still_told() {
    // `xor eax, eax; mov fs, eax`, and a write to where nothing is.
    let lose = |f: &mut Function| _ = f.raw(&[0x31, 0xC0, 0x8E, 0xE0, 0xC6, 0, 1]);
    let report =
        crash("broken::fault_without_the_threads_local_data_is_still_told", Irql::PASSIVE, &[], &[&lose]);
    assert!(
        report.contains("*** STOP: 0x7e (0xc0000005, ") && report.contains("the report failed"),
        "{report}"
    );
}

/// Checks the report of a system call that ends the process of the host.
fn system_call(test: &str, code: &'static [u8]) {
    let report = crash(test, Irql::PASSIVE, &[], &[&|f: &mut Function| _ = f.raw(code)]);
    assert!(report.contains("STOP: 0x7E") && report.contains("    broken+0x"), "{report}");
}

#[test]
fn syscall_instruction_does_not_reach_the_host() {
    // `mov eax, SYS_exit_group; xor edi, edi; syscall`.
    let code = &[0xB8, 231, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05];
    system_call("broken::syscall_instruction_does_not_reach_the_host", code);
}

#[test]
fn interrupt_of_system_calls_does_not_reach_the_host() {
    // `mov eax, 1; xor ebx, ebx; int 0x80`: exit, as 32-bit code calls it.
    let code = &[0xB8, 1, 0, 0, 0, 0x31, 0xDB, 0xCD, 0x80];
    system_call("broken::interrupt_of_system_calls_does_not_reach_the_host", code);
}

#[test]
fn interrupt_2e_does_not_reach_the_host() {
    // `mov eax, 1; xor ebx, ebx; int 0x2e`, which Windows had for its services.
    let code = &[0xB8, 1, 0, 0, 0, 0x31, 0xDB, 0xCD, 0x2E];
    system_call("broken::interrupt_2e_does_not_reach_the_host", code);
}

/// The host enters 32-bit code's kernel by it (AMD's processors refuse it), and forgets where it was.
#[test]
fn sysenter_instruction_does_not_reach_the_host() {
    // `mov eax, 1; xor ebx, ebx; mov rbp, rsp; sysenter`.
    let code = &[0xB8, 1, 0, 0, 0, 0x31, 0xDB, 0x48, 0x89, 0xE5, 0x0F, 0x34];
    let test = "broken::sysenter_instruction_does_not_reach_the_host";
    let report = crash(test, Irql::PASSIVE, &[], &[&|f: &mut Function| _ = f.raw(code)]);
    assert!(report.contains("STOP: 0x7E"), "{report}");
}

#[test]
fn stack_that_overflows_is_a_double_fault() {
    let report = crash(
        "broken::stack_that_overflows_is_a_double_fault",
        Irql::PASSIVE,
        &[],
        &[&|f| _ = f.call_function(0)],
    );
    assert!(report.contains("STOP: 0x7F UNEXPECTED_KERNEL_MODE_TRAP (0x8,"), "{report}");
}

#[test]
fn registers_that_an_entry_point_does_not_keep_are_found() {
    let folder = tempfile::tempdir().unwrap();
    // `xor ebx, ebx` and no more; and nothing of the simulator is in them.
    let path = write(
        folder.path(),
        "keep.sys",
        &[],
        &[&|f| _ = f.set_unload(1).raw(&[0x31, 0xDB]).raw(SUCCEED), &|_| {}],
    );
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    let rules: Vec<_> = machine.shutdown().findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["NonvolatileRegisters"]);
}

#[test]
fn float_control_that_an_entry_point_does_not_keep_is_found() {
    let folder = tempfile::tempdir().unwrap();
    // `push 0; ldmxcsr [rsp]; pop rax` and `push 0; fldcw [rsp]; pop rax` let every exception be one.
    let sse: &[u8] = &[0x6A, 0x00, 0x0F, 0xAE, 0x14, 0x24, 0x58];
    let x87: &[u8] = &[0x6A, 0x00, 0xD9, 0x2C, 0x24, 0x58];
    for change in [sse, x87] {
        let entry = |f: &mut Function| _ = f.set_unload(1).raw(change).raw(SUCCEED);
        let path = write(folder.path(), "float.sys", &[], &[&entry, &|_| {}]);
        let machine = Machine::builder().boot();
        machine.load(&path).unwrap().unload();
        let third = core::hint::black_box(1.0) / core::hint::black_box(3.0);
        assert!(third < 0.5);
        assert_eq!(machine.shutdown().rules(), ["NonvolatileRegisters"]);
    }
}

#[test]
fn touch_of_a_discarded_section_is_reported() {
    // `mov al, [rax]` of the section of relocations.
    let report = crash(
        "broken::touch_of_a_discarded_section_is_reported",
        Irql::PASSIVE,
        &[],
        &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|f| _ = f.address(0x4000).raw(&[0x8A, 0x00])],
    );
    assert!(report.contains("STOP: 0x50 PAGE_FAULT_IN_NONPAGED_AREA"), "{report}");
    assert!(
        report.contains("broken.sys, which was discarded when its entry point had succeeded"),
        "{report}"
    );
}

#[test]
fn entry_point_finds_nothing_of_the_simulator_on_the_stack() {
    let folder = tempfile::tempdir().unwrap();
    // `mov eax, [rsp + n]`: the value is what the entry point returns.
    for offset in [-0xF000_i32, -0x800, -8, 0x48, 0x400, 0x1FC0] {
        let peek = |f: &mut Function| _ = f.raw(&[0x8B, 0x84, 0x24]).raw(&offset.to_le_bytes());
        let path = write(folder.path(), "peek.sys", &[], &[&peek]);
        let machine = Machine::builder().boot();
        let result = machine.load(&path);
        assert!(
            matches!(result, Err(LoadError::Entry { status: 0xBAD0_BAD0, .. })),
            "{offset:#x}: {result:?}"
        );
        drop(result);
        assert!(machine.shutdown().is_clean());
    }
}

/// `pushfq; or dword [rsp], 1 << bit; popfq`.
fn set_flag(f: &mut Function, bit: u32) -> &mut Function {
    f.raw(&[0x9C, 0x81, 0x0C, 0x24]).raw(&(1_u32 << bit).to_le_bytes()).raw(&[0x9D])
}

/// The processor's flag that asks for alignment checks.
const ALIGNMENT_CHECK: u32 = 18;
/// The processor's flag that lets string instructions go downwards.
const DIRECTION: u32 = 10;

#[test]
fn alignment_check_flag_faults_nothing_in_kernel_code() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "KeGetCurrentIrql")];
    // It reads a word at an odd address, `mov eax, [rsp + 1]`, and calls and returns with the flag set.
    let entry = |f: &mut Function| {
        f.set_unload(1);
        set_flag(f, ALIGNMENT_CHECK).raw(&[0x8B, 0x44, 0x24, 0x01]);
        set_flag(f, ALIGNMENT_CHECK).call(0);
        set_flag(f, ALIGNMENT_CHECK).raw(SUCCEED);
    };
    let path = write(folder.path(), "align.sys", &imports, &[&entry, &|_| {}]);
    let machine = Machine::builder().boot();
    machine.load(&path).unwrap().unload();
    assert!(machine.shutdown().is_clean());
}

#[test]
fn fault_with_alignment_check_flag_is_reported() {
    let report = crash(
        "broken::fault_with_alignment_check_flag_is_reported",
        Irql::PASSIVE,
        &[],
        &[&|f| _ = set_flag(f, ALIGNMENT_CHECK).raw(&[0x0F, 0x0B])],
    );
    assert!(report.contains("STOP: 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc000001d,"), "{report}");
}

#[test]
fn direction_flag_that_a_driver_leaves_set_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "KeGetCurrentIrql")];
    let load = |entry: &dyn Fn(&mut Function)| {
        let path = write(folder.path(), "down.sys", &imports, &[entry, &|_| {}]);
        let machine = Machine::builder().boot();
        machine.load(&path).unwrap().unload();
        machine.shutdown().findings.iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(load(&|f| _ = set_flag(f.set_unload(1), DIRECTION).call(0).raw(SUCCEED)), ["DirectionFlag"]);
    assert_eq!(load(&|f| _ = set_flag(f.set_unload(1), DIRECTION).raw(SUCCEED)), ["DirectionFlag"]);
}
