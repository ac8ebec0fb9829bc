//! ndkhlk.exe, which installs and runs the harness on Windows: built here, for `x86_64-pc-windows-gnu`.

use std::path::Path;

use object::Object;

use crate::{
    failure::CommandError,
    packages::{self, Use},
    root,
    step::Step,
    toolchain::{Compiler, PROGRAM_TARGET},
};

/// The package of the program, its name, and that under which cargo leaves it: the driver ndkhlk.sys is built by that name, and
/// on Windows each has a PDB.
const PACKAGE: &str = "ndkhlk-exe";
const PROGRAM: &str = "ndkhlk.exe";
const BUILT: &str = "ndkhlk-program.exe";

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
pub(crate) fn provide() -> Result<Compiler, CommandError> {
    let compiler = Compiler::for_target(PROGRAM_TARGET);
    packages::provide(|need| match need {
        Use::Program => true,
        Use::Compiler => compiler == Compiler::Debian,
        _ => false,
    })?;
    Ok(compiler)
}

/// Builds the program, and returns its bytes.
pub(super) fn build() -> Result<Vec<u8>, CommandError> {
    let compiler = provide()?;
    let step = Step::start("build ndkhlk.exe");
    let program = compile(compiler, root(), &root().join("target"), &step)?;
    step.done();
    Ok(program)
}

/// Builds the program of a tree into `target`, as a part of `step`, and returns its bytes.
pub(crate) fn compile(
    compiler: Compiler,
    tree: &Path,
    target: &Path,
    step: &Step,
) -> Result<Vec<u8>, CommandError> {
    step.run(compiler.program("build", tree, target).args(["--package", PACKAGE]))?;
    let program = super::read(&target.join(PROGRAM_TARGET).join("release").join(BUILT))?;
    check(&program)?;
    Ok(program)
}

/// Lints the program, whose calls of Windows no other check compiles.
pub(super) fn lint() -> Result<(), CommandError> {
    let compiler = provide()?;
    packages::provide(|need| matches!(need, Use::Lints) && compiler == Compiler::Debian)?;
    let step = Step::start("lint ndkhlk.exe");
    let mut lint = compiler.program("clippy", root(), &root().join("target"));
    step.run(lint.args(["--package", PACKAGE, "--", "-D", "warnings"]))?;
    step.done();
    Ok(())
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
