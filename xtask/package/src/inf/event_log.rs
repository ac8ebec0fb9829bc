//! The source of a service's entries in the event log, without which Event Viewer has no text for them. The driver's image is a
//! file of messages: each code that it logs has its text there (`build/messages.rs`).
//!
//! [INF AddService directive](https://learn.microsoft.com/windows-hardware/drivers/install/inf-addservice-directive),
//! [DDInstall.Services section in a network INF
//! file](https://learn.microsoft.com/windows-hardware/drivers/network/ddinstall-services-section-in-a-network-inf-file).

use super::{
    Entry, Expected, Inf, Kind, Report, Rule,
    install::{DRIVER_STORE, number},
};

/// The values of a source, each with its type, `REG_EXPAND_SZ` and `REG_DWORD`.
const VALUES: &[(&str, u32)] = &[("EventMessageFile", 0x0002_0000), ("TypesSupported", 0x0001_0001)];
/// Successes, errors, warnings and informational entries.
const TYPES: u32 = 7;

pub(super) fn check(inf: &Inf, expected: &Expected<'_>, report: &mut Report) {
    for service in inf.sections().iter().flat_map(|section| section.all("AddService")) {
        let name = service.field(3);
        if !name.is_empty() {
            source(inf, service, expected, report);
        } else if matches!(expected.kind, Kind::Device(_)) {
            report.add(Rule::EventLog, service.line, "the service has no section for the event log");
        }
    }
}

fn source(inf: &Inf, service: &Entry, expected: &Expected<'_>, report: &mut Report) {
    // That the section exists is another rule.
    let Some(section) = inf.section(service.field(3)) else { return };
    let registries = section.all("AddReg").flat_map(|entry| &entry.values);
    let entries: Vec<&Entry> =
        registries.filter_map(|name| inf.section(name)).flat_map(|registry| &registry.entries).collect();
    for (name, kind) in VALUES {
        let own = |entry: &&&Entry| entry.field(1).is_empty() && entry.field(2).eq_ignore_ascii_case(name);
        let Some(entry) = entries.iter().find(own) else {
            report.add(Rule::EventLog, section.line, format!("the source has no {name}"));
            continue;
        };
        if number(entry.field(3)) != Some(*kind) {
            let text = format!("{name} is of the type {kind:#010x}, not {:?}", entry.field(3));
            report.add(Rule::EventLog, entry.line, text);
        }
        let value = entry.field(4);
        let fits = match *name {
            "TypesSupported" => number(value) == Some(TYPES),
            _ => {
                let own = format!("{DRIVER_STORE}{}.sys", service.field(0));
                let mut files = value.split(';');
                files.clone().all(|file| is_image(file, expected.files))
                    && files.any(|file| file.eq_ignore_ascii_case(&own))
            }
        };
        if !fits {
            report.add(Rule::EventLog, entry.line, format!("{name} can't be {value:?}"));
        }
    }
}

/// A path to an image that may have messages: one of the package's files in the driver store, or one below a variable or folder
/// of the system.
fn is_image(path: &str, files: &[&str]) -> bool {
    let lower = path.to_ascii_lowercase();
    let in_store = path.strip_prefix(DRIVER_STORE);
    let is_there = in_store.is_none_or(|name| files.iter().any(|file| file.eq_ignore_ascii_case(name)));
    path.starts_with('%') && is_there && [".dll", ".sys", ".exe"].iter().any(|ending| lower.ends_with(ending))
}
