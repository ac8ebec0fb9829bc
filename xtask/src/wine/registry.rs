//! The text that Wine keeps a registry in, and that an expected one is written in here.

use std::collections::BTreeSet;

/// Keys and their values. A value is written as in the file; a key without values has one that is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Registry(BTreeSet<(String, String)>);

impl Registry {
    /// Reads the text.
    pub(super) fn parse(text: &str) -> Self {
        let mut entries = BTreeSet::new();
        let mut key = None;
        let mut started = String::new();
        for line in text.lines() {
            let line = line.trim();
            // Long binary values go on in the next line.
            if let Some(part) = line.strip_suffix('\\') {
                started.push_str(part);
                continue;
            }
            let line = std::mem::take(&mut started) + line;
            if let Some(rest) = line.strip_prefix('[') {
                let name = rest.rsplit_once(']').map_or(rest, |(name, _)| name).replace(r"\\", r"\");
                entries.insert((name.clone(), String::new()));
                key = Some(name);
            } else if let Some(key) = key.as_ref().filter(|_| line.starts_with(['"', '@'])) {
                entries.remove(&(key.clone(), String::new()));
                entries.insert((key.clone(), line));
            }
        }
        Self(entries)
    }

    /// The entries that `before` has not.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self(self.0.difference(&before.0).cloned().collect())
    }

    /// The entries that are below one of the keys, or have the word in them.
    pub(super) fn about(&self, keys: &[&str], word: &str) -> Self {
        let concerns = |(key, value): &&(String, String)| {
            let whole = format!("{key}{value}").to_ascii_lowercase();
            keys.iter().any(|wanted| key.starts_with(wanted)) || whole.contains(word)
        };
        Self(self.0.iter().filter(concerns).cloned().collect())
    }

    /// Returns whether a key that ends so has a value of this name.
    #[cfg(test)]
    pub(super) fn has(&self, key: &str, name: &str) -> bool {
        let name = format!("\"{name}\"=");
        self.0.iter().any(|(of, value)| of.ends_with(key) && value.starts_with(&name))
    }

    /// The lines that say what is missing of this, and what `found` has beyond it.
    pub(super) fn differences(&self, found: &Self) -> Vec<String> {
        let missing = self.0.difference(&found.0).map(|(key, value)| format!("missing:  [{key}] {value}"));
        let beyond =
            found.0.difference(&self.0).map(|(key, value)| format!("not expected:  [{key}] {value}"));
        missing.chain(beyond).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "WINE REGISTRY Version 2\n;; All keys relative to \\\\Machine\n\n#arch=win64\n\n\
                        [System\\\\A\\\\B] 1796047380\n#time=1dd80d3825a51da\n\"Name\"=\"x\"\n\
                        \"Data\"=hex:01,02,\\\n  03,04\n@=\"default\"\n\n[System\\\\Empty] 1796047380\n#time=1\n";

    fn entries(registry: &Registry) -> Vec<(&str, &str)> {
        registry.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn keys_and_values_are_read_without_times() {
        let read = Registry::parse(FILE);
        let expected = [
            (r"System\A\B", "\"Data\"=hex:01,02,03,04"),
            (r"System\A\B", "\"Name\"=\"x\""),
            (r"System\A\B", "@=\"default\""),
            (r"System\Empty", ""),
        ];
        assert_eq!(entries(&read), expected);
    }

    #[test]
    fn change_of_a_value_is_both_missing_and_not_expected() {
        let (expected, found) =
            (Registry::parse(FILE), Registry::parse(&FILE.replace("\"Name\"=\"x\"", "\"Name\"=\"y\"")));
        assert_eq!(
            expected.differences(&found),
            [r#"missing:  [System\A\B] "Name"="x""#, r#"not expected:  [System\A\B] "Name"="y""#]
        );
        assert_eq!(expected.differences(&expected), [""; 0]);
    }

    #[test]
    fn entries_since_are_those_of_a_root_or_with_the_word() {
        let before = Registry::parse("[System\\\\A]\n\"Old\"=\"softndk\"\n");
        let after = Registry::parse(
            "[System\\\\A]\n\"Old\"=\"softndk\"\n\"New\"=\"Softndk\"\n\"Other\"=\"x\"\n[Root\\\\B]\n",
        );
        let about = after.since(&before).about(&["Root"], "softndk");
        assert_eq!(entries(&about), [(r"Root\B", ""), (r"System\A", "\"New\"=\"Softndk\"")]);
    }
}
