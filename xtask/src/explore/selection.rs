//! Scenarios by name.

use protocol::Scenario;

use crate::failure::Failure;

/// The scenario's name on the command line: `CloseInCreate` is `close-in-create`.
pub(super) fn name(scenario: Scenario) -> String {
    let mut name = String::new();
    for letter in format!("{scenario:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The scenarios that any of `wanted` stands for, each once, in their own order.
pub(super) fn select(wanted: &[String]) -> Result<Vec<Scenario>, Failure> {
    let mut selected = Vec::new();
    for one in wanted {
        if *one == name(Scenario::LeakOnPurpose) {
            return Ok(vec![Scenario::LeakOnPurpose]);
        }
        let matching: Vec<_> =
            Scenario::ALL.iter().copied().filter(|scenario| is_meant(*scenario, one)).collect();
        if matching.is_empty() {
            let names: Vec<_> = Scenario::ALL.iter().map(|scenario| name(*scenario)).collect();
            return Err(Failure::Usage(format!(
                "{one}: no such scenario; there are the groups close, race and all, and {}",
                names.join(", ")
            )));
        }
        selected.extend(matching);
    }
    Ok(Scenario::ALL.iter().copied().filter(|scenario| selected.contains(scenario)).collect())
}

fn is_meant(scenario: Scenario, wanted: &str) -> bool {
    let name = name(scenario);
    match wanted {
        "all" => true,
        // The rules of NdkCloseObject are numbered CL.
        "close" => scenario.rules().contains("CL-"),
        "race" => name.starts_with("race"),
        _ => wanted.strip_suffix('*').map_or(name == wanted, |beginning| name.starts_with(beginning)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(wanted: &[&str]) -> Vec<Scenario> {
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        select(&wanted).unwrap()
    }

    #[test]
    fn a_scenario_is_selected_by_its_name_a_beginning_or_a_group() {
        assert_eq!(selected(&["close-in-create"]), [Scenario::CloseInCreate]);
        assert_eq!(selected(&["all"]), Scenario::ALL);
        assert!(selected(&["close"]).contains(&Scenario::AntecedentsFirst));
        assert!(!selected(&["close"]).contains(&Scenario::Limits));
        assert_eq!(
            selected(&["close-in-connect*"]),
            [Scenario::CloseInConnect, Scenario::CloseInConnectEvent]
        );
    }

    #[test]
    fn a_scenario_that_is_meant_twice_is_played_once() {
        assert_eq!(selected(&["reject", "flush", "reject"]), [Scenario::Reject, Scenario::Flush]);
    }

    #[test]
    fn what_leaks_on_purpose_is_played_only_where_it_is_named() {
        assert_eq!(selected(&["leak-on-purpose"]), [Scenario::LeakOnPurpose]);
        assert!(!selected(&["all"]).contains(&Scenario::LeakOnPurpose));
    }

    #[test]
    fn a_name_that_means_nothing_is_told_with_those_that_do() {
        let Err(Failure::Usage(text)) = select(&["clos".into()]) else { panic!("a usage error") };
        assert!(text.starts_with("clos: no such scenario") && text.contains("antecedents-first"), "{text}");
    }
}
