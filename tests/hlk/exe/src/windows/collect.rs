//! The evidence that this machine has for `collect`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use runner::Error;
use runner::command::{Evidence, trace};
use runner::shell::Programs;

use super::power_shell::{PowerShell, program};

/// The place of the trace: beside this program, wherever that is started from.
pub(super) fn trace_file() -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(trace::FILE))
}

impl Programs for PowerShell {
    fn program(&self, file: &str, arguments: &[&str]) -> Result<String, String> {
        program(Command::new(file).args(arguments))
    }
}

impl Evidence for PowerShell {
    fn log(&self, log: &str) -> Result<Vec<u8>, String> {
        let place = env::temp_dir().join(format!("ndkhlk-{}.evtx", std::process::id()));
        let mut wevtutil = Command::new("wevtutil.exe");
        wevtutil.args(["epl", log]).arg(&place).arg("/ow:true");
        let content = program(&mut wevtutil).and_then(|_| read(&place));
        let _ = fs::remove_file(place);
        content
    }

    fn setup_log(&self) -> Result<Vec<u8>, String> {
        read(&windows().join(r"INF\setupapi.dev.log"))
    }

    fn trace(&self) -> Result<Vec<u8>, String> {
        trace_file().map_err(|error| error.to_string()).and_then(|file| read(&file))
    }

    fn reports(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut reports = Vec::new();
        for entry in fs::read_dir(".")? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("ndkhlk-") && (name.ends_with(".xml") || name.ends_with(".json")) {
                reports.push((name, fs::read(path)?));
            }
        }
        Ok(reports)
    }

    fn dumps(&self) -> Vec<PathBuf> {
        let dumps = ["MEMORY.DMP", "Minidump"].map(|name| windows().join(name));
        dumps.into_iter().filter(|dump| dump.exists()).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The folder of Windows.
fn windows() -> PathBuf {
    env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from)
}
