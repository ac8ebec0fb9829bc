//! Minidumps, as a library that is not ours reads them.

use core::time::Duration;
use std::path::Path;

use minidump::system_info::{Cpu, Os};
use minidump::{
    Minidump, MinidumpContext, MinidumpException, MinidumpModuleList, MinidumpSystemInfo, MinidumpThreadList,
    MinidumpThreadNames, Module, UnifiedMemory,
};
use ntsim_core::address::Va;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Irql};

use super::crash::in_child_then;
use super::program::{DATA, Function, STRIDE, write};
use super::{SUCCEED, program};
use crate::{Machine, dump};

/// `jmp $`.
const FOR_EVER: &[u8] = &[0xEB, 0xFE];

/// A dump, read.
struct Read(Minidump<'static, Vec<u8>>);

impl Read {
    fn open(path: &Path) -> Self {
        Self(Minidump::read(std::fs::read(path).unwrap()).unwrap())
    }

    fn comment(&self) -> String {
        let units: Vec<u16> = self
            .0
            .get_raw_stream(11)
            .unwrap()
            .as_chunks()
            .0
            .iter()
            .map(|unit| u16::from_le_bytes(*unit))
            .collect();
        String::from_utf16(&units).unwrap()
    }

    /// The address and the size of the one module, which is `name`.
    fn module(&self, name: &str) -> (u64, u64) {
        let modules = self.0.get_stream::<MinidumpModuleList>().unwrap();
        let mut all = modules.iter();
        let module = all.next().unwrap();
        assert_eq!(module.code_file(), format!(r"C:\Windows\System32\drivers\{name}"));
        assert!(all.next().is_none());
        (module.base_address(), module.size())
    }

    /// The eight bytes at an address, if the dump has them.
    fn word(&self, address: Va) -> Option<u64> {
        let memory = self.0.get_memory().unwrap();
        let UnifiedMemory::Memory64(range) = memory.memory_at_address(address.bits())? else { panic!() };
        range.get_memory_at_address(address.bits())
    }

    /// The registers of the thread with this name.
    fn thread(&self, name: &str) -> MinidumpContext {
        let threads = self.0.get_stream::<MinidumpThreadList>().unwrap();
        let names = self.0.get_stream::<MinidumpThreadNames>().unwrap();
        let named = |id: u32| names.get_name(id).is_some_and(|known| known == name);
        let thread = threads.threads.iter().find(|thread| named(thread.raw.thread_id)).unwrap();
        let system = self.0.get_stream::<MinidumpSystemInfo>().unwrap();
        thread.context(&system, None).unwrap().into_owned()
    }

    /// The exception's code, and the address at which it was.
    fn exception(&self) -> (u32, u64) {
        let exception = self.0.get_stream::<MinidumpException>().unwrap();
        let record = &exception.raw.exception_record;
        (record.exception_code, record.exception_address)
    }
}

#[test]
fn dump_on_demand_has_modules_threads_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "dumped.sys", &[], &[&|f| _ = f.set_unload(1).raw(SUCCEED), &|_| {}]);
    let machine = Machine::builder().processors(3).boot();
    let driver = machine.load(&path).unwrap();
    let other = sched::spawn("sleeper", || _ = sched::block(Some(Duration::from_secs(60)))).unwrap();
    let file = folder.path().join("machine.dmp");
    dump::write(&file).unwrap();

    let read = Read::open(&file);
    let system = read.0.get_stream::<MinidumpSystemInfo>().unwrap();
    assert_eq!((system.os, system.cpu, system.raw.build_number), (Os::Windows, Cpu::X86_64, 20348));
    assert_eq!(system.raw.number_of_processors, 3);
    assert_eq!(read.comment(), "written on demand\0");
    let base = driver.image().base;
    let (address, size) = read.module("dumped.sys");
    assert_eq!((Va::from_bits(address), size.to_usize()), (base, driver.image().own_size()));
    // Headers, code, data; the section of relocations was discarded.
    assert_eq!(read.word(base).map(|word| word & 0xFFFF), Some(0x5A4D));
    let code = base + program::TEXT.to_usize();
    assert_eq!(read.word(code), Some(unsafe { code.ptr::<u64>().read_unaligned() }));
    assert_eq!(read.word(base + DATA.to_usize() + 8), Some((base + DATA.to_usize()).bits()));
    assert_eq!(read.word(base + 0x4000), None);
    // A thread's stack, where its registers say that it is; and the own stack.
    let context = read.thread("sleeper");
    assert!(read.word(Va::from_bits(context.get_stack_pointer())).is_some());
    let local = core::hint::black_box(0x5AFE_u64);
    let own = sched::current().unwrap().stack_bounds().unwrap();
    assert!((own.0..own.1).contains(&Va::from_bits(read.thread("boot").get_stack_pointer())), "{local}");
    // The threads go on: this one can be woken.
    sched::wake(other);
    assert!(other.ends_within(Duration::from_secs(30)));
    driver.unload();
    assert!(machine.shutdown().is_clean());
}

