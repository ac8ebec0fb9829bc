//! An INF for each rule that breaks this one and no other.

use std::collections::BTreeSet;

use strum::VariantArray as _;

use super::*;
use crate::stamp::Stamp;

/// The driver's own INX.
const INX: &str = include_str!("../../../../softndk.inx");
/// That of the harness driver.
const PRIMITIVE: &str = include_str!("../../../../tests/hlk/driver/ndkhlk.inx");
const NOW: u64 = 1_700_000_000;

fn stamped(inx: &str) -> String {
    let time = Timestamp::from_unix(NOW).unwrap();
    Stamp { time, version: "0.1.0.0", architecture: "amd64", kmdf_version: "1.33" }.apply(inx).unwrap()
}

fn inf() -> String {
    stamped(INX)
}

fn broken(text: &str) -> Vec<Rule> {
    let expected = Expected {
        files: &["softndk.inf", "softndk.sys", "softndk.cat"],
        now: Timestamp::from_unix(NOW).unwrap(),
        kmdf_version: Some("1.33"),
        kind: Kind::Device(&["Root\\softndk"]),
        network_direct: true,
    };
    rules(text, &expected)
}

fn broken_primitive(text: &str) -> Vec<Rule> {
    let expected = Expected {
        files: &["ndkhlk.inf", "ndkhlk.sys", "ndkhlk.cat"],
        now: Timestamp::from_unix(NOW).unwrap(),
        kmdf_version: Some("1.33"),
        kind: Kind::Primitive,
        network_direct: false,
    };
    rules(text, &expected)
}

fn rules(text: &str, expected: &Expected<'_>) -> Vec<Rule> {
    let violations = check(text, expected).unwrap();
    assert!(violations.iter().all(|violation| !violation.to_string().is_empty()));
    let rules: BTreeSet<Rule> = violations.iter().map(|violation| violation.rule).collect();
    rules.into_iter().collect()
}

/// Replacements that break a rule each: the rule, the text, and the text in its place.
const MISTAKES: &[(Rule, &str, &str)] = &[
    (Rule::Signature, "$WINDOWS NT$", "$CHICAGO$"),
    (Rule::Class, "4d36e972", "4d36e97d"),
    (Rule::Provider, "Provider       = \"softndk\"", "Provider       = \"Microsoft\""),
    (Rule::DriverVersion, "11/14/2023,", "11/15/2023,"),
    (Rule::DriverVersion, "11/14/2023,", "14/11/2023,"),
    (Rule::DriverVersion, ",0.1.0.0", ",0.1.0"),
    (Rule::DriverVersion, "DriverVer ", "; DriverVer "),
    (Rule::Catalog, "softndk.cat", "other.cat"),
    (Rule::Lockdown, "PnpLockdown = 1", "PnpLockdown = 0"),
    (
        Rule::MissingSection,
        "softndk.NetworkDirect, softndk",
        "softndk.NetworkDirect, softndk.Misspelt, softndk",
    ),
    (Rule::UnusedSection, "[Strings]", "[Nothing]\r\nx = 1\r\n[Strings]"),
    (Rule::RepeatedSection, "[Strings]", "[ControlFlags]\r\nExcludeFromSelect = *\r\n[Strings]"),
    (Rule::UndefinedString, "%Disk%", "%Disk%%Dsik%"),
    (Rule::UnusedString, "[Strings]", "[Strings]\r\nUnused = \"x\""),
    (Rule::Decoration, "NTamd64.10.0...20348", "NTamd64.6.1"),
    (Rule::HardwareId, "Root\\softndk", "Root\\other"),
    (Rule::CopiedFile, "softndk.sys = 1", "softndk.sys = 1\r\nsoftndk.inf = 1"),
    (Rule::SourceFile, "softndk.sys = 1", "softndk.sys = 2"),
    (Rule::DriverStore, "softndk.Files = 13", "softndk.Files = 12"),
    (Rule::DriverStore, "ServiceBinary  = %13%\\softndk.sys", "ServiceBinary  = %12%\\softndk.sys"),
    (Rule::Service, "StartType      = 3", "StartType      = 0"),
    (Rule::Service, "softndk, 0x2,", "softndk, 0x0,"),
    (Rule::EventLog, "EventMessageFile, 0x00020000", "EventMessageFile, 0x00000000"),
    (Rule::EventLog, "0x00020000, \"%13%\\softndk.sys\"", "0x00020000, \"%13%\\softndk\""),
    (
        Rule::EventLog,
        "0x00020000, \"%13%\\softndk.sys\"",
        "0x00020000, \"%13%\\softndk.sys;%13%\\other.dll\"",
    ),
    (
        Rule::EventLog,
        "0x00020000, \"%13%\\softndk.sys\"",
        "0x00020000, \"%%SystemRoot%%\\System32\\netevent.dll\"",
    ),
    (Rule::EventLog, ", EventMessageFile,", ", EventMessageFiles,"),
    (Rule::EventLog, "TypesSupported,   0x00010001, 7", "TypesSupported,   0x00010001, 0"),
    (Rule::RegistryRoot, "HKR, Ndi,            Service", "HKLM, Ndi,           Service"),
    (Rule::Deprecated, "CopyFiles          =", "Reboot = 1\r\nCopyFiles          ="),
    (Rule::Framework, "KmdfLibraryVersion = 1.33", "KmdfLibraryVersion = 1.31"),
    (Rule::NetworkDirect, "\"ndis5\"", "\"ndis4\""),
    (Rule::NetworkDirect, "Ndi\\Params\\*NetworkDirectTechnology", "Ndi\\Params\\*NetworkDirectTech"),
    (Rule::Keyword, "NetworkAddress, Type,      0, \"edit\"", "NetworkAddress, Type,      0, \"text\""),
    (
        Rule::Keyword,
        "*NetworkDirectTechnology,      Default,   0, \"1\"",
        "*NetworkDirectTechnology,      Default,   0, \"2\"",
    ),
    (Rule::Keyword, "MpaCrc,         Default,   0, \"1\"", "MpaCrc,         Default,   0, \"2\""),
    (Rule::Keyword, "FpduSize,       Default,   0, \"0\"", "FpduSize,       Default,   0, \"65536\""),
    (Rule::Keyword, "FpduSize,       Max,       0, \"65535\"", "FpduSize,       Max,       0, \"64K\""),
];

