//! The INF of the driver package among those that Windows keeps under names of its own (`oemNN.inf`).

/// The directive by which the INF is known, in lower case and without its spaces.
const KNOWN_BY: &[u8] = b"catalogfile=softndk.cat";

/// Returns whether an INF is that of softndk, whichever tool has stamped it: stampinf writes the directive anew, with spaces
/// of its own, and an INF may be UTF-16.
#[must_use]
pub fn is_driver_package(inf: &[u8]) -> bool {
    let ignored = |byte: u8| byte == 0 || byte.is_ascii_whitespace();
    let text: Vec<u8> = inf.iter().filter(|byte| !ignored(**byte)).map(u8::to_ascii_lowercase).collect();
    text.windows(KNOWN_BY.len()).any(|window| window == KNOWN_BY)
}

#[cfg(test)]
mod tests {
    use super::is_driver_package;

    #[test]
    fn inf_is_known_however_it_was_stamped() {
        let inx = include_str!("../../../../softndk.inx");
        assert!(is_driver_package(inx.as_bytes()));
        for text in ["[Version]\r\nCatalogFile=softndk.cat\r\n", "CATALOGFILE   =   softndk.cat ; signed"] {
            assert!(is_driver_package(text.as_bytes()), "{text}");
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(is_driver_package(&wide), "{text}");
        }
    }

    #[test]
    fn inf_of_another_package_is_not_known() {
        let harness = include_str!("../../driver/ndkhlk.inx");
        for text in [harness, "CatalogFile = other.cat", "; softndk.cat", ""] {
            assert!(!is_driver_package(text.as_bytes()), "{text}");
        }
    }
}