/// Runs a driver with this entry point in a process that is to stop and dump, and looks at the dump.
fn stopped(
    test: &str,
    irql: Irql,
    imports: program::Imports<'_>,
    entry: &dyn Fn(&mut Function),
    look: impl FnOnce(&Read),
) {
    let body = |folder: &Path| {
        dump::on_failure(folder.join("stopped.dmp"));
        let path = write(folder, "stops.sys", imports, &[entry]);
        let machine = Machine::builder().dpc_limit(Duration::from_millis(100)).boot();
        let old = sched::raise(irql);
        let driver = machine.load(path);
        sched::lower(old);
        drop(driver);
        machine.shutdown();
    };
    in_child_then(test, body, |report, folder| {
        assert!(report.contains("stopped.dmp"), "{report}");
        look(&Read::open(&folder.join("stopped.dmp")));
    });
}

#[test]
fn dump_of_crash_has_its_bug_check_and_the_registers_of_the_driver() {
    // `xor eax, eax`, `mov byte [rax], 1`.
    let entry = |f: &mut Function| _ = f.raw(&[0x31, 0xC0, 0xC6, 0x00, 0x01]);
    let test = "dump::dump_of_crash_has_its_bug_check_and_the_registers_of_the_driver";
    stopped(test, Irql::PASSIVE, &[], &entry, |read| {
        let (base, size) = read.module("stops.sys");
        let (code, address) = read.exception();
        assert_eq!(code, 0x7E);
        assert!((base..base + size).contains(&address), "{address:#x}");
        assert_eq!(read.thread("boot").get_instruction_pointer(), address);
        assert_eq!(read.word(Va::from_bits(address)).map(|code| code & 0xFF_FFFF), Some(0x01_00C6));
        assert!(read.comment().starts_with("STOP: 0x7E"), "{}", read.comment());
    });
}

#[test]
fn dump_of_processor_that_hangs_has_the_place_of_the_driver() {
    let entry = |f: &mut Function| _ = f.raw(FOR_EVER);
    let test = "dump::dump_of_processor_that_hangs_has_the_place_of_the_driver";
    stopped(test, Irql::DISPATCH, &[], &entry, |read| {
        let (code, address) = read.exception();
        assert_eq!(code, 0x133);
        assert_eq!(read.word(Va::from_bits(address)).map(|code| code & 0xFFFF), Some(0xFEEB));
    });
}

#[test]
fn dump_is_of_the_first_finding_and_not_of_the_crash_behind_it() {
    let entry = |f: &mut Function| _ = f.ecx(2).call(0).raw(&[0x31, 0xC0, 0xC6, 0x00, 0x01]);
    let test = "dump::dump_is_of_the_first_finding_and_not_of_the_crash_behind_it";
    stopped(test, Irql::PASSIVE, &[("ntoskrnl.exe", "KeLowerIrql")], &entry, |read| {
        assert!(read.comment().starts_with("IrqlKeRaiseLower: "), "{}", read.comment());
        // The thread goes on behind the call of its entry point, the first function of the image.
        let (base, _) = read.module("stops.sys");
        let place = read.thread("boot").get_instruction_pointer() - base;
        assert_eq!(place.to_usize() / STRIDE.to_usize(), program::TEXT.to_usize() / STRIDE.to_usize());
        assert_eq!(read.word(Va::from_bits(base + place)).map(|code| code & 0xFF), Some(0x31));
    });
}
