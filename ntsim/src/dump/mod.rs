//! A minidump of the machine: the drivers as modules, the threads, the memory, as of a Windows process.
//!
//! WinDbg, lldb and the libraries that read minidumps open it, and find the PDBs of the drivers by the records of their
//! images. A thread stands where its driver has called the simulator, or where it runs in the driver; the simulator
//! itself is no module. Its comment says why the dump was written.
//!
//! ```no_run
//! // A crash, a hang or a finding of this process, whichever is first, writes the dump.
//! ntsim::dump::on_failure("machine.dmp");
//! // At any other time:
//! ntsim::dump::write("machine.dmp")?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod memory;
mod module;
mod stream;
mod thread;

use core::fmt::Write as _;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::loader;
use ntsim_core::number::{ToU64, ToUsize, narrow};
use ntsim_core::sched;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;

use self::memory::{Memory, RANGES};
use self::stream::{Kind, Streams, wide};
use self::thread::{CONTEXT, Threads};
pub(crate) use self::thread::{Registers, SIGNAL, stand_still};

/// The file that a crash, a hang or a finding is dumped to. Of the process, whose memory it is.
static TARGET: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Held while a dump is written. Of the process, which has one file to write to.
static WRITES: Mutex<()> = Mutex::new(());

/// Bytes for all but the ranges of memory.
const ROOM: usize = 1 << 20;

/// The occasion of a dump.
struct Reason<'a> {
    text: &'a str,
    /// The bug check that Windows would stop with, if there is one.
    bugcheck: Option<Bugcheck>,
    /// The registers of the calling thread, where they are not those that it has now.
    own: Option<Registers>,
}

/// Lets the first crash, hang or finding of the process write a dump to `path`, unless there is a file then. Standard
/// error says so.
pub fn on_failure(path: impl Into<PathBuf>) {
    *TARGET.lock() = Some(path.into());
}

/// Writes a dump of the running machine to `path`; the file that was there is replaced. The comment has the findings and
/// the closes that are pending, with what holds them.
///
/// Called at PASSIVE_LEVEL: providers are asked about their pending closes.
///
/// # Errors
/// The host's.
///
/// # Panics
/// If no machine is running.
pub fn write(path: impl AsRef<Path>) -> io::Result<()> {
    let mut text = String::from("written on demand");
    let findings = verifier::findings();
    findings.iter().for_each(|finding| _ = write!(text, "\n{finding}"));
    ndk::summary().pending.iter().for_each(|close| _ = write!(text, "\n{close}"));
    let _writes = WRITES.lock();
    let partial = partial(path.as_ref());
    compose(&partial, &Reason { text: &text, bugcheck: None, own: None })?;
    fs::rename(partial, path)
}

/// Lets findings write dumps.
pub(crate) fn install() {
    verifier::on_finding(|finding: &Finding| failed(&finding.to_string(), finding.bugcheck, None));
}

