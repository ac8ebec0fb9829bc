//! The text that a debugger shows for a value by the views: their expressions, computed over bytes of memory.

use super::{Types, between, plain};

/// A view's text for a value of a type, whose bytes these are; `None` if the type has no view, or its expression is not one
/// that is known here.
pub(crate) fn shown(types: &Types<'_>, views: &str, name: &str, bytes: &[u8]) -> Option<String> {
    let view = between(views, "<Type Name=\"", "</Type>").into_iter().find(|view| {
        let alternatives = between(view, "<AlternativeType Name=\"", "\"");
        let own = view.split_once('"').map(|(own, _)| own);
        own.into_iter().chain(alternatives).any(|own| plain(own) == name)
    })?;
    let intrinsics: Vec<_> = between(view, "<Intrinsic Name=\"", "/>")
        .into_iter()
        .filter_map(|text| {
            Some((text.split_once('"')?.0.to_owned(), plain(between(text, "Expression=\"", "\"").first()?)))
        })
        .collect();
    let scope = Scope { types, name, bytes, intrinsics: &intrinsics };
    for string in between(view, "<DisplayString", "</DisplayString>") {
        let (head, text) = string.split_once('>')?;
        let condition = between(head, "Condition=\"", "\"").first().map(|condition| plain(condition));
        if condition.map_or(Some(1), |condition| scope.number(&condition))? != 0 {
            return scope.text(text);
        }
    }
    None
}

/// A value, with the functions that its view defines.
#[derive(Clone, Copy)]
struct Scope<'a> {
    types: &'a Types<'a>,
    name: &'a str,
    bytes: &'a [u8],
    intrinsics: &'a [(String, String)],
}

/// Words and signs of an expression.
fn tokens(expression: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut before = ' ';
    for c in expression.chars().filter(|c| *c != ' ') {
        let joins = (is_word(c) && is_word(before))
            || (c == before && "=<>&".contains(c))
            || (c == '=' && before == '!');
        match all.last_mut() {
            Some(last) if joins => last.push(c),
            _ => all.push(c.to_string()),
        }
        before = c;
    }
    all
}

impl Scope<'_> {
    /// A text with the expressions in braces computed.
    fn text(self, text: &str) -> Option<String> {
        let mut parts = text.split('{');
        let mut out = parts.next()?.to_owned();
        for part in parts {
            let (expression, rest) = part.split_once('}')?;
            let value = match plain(expression).split_once(',') {
                Some((expression, "X")) => format!("0x{:08X}", self.number(expression)?),
                Some(_) => return None,
                None => self.number(&plain(expression))?.to_string(),
            };
            out.push_str(&value);
            out.push_str(rest);
        }
        Some(out)
    }

    /// The value of an expression, without a sign.
    fn number(self, expression: &str) -> Option<u64> {
        let tokens = tokens(expression);
        let (value, rest) = self.operation(&tokens)?;
        rest.is_empty().then_some(value)
    }

    /// Operands with operators between them, of which the sources have one kind without parentheses.
    fn operation(self, tokens: &[String]) -> Option<(u64, &[String])> {
        let (mut value, mut rest) = self.operand(tokens)?;
        while let Some((operator, behind)) = rest.split_first().filter(|(operator, _)| *operator != ")") {
            let (other, behind) = self.operand(behind)?;
            value = match operator.as_str() {
                ">>" => value.checked_shr(u32::try_from(other).ok()?)?,
                "&" => value & other,
                "==" => (value == other).into(),
                "!=" => (value != other).into(),
                _ => return None,
            };
            rest = behind;
        }
        Some((value, rest))
    }

    fn operand(self, tokens: &[String]) -> Option<(u64, &[String])> {
        let (first, rest) = tokens.split_first()?;
        if first == "(" {
            let (value, rest) = self.operation(rest)?;
            return rest.split_first().filter(|(end, _)| *end == ")").map(|(_, rest)| (value, rest));
        }
        if let Some(digits) = first.strip_prefix("0x") {
            return Some((u64::from_str_radix(digits, 16).ok()?, rest));
        }
        if first.starts_with(|c: char| c.is_ascii_digit()) {
            return Some((first.parse().ok()?, rest));
        }
        match rest {
            [open, close, rest @ ..] if open == "(" && close == ")" => {
                let (_, expression) = self.intrinsics.iter().find(|(name, _)| name == first)?;
                Some((self.number(expression)?, rest))
            }
            _ => {
                let (offset, size) = self.types.place(self.name, first)?;
                let mut word = [0; 8];
                word.get_mut(..size)?.copy_from_slice(self.bytes.get(offset..offset.checked_add(size)?)?);
                Some((u64::from_le_bytes(word), rest))
            }
        }
    }
}
