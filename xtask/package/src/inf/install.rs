//! Models, install sections, services, registry entries and the framework.

use super::{Entry, Expected, Inf, Kind, Report, Rule, Section};

/// `SERVICE_KERNEL_DRIVER`.
const KERNEL_DRIVER: &str = "1";
/// `SERVICE_DEMAND_START`: a plug and play driver is started for its devices.
const DEMAND_START: &str = "3";
/// `SERVICE_ERROR_NORMAL`.
const ERROR_NORMAL: &str = "1";
/// `SPSVCINST_ASSOCSERVICE`: the service is the device's function driver.
const ASSOCIATED: u32 = 2;
/// The folder of the package in the driver store.
pub(super) const DRIVER_STORE: &str = "%13%\\";

/// The install sections of a primitive driver.
const PRIMITIVE: &[&str] = &["DefaultInstall.NTamd64", "DefaultInstall.NTarm64"];

/// The models sections that Manufacturer names, by their decorated names.
pub(super) fn models(inf: &Inf) -> Vec<Named> {
    let entries = inf.section("Manufacturer").map_or(&[][..], |section| &section.entries);
    entries
        .iter()
        .flat_map(|entry| {
            let (base, line) = (entry.field(0).to_owned(), entry.line);
            let decorations = entry.values.get(1..).unwrap_or_default();
            let names = match decorations {
                [] => vec![base],
                _ => decorations.iter().map(|decoration| format!("{base}.{decoration}")).collect(),
            };
            names.into_iter().map(move |name| Named { name, line })
        })
        .collect()
}

/// A section that a directive names, and where.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) line: usize,
}

/// The install sections: those that models name, each with the line that names it, and those of a primitive driver.
pub(super) fn sections(inf: &Inf) -> Vec<(String, usize)> {
    let named = entries_of_models(inf).map(|entry| (entry.field(0).to_owned(), entry.line));
    let primitive = inf.sections().iter().filter(|section| is_primitive(&section.name));
    named.chain(primitive.map(|section| (section.name.clone(), section.line))).collect()
}

/// `DefaultInstall.NTamd64` or `DefaultInstall.NTarm64`, which take no version of the system.
/// ([INF DefaultInstall section](https://learn.microsoft.com/windows-hardware/drivers/install/inf-defaultinstall-section).)
fn is_primitive(section: &str) -> bool {
    PRIMITIVE.iter().any(|name| name.eq_ignore_ascii_case(section))
}

fn entries_of_models(inf: &Inf) -> impl Iterator<Item = &Entry> {
    models(inf).into_iter().filter_map(|named| inf.section(&named.name)).flat_map(|section| &section.entries)
}

pub(super) fn check(inf: &Inf, expected: &Expected<'_>, report: &mut Report) {
    match expected.kind {
        Kind::Device(hardware_ids) => manufacturers(inf, hardware_ids, report),
        Kind::Primitive => primitive(inf, report),
    }
    for section in inf.sections() {
        for entry in section.all("AddService") {
            service(inf, entry, expected.kind, report);
        }
        for entry in section.all("KmdfService") {
            framework(inf, entry, expected, report);
        }
        for name in section.all("AddReg").flat_map(|entry| &entry.values) {
            for entry in inf.section(name).map_or(&[][..], |registry| &registry.entries) {
                if !entry.field(0).eq_ignore_ascii_case("HKR") {
                    let text = format!("{:?} is outside of the device's own keys (HKR)", entry.field(0));
                    report.add(Rule::RegistryRoot, entry.line, text);
                }
            }
        }
    }
    let has_framework = inf.sections().iter().any(|section| section.entry("KmdfService").is_some());
    let has_device = matches!(expected.kind, Kind::Device(_));
    if has_device && expected.kmdf_version.is_some() && !has_framework {
        report.add(Rule::Framework, 0, "the image is a KMDF driver, and there is no KmdfService");
    }
}

/// The install section of a driver without a device.
fn primitive(inf: &Inf, report: &mut Report) {
    if let Some(manufacturer) = inf.section("Manufacturer") {
        report.add(Rule::Primitive, manufacturer.line, "a driver without a device has no [Manufacturer]");
    }
    if !inf.sections().iter().any(|section| is_primitive(&section.name)) {
        report.add(Rule::Primitive, 0, "there is no [DefaultInstall.NTamd64] or [DefaultInstall.NTarm64]");
    }
    for section in inf.sections() {
        let name = section.name.to_ascii_lowercase();
        let undecorated = name == "defaultinstall" || name == "defaultinstall.services";
        if undecorated || name.starts_with("defaultuninstall") {
            let text = format!("[{}] may not be there", section.name);
            report.add(Rule::Primitive, section.line, text);
        }
    }
}