/// Writes the dump of a crash, a hang or a finding, if one is wanted and none has been written.
pub(crate) fn failed(text: &str, bugcheck: Option<Bugcheck>, own: Option<Registers>) {
    /// Of the process: its first failure is dumped.
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(path) = TARGET.try_lock().and_then(|target| target.clone()) else { return };
    if DONE.swap(true, Ordering::AcqRel) {
        return;
    }
    let Some(_writes) = WRITES.try_lock() else { return };
    let partial = partial(&path);
    let written = compose(&partial, &Reason { text, bugcheck, own })
        // Another process may have been first; this is refused then.
        .and_then(|()| fs::hard_link(&partial, &path));
    let _ = fs::remove_file(&partial);
    match written {
        Ok(()) => eprintln!("dump: {}", path.display()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => eprintln!("no dump: {}: {error}", path.display()),
    }
}

/// The file that a dump is before it is whole.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

fn compose(path: &Path, reason: &Reason<'_>) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut memory = Memory::open()?;
    let threads = Threads::of_machine();
    let images = loader::loaded_images();
    let number = threads.iter().position(|thread| sched::current().is_some_and(|own| own.id == thread.id));
    let exception = reason.bugcheck.zip(number);
    let mut streams = Streams::new(6 + u32::from(exception.is_some()), ROOM + 16 * RANGES);
    let system = system(&mut streams);
    streams.stream(Kind::SYSTEM, &system);
    let comment: Vec<u8> = wide(reason.text).chain([0; 2]).collect();
    streams.stream(Kind::COMMENT, &comment);
    let modules = module::list(&mut streams, images.iter().map(|image| &**image));
    streams.stream(Kind::MODULES, &modules);
    let names = names(&mut streams, threads);
    streams.stream(Kind::THREAD_NAMES, &names);
    let contexts = streams.put(&vec![0; CONTEXT * threads.iter().len()]).to_usize();
    let context = |number: usize| -> u32 { narrow(contexts + CONTEXT * number) };
    let list = streams.put(&list(threads, context));
    streams.register(Kind::THREADS, narrow(4 + THREAD * threads.iter().len()), list);
    let raised = exception.map(|(bugcheck, number)| {
        let content = raise(threads, bugcheck, number, context(number));
        streams.stream(Kind::EXCEPTION, &content);
        (streams.length() - content.len(), number)
    });

    // From here on nothing allocates, until the threads go on.
    let still = threads.stop(reason.own);
    for (number, registers) in threads.registers(&images, &memory).enumerate() {
        let Some(registers) = registers else { continue };
        streams.patch(contexts + CONTEXT * number, &registers.context());
        let sp = registers.general[4];
        streams.patch(list.to_usize() + 4 + THREAD * number + STACK, &sp.to_le_bytes());
        if let Some((at, _)) = raised.filter(|raised| raised.1 == number) {
            streams.patch(at + ADDRESS, &registers.ip.to_le_bytes());
        }
    }
    memory.choose()?;
    let at = streams.put(&[0; 16]);
    streams.register(Kind::MEMORY64, narrow(16 + 16 * memory.ranges.len()), at);
    for range in &memory.ranges {
        streams.append(&range.start.to_u64().to_le_bytes());
        streams.append(&range.len().to_u64().to_le_bytes());
    }
    let content = streams.length().to_u64();
    streams.patch(at.to_usize(), &memory.ranges.len().to_u64().to_le_bytes());
    streams.patch(at.to_usize() + 8, &content.to_le_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    file.write_all(streams.finish(narrow(now)))?;
    memory.copy(&mut file)?;
    drop(still);
    Ok(())
}

/// The `MINIDUMP_SYSTEM_INFO`: Windows Server 2022 on x64, as `RtlGetVersion` has it.
fn system(streams: &mut Streams) -> Vec<u8> {
    let service_pack = streams.string("");
    let mut content = Vec::new();
    // PROCESSOR_ARCHITECTURE_AMD64, level, revision.
    for field in [9_u16, 6, 0] {
        content.extend(field.to_le_bytes());
    }
    // Processors; VER_NT_SERVER.
    content.extend([narrow(sched::Settings::current().processors), 3]);
    // Major, minor, build, VER_PLATFORM_WIN32_NT.
    for field in [10, 0, 20348, 2, service_pack, 0] {
        content.extend(u32::to_le_bytes(field));
    }
    // The processor's features are left out.
    content.resize(56, 0);
    content
}

/// The `MINIDUMP_THREAD_NAME_LIST`.
fn names(streams: &mut Streams, threads: &Threads) -> Vec<u8> {
    let mut content = Vec::from(narrow::<u32, _>(threads.iter().len()).to_le_bytes());
    for thread in threads.iter() {
        let name = streams.string(&thread.name);
        content.extend(narrow::<u32, _>(thread.id).to_le_bytes());
        content.extend(u64::from(name).to_le_bytes());
    }
    content
}

/// Bytes of a `MINIDUMP_THREAD`, and where in it the stack's address is.
const THREAD: usize = 48;
const STACK: usize = 24;

/// The `MINIDUMP_THREAD_LIST`, without the addresses of the stacks; these are part of the memory.
fn list(threads: &Threads, context: impl Fn(usize) -> u32) -> Vec<u8> {
    let mut content = Vec::from(narrow::<u32, _>(threads.iter().len()).to_le_bytes());
    for (number, thread) in threads.iter().enumerate() {
        let mut entry = vec![0; THREAD];
        entry[..4].copy_from_slice(&narrow::<u32, _>(thread.id).to_le_bytes());
        entry[40..44].copy_from_slice(&narrow::<u32, _>(CONTEXT).to_le_bytes());
        entry[44..].copy_from_slice(&context(number).to_le_bytes());
        content.extend(entry);
    }
    content
}

/// Offset of the exception's address in a `MINIDUMP_EXCEPTION_STREAM`.
const ADDRESS: usize = 24;

/// The `MINIDUMP_EXCEPTION_STREAM` of a bug check: its code and its parameters, in the thread that stopped.
fn raise(threads: &Threads, bugcheck: Bugcheck, number: usize, context: u32) -> Vec<u8> {
    let id = threads.iter().nth(number).map_or(0, |thread| thread.id);
    let mut content = vec![0; 168];
    let mut put = |at: usize, field: &[u8]| content[at..at + field.len()].copy_from_slice(field);
    put(0, &narrow::<u32, _>(id).to_le_bytes());
    put(8, &bugcheck.code.to_le_bytes());
    put(32, &4_u32.to_le_bytes());
    for (index, parameter) in bugcheck.parameters.into_iter().enumerate() {
        put(40 + 8 * index, &parameter.to_le_bytes());
    }
    put(160, &narrow::<u32, _>(CONTEXT).to_le_bytes());
    put(164, &context.to_le_bytes());
    content
}
