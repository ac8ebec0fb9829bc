//! `list`: the scenarios with their rules, and the adapters.

use std::io::{self, Write};

use protocol::Scenario;

use crate::selection::name;
use crate::{Exit, Host};

/// Prints the scenarios, each with the rules that it puts to the test.
///
/// # Errors
/// If `output` can't be written.
pub fn scenarios(output: &mut impl Write) -> io::Result<Exit> {
    for scenario in Scenario::ALL {
        writeln!(output, "  {:<24}{}", name(*scenario), scenario.rules())?;
    }
    Ok(Exit::Passed)
}

/// Prints the adapters of the provider.
///
/// # Errors
/// If `output` can't be written.
pub fn adapters(host: &impl Host, output: &mut impl Write) -> io::Result<Exit> {
    let adapters = match host.adapters() {
        Ok(adapters) => adapters,
        Err(error) => {
            writeln!(output, "not run: {error}")?;
            return Ok(Exit::NotRun);
        }
    };
    for adapter in &adapters {
        let rdma = if adapter.rdma { "RDMA operational" } else { "RDMA not operational" };
        let addresses: Vec<String> = adapter.addresses.iter().map(ToString::to_string).collect();
        let (index, name) = (adapter.if_index, &adapter.name);
        writeln!(output, "  {index:>3}  {name:<16}{rdma:<22}{}", addresses.join(" "))?;
    }
    Ok(Exit::Passed)
}
