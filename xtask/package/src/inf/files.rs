//! Files: what is copied, from where and to where.
//!
//! [INF CopyFiles directive](https://learn.microsoft.com/windows-hardware/drivers/install/inf-copyfiles-directive),
//! [INF DestinationDirs section](https://learn.microsoft.com/windows-hardware/drivers/install/inf-destinationdirs-section).

use std::collections::BTreeMap;

use super::{Expected, Inf, Report, Rule};

/// The folder of the package in the driver store, from which drivers run since Windows 10, version 1709.
const DRIVER_STORE: &str = "13";

pub(super) fn check(inf: &Inf, expected: &Expected<'_>, report: &mut Report) {
    // Each copied file in lower case, with the line that copies it.
    let mut copied = BTreeMap::new();
    for entry in inf.sections().iter().flat_map(|section| section.all("CopyFiles")) {
        for value in &entry.values {
            if let Some(file) = value.strip_prefix('@') {
                copied.insert(file.to_ascii_lowercase(), entry.line);
                continue;
            }
            for file in inf.section(value).map_or(&[][..], |list| &list.entries) {
                // The name in the source is the second field, where it differs.
                let name = if file.field(1).is_empty() { file.field(0) } else { file.field(1) };
                copied.insert(name.to_ascii_lowercase(), file.line);
            }
            destination(inf, value, entry.line, report);
        }
    }
    let sources = inf.section("SourceDisksFiles").map_or(&[][..], |section| &section.entries);
    let listed = |name: &str| sources.iter().any(|entry| entry.is(name));
    for (file, line) in &copied {
        if !listed(file) {
            report.add(Rule::CopiedFile, *line, format!("{file} is not in [SourceDisksFiles]"));
        }
    }
    for source in sources {
        let name = source.key.as_deref().unwrap_or_default();
        if !copied.contains_key(&name.to_ascii_lowercase()) {
            report.add(Rule::CopiedFile, source.line, format!("no CopyFiles copies {name}"));
        }
        if !expected.files.iter().any(|file| file.eq_ignore_ascii_case(name)) {
            report.add(Rule::SourceFile, source.line, format!("the package has no {name}"));
        }
        let disk = source.field(0);
        if inf.section("SourceDisksNames").is_none_or(|disks| disks.entry(disk).is_none()) {
            report.add(
                Rule::SourceFile,
                source.line,
                format!("{name} is on disk {disk:?}, which is not named"),
            );
        }
    }
    for service in inf.sections().iter().filter_map(|section| section.entry("ServiceBinary")) {
        let file = service.field(0).rsplit('\\').next().unwrap_or_default();
        if !copied.contains_key(&file.to_ascii_lowercase()) {
            report.add(
                Rule::CopiedFile,
                service.line,
                format!("the service runs {file}, which is not copied"),
            );
        }
    }
}

/// A list of files goes to the driver store, by its own name or by default.
fn destination(inf: &Inf, list: &str, line: usize, report: &mut Report) {
    let folders = inf.section("DestinationDirs");
    let folder = folders.and_then(|section| section.entry(list).or_else(|| section.entry("DefaultDestDir")));
    match folder {
        Some(entry) if entry.field(0) == DRIVER_STORE => {}
        Some(entry) => {
            let text = format!(
                "[{list}] goes to folder {}, not to the driver store ({DRIVER_STORE})",
                entry.field(0)
            );
            report.add(Rule::DriverStore, entry.line, text);
        }
        None => report.add(Rule::DriverStore, line, format!("[{list}] has no destination")),
    }
}