/// The same for the INF of a driver without a device.
const PRIMITIVE_MISTAKES: &[(Rule, &str, &str)] = &[
    (
        Rule::Primitive,
        "[DestinationDirs]",
        "[Manufacturer]\r\n%Provider% = x, NTamd64.10.0\r\n[DestinationDirs]",
    ),
    (
        Rule::Primitive,
        "[DestinationDirs]",
        "[DefaultUninstall.NTamd64]\r\nLegacyUninstall = 1\r\n[DestinationDirs]",
    ),
    (Rule::Service, "ndkhlk, 0x0,", "ndkhlk, 0x2,"),
    (Rule::Service, "StartType     = 3", "StartType     = 2"),
    (Rule::CopiedFile, "CopyFiles = ndkhlk.Files", "CopyFiles = @ndkhlk.pdb, ndkhlk.Files"),
    (Rule::DriverStore, "%13%\\ndkhlk.sys", "%12%\\ndkhlk.sys"),
    (Rule::Class, "Class       = System", "Class       = Net"),
];

#[test]
fn own_inf_breaks_no_rule() {
    assert_eq!(broken(&inf()), []);
    assert_eq!(broken_primitive(&stamped(PRIMITIVE)), []);
}

#[test]
fn inf_of_other_kind_breaks_rules() {
    assert!(broken(&stamped(PRIMITIVE)).contains(&Rule::MissingSection));
    assert!(broken_primitive(&inf()).contains(&Rule::Primitive));
}

#[test]
fn each_mistake_without_a_device_breaks_its_rule() {
    for (rule, right, wrong) in PRIMITIVE_MISTAKES {
        let right_inf = stamped(PRIMITIVE);
        assert!(right_inf.contains(right), "{rule:?}: the INF has no {right:?}");
        let found = broken_primitive(&right_inf.replace(right, wrong));
        assert!(found.contains(rule), "{right:?} -> {wrong:?}: {found:?}");
    }
}

#[test]
fn each_mistake_breaks_its_rule_and_no_other() {
    for (rule, right, wrong) in MISTAKES {
        let right_inf = inf();
        assert!(right_inf.contains(right), "{rule:?}: the INF has no {right:?}");
        let found = broken(&right_inf.replace(right, wrong));
        assert_eq!(found, [*rule], "{right:?} -> {wrong:?}");
    }
}

#[test]
fn device_without_event_source_breaks_its_rule() {
    let whole = inf();
    let (head, rest) = whole.split_once("[softndk.EventLog]").unwrap();
    let (_, tail) = rest.split_once("[softndk.Files]").unwrap();
    let without = format!("{head}[softndk.Files]{tail}").replace(", softndk.EventLog", "");
    assert_eq!(broken(&without), [Rule::EventLog]);
}

#[test]
fn each_rule_has_a_mistake() {
    let mistakes = MISTAKES.iter().chain(PRIMITIVE_MISTAKES);
    let shown: BTreeSet<Rule> = mistakes.map(|(rule, ..)| *rule).collect();
    assert_eq!(shown, Rule::VARIANTS.iter().copied().collect());
}

#[test]
fn empty_file_is_reported_and_not_a_crash() {
    assert!(broken("").contains(&Rule::MissingSection));
}
