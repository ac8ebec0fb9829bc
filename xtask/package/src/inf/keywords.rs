//! Keywords below `Ndi\Params`, those of NDKPI above all.
//!
//! [Keywords and values for advanced properties](https://learn.microsoft.com/windows-hardware/drivers/network/standardized-inf-keywords-for-network-devices),
//! [INF requirements for NDKPI](https://learn.microsoft.com/windows-hardware/drivers/network/inf-requirements-for-ndkpi).

use std::collections::BTreeMap;

use super::{Expected, Inf, Report, Rule};

const PARAMETERS: &str = "ndi\\params\\";
const TYPES: &[&str] = &["enum", "int", "long", "word", "dword", "edit"];
/// The upper range that NDK consumers look for.
const UPPER_RANGE: &str = "ndis5";

/// A keyword: where it begins, its values by name, its choices.
#[derive(Default)]
struct Keyword {
    line: usize,
    values: BTreeMap<String, String>,
    choices: Vec<String>,
}

pub(super) fn check(inf: &Inf, expected: &Expected<'_>, report: &mut Report) {
    let (keywords, upper_range) = keywords(inf);
    for (name, keyword) in &keywords {
        for text in mistakes(keyword) {
            report.add(Rule::Keyword, keyword.line, format!("{name}: {text}"));
        }
    }
    if expected.network_direct {
        for text in network_direct(&keywords, upper_range.as_deref()) {
            report.add(Rule::NetworkDirect, 0, text);
        }
    }
}

/// The keywords, by their names in lower case, and the upper range.
fn keywords(inf: &Inf) -> (BTreeMap<String, Keyword>, Option<String>) {
    let mut keywords: BTreeMap<String, Keyword> = BTreeMap::new();
    let mut upper_range = None;
    let names =
        inf.sections().iter().flat_map(|section| section.all("AddReg")).flat_map(|entry| &entry.values);
    for entry in names.filter_map(|name| inf.section(name)).flat_map(|section| &section.entries) {
        let key = entry.field(1).to_ascii_lowercase();
        let value = inf.expand(entry.field(4));
        if key == "ndi\\interfaces" && entry.field(2).eq_ignore_ascii_case("UpperRange") {
            upper_range = Some(value);
            continue;
        }
        let Some(path) = key.strip_prefix(PARAMETERS) else { continue };
        let (name, below) = path.split_once('\\').map_or((path, None), |(name, below)| (name, Some(below)));
        let keyword = keywords.entry(name.to_owned()).or_default();
        if keyword.line == 0 {
            keyword.line = entry.line;
        }
        match below {
            None => drop(keyword.values.insert(entry.field(2).to_ascii_lowercase(), value)),
            Some("enum") => keyword.choices.push(entry.field(2).to_owned()),
            Some(_) => {}
        }
    }
    (keywords, upper_range)
}

fn mistakes(keyword: &Keyword) -> Vec<String> {
    let value = |name: &str| keyword.values.get(name).map(String::as_str);
    let mut mistakes = Vec::new();
    if value("paramdesc").is_none_or(str::is_empty) {
        mistakes.push("no ParamDesc".to_owned());
    }
    let kind = value("type").unwrap_or_default();
    if !TYPES.contains(&kind) {
        mistakes.push(format!("{kind:?} is no Type"));
    }
    match value("default") {
        None => mistakes.push("no Default".to_owned()),
        Some(default) if kind == "enum" && !keyword.choices.iter().any(|choice| choice == default) => {
            mistakes.push(format!("the Default {default:?} is none of its choices"));
        }
        Some(default) if matches!(kind, "int" | "long" | "word" | "dword") => {
            let limit = |name| value(name).and_then(|limit| limit.parse::<i64>().ok());
            match (default.parse::<i64>(), limit("min"), limit("max")) {
                (Ok(default), Some(min), Some(max)) if (min..=max).contains(&default) => {}
                _ => mistakes.push(format!("the Default {default:?} is not within Min and Max")),
            }
        }
        Some(_) => {}
    }
    mistakes
}

fn network_direct(keywords: &BTreeMap<String, Keyword>, upper_range: Option<&str>) -> Vec<String> {
    let mut mistakes = Vec::new();
    if upper_range != Some(UPPER_RANGE) {
        mistakes.push(format!("UpperRange is {UPPER_RANGE:?}, not {upper_range:?}"));
    }
    let wanted: &[(&str, &[&str], &[&str])] = &[
        ("*networkdirect", &["0", "1"], &["1"]),
        // 1 is iWARP, 2 InfiniBand, 3 RoCE, 4 RoCE version 2; an adapter lists those that it has.
        ("*networkdirecttechnology", &["1", "2", "3", "4"], &["1", "2", "3", "4"]),
    ];
    for (name, choices, defaults) in wanted {
        let Some(keyword) = keywords.get(*name) else {
            mistakes.push(format!("there is no {name}"));
            continue;
        };
        let value = |name: &str| keyword.values.get(name).map_or("", String::as_str);
        let are_choices = !keyword.choices.is_empty()
            && keyword.choices.iter().all(|choice| choices.contains(&choice.as_str()))
            && (*name != "*networkdirect" || keyword.choices.len() == choices.len());
        if value("type") != "enum" || !are_choices || !defaults.contains(&value("default")) {
            mistakes.push(format!("{name} is an enum of {choices:?} with a default of {defaults:?}"));
        }
    }
    mistakes
}
