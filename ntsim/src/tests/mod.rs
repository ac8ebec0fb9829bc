//! The loader, on images made for the purpose.

mod atomics;
mod broken;
mod crash;
mod dump;
mod explore;
mod levels;
mod overrun;
mod program;
mod unload;
mod wdf_stub;

use core::ptr;

use nt::ex::{self, Faults};
use ntsim_core::address::Va;
use ntsim_core::loader::{self, Frame, LoadError};
use ntsim_core::number::ToUsize;

use self::program::{DATA, STRING, TEXT_OF_STRING, write};
use crate::Machine;

/// Code that returns STATUS_SUCCESS.
const SUCCEED: &[u8] = &[0x31, 0xC0];

/// The permissions of the page at `address`, as the host lists them.
fn permissions(address: Va) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        (usize::from_str_radix(start, 16).unwrap()..usize::from_str_radix(end, 16).unwrap())
            .contains(&address.get())
    });
    line.unwrap().split(' ').nth(1).unwrap()[..3].into()
}

#[test]
fn image_is_relocated_bound_protected_and_entered() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "DbgPrint")];
    let entry = |f: &mut program::Function| {
        f.set_unload(1).address(STRING).raw(&[0x48, 0x89, 0xC1, 0x48, 0x89, 0xC2]).call(0).raw(SUCCEED);
    };
    let path = write(folder.path(), "entry.sys", &imports, &[&entry, &|f| _ = f.call_function(0)]);
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    assert_eq!(machine.log(), [TEXT_OF_STRING.replace("%s", TEXT_OF_STRING)]);
    let base = driver.image().base;
    let data = (base + DATA.to_usize()).ptr::<usize>();
    let (cookie, pointer) = unsafe { (*data, *data.add(1)) };
    assert_eq!(pointer, (base + DATA.to_usize()).get());
    assert!(cookie != 0x2B99_2DDF_A232 && cookie >> 48 == 0);
    let sections = [0, 0x1000, 0x2000, 0x3000, 0x4000].map(|rva| permissions(base + rva));
    // The last, that of relocations, is discarded once the entry point has succeeded.
    assert_eq!(sections, ["r--", "r-x", "r--", "rw-", "---"]);
    driver.unload();
    assert_eq!(machine.log().len(), 2);
    assert_eq!(permissions(base), "---");
    assert!(machine.shutdown().is_clean());
}

#[test]
fn two_images_are_loaded_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["one.sys", "two.sys"]
        .map(|name| write(folder.path(), name, &[], &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}]));
    let machine = Machine::builder().boot();
    let drivers = paths.map(|path| machine.load(path).unwrap());
    assert!(!drivers[0].image().contains(drivers[1].image().base));
    drop(drivers);
    assert!(machine.shutdown().is_clean());
}

#[test]
fn every_import_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "NtFly"), ("HAL.dll", "KeGetCurrentIrql"), ("fantasy.sys", "Dream")];
    let path = write(folder.path(), "imports.sys", &imports, &[&|f| _ = f.raw(SUCCEED)]);
    let machine = Machine::builder().boot();
    let Err(LoadError::Imports { names, .. }) = machine.load(&path) else { panic!("it loaded") };
    assert_eq!(names, ["ntoskrnl.exe!NtFly", "fantasy.sys!Dream"]);
    assert!(machine.shutdown().is_clean());
}

#[test]
fn image_with_missing_imports_that_are_allowed_runs_until_it_uses_one() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "NtFly"), ("ntoskrnl.exe", "DbgPrint"), ("fantasy.sys", "Dream")];
    let entry = |f: &mut program::Function| {
        f.set_unload(1).address(STRING).raw(&[0x48, 0x89, 0xC1, 0x48, 0x89, 0xC2]).call(1).raw(SUCCEED);
    };
    let path = write(folder.path(), "far.sys", &imports, &[&entry, &|_| {}]);
    let machine = Machine::builder().allow_missing_imports().boot();
    let driver = machine.load(&path).unwrap();
    assert_eq!(driver.image().missing_imports(), ["ntoskrnl.exe!NtFly", "fantasy.sys!Dream"]);
    assert_eq!(machine.log().len(), 1);
    driver.unload();
    assert!(machine.shutdown().is_clean());
}

#[test]
fn file_that_is_no_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    let path = write(folder.path(), "short.sys", &[], &[&|f| _ = f.raw(SUCCEED)]);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 100, 600] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(machine.load(&path), Err(LoadError::Format { .. })), "{length}");
    }
    let mut other = whole;
    other[0x44] = 0x4C;
    other[0x45] = 0x01;
    std::fs::write(&path, &other).unwrap();
    assert!(matches!(machine.load(&path), Err(LoadError::Format { .. })));
    assert!(matches!(machine.load("/nowhere/none.sys"), Err(LoadError::Read { .. })));
    assert!(machine.shutdown().is_clean());
}

/// The offset of the headers of sections in the file, and the length of each.
const SECTION_HEADERS: (usize, usize) = (0x148, 40);

#[test]
fn sections_that_memory_integrity_does_not_allow_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "DbgPrint")];
    let path = write(folder.path(), "lint.sys", &imports, &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}]);
    let whole = std::fs::read(&path).unwrap();
    let section = |number: usize| SECTION_HEADERS.0 + number * SECTION_HEADERS.1;
    assert_eq!(&whole[section(1)..][..6], b".rdata");
    // The high byte of a section's flags: readable and executable are 0x60, and writable 0x80.
    let flags = |number| section(number) + 39;
    let load = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = whole.clone();
        change(&mut image);
        std::fs::write(&path, image).unwrap();
        let machine = Machine::builder().boot();
        drop(machine.load(&path).unwrap());
        let findings = machine.shutdown().findings;
        assert!(findings.iter().all(|finding| finding.rule == "CodeIntegrity"), "{findings:?}");
        findings.iter().map(|finding| finding.bugcheck.unwrap().parameters).collect::<Vec<_>>()
    };
    assert_eq!(load(&|_| ()), [[0; 4]; 0]);
    assert_eq!(load(&|image| image[flags(0)] = 0xE0), [[0x2003, 0, 0x1000, 0]]);
    assert_eq!(load(&|image| image[flags(1)] = 0x60), [[0x2005, 0, 0x2000, 0]]);
}

