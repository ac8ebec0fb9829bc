//! Scenarios by name.

use protocol::Scenario as Ndk;
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

/// The scenarios that any of `wanted` stands for, each once, in their own order.
pub(super) fn select(wanted: &[String]) -> Result<Vec<Scenario>, CommandError> {
    let mut selected = Vec::new();
    for one in wanted {
        if let Some(alone) = Scenario::named(one).filter(|scenario| ALONE.contains(scenario)) {
            return Ok(vec![alone]);
        }
        let matching: Vec<_> = all().filter(|scenario| scenario.is_meant(one)).collect();
        if matching.is_empty() {
            let names: Vec<_> = all().map(Scenario::name).collect();
            return Err(CommandError::Usage(format!(
                "{one}: no such scenario; there are the groups close, race, tdi and all, and {}",
                names.join(", ")
            )));
        }
        selected.extend(matching);
    }
    Ok(all().filter(|scenario| selected.contains(scenario)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(wanted: &[&str]) -> Vec<Scenario> {
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        select(&wanted).unwrap()
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
    fn name_that_means_nothing_is_told_with_those_that_do() {
        let Err(CommandError::Usage(text)) = select(&["clos".into()]) else { panic!("a usage error") };
        assert!(text.starts_with("clos: no such scenario") && text.contains("antecedents-first"), "{text}");
    }
}
