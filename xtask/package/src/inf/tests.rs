//! An INF for each rule that breaks this one and no other.

use std::collections::BTreeSet;

use super::*;
use crate::stamp::Stamp;

/// The driver's own INX.
const INX: &str = include_str!("../../../../inf/softndk.inx");
const NOW: u64 = 1_700_000_000;

fn inf() -> String {
    let time = Timestamp::from_unix(NOW).unwrap();
    Stamp { time, version: "0.1.0.0", architecture: "amd64", kmdf_version: "1.33" }.apply(INX).unwrap()
}

fn broken(text: &str) -> Vec<Rule> {
    let expected = Expected {
        files: &["softndk.inf", "softndk.sys", "softndk.cat"],
        now: Timestamp::from_unix(NOW).unwrap(),
        kmdf_version: Some("1.33"),
        hardware_ids: &["Root\\softndk"],
        network_direct: true,
    };
    let violations = check(text, &expected).unwrap();
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
    (Rule::DriverStore, "%13%\\softndk.sys", "%12%\\softndk.sys"),
    (Rule::Service, "StartType     = 3", "StartType     = 0"),
    (Rule::Service, "softndk, 0x2,", "softndk, 0x0,"),
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
];

#[test]
fn own_inf_breaks_no_rule() {
    assert_eq!(broken(&inf()), []);
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
fn each_rule_has_a_mistake() {
    let shown: BTreeSet<Rule> = MISTAKES.iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(shown, Rule::ALL.iter().copied().collect());
}

#[test]
fn empty_file_is_reported_and_not_a_crash() {
    assert!(broken("").contains(&Rule::MissingSection));
}