#[test]
fn sections_that_share_a_page_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    let path = write(folder.path(), "small.sys", &[], &[&|f| _ = f.raw(SUCCEED)]);
    let mut image = std::fs::read(&path).unwrap();
    // SectionAlignment, 32 bytes into the optional header.
    let at = SECTION_HEADERS.0 - 16 * 8 - 112 + 32;
    assert_eq!(image[at..at + 4], 0x1000_u32.to_le_bytes());
    image[at..at + 4].copy_from_slice(&0x200_u32.to_le_bytes());
    std::fs::write(&path, image).unwrap();
    assert!(matches!(machine.load(&path), Err(LoadError::Format { .. })));
    assert!(machine.shutdown().is_clean());
}

#[test]
fn driver_whose_entry_point_fails_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "fails.sys", &[], &[&|f| _ = f.raw(&[0xB8, 0x01, 0x00, 0x00, 0xC0])]);
    let machine = Machine::builder().boot();
    assert!(matches!(machine.load(&path), Err(LoadError::Entry { status: 0xC000_0001, .. })));
    assert!(machine.shutdown().is_clean());
}

#[test]
fn finding_has_the_stack_of_the_driver() {
    let imports = [("ntoskrnl.exe", "KeLowerIrql")];
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "stack.sys",
        &imports,
        &[&|f| _ = f.set_unload(1).call_function(2).raw(SUCCEED), &|_| {}, &|f| _ = f.ecx(2).call(0)],
    );
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    let base = driver.image().base;
    driver.unload();
    let finding = machine.shutdown().findings.remove(0);
    let addresses: Vec<_> = finding
        .stack
        .iter()
        .map(|frame| match frame {
            Frame::Kernel(_) => 0,
            Frame::Driver { address, .. } => (*address - base) / program::STRIDE.to_usize() - 0x10,
        })
        .collect();
    assert_eq!(finding.stack[0], Frame::Kernel("KeLowerIrql"));
    assert_eq!(addresses, [0, 2, 0], "{finding}");
}

#[test]
fn driver_that_uses_what_it_did_not_initialise_shows_when_fresh_memory_changes() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "ExAllocatePool2"), ("ntoskrnl.exe", "ExFreePool")];
    // Nonpaged and uninitialised; the entry point returns what the block holds, `mov ebx, [rax]`.
    let entry = |f: &mut program::Function| {
        f.save_rbx().set_unload(1).ecx(0x42).edx(64).r8d(u32::from_le_bytes(*b"Used")).call(0);
        f.raw(&[0x8B, 0x18, 0x48, 0x89, 0xC1]).call(1).raw(&[0x89, 0xD8]).restore_rbx();
    };
    let path = write(folder.path(), "fresh.sys", &imports, &[&entry, &|_| {}]);
    let load = |fresh| {
        let machine = Machine::builder().fresh_pool(fresh).boot();
        let loaded = machine.load(&path).map(drop).is_ok();
        assert!(machine.shutdown().is_clean());
        loaded
    };
    assert_eq!((load(0xA5), load(0)), (false, true));
}

#[test]
fn driver_outlives_its_machine_harmlessly() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "late.sys", &[], &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}]);
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    assert!(machine.shutdown().is_clean());
    assert!(!driver.image().is_loaded());
    assert_eq!(driver.image().memory(0).as_ptr(), ptr::dangling());
}

#[test]
fn failure_that_is_injected_is_of_the_chosen_image_and_says_where() {
    let imports = [("ntoskrnl.exe", "ExAllocatePool2")];
    let entry = |f: &mut program::Function| {
        f.set_unload(1).ecx(0x40).edx(100).r8d(u32::from_le_bytes(*b"Fail")).call(0).raw(SUCCEED);
    };
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "fault.sys", &imports, &[&entry, &|_| {}]);
    let machine = Machine::builder().boot();
    ex::inject(Faults::Nth(0), Some("FAULT.SYS"));
    machine.load(&path).unwrap().unload();
    let place: Vec<_> = ex::struck().iter().map(ToString::to_string).collect();
    assert_eq!((ex::injected(), place.len()), ((1, 1), 1));
    assert!(place[0].starts_with("fault+0x10"), "{place:?}");
    assert!(machine.shutdown().is_clean());
}

#[test]
fn damaged_image_is_refused_or_mapped_but_never_breaks_the_loader() {
    let folder = tempfile::tempdir().unwrap();
    let imports = [("ntoskrnl.exe", "DbgPrint"), ("hal.dll", "KeQueryPerformanceCounter")];
    let path = write(folder.path(), "damaged.sys", &imports, &[&|f| _ = f.raw(SUCCEED)]);
    let whole = std::fs::read(&path).unwrap();
    let machine = Machine::builder().boot();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..1000 {
        let mut damaged = whole.clone();
        for _ in 0..random.usize(1..4) {
            // Most of what the loader reads is in the headers and the tables behind the code.
            let area = if random.bool() { 0..0x400 } else { 0x400..whole.len() };
            damaged[random.usize(area)] = random.u8(..);
        }
        let _ = loader::examine(&damaged);
    }
    assert!(machine.shutdown().is_clean());
}
