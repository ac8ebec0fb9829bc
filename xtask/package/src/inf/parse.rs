//! The grammar of an INF: sections, entries, quoted strings, comments, continued lines, `%string%` tokens.
//!
//! [General syntax rules for INF files](https://learn.microsoft.com/windows-hardware/drivers/install/general-syntax-rules-for-inf-files).

use thiserror::Error;

/// A parsed INF.
#[derive(Clone, Debug)]
pub struct Inf {
    sections: Vec<Section>,
}

/// A section: its name, where it begins, and its entries.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name as it is written; names are compared without regard to case.
    pub name: String,
    /// The line of its heading, from 1.
    pub line: usize,
    /// Its entries in their order.
    pub entries: Vec<Entry>,
}

/// An entry: `key = value, value`, or values alone.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// The text before the equals sign.
    pub key: Option<String>,
    /// The fields, without their quotes, tokens as they are written.
    pub values: Vec<String>,
}

/// A file is no INF.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// An entry stands before the first section.
    #[error("line {0}: an entry outside of any section")]
    NoSection(usize),
    /// A heading has no closing bracket.
    #[error("line {0}: a section heading without its closing bracket")]
    Heading(usize),
    /// A quoted string does not end on its line.
    #[error("line {0}: a quoted string that does not end")]
    Quote(usize),
}

impl Inf {
    /// Parses an INF.
    ///
    /// # Errors
    ///
    /// [`ParseError`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut sections: Vec<Section> = Vec::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((line, first)) = lines.next() {
            let mut content = uncommented(first, line)?;
            while let Some(continued) = content.strip_suffix('\\') {
                let Some((line, next)) = lines.next() else { break };
                content = format!("{continued}{}", uncommented(next, line)?);
            }
            if content.is_empty() {
                continue;
            }
            if let Some(heading) = content.strip_prefix('[') {
                let name = heading.strip_suffix(']').ok_or(ParseError::Heading(line))?;
                sections.push(Section { name: name.trim().to_owned(), line, entries: Vec::new() });
                continue;
            }
            let section = sections.last_mut().ok_or(ParseError::NoSection(line))?;
            section.entries.push(Entry::parse(&content, line));
        }
        Ok(Self { sections })
    }

    /// All sections in their order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section with this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.eq_ignore_ascii_case(name))
    }

    /// A field with its `%string%` tokens replaced; `%13%` and the like, which name folders, stay.
    #[must_use]
    pub fn expand(&self, field: &str) -> String {
        let mut expanded = String::new();
        for (number, part) in field.split('%').enumerate() {
            if number % 2 == 0 {
                expanded.push_str(part);
            } else if part.is_empty() || part.bytes().all(|byte| byte.is_ascii_digit()) {
                expanded.extend(["%", part, "%"]);
            } else {
                expanded.push_str(self.string(part).unwrap_or_default());
            }
        }
        expanded
    }

    /// The value of a string.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.section("Strings")?.value(name)
    }
}

impl Section {
    /// The entries with this key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.is(key))
    }

    /// The first entry with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(key))
    }

    /// The first value of that entry.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entry(key)?.values.first().map(String::as_str)
    }
}

impl Entry {
    fn parse(content: &str, line: usize) -> Self {
        let (key, fields) = match split(content, '=').as_slice() {
            [fields] => (None, fields.clone()),
            [key, rest @ ..] => (Some(unquoted(key)), rest.join("=")),
            [] => (None, String::new()),
        };
        let values = split(&fields, ',').iter().map(|field| unquoted(field)).collect();
        Self { line, key, values }
    }

    /// Returns whether this is the entry of `key`.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.key.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(key))
    }

    /// A field, or nothing where it is left out.
    #[must_use]
    pub fn field(&self, number: usize) -> &str {
        self.values.get(number).map_or("", String::as_str)
    }
}

/// A line without comment and surrounding blanks.
fn uncommented(line: &str, number: usize) -> Result<String, ParseError> {
    let parts = split(line, ';');
    let content = parts.first().map(|content| content.trim().to_owned()).unwrap_or_default();
    if content.bytes().filter(|byte| *byte == b'"').count() % 2 == 0 {
        Ok(content)
    } else {
        Err(ParseError::Quote(number))
    }
}

/// Splits at each separator outside of quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        quoted ^= character == '"';
        if character == separator && !quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// A field without blanks around it and its quotes; a doubled quote is one.
fn unquoted(field: &str) -> String {
    let field = field.trim();
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_quoted_separators_and_lose_comments() {
        let inf = Inf::parse("[A] ; x\nkey = \"a,b;c=d\", e ; y\nHKR, \"x=y\", \\\n  0\n").unwrap();
        let [section] = inf.sections() else { panic!("one section") };
        let [first, second] = section.entries.as_slice() else { panic!("two entries") };
        assert_eq!((first.key.as_deref(), first.line), (Some("key"), 2));
        assert_eq!(first.values, ["a,b;c=d", "e"]);
        assert_eq!(
            (second.key.as_deref(), second.values.as_slice()),
            (None, ["HKR", "x=y", "0"].map(str::to_owned).as_slice())
        );
    }

    #[test]
    fn tokens_are_replaced_and_folders_stay() {
        let inf = Inf::parse("[Strings]\nName = \"a b\"\n").unwrap();
        assert_eq!(inf.expand("%13%\\%NAME%.sys"), "%13%\\a b.sys");
    }

    #[test]
    fn malformed_inf_is_refused_with_its_line() {
        assert_eq!(Inf::parse("key = value").err(), Some(ParseError::NoSection(1)));
        assert_eq!(Inf::parse("[A]\n[B").err(), Some(ParseError::Heading(2)));
        assert_eq!(Inf::parse("[A]\nkey = \"x").err(), Some(ParseError::Quote(2)));
    }
}
