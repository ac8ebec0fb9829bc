//! `diagnose`: the chain of what has to be so that RDMA is operational, from its beginning.

use std::io::{self, Write};

use crate::Exit;
use crate::shell::{Row, Shell, rows};

/// The adapters, as the first part of a pipeline; `$_` is one of them.
macro_rules! adapters {
    ($($rest:literal),+) => {
        concat!(
            "Get-NetAdapter -InterfaceDescription 'softndk*' -ErrorAction SilentlyContinue | ForEach-Object { \
             $a = $_; [pscustomobject]@{ name = $a.Name; value = \"$(",
            $($rest,)+
            ")\" } }"
        )
    };
}

/// The link that one side of SMB is, which has a cmdlet and a service of its own.
macro_rules! smb {
    ($side:literal, $cmdlet:literal, $service:literal) => {
        Link {
            condition: concat!("SMB's ", $side, " takes the adapters for RDMA capable"),
            pipeline: adapters!(
                "@(",
                $cmdlet,
                " | Where-Object { $_.InterfaceIndex -eq $a.ifIndex } | \
                 ForEach-Object { $_.RdmaCapable } | Select-Object -Unique) -join ' '"
            ),
            expected: "True",
            between_machines: true,
            remedy: concat!("Restart-Service ", $service, ", once all of the above holds"),
        }
    };
}

/// A link of the chain.
struct Link {
    /// The condition.
    condition: &'static str,
    /// The pipeline that yields a row for each thing that the condition is about.
    pipeline: &'static str,
    /// The value that each row has to have.
    expected: &'static str,
    /// Set if RDMA between two adapters of this machine does not depend on it.
    between_machines: bool,
    /// The remedy.
    remedy: &'static str,
}

/// The chain; the first link that does not hold is where to begin.
const CHAIN: &[Link] = &[
    Link {
        condition: "this machine loads test-signed drivers",
        pipeline: "[pscustomobject]@{ name = 'SystemStartOptions'; value = \
                   if ((Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control').SystemStartOptions \
                   -match 'TESTSIGNING') { 'on' } else { 'off' } }",
        expected: "on",
        between_machines: false,
        remedy: "bcdedit /set testsigning on, with Secure Boot off, then restart",
    },
    Link {
        condition: "the devices have started (problem code 0)",
        pipeline: "Get-PnpDevice -PresentOnly | Where-Object { $_.HardwareID -contains 'Root\\softndk' } | \
                   ForEach-Object { [pscustomobject]@{ name = $_.InstanceId; value = \
                   \"$([int]$_.ConfigManagerErrorCode)\" } }",
        expected: "0",
        between_machines: false,
        remedy: "ndkhlk install; C:\\Windows\\INF\\setupapi.dev.log and the System log say why a device does not start",
    },
    Link {
        condition: "the adapters are up",
        pipeline: adapters!("$a.Status"),
        expected: "Up",
        between_machines: false,
        remedy: "Enable-NetAdapter -Name <adapter>",
    },
    Link {
        condition: "the keyword *NetworkDirect is 1",
        pipeline: adapters!(
            "(Get-NetAdapterAdvancedProperty -Name $a.Name -RegistryKeyword '*NetworkDirect').RegistryValue -join ''"
        ),
        expected: "1",
        between_machines: false,
        remedy: "Enable-NetAdapterRdma -Name <adapter>",
    },
    Link {
        condition: "the global setting NetworkDirect is enabled",
        pipeline: "[pscustomobject]@{ name = 'Get-NetOffloadGlobalSetting'; value = \
                   \"$((Get-NetOffloadGlobalSetting).NetworkDirect)\" }",
        expected: "Enabled",
        between_machines: false,
        remedy: "Set-NetOffloadGlobalSetting -NetworkDirect Enabled",
    },
    Link {
        condition: "RDMA is operational, as OID_NDK_SET_STATE left it",
        pipeline: adapters!(
            "Get-NetAdapterRdma -Name $a.Name | ForEach-Object { if ($null -ne $_.Operational) { $_.Operational } \
             else { $_.Enabled } }"
        ),
        expected: "True",
        between_machines: false,
        remedy: "Enable-NetAdapterRdma -Name <adapter> -NoRestart; if that changes nothing, Restart-NetAdapter",
    },
    Link {
        condition: "each adapter has an address that is preferred",
        pipeline: adapters!(
            "if (Get-NetIPAddress -InterfaceIndex $a.ifIndex -AddressState Preferred -ErrorAction SilentlyContinue) \
             { 'Preferred' } else { 'none' }"
        ),
        expected: "Preferred",
        between_machines: false,
        remedy: "ndkhlk install gives addresses; a duplicate one on the network stays tentative",
    },
    smb!("server", "Get-SmbServerNetworkInterface", "LanmanServer"),
    smb!("client", "Get-SmbClientNetworkInterface", "LanmanWorkstation"),
    Link {
        condition: "the firewall lets SMB and SMB Direct over iWARP in",
        pipeline: "Get-NetFirewallRule -Name 'FPS-SMB-In-TCP', 'FPSSMBD-iWARP-In-TCP' | ForEach-Object { \
                   [pscustomobject]@{ name = $_.Name; value = \"$($_.Enabled)\" } }",
        expected: "True",
        between_machines: true,
        remedy: "Enable-NetFirewallRule -Name FPS-SMB-In-TCP, FPSSMBD-iWARP-In-TCP",
    },
];

