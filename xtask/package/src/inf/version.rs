//! The Version section.
//!
//! [INF Version section](https://learn.microsoft.com/windows-hardware/drivers/install/inf-version-section).

use super::{Expected, Inf, Report, Rule};
use crate::time::Timestamp;

/// [System-defined setup classes](https://learn.microsoft.com/windows-hardware/drivers/install/system-defined-device-setup-classes-available-to-vendors)
/// of drivers that are packaged here.
const CLASSES: &[(&str, &str)] = &[
    ("Net", "{4d36e972-e325-11ce-bfc1-08002be10318}"),
    ("System", "{4d36e97d-e325-11ce-bfc1-08002be10318}"),
];

pub(super) fn check(inf: &Inf, expected: &Expected<'_>, report: &mut Report) {
    let Some(version) = inf.section("Version") else {
        report.add(Rule::MissingSection, 0, "there is no [Version]");
        return;
    };
    let of = |key: &str| version.entry(key).map_or((version.line, ""), |entry| (entry.line, entry.field(0)));

    let (line, signature) = of("Signature");
    if !signature.eq_ignore_ascii_case("$Windows NT$") {
        report.add(Rule::Signature, line, "Signature is \"$WINDOWS NT$\"");
    }
    let (line, guid) = of("ClassGuid");
    let class = of("Class").1;
    let known = CLASSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(class));
    if known.is_none_or(|(_, known)| !known.eq_ignore_ascii_case(guid)) {
        report.add(Rule::Class, line, format!("{guid} is not the class {class:?}"));
    }
    let (line, provider) = of("Provider");
    let provider = inf.expand(provider);
    if provider.is_empty() || provider.to_ascii_lowercase().contains("microsoft") {
        report.add(Rule::Provider, line, format!("{provider:?} can't be the provider"));
    }
    let (line, _) = of("DriverVer");
    if let Some(text) =
        version.entry("DriverVer").and_then(|entry| driver_version(&entry.values, expected.now))
    {
        report.add(Rule::DriverVersion, line, text);
    } else if version.entry("DriverVer").is_none() {
        report.add(Rule::DriverVersion, line, "there is no DriverVer");
    }
    let (line, catalog) = of("CatalogFile");
    if !expected.files.iter().any(|file| file.eq_ignore_ascii_case(catalog)) {
        report.add(Rule::Catalog, line, format!("the package has no catalogue {catalog:?}"));
    }
    let (line, lockdown) = of("PnpLockdown");
    if lockdown != "1" {
        report.add(Rule::Lockdown, line, "PnpLockdown is 1");
    }
}

/// The mistake in a driver's date and version, if there is one.
fn driver_version(values: &[String], now: Timestamp) -> Option<String> {
    let [date, version] = values else { return Some("DriverVer is a date and a version".to_owned()) };
    let numbers = |text: &str, separator| -> Option<Vec<u16>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let day = |date: &str| match numbers(date, '/')?.as_slice() {
        &[month @ 1..=12, day @ 1..=31, year] if year > 1600 => Some((year, month, day)),
        _ => None,
    };
    let Some(dated) = day(date) else { return Some(format!("{date:?} is no date, month/day/year")) };
    if day(&now.driver_date()).is_some_and(|today| dated > today) {
        return Some(format!("{date} is in the future"));
    }
    let is_version = numbers(version, '.').is_some_and(|numbers| numbers.len() == 4);
    (!is_version).then(|| format!("{version:?} is not four numbers"))
}
