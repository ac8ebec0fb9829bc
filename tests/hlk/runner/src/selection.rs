//! The scenarios and levels that a run is made of.

use protocol::{Level, Link, Scenario};
use thiserror::Error;

/// A name that selects nothing.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}: neither a scenario nor a rule; `list` prints both")]
pub struct UnknownName(pub String);

/// The scenarios and levels of a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    scenarios: Vec<Scenario>,
    levels: Vec<Level>,
    link: Link,
}

impl Selection {
    /// The scenarios that `names` name, each once, in the order of their numbers; all if there are no names. A name is
    /// a scenario's, or the number of a rule that scenarios put to the test. Case does not count. Without a level, both.
    ///
    /// # Errors
    /// The first name that is neither.
    pub fn new<S: AsRef<str>>(names: &[S], level: Option<Level>) -> Result<Self, UnknownName> {
        let mut chosen = Vec::new();
        for name in names {
            let name = name.as_ref();
            let before = chosen.len();
            chosen.extend(Scenario::ALL.iter().copied().filter(|scenario| answers_to(*scenario, name)));
            if chosen.len() == before {
                return Err(UnknownName(name.to_owned()));
            }
        }
        let wanted = |scenario: &Scenario| names.is_empty() || chosen.contains(scenario);
        let scenarios = Scenario::ALL.iter().copied().filter(wanted).collect();
        let levels = level.map_or_else(|| vec![Level::Passive, Level::Dispatch], |level| vec![level]);
        Ok(Self { scenarios, levels, link: Link::Loopback })
    }

    /// The same, between adapters whose connections go over `link`.
    #[must_use]
    pub fn over(self, link: Link) -> Self {
        Self { link, ..self }
    }

    /// The way of the connections.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// The cases of the run: each scenario from each level.
    pub fn cases(&self) -> impl ExactSizeIterator<Item = (Scenario, Level)> + '_ {
        let levels = self.levels.len();
        (0..self.scenarios.len() * levels)
            .map(move |at| (self.scenarios[at / levels], self.levels[at % levels]))
    }
}

fn answers_to(scenario: Scenario, name: &str) -> bool {
    let rules = scenario.rules().split(' ');
    self::name(scenario).eq_ignore_ascii_case(name)
        || rules.into_iter().any(|rule| rule.eq_ignore_ascii_case(name))
}

/// The name of a scenario.
#[must_use]
pub fn name(scenario: Scenario) -> String {
    format!("{scenario:?}")
}

/// The name of a level.
#[must_use]
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Passive => "PASSIVE_LEVEL",
        Level::Dispatch => "DISPATCH_LEVEL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_selection_is_every_scenario_from_both_levels() {
        let all = Selection::new::<&str>(&[], None).unwrap();
        assert_eq!(all.cases().len(), Scenario::ALL.len() * 2);
        let first: Vec<_> = all.cases().take(3).collect();
        let [one, two, ..] = Scenario::ALL else { panic!("fewer than two scenarios") };
        assert_eq!(first, [(*one, Level::Passive), (*one, Level::Dispatch), (*two, Level::Passive)]);
    }

    #[test]
    fn name_selects_one_scenario_and_rule_selects_those_that_test_it() {
        let one = Selection::new(&["closeincreate", "CloseInCreate"], Some(Level::Passive)).unwrap();
        assert_eq!(one.cases().collect::<Vec<_>>(), [(Scenario::CloseInCreate, Level::Passive)]);
        let rule = Selection::new(&["cq-3"], Some(Level::Dispatch)).unwrap();
        assert!(rule.cases().len() > 1);
        assert!(rule.cases().all(|(scenario, _)| scenario.rules().split(' ').any(|rule| rule == "CQ-3")));
    }

    #[test]
    fn name_that_selects_nothing_is_refused() {
        let refused = Selection::new(&["Flush", "Nothing"], None);
        assert_eq!(refused, Err(UnknownName("Nothing".to_owned())));
        // An example of what never ends is no test.
        assert!(Selection::new(&["LeakOnPurpose"], None).is_err());
    }
}
