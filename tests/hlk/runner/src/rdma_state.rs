//! The state of RDMA on the adapters of a Windows machine, as OID_NDK_SET_STATE leaves it, by way of PowerShell.

use crate::shell::{Shell, literal, rows};

/// The pipeline that yields a row for each adapter.
const STATES: &str = "Get-NetAdapterRdma -ErrorAction SilentlyContinue | ForEach-Object { [pscustomobject]@{ name = \
                      $_.Name; value = \"$(if ($null -ne $_.Operational) { $_.Operational } else { $_.Enabled })\" } }";

/// The names of the adapters on which RDMA is operational.
///
/// # Errors
/// What PowerShell says of it.
pub fn operational(shell: &impl Shell) -> Result<Vec<String>, String> {
    let rows = rows(shell, STATES)?;
    Ok(rows.into_iter().filter(|row| row.value == "True").map(|row| row.name).collect())
}

/// Enables or disables RDMA on an adapter, without a restart of the adapter.
///
/// # Errors
/// What PowerShell says of it.
pub fn set_state(shell: &impl Shell, adapter: &str, enabled: bool) -> Result<(), String> {
    shell.run(&change(adapter, enabled)).map(drop)
}

fn change(adapter: &str, enabled: bool) -> String {
    let verb = if enabled { "Enable" } else { "Disable" };
    format!("$ErrorActionPreference = 'Stop'; {verb}-NetAdapterRdma -NoRestart -Name {}", literal(adapter))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(Result<&'static str, &'static str>);

    impl Shell for Says {
        fn run(&self, script: &str) -> Result<String, String> {
            assert!(script.contains("NetAdapterRdma"), "{script}");
            self.0.map(str::to_owned).map_err(str::to_owned)
        }
    }

    #[test]
    fn adapters_whose_state_is_true_are_operational() {
        let answer = "[{\"name\":\"A\",\"value\":\"True\"},{\"name\":\"B\",\"value\":\"False\"}]";
        assert_eq!(operational(&Says(Ok(answer))), Ok(vec!["A".to_owned()]));
        assert_eq!(operational(&Says(Ok("[]"))), Ok(vec![]));
        assert_eq!(operational(&Says(Err("Access is denied."))), Err("Access is denied.".to_owned()));
    }

    #[test]
    fn change_that_is_refused_says_why() {
        assert_eq!(set_state(&Says(Ok("")), "A", true), Ok(()));
        assert_eq!(set_state(&Says(Err("no such adapter")), "A", false), Err("no such adapter".to_owned()));
    }

    #[cfg(not(windows))]
    #[test]
    fn scripts_parse_as_powershell() {
        let check = |text: &str| workflows::script::check(workflows::script::Shell::PowerShell, text);
        for script in [STATES.to_owned(), change("Bob's NIC", true), change("Ethernet 4", false)] {
            assert_eq!(check(&script), Ok(()), "{script}");
            assert!(check(&format!("{script} | ForEach-Object {{")).is_err());
        }
    }
}
