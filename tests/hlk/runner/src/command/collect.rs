//! `collect`: one archive of all that a report needs.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::trace;
use crate::archive::Archive;
use crate::shell::{Programs, Shell};
use crate::{Error, Exit};

/// The programs whose output goes into the archive: name there, program, arguments.
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    ("netstat.txt", "netstat.exe", &["-x"]),
    ("ipconfig.txt", "ipconfig.exe", &["/all"]),
    ("packages.txt", "pnputil.exe", &["/enum-drivers"]),
    ("devices.txt", "pnputil.exe", &["/enum-devices", "/class", "Net"]),
    ("verifier.txt", "verifier.exe", &["/query"]),
    ("boot.txt", "bcdedit.exe", &["/enum"]),
    ("services.txt", "sc.exe", &["query", "type=", "driver"]),
];

/// The scripts whose output does.
const SCRIPTS: &[(&str, &str)] = &[
    (
        "system.txt",
        "Get-CimInstance Win32_OperatingSystem | Format-List Caption, Version, BuildNumber, LastBootUpTime",
    ),
    (
        "adapters.txt",
        "Get-NetAdapter -IncludeHidden | Format-List Name, InterfaceDescription, ifIndex, Status, DriverVersion",
    ),
    ("rdma.txt", "Get-NetAdapterRdma | Format-List *"),
    (
        "keywords.txt",
        "Get-NetAdapterAdvancedProperty -InterfaceDescription 'softndk*' -AllProperties | Format-List *",
    ),
    (
        "smb.txt",
        "Get-SmbServerNetworkInterface | Format-List *; Get-SmbClientNetworkInterface | Format-List *",
    ),
    (
        "devices-state.txt",
        "Get-PnpDevice | Where-Object { $_.HardwareID -contains 'Root\\softndk' } | ForEach-Object { $_ | \
         Format-List *; Get-PnpDeviceProperty -InstanceId $_.InstanceId | Format-Table -AutoSize KeyName, Data }",
    ),
    (
        "events.txt",
        "Get-WinEvent -FilterHashtable @{ LogName = 'System'; StartTime = (Get-Date).AddDays(-1) } \
         -ErrorAction SilentlyContinue | Where-Object { $_.ProviderName -match 'softndk|ndkhlk|Kernel-PnP|NDIS|\
         BugCheck|Service Control Manager|SMB' } | Format-List TimeCreated, ProviderName, Id, LevelDisplayName, Message",
    ),
];

/// The event logs that are exported whole.
const LOGS: &[(&str, &str)] = &[
    ("System.evtx", "System"),
    ("CodeIntegrity.evtx", "Microsoft-Windows-CodeIntegrity/Operational"),
    ("SMBServer.evtx", "Microsoft-Windows-SMBServer/Operational"),
    ("SmbClient.evtx", "Microsoft-Windows-SmbClient/Connectivity"),
];

/// The machine that evidence is collected on. Each error is the reason that stands in the archive in the thing's place.
pub trait Evidence: Shell + Programs {
    /// Exports an event log, and returns the content of the file.
    ///
    /// # Errors
    /// What the system says of it.
    fn log(&self, log: &str) -> Result<Vec<u8>, String>;

    /// The log of device installations.
    ///
    /// # Errors
    /// The reason why it can't be read.
    fn setup_log(&self) -> Result<Vec<u8>, String>;

    /// The file of the [trace], which no session writes any more.
    ///
    /// # Errors
    /// The reason why it can't be read.
    fn trace(&self) -> Result<Vec<u8>, String>;

    /// The reports of runs that are in the current folder: their names and contents.
    ///
    /// # Errors
    /// If the folder or one of them can't be read.
    fn reports(&self) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// The dumps of crashes that are there.
    fn dumps(&self) -> Vec<PathBuf>;
}

/// Collects into `archive`. What can't be had has its reason there in its place.
///
/// # Errors
/// If the archive or `output` can't be written, or the reports of runs can't be read.
pub fn collect(machine: &impl Evidence, archive: &Path, output: &mut impl Write) -> Result<Exit, Error> {
    let mut zip = Archive::create(archive)?;
    let mut diagnosis = Vec::new();
    super::diagnose(machine, &mut diagnosis)?;
    zip.add("diagnosis.txt", &diagnosis)?;
    for (name, program, arguments) in PROGRAMS {
        let text = machine.program(program, arguments).unwrap_or_else(|why| why);
        zip.add(name, text.as_bytes())?;
    }
    for (name, script) in SCRIPTS {
        let text = machine.run(&shown(script)).unwrap_or_else(|why| why);
        zip.add(name, text.as_bytes())?;
    }
    for (name, log) in LOGS {
        match machine.log(log) {
            Ok(content) => zip.add(name, &content)?,
            Err(why) => zip.add(&format!("{name}.txt"), why.as_bytes())?,
        }
    }
    let stopped = trace::stop(machine);
    match machine.trace() {
        Ok(content) => zip.add(trace::FILE, &content)?,
        Err(why) => {
            let reasons = [stopped.err(), Some(why)].into_iter().flatten().collect::<Vec<_>>().join("\n");
            zip.add(&format!("{}.txt", trace::FILE), reasons.as_bytes())?;
        }
    }
    zip.add("setupapi.dev.log", &machine.setup_log().unwrap_or_else(String::into_bytes))?;
    for (name, content) in machine.reports()? {
        zip.add(&name, &content)?;
    }
    zip.finish()?;
    writeln!(output, "  {}", archive.display())?;
    for dump in machine.dumps() {
        writeln!(output, "  not in it, as it may be large: {}", dump.display())?;
    }
    Ok(Exit::Passed)
}

