//! The imports of a file, read from its text.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};

/// The text without comments and without items that are compiled for tests only.
pub(crate) fn production(text: &str) -> String {
    let mut kept = String::new();
    let mut item: Option<usize> = None;
    let mut attribute = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default().trim_end();
        let indent = code.len() - code.trim_start().len();
        if let Some(at) = item {
            let ends = indent == at && !code.trim_start().starts_with("#[");
            if !code.is_empty() && ends && code.ends_with([';', '}', ',']) {
                item = None;
            }
            continue;
        }
        attribute |= code.trim_start().starts_with("#[cfg(");
        if attribute {
            let test = code.contains("(test") || code.contains("any(test");
            if test && !code.contains("not(any(test") {
                item = Some(indent);
            }
            attribute = false;
            continue;
        }
        kept.push_str(code);
        kept.push('\n');
    }
    kept
}

/// The modules that a file declares for more than tests.
pub(crate) fn declared(text: &str) -> BTreeSet<String> {
    let declaration = |line: &str| {
        let item =
            line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, item)| item));
        item.strip_prefix("mod ")?.strip_suffix(';').map(String::from)
    };
    production(text).lines().filter_map(declaration).collect()
}

/// The module that each name which the crate's root re-exports comes from.
pub(crate) fn exported(lib: &str) -> BTreeMap<String, String> {
    let lib = production(lib).replace('\n', " ");
    let uses = lib
        .split(';')
        .filter_map(|item| item.split("pub use ").nth(1).or_else(|| item.split("pub(crate) use ").nth(1)));
    let mut names = BTreeMap::new();
    for path in uses {
        let Some((module, rest)) = path.split_once("::") else { continue };
        let words = rest.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        names.extend(words.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), module.to_owned())));
    }
    names
}

/// The first names of what follows a prefix of a path: one, or those of a group in braces.
fn heads(rest: &str) -> Vec<&str> {
    let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let Some(group) = rest.strip_prefix('{') else {
        let end = word(rest);
        return if end == 0 || rest[end..].starts_with('!') { vec![] } else { vec![&rest[..end]] };
    };
    let (mut depth, mut found, mut start) = (0_usize, vec![], true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && (c.is_alphabetic() || c == '_') => {
                found.push(&group[at..at + word(&group[at..])]);
                start = false;
            }
            _ => {}
        }
    }
    found
}

/// The places of the modules that stand in a file itself, each up to the brace that is as far indented as its first line.
fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let mut lines = vec![];
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        lines.push((at, line.trim_end()));
        at += line.len();
    }
    let opens = |line: &str| {
        let item = line.trim_start();
        let item =
            item.strip_prefix("pub").and_then(|rest| rest.split_once(' ')).map_or(item, |(_, item)| item);
        item.starts_with("mod ") && item.ends_with('{')
    };
    let end = |first: usize| {
        let indent = lines[first].1.len() - lines[first].1.trim_start().len();
        let closes = |(_, line): &&(usize, &str)| line.len() == indent + 1 && line.ends_with('}');
        lines[first..].iter().find(closes).map_or(code.len(), |(at, _)| *at)
    };
    let first = (0..lines.len()).filter(|&line| opens(lines[line].1));
    first.map(|line| lines[line].0..end(line)).collect()
}

/// The names at the crate's root that a file uses whose module is `module`, a path from the root.
pub(crate) fn used(text: &str, module: &[String]) -> Vec<String> {
    let code = production(text);
    let mut names = vec![];
    let inline = inline_modules(&code);
    let boundary = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for (at, prefix) in code.match_indices("crate::") {
        if boundary(at) {
            names.extend(heads(&code[at + prefix.len()..]));
        }
    }
    for (at, prefix) in code.match_indices("super::") {
        if !boundary(at) || code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut depth = module.len() + inline.iter().filter(|module| module.contains(&at)).count();
        while let Some(next) = rest.strip_prefix(prefix) {
            rest = next;
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            names.extend(heads(rest));
        }
    }
    names.into_iter().map(String::from).collect()
}
