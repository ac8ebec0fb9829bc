//! `collect`: one archive of all that a report needs.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use runner::archive::Archive;
use runner::shell::Shell;
use runner::{Error, Exit, command};

use super::power_shell::{PowerShell, program};

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

/// Collects into `archive`. What can't be had has its reason there in its place.
pub(super) fn collect(archive: &Path, output: &mut impl Write) -> Result<Exit, Error> {
    let mut zip = Archive::create(archive)?;
    let mut diagnosis = Vec::new();
    command::diagnose(&PowerShell, &mut diagnosis)?;
    zip.add("diagnosis.txt", &diagnosis)?;
    for (name, file, arguments) in PROGRAMS {
        let text = program(Command::new(file).args(*arguments)).unwrap_or_else(|why| why);
        zip.add(name, text.as_bytes())?;
    }
    for (name, script) in SCRIPTS {
        let script = format!("{script} | Out-String -Width 200");
        zip.add(name, PowerShell.run(&script).unwrap_or_else(|why| why).as_bytes())?;
    }
    for (name, log) in LOGS {
        let (name, content) = export(name, log);
        zip.add(&name, &content)?;
    }
    let windows = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let setup = Path::new(&windows).join(r"INF\setupapi.dev.log");
    zip.add("setupapi.dev.log", &fs::read(setup).unwrap_or_else(|error| error.to_string().into_bytes()))?;
    for entry in fs::read_dir(".")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("ndkhlk-") && (name.ends_with(".xml") || name.ends_with(".json")) {
            zip.add(&name, &fs::read(path)?)?;
        }
    }
    zip.finish()?;
    writeln!(output, "  {}", archive.display())?;
    for dump in ["MEMORY.DMP", "Minidump"] {
        let dump = Path::new(&windows).join(dump);
        if dump.exists() {
            writeln!(output, "  not in it, as it may be large: {}", dump.display())?;
        }
    }
    Ok(Exit::Passed)
}

/// An event log as a file, or the reason why there is none.
fn export(name: &str, log: &str) -> (String, Vec<u8>) {
    let place = env::temp_dir().join(name);
    let mut wevtutil = Command::new("wevtutil.exe");
    wevtutil.args(["epl", log]).arg(&place).arg("/ow:true");
    let content = program(&mut wevtutil).and_then(|_| fs::read(&place).map_err(|error| error.to_string()));
    let _ = fs::remove_file(place);
    match content {
        Ok(content) => (name.to_owned(), content),
        Err(why) => (format!("{name}.txt"), why.into_bytes()),
    }
}
