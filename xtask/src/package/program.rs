//! ndkhlk.exe, which installs and runs the harness on Windows: built here, for `x86_64-pc-windows-gnu`.

use std::path::PathBuf;

use object::Object;

use crate::{
    failure::CommandError,
    packages::{self, Use},
    root,
    step::Step,
    toolchain::{Compiler, PROGRAM_TARGET},
};

/// The package of the program, and its name.
const PACKAGE: &str = "ndkhlk-exe";
const PROGRAM: &str = "ndkhlk.exe";

/// The modules of Windows that the program may import: all are on every Windows Server.
const MODULES: &[&str] = &[
    "advapi32.dll",
    "api-ms-win-core-synch-l1-2-0.dll",
    "bcryptprimitives.dll",
    "cfgmgr32.dll",
    "iphlpapi.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "newdev.dll",
    "ntdll.dll",
    "setupapi.dll",
    "userenv.dll",
    "ws2_32.dll",
];

/// Installs what is missing to build the program.
fn provide() -> Result<Compiler, CommandError> {
    let compiler = Compiler::for_target(PROGRAM_TARGET);
    packages::provide(|need| match need {
        Use::Program => true,
        Use::Compiler => compiler == Compiler::Debian,
        _ => false,
    })?;
    Ok(compiler)
}

/// Builds the program, and returns its bytes.
pub(crate) fn build() -> Result<Vec<u8>, CommandError> {
    let compiler = provide()?;
    let step = Step::start("build ndkhlk.exe");
    step.run(compiler.program("build").args(["--package", PACKAGE]))?;
    let program = super::read(&path())?;
    check(&program)?;
    step.done();
    Ok(program)
}

fn path() -> PathBuf {
    root().join("target").join(PROGRAM_TARGET).join("release").join(PROGRAM)
}

/// Sees that the program needs nothing but Windows: no library of the compiler's, no module of the kernel.
fn check(program: &[u8]) -> Result<(), CommandError> {
    let failed = |error: object::Error| CommandError::work(format!("{PROGRAM}: {error}"));
    let image = object::File::parse(program).map_err(failed)?;
    for import in image.imports().map_err(failed)? {
        let module = String::from_utf8_lossy(import.library()).to_ascii_lowercase();
        if !MODULES.contains(&module.as_str()) {
            let function = String::from_utf8_lossy(import.name());
            return Err(CommandError::work(format!("{PROGRAM} imports {function} of {module}")));
        }
    }
    Ok(())
}