fn manufacturers(inf: &Inf, hardware_ids: &[&str], report: &mut Report) {
    let Some(manufacturer) = inf.section("Manufacturer") else {
        report.add(Rule::MissingSection, 0, "there is no [Manufacturer]");
        return;
    };
    for entry in &manufacturer.entries {
        let name = inf.expand(entry.key.as_deref().unwrap_or_default());
        if name.is_empty() || name.to_ascii_lowercase().contains("microsoft") {
            report.add(Rule::Provider, entry.line, format!("{name:?} can't be the manufacturer"));
        }
        let decorations = entry.values.get(1..).unwrap_or_default();
        if decorations.is_empty() || !decorations.iter().all(|decoration| is_decoration(decoration)) {
            let text = "models are for NTamd64.10.0 or later, or NTarm64.10.0 or later";
            report.add(Rule::Decoration, entry.line, text);
        }
    }
    let mut found = Vec::new();
    for entry in entries_of_models(inf) {
        for id in entry.values.get(1..).unwrap_or_default() {
            found.push(id.to_ascii_lowercase());
            if !hardware_ids.iter().any(|known| known.eq_ignore_ascii_case(id)) {
                report.add(Rule::HardwareId, entry.line, format!("no tool or page knows {id}"));
            }
        }
    }
    for id in hardware_ids {
        if !found.contains(&id.to_ascii_lowercase()) {
            report.add(Rule::HardwareId, manufacturer.line, format!("no model is for {id}"));
        }
    }
}

/// `NTamd64.10.0`, `NTamd64.10.0...20348` and the like.
/// ([INF Manufacturer section](https://learn.microsoft.com/windows-hardware/drivers/install/inf-manufacturer-section).)
fn is_decoration(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = ["ntamd64.10.0", "ntarm64.10.0"].iter().find_map(|platform| lower.strip_prefix(platform));
    let numbers = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix("...").is_some_and(numbers))
}

/// [INF AddService directive](https://learn.microsoft.com/windows-hardware/drivers/install/inf-addservice-directive).
fn service(inf: &Inf, entry: &Entry, kind: Kind<'_>, report: &mut Report) {
    let flags = if entry.field(1).is_empty() { Some(0) } else { number(entry.field(1)) };
    match kind {
        Kind::Device(_) if flags.is_none_or(|flags| flags & ASSOCIATED == 0) => {
            report.add(Rule::Service, entry.line, "the service is not associated with the device (flag 0x2)");
        }
        Kind::Primitive if flags.is_none_or(|flags| flags & ASSOCIATED != 0) => {
            report.add(
                Rule::Service,
                entry.line,
                "there is no device to associate the service with (flag 0x2)",
            );
        }
        Kind::Device(_) | Kind::Primitive => {}
    }
    // That the section exists is another rule.
    let Some(service) = inf.section(entry.field(2)) else { return };
    for (key, value) in
        [("ServiceType", KERNEL_DRIVER), ("StartType", DEMAND_START), ("ErrorControl", ERROR_NORMAL)]
    {
        let found = service.value(key).unwrap_or_default();
        if number(found) != number(value) {
            report.add(Rule::Service, line(service, key), format!("{key} is {value}, not {found:?}"));
        }
    }
    let binary = service.value("ServiceBinary").unwrap_or_default();
    if !binary.starts_with(DRIVER_STORE) {
        let text = format!("ServiceBinary is in the driver store ({DRIVER_STORE}...), not {binary:?}");
        report.add(Rule::DriverStore, line(service, "ServiceBinary"), text);
    }
}

/// [KmdfService and its section](https://learn.microsoft.com/windows-hardware/drivers/wdf/specifying-wdf-directives-in-inf-files).
fn framework(inf: &Inf, entry: &Entry, expected: &Expected<'_>, report: &mut Report) {
    let Some(section) = inf.section(entry.field(1)) else { return };
    let found = section.value("KmdfLibraryVersion");
    if found != expected.kmdf_version {
        let text =
            format!("KmdfLibraryVersion is {found:?}, and the image binds {:?}", expected.kmdf_version);
        report.add(Rule::Framework, line(section, "KmdfLibraryVersion"), text);
    }
}

fn line(section: &Section, key: &str) -> usize {
    section.entry(key).map_or(section.line, |entry| entry.line)
}

/// A number in decimal or, after 0x, in hexadecimal.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.to_ascii_lowercase().strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
