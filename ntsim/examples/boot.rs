//! Boots a machine, loads the driver images that are named on the command line, unloads them in reverse
//! and prints what was found.
//!
//! `hello.c` beside this file is a ten-line driver. With clang, lld and mingw-w64's headers:
//!
//! ```text
//! mingw=/usr/share/mingw-w64/include
//! clang --target=x86_64-pc-windows-gnu -isystem $mingw/ddk -isystem $mingw -g -gcodeview -O1 -c hello.c -o hello.obj
//! lld-link /driver /subsystem:native /entry:DriverEntry /nodefaultlib /dynamicbase /debug /out:hello.sys \
//!     hello.obj /usr/x86_64-w64-mingw32/lib/libntoskrnl.a
//! cargo run -p ntsim --example boot -- hello.sys
//! ```

use std::process::ExitCode;

use ntsim::Machine;

fn main() -> ExitCode {
    let machine = Machine::builder().processors(4).echo().boot();
    let mut drivers = Vec::new();
    for path in std::env::args_os().skip(1) {
        match machine.load(path) {
            Ok(driver) => drivers.push(driver),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        }
    }
    while let Some(driver) = drivers.pop() {
        driver.unload();
    }
    let report = machine.shutdown();
    println!("{report}");
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
