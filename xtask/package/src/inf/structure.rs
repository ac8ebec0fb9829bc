//! Sections and strings: what is named exists, and what exists is named.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inf, Report, Rule, install};

/// Sections that Windows looks for by name.
const WELL_KNOWN: &[&str] = &[
    "Version",
    "Manufacturer",
    "ControlFlags",
    "DestinationDirs",
    "SourceDisksNames",
    "SourceDisksFiles",
    "Strings",
];

/// The suffixes of an install section's name for its parts.
const PARTS: &[&str] =
    &["Services", "Wdf", "HW", "Interfaces", "Events", "Filters", "Components", "Software"];

/// Directives whose fields name sections.
const NAMING: &[&str] = &["AddReg", "DelReg", "CopyFiles", "DelFiles", "RenFiles", "BitReg"];

/// Directives that a driver package for Windows 10 and later may not use.
/// ([DCH requirements](https://learn.microsoft.com/windows-hardware/drivers/develop/dch-principles-best-practices),
/// [universal INF](https://learn.microsoft.com/windows-hardware/drivers/install/using-a-universal-inf-file).)
const DEPRECATED: &[&str] = &[
    "LayoutFile",
    "Reboot",
    "Restart",
    "RegisterDlls",
    "UnregisterDlls",
    "ProfileItems",
    "UpdateInis",
    "UpdateIniFields",
    "Ini2Reg",
    "LogConfig",
    "DriverPackageType",
    "DriverPackageDisplayName",
    "CoInstallers32",
    "DelReg",
    "DelFiles",
    "RenFiles",
];

pub(super) fn check(inf: &Inf, report: &mut Report) {
    sections(inf, report);
    strings(inf, report);
    for section in inf.sections() {
        for entry in &section.entries {
            if let Some(name) = DEPRECATED.iter().find(|name| entry.is(name)) {
                report.add(Rule::Deprecated, entry.line, format!("{name} is not for packages of Windows 10"));
            }
        }
    }
}

fn sections(inf: &Inf, report: &mut Report) {
    // In lower case, with the line that names it first.
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    let mut name = |section: &str, line| {
        if !section.is_empty() && !section.starts_with('@') {
            named.entry(section.to_ascii_lowercase()).or_insert(line);
        }
    };
    for section in install::models(inf) {
        name(&section.name, section.line);
    }
    for (section, line) in install::sections(inf) {
        name(&section, line);
    }
    for section in inf.sections() {
        for entry in &section.entries {
            if NAMING.iter().any(|directive| entry.is(directive)) {
                entry.values.iter().for_each(|value| name(value, entry.line));
            }
            if entry.is("AddService") {
                name(entry.field(2), entry.line);
                name(entry.field(3), entry.line);
            }
            if entry.is("KmdfService") {
                name(entry.field(1), entry.line);
            }
        }
    }
    let optional: BTreeSet<String> = install::sections(inf)
        .into_iter()
        .flat_map(|(section, _)| {
            PARTS.iter().map(move |part| format!("{section}.{part}").to_ascii_lowercase())
        })
        .collect();

    for (section, line) in &named {
        if inf.section(section).is_none() {
            report.add(Rule::MissingSection, *line, format!("there is no [{section}]"));
        }
    }
    let mut seen = BTreeSet::new();
    for section in inf.sections() {
        let lower = section.name.to_ascii_lowercase();
        let known = WELL_KNOWN.iter().any(|known| known.eq_ignore_ascii_case(&section.name));
        if !known && !named.contains_key(&lower) && !optional.contains(&lower) {
            report.add(Rule::UnusedSection, section.line, format!("no directive names [{}]", section.name));
        }
        if !seen.insert(lower) {
            report.add(Rule::RepeatedSection, section.line, format!("[{}] stands twice", section.name));
        }
    }
}

fn strings(inf: &Inf, report: &mut Report) {
    let mut used = BTreeSet::new();
    for section in inf.sections() {
        for entry in &section.entries {
            for field in entry.key.iter().chain(&entry.values) {
                for token in field.split('%').skip(1).step_by(2) {
                    let folder = token.is_empty() || token.bytes().all(|byte| byte.is_ascii_digit());
                    if !folder && inf.string(token).is_none() {
                        report.add(Rule::UndefinedString, entry.line, format!("%{token}% is not defined"));
                    }
                    used.insert(token.to_ascii_lowercase());
                }
            }
        }
    }
    let defined = inf.section("Strings").map_or(&[][..], |strings| &strings.entries);
    for entry in defined {
        let name = entry.key.as_deref().unwrap_or_default();
        if !used.contains(&name.to_ascii_lowercase()) {
            report.add(Rule::UnusedString, entry.line, format!("%{name}% is used nowhere"));
        }
    }
}
