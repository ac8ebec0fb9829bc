//! IPv4 and IPv6 addresses as text, in the notation of the Rtl functions.
//!
//! The text is ASCII in both character widths, so one parser over bytes serves the A and the W functions
//! alike; `address_exports` turns its positions back into pointers.
//! <https://learn.microsoft.com/windows-hardware/drivers/ddi/ip2string/>

#![forbid(unsafe_code)]

use core::net::{Ipv4Addr, Ipv6Addr};

use ntsim_core::number::narrow;

/// An address found at the start of a text, and the number of characters it took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<A> {
    pub(super) address: A,
    pub(super) length: usize,
}

/// The position of the character at which a text stopped being an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AddressError(pub(super) usize);

/// Scope and port that may follow an IPv6 address; both in host byte order here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint6 {
    pub(super) address: Ipv6Addr,
    pub(super) scope: u32,
    pub(super) port: u16,
}

/// Reads an IPv4 address: four decimal parts if `strict`, else one to four parts in any C notation.
pub(super) fn parse_v4(text: &[u8], strict: bool) -> Result<Parsed<Ipv4Addr>, AddressError> {
    if strict {
        return longest_prefix(text, |c| c.is_ascii_digit() || c == b'.');
    }
    let mut parts = Vec::with_capacity(4);
    let mut at = 0;
    loop {
        let (value, length) = c_number(&text[at..]).ok_or(AddressError(at))?;
        parts.push(value);
        at += length;
        if parts.len() == 4 || text.get(at) != Some(&b'.') {
            break;
        }
        at += 1;
    }
    let (last, leading) = parts.split_last().ok_or(AddressError(at))?;
    // The last part fills every byte that the leading ones leave.
    let room = 32 - 8 * narrow::<u32, _>(leading.len());
    if u64::from(*last) >= 1 << room || leading.iter().any(|part| *part > 0xFF) {
        return Err(AddressError(at));
    }
    let high = leading.iter().enumerate().fold(0, |sum, (i, part)| sum | part << (24 - 8 * i));
    Ok(Parsed { address: Ipv4Addr::from(high | last), length: at })
}

/// Reads an IPv6 address in any of its usual notations.
pub(super) fn parse_v6(text: &[u8]) -> Result<Parsed<Ipv6Addr>, AddressError> {
    longest_prefix(text, |c| c.is_ascii_hexdigit() || c == b':' || c == b'.')
}

/// Reads `address` or `address:port`, which must take up the whole text.
pub(super) fn parse_v4_endpoint(text: &[u8], strict: bool) -> Result<(Ipv4Addr, u16), AddressError> {
    let Parsed { address, length } = parse_v4(text, strict)?;
    match &text[length..] {
        [] => Ok((address, 0)),
        [b':', digits @ ..] => Ok((address, whole_port(digits).ok_or(AddressError(length))?)),
        _ => Err(AddressError(length)),
    }
}