/// Asks for each link of the chain, and prints what holds and what does not.
///
/// # Errors
/// If `output` can't be written.
pub fn diagnose(shell: &impl Shell, output: &mut impl Write) -> io::Result<Exit> {
    let mut exit = Exit::Passed;
    for link in CHAIN {
        let (verdict, of_link, lines) = judge(link, rows(shell, link.pipeline));
        let note = if link.between_machines { " (matters between machines)" } else { "" };
        writeln!(output, "  {verdict:<8}{}{note}", link.condition)?;
        for line in lines {
            writeln!(output, "          {line}")?;
        }
        if !link.between_machines {
            exit = exit.max(of_link);
        }
    }
    Ok(exit)
}

fn judge(link: &Link, answer: Result<Vec<Row>, String>) -> (&'static str, Exit, Vec<String>) {
    let rows = match answer {
        Ok(rows) => rows,
        Err(why) => return ("unknown", Exit::NotRun, why.lines().map(str::to_owned).collect()),
    };
    let wrong: Vec<&Row> = rows.iter().filter(|row| row.value != link.expected).collect();
    if wrong.is_empty() && !rows.is_empty() {
        return ("ok", Exit::Passed, Vec::new());
    }
    let seen = wrong.iter().map(|row| format!("{}: {:?}, not {:?}", row.name, row.value, link.expected));
    let none = rows.is_empty().then(|| "there is none".to_owned());
    let remedy = format!("-> {}", link.remedy);
    ("BROKEN", Exit::Failed, none.into_iter().chain(seen).chain([remedy]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which every link holds, but for one, which answers otherwise.
    struct Machine {
        link: usize,
        answer: Result<&'static str, &'static str>,
    }

    impl Shell for Machine {
        fn run(&self, script: &str) -> Result<String, String> {
            let at = CHAIN.iter().position(|link| script.contains(link.pipeline)).unwrap();
            if at == self.link {
                return self.answer.map(str::to_owned).map_err(str::to_owned);
            }
            Ok(format!("[{{\"name\":\"Ethernet 4\",\"value\":\"{}\"}}]", CHAIN[at].expected))
        }
    }

    fn diagnosed(link: usize, answer: Result<&'static str, &'static str>) -> (Exit, String) {
        let mut output = Vec::new();
        let exit = diagnose(&Machine { link, answer }, &mut output).unwrap();
        (exit, String::from_utf8(output).unwrap())
    }

    #[test]
    fn chain_that_holds_is_ok_throughout() {
        let (exit, text) = diagnosed(usize::MAX, Ok(""));
        assert_eq!(exit, Exit::Passed, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("  ok ")).count(), CHAIN.len());
    }

    #[test]
    fn each_broken_link_says_what_was_seen_and_what_helps() {
        for (at, link) in CHAIN.iter().enumerate() {
            for answer in ["[]", "[{\"name\":\"Ethernet 5\",\"value\":\"other\"}]"] {
                let (exit, text) = diagnosed(at, Ok(answer));
                let expected = if link.between_machines { Exit::Passed } else { Exit::Failed };
                assert_eq!(exit, expected, "{text}");
                let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("BROKEN")).collect();
                assert!(lines[0].contains(link.condition), "{text}");
                assert!(
                    lines[1].contains(if answer == "[]" { "there is none" } else { "Ethernet 5" }),
                    "{text}"
                );
                assert!(lines[2].contains(link.remedy), "{text}");
            }
        }
    }

    #[test]
    fn link_that_can_not_be_asked_for_is_unknown() {
        let (exit, text) = diagnosed(4, Err("Access is denied.\r\nAt line:1"));
        assert_eq!(exit, Exit::NotRun);
        assert!(
            text.contains("  unknown the global setting") && text.contains("          Access is denied.\n"),
            "{text}"
        );
    }

    #[cfg(not(windows))]
    #[test]
    fn pipelines_parse_as_powershell() {
        let check = |text: &str| workflows::script::check(workflows::script::Shell::PowerShell, text);
        for link in CHAIN {
            assert_eq!(check(link.pipeline), Ok(()), "{}", link.pipeline);
            let broken = link.pipeline.replacen('{', "", 1);
            assert!(check(&broken).is_err(), "{broken}");
        }
    }
}