/// A script whose objects are shown as text that is not cut at the width of a console.
fn shown(script: &str) -> String {
    format!("{script} | Out-String -Width 200")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    /// A machine that has everything, or nothing.
    struct Machine {
        refuses: bool,
    }

    impl Machine {
        fn answer(&self, asked: &str) -> Result<String, String> {
            if self.refuses { Err(format!("no {asked}")) } else { Ok(format!("{asked} it is")) }
        }
    }

    impl Shell for Machine {
        fn run(&self, script: &str) -> Result<String, String> {
            self.answer(script)
        }
    }

    impl Programs for Machine {
        fn program(&self, program: &str, _arguments: &[&str]) -> Result<String, String> {
            self.answer(program)
        }
    }

    impl Evidence for Machine {
        fn log(&self, log: &str) -> Result<Vec<u8>, String> {
            self.answer(log).map(String::into_bytes)
        }

        fn setup_log(&self) -> Result<Vec<u8>, String> {
            self.answer("log of installations").map(String::into_bytes)
        }

        fn trace(&self) -> Result<Vec<u8>, String> {
            self.answer("trace").map(String::into_bytes)
        }

        fn reports(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
            Ok(vec![("ndkhlk-run.xml".to_owned(), b"<testsuite/>".to_vec())])
        }

        fn dumps(&self) -> Vec<PathBuf> {
            vec![PathBuf::from("MEMORY.DMP")]
        }
    }

    /// The files of the archive, each with its content, and what was printed.
    fn collected(refuses: bool) -> (Vec<(String, String)>, String) {
        let path = std::env::temp_dir().join(format!("ndkhlk-{refuses}-{}.zip", std::process::id()));
        let mut output = Vec::new();
        assert_eq!(collect(&Machine { refuses }, &path, &mut output).unwrap(), Exit::Passed);
        let mut archive = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
        let files = (0..archive.len()).map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let mut content = String::new();
            file.read_to_string(&mut content).unwrap();
            (file.name().to_owned(), content)
        });
        (files.collect(), String::from_utf8(output).unwrap())
    }

    #[test]
    fn archive_has_what_the_machine_has() {
        let (files, printed) = collected(false);
        let named = |wanted: &str| files.iter().find(|(name, _)| name == wanted).map(|(_, content)| content);
        assert_eq!(named("netstat.txt").unwrap(), "netstat.exe it is");
        assert_eq!(named("System.evtx").unwrap(), "System it is");
        assert_eq!(named("setupapi.dev.log").unwrap(), "log of installations it is");
        assert_eq!(named("ndkhlk-trace.etl").unwrap(), "trace it is");
        assert_eq!(named("ndkhlk-run.xml").unwrap(), "<testsuite/>");
        assert!(named("rdma.txt").unwrap().starts_with("Get-NetAdapterRdma "));
        assert!(printed.contains(".zip\n") && printed.ends_with("may be large: MEMORY.DMP\n"), "{printed}");
    }

    #[test]
    fn thing_that_can_not_be_had_leaves_its_reason_in_its_place() {
        let (files, _) = collected(true);
        let every = PROGRAMS.len() + SCRIPTS.len() + LOGS.len() + 4;
        assert_eq!(files.len(), every);
        for (name, content) in files.iter().filter(|(name, _)| name != "ndkhlk-run.xml") {
            assert!(content.contains("no "), "{name}: {content}");
            let is_log = [".evtx", ".etl"].iter().any(|ending| name.ends_with(ending));
            assert!(!is_log, "{name} is a log with a sentence in it");
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn scripts_parse_as_powershell() {
        let check = |text: &str| workflows::script::check(workflows::script::Shell::PowerShell, text);
        for (name, script) in SCRIPTS {
            assert_eq!(check(&shown(script)), Ok(()), "{name}");
            let broken = format!("{script} | Where-Object {{ $_");
            assert!(check(&broken).is_err(), "{name}");
        }
    }
}