/// Reads `address`, `address%scope` or either in brackets with `:port`, which must take up the whole text.
pub(super) fn parse_v6_endpoint(text: &[u8]) -> Result<Endpoint6, AddressError> {
    let bracketed = text.first() == Some(&b'[');
    let start = usize::from(bracketed);
    let Parsed { address, length } = parse_v6(&text[start..])?;
    let mut at = start + length;
    let mut scope = 0;
    if text.get(at) == Some(&b'%') {
        let digits = text[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        scope = decimal(&text[at + 1..at + 1 + digits]).ok_or(AddressError(at))?;
        at += 1 + digits;
    }
    let port = match (bracketed, &text[at..]) {
        (false, []) | (true, [b']']) => 0,
        (true, [b']', b':', digits @ ..]) => whole_port(digits).ok_or(AddressError(at))?,
        _ => return Err(AddressError(at)),
    };
    Ok(Endpoint6 { address, scope, port })
}

/// Writes `address` or `address:port`; port 0 is left out.
pub(super) fn format_v4_endpoint(address: Ipv4Addr, port: u16) -> String {
    match port {
        0 => address.to_string(),
        _ => format!("{address}:{port}"),
    }
}

/// Writes an IPv6 address with its scope and port; those that are 0 are left out.
pub(super) fn format_v6_endpoint(endpoint: &Endpoint6) -> String {
    let scoped = match endpoint.scope {
        0 => endpoint.address.to_string(),
        scope => format!("{}%{scope}", endpoint.address),
    };
    match endpoint.port {
        0 => scoped,
        port => format!("[{scoped}]:{port}"),
    }
}

/// The longest start of `text` that is an address, out of the characters an address may have.
fn longest_prefix<A: core::str::FromStr>(
    text: &[u8],
    allowed: impl Fn(u8) -> bool,
) -> Result<Parsed<A>, AddressError> {
    let end = text.iter().take_while(|c| allowed(**c)).count();
    (1..=end)
        .rev()
        .find_map(|length| {
            let address = core::str::from_utf8(&text[..length]).ok()?.parse().ok()?;
            Some(Parsed { address, length })
        })
        .ok_or(AddressError(end))
}

/// A number in decimal, octal (leading 0) or hexadecimal (leading 0x) notation, with its length.
fn c_number(text: &[u8]) -> Option<(u32, usize)> {
    let (radix, skip) = match text {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', digit, ..] if digit.is_ascii_digit() => (8, 1),
        _ => (10, 0),
    };
    let digits = text[skip..].iter().take_while(|c| char::from(**c).is_digit(radix)).count();
    let number = core::str::from_utf8(&text[skip..skip + digits]).ok()?;
    Some((u32::from_str_radix(number, radix).ok()?, skip + digits))
}

fn whole_port(digits: &[u8]) -> Option<u16> {
    u16::try_from(decimal(digits)?).ok()
}

fn decimal(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_ipv4_takes_four_decimal_parts_only() {
        let found = parse_v4(b"10.0.0.1/8", true).unwrap();
        assert_eq!(found, Parsed { address: Ipv4Addr::new(10, 0, 0, 1), length: 8 });
        assert!(parse_v4(b"10.1", true).is_err());
        assert!(parse_v4(b"0x0a.0.0.1", true).is_err());
    }

    #[test]
    fn loose_ipv4_fills_the_rest_from_the_last_part() {
        let address = |text: &[u8]| parse_v4(text, false).map(|found| found.address);
        assert_eq!(address(b"10.1"), Ok(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(address(b"0x7f.0x000001"), Ok(Ipv4Addr::LOCALHOST));
        assert_eq!(address(b"010.0.0.1"), Ok(Ipv4Addr::new(8, 0, 0, 1)));
        assert_eq!(address(b"4294967295"), Ok(Ipv4Addr::BROADCAST));
        assert_eq!(address(b"1.2.3.256"), Err(AddressError(9)));
        assert_eq!(address(b"300.1"), Err(AddressError(5)));
        assert_eq!(address(b""), Err(AddressError(0)));
    }

    #[test]
    fn ipv6_stops_at_the_first_character_that_is_no_part_of_it() {
        let found = parse_v6(b"fe80::1%4").unwrap();
        assert_eq!(found.address, "fe80::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(found.length, 7);
        assert!(parse_v6(b":").is_err());
    }

    #[test]
    fn endpoints_survive_a_round_trip() {
        let endpoint = Endpoint6 { address: Ipv6Addr::LOCALHOST, scope: 3, port: 445 };
        let text = format_v6_endpoint(&endpoint);
        assert_eq!(text, "[::1%3]:445");
        assert_eq!(parse_v6_endpoint(text.as_bytes()), Ok(endpoint));
        let text = format_v4_endpoint(Ipv4Addr::LOCALHOST, 445);
        assert_eq!(parse_v4_endpoint(text.as_bytes(), true), Ok((Ipv4Addr::LOCALHOST, 445)));
    }

    #[test]
    fn endpoint_must_take_up_the_whole_text() {
        assert!(parse_v4_endpoint(b"1.2.3.4:70000", true).is_err());
        assert!(parse_v4_endpoint(b"1.2.3.4 ", true).is_err());
        assert!(parse_v6_endpoint(b"[::1").is_err());
        assert!(parse_v6_endpoint(b"::1]:5").is_err());
    }
}
