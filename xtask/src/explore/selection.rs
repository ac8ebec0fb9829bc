//! Scenarios by name.

use protocol::Scenario as Ndk;
use runner::over_wire::Route;
use tdi_client::scenario::Scenario as Tdi;

use crate::failure::CommandError;

/// A scenario of NDK or TDI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scenario {
    /// By the harness's NDK consumer.
    Ndk(Ndk),
    /// By clients of the legacy transport.
    Tdi(Tdi),
}

/// Scenarios that are played only by name: one finds something in any case, one takes a thousand times as long as
/// the others.
const ALONE: [Scenario; 2] = [Scenario::Ndk(Ndk::LeakOnPurpose), Scenario::Tdi(Tdi::Thousand)];

/// Every other scenario.
fn all() -> impl Iterator<Item = Scenario> {
    let ndk = Ndk::ALL.iter().copied().map(Scenario::Ndk);
    let all = ndk.chain(Tdi::ALL.iter().copied().map(Scenario::Tdi));
    all.filter(|scenario| !ALONE.contains(scenario))
}

impl Scenario {
    /// Its name on the command line: NDK's `CloseInCreate` is `close-in-create`, TDI's `ExitingProcess` is
    /// `tdi-exiting-process`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Ndk(scenario) => kebab(&format!("{scenario:?}")),
            Self::Tdi(scenario) => format!("tdi-{}", kebab(&format!("{scenario:?}"))),
        }
    }

    /// The scenario with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        all().chain(ALONE).find(|scenario| scenario.name() == name)
    }

    /// Returns whether connections that go this way can pass it.
    fn is_played(self, route: Route) -> bool {
        match (route, self) {
            (Route::Loopback, _) => true,
            (Route::Wire | Route::FaultyWire, Self::Ndk(_)) => true,
            // The legacy transport moves data by memory copies alone.
            (Route::Wire | Route::FaultyWire, Self::Tdi(_)) => false,
        }
    }

    fn is_meant(self, wanted: &str) -> bool {
        let name = self.name();
        match (wanted, self) {
            ("all", _) | ("tdi", Self::Tdi(_)) => true,
            // The rules of NdkCloseObject are numbered CL.
            ("close", Self::Ndk(scenario)) => scenario.rules().contains("CL-"),
            ("race", _) => name.contains("race"),
            _ => wanted.strip_suffix('*').map_or(name == wanted, |beginning| name.starts_with(beginning)),
        }
    }
}

/// The words of a name, in small letters.
fn kebab(words: &str) -> String {
    let mut name = String::new();
    for letter in words.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The scenarios that any of `wanted` stands for, each once, in their own order: those that are played with connections
/// that go this way.
pub(super) fn select(wanted: &[String], route: Route) -> Result<Vec<Scenario>, CommandError> {
    let mut selected = Vec::new();
    for one in wanted {
        if let Some(alone) = Scenario::named(one).filter(|scenario| ALONE.contains(scenario)) {
            return if alone.is_played(route) { Ok(vec![alone]) } else { Err(not_played(one)) };
        }
        let matching: Vec<_> = all().filter(|scenario| scenario.is_meant(one)).collect();
        if matching.is_empty() {
            let names: Vec<_> = all().map(Scenario::name).collect();
            return Err(CommandError::Usage(format!(
                "{one}: no such scenario; there are the groups close, race, tdi and all, and {}",
                names.join(", ")
            )));
        }
        let before = selected.len();
        selected.extend(matching.into_iter().filter(|scenario| scenario.is_played(route)));
        if selected.len() == before {
            return Err(not_played(one));
        }
    }
    Ok(all().filter(|scenario| selected.contains(scenario)).collect())
}

/// The error of a name whose scenarios all are for memory copies.
fn not_played(name: &str) -> CommandError {
    CommandError::Usage(format!("{name}: not played over the wire"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(wanted: &[&str]) -> Vec<Scenario> {
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        select(&wanted, Route::Loopback).unwrap()
    }

    #[test]
    fn scenario_is_selected_by_its_name_a_beginning_or_a_group() {
        assert_eq!(selected(&["close-in-create"]), [Scenario::Ndk(Ndk::CloseInCreate)]);
        assert_eq!(selected(&["all"]).len(), Ndk::ALL.len() + Tdi::ALL.len());
        assert!(selected(&["close"]).contains(&Scenario::Ndk(Ndk::AntecedentsFirst)));
        assert!(!selected(&["close"]).contains(&Scenario::Ndk(Ndk::Limits)));
        assert_eq!(
            selected(&["close-in-connect*"]),
            [Ndk::CloseInConnect, Ndk::CloseInConnectEvent].map(Scenario::Ndk)
        );
        assert_eq!(selected(&["tdi-stress"]), [Scenario::Tdi(Tdi::Stress)]);
        assert_eq!(selected(&["tdi"]), selected(&["tdi-*"]));
        assert!(selected(&["race"]).contains(&Scenario::Tdi(Tdi::CleanupRacesCancels)));
    }

    #[test]
    fn scenario_that_is_meant_twice_is_played_once() {
        let both = [Ndk::Reject, Ndk::Flush].map(Scenario::Ndk);
        assert_eq!(selected(&["reject", "flush", "reject"]), both);
    }

    #[test]
    fn leaking_or_long_scenario_is_played_only_if_named() {
        for (name, alone) in ["leak-on-purpose", "tdi-thousand"].into_iter().zip(ALONE) {
            assert_eq!(selected(&[name]), [alone]);
            assert!(!selected(&["all"]).contains(&alone));
        }
    }

    #[test]
    fn each_name_is_that_of_one_scenario() {
        for scenario in all().chain(ALONE) {
            assert_eq!(Scenario::named(&scenario.name()), Some(scenario));
        }
    }

    #[test]
    fn selection_over_wire_leaves_out_scenarios_of_loopback_and_of_the_legacy_transport() {
        let wire = |name: &str| select(&[name.into()], Route::Wire);
        let all = wire("all").unwrap();
        assert!(all.contains(&Scenario::Ndk(Ndk::Flush)));
        let played = all.iter().filter(|scenario| matches!(scenario, Scenario::Ndk(_))).count();
        assert_eq!(played, Ndk::ALL.len());
        assert!(all.iter().all(|scenario| matches!(scenario, Scenario::Ndk(_))));
        assert_eq!(wire("flush").unwrap(), [Scenario::Ndk(Ndk::Flush)]);
        for name in ["tdi", "tdi-stress", "tdi-thousand"] {
            let Err(CommandError::Usage(text)) = wire(name) else { panic!("a usage error") };
            assert_eq!(text, format!("{name}: not played over the wire"));
        }
    }

    #[test]
    fn name_that_means_nothing_is_told_with_those_that_do() {
        let Err(CommandError::Usage(text)) = select(&["clos".into()], Route::Loopback) else {
            panic!("a usage error")
        };
        assert!(text.starts_with("clos: no such scenario") && text.contains("antecedents-first"), "{text}");
    }
}
