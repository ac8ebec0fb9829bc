//! The Windows side: the host behind the runner's traits, and the commands that only Windows has.

mod adapters;
mod addresses;
mod collect;
mod handle;
mod install;
mod machine;
mod power_shell;
mod remove;
mod service;
mod setup;
mod text;

use std::io::{self, Write};

use runner::command::trace;
use runner::{Error, Exit, command};

use self::machine::Machine;
use self::power_shell::PowerShell;
use crate::options::Command;

/// Does what is asked for; what goes wrong is printed, and in the exit code.
pub(crate) fn run(command: Command) -> Exit {
    match perform(command, &mut io::stdout().lock()) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("not run: {error}");
            Exit::NotRun
        }
    }
}

fn perform(command: Command, output: &mut impl Write) -> Result<Exit, Error> {
    let mut machine = Machine::default();
    match command {
        Command::Install(addresses) => install::install(addresses.given(), output),
        Command::List => {
            command::scenarios(output)?;
            Ok(command::adapters(&machine, output)?)
        }
        Command::Run(options) => {
            let traced = options.traced();
            let asked =
                options.run().map_err(|unknown| Error::Host { what: "run", why: unknown.to_string() })?;
            if traced && let Err(why) = trace::start(&PowerShell, &collect::trace_file()?) {
                eprintln!("the driver's events are not recorded: {why}");
            }
            Ok(command::run(&mut machine, &asked, output)?)
        }
        Command::Bench => Ok(command::bench(&machine, output)?),
        Command::Tdi => Ok(command::tdi(&machine, output)?),
        Command::Diagnose => Ok(command::diagnose(&PowerShell, output)?),
        Command::Collect { archive } => command::collect(&PowerShell, &archive, output),
        Command::Remove => remove::remove(output),
    }
}
