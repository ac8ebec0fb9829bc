//! The calls to the framework's loader from the stub in each image that the WDK builds.

use ntsim_core::number::ToUsize;
use sys::status::{STATUS_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND};

use super::SUCCEED;
use super::program::{DATA, Function, RAX_TO_RCX, RAX_TO_RDX, TEXT_OF_STRING, write};
use crate::Machine;

/// The image's bind information, and what that points to.
const INFO: u32 = DATA + 0x100;
const COMPONENT: u32 = DATA + 0x160;
const GLOBALS: u32 = DATA + 0x180;
const TABLE: u32 = DATA + 0x188;
const MINIMUM: u32 = DATA + 0x190;
/// A record of a class, and what was answered.
const CLASS: u32 = DATA + 0x1A0;
const ANSWERS: u32 = DATA + 0x1F0;

const RAX_TO_R8: &[u8] = &[0x49, 0x89, 0xC0];
const RAX_TO_R9: &[u8] = &[0x49, 0x89, 0xC1];
const AT_RAX_TO_RDX: &[u8] = &[0x48, 0x8B, 0x10];
const AT_RAX_TO_R8: &[u8] = &[0x4C, 0x8B, 0x00];

/// Writes bind information of the second form for KMDF 1.33 into the image.
fn describe(image: &mut [u8]) {
    let text = TEXT_OF_STRING.as_bytes();
    let data = image.windows(text.len()).position(|window| window == text).unwrap() - 0x10;
    let mut put = |rva: u32, bytes: &[u8]| {
        let at = data + (rva - DATA).to_usize();
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(INFO, &0x58_u32.to_le_bytes());
    for (field, value) in [(0x10, 1_u32), (0x14, 33), (0x18, 0), (0x1C, 458)] {
        put(INFO + field, &value.to_le_bytes());
    }
    put(COMPONENT, &"KmdfLibrary".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    put(MINIMUM, &33_u32.to_le_bytes());
    put(CLASS, &0x50_u32.to_le_bytes());
}

#[test]
fn image_with_the_imports_of_the_wdks_stub_binds_and_unbinds() {
    let imports = [
        ("WDFLDR.SYS", "WdfVersionBind"),
        ("WDFLDR.SYS", "WdfVersionBindClass"),
        ("WDFLDR.SYS", "WdfLdrQueryInterface"),
        ("WDFLDR.SYS", "WdfVersionUnbind"),
        ("WDFLDR.SYS", "WdfVersionUnbindClass"),
    ];
    let entry = |f: &mut Function| {
        f.set_unload(1);
        f.address(COMPONENT).store(INFO + 8).address(TABLE).store(INFO + 0x20);
        f.address(MINIMUM).store(INFO + 0x30);
        f.address(INFO).raw(RAX_TO_R8).address(GLOBALS).raw(RAX_TO_R9).call(0).store(ANSWERS);
        f.address(INFO).raw(RAX_TO_RCX).address(CLASS).raw(RAX_TO_R8);
        f.address(GLOBALS).raw(AT_RAX_TO_RDX).call(1).store(ANSWERS + 4);
        f.address(CLASS).raw(RAX_TO_RCX).call(2).store(ANSWERS + 8).raw(SUCCEED);
    };
    let unload = |f: &mut Function| {
        f.address(INFO).raw(RAX_TO_RDX).address(GLOBALS).raw(AT_RAX_TO_R8).ecx(0).call(3);
    };
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "stub.sys", &imports, &[&entry, &unload]);
    let mut image = std::fs::read(&path).unwrap();
    describe(&mut image);
    std::fs::write(&path, image).unwrap();
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    let read = |rva: u32| unsafe { (driver.image().base + rva.to_usize()).ptr::<i32>().read_unaligned() };
    assert_eq!(
        [read(ANSWERS), read(ANSWERS + 4), read(ANSWERS + 8)],
        [0, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_NOT_FOUND]
    );
    assert_ne!((read(GLOBALS), read(TABLE)), (0, 0));
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
}
