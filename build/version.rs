//! The image's version resource.
//!
//! Formats: <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo> and
//! <https://learn.microsoft.com/windows/win32/api/verrsrc/ns-verrsrc-vs_fixedfileinfo>.

use core::num::TryFromIntError;
use std::env;

/// RT_VERSION.
pub(crate) const RT_VERSION: u16 = 16;
/// English (United States).
const LANGUAGE: u16 = 0x0409;
/// UTF-16.
const CODE_PAGE: u16 = 1200;
const SIGNATURE: u32 = 0xFEEF_04BD;
const VOS_NT_WINDOWS32: u32 = 0x0004_0004;
const VFT_DRV: u32 = 3;
const VFT2_DRV_NETWORK: u32 = 6;
const VFT2_DRV_SYSTEM: u32 = 7;

/// The contents of the resource.
pub(crate) struct Version {
    /// Major, minor, patch; the fourth number of Windows is 0.
    pub(crate) numbers: [u16; 3],
    /// The package's name, which is that of the file too.
    pub(crate) name: String,
    /// A description of the file, for those that look at its properties.
    pub(crate) description: String,
    /// The licences, as an SPDX expression.
    pub(crate) licence: String,
}

impl Version {
    /// The version of the package that cargo builds.
    pub(crate) fn of_package() -> Self {
        let text = |name: &str| env::var(name).unwrap_or_default();
        let number = |part: &str| text(&format!("CARGO_PKG_VERSION_{part}")).parse().unwrap_or_default();
        Self {
            numbers: ["MAJOR", "MINOR", "PATCH"].map(number),
            name: text("CARGO_PKG_NAME"),
            description: text("CARGO_PKG_DESCRIPTION"),
            licence: text("CARGO_PKG_LICENSE"),
        }
    }

    /// The VS_VERSIONINFO.
    ///
    /// # Errors
    ///
    /// A text is too long for the fields that have the lengths.
    pub(crate) fn info(&self) -> Result<Vec<u8>, TryFromIntError> {
        let [major, minor, patch] = self.numbers.map(u32::from);
        let number = [major << 16 | minor, patch << 16];
        let subtype = if self.name == "softndk" { VFT2_DRV_NETWORK } else { VFT2_DRV_SYSTEM };
        let fixed = [
            SIGNATURE,
            0x0001_0000,
            number[0],
            number[1],
            number[0],
            number[1],
            0x3F,
            0,
            VOS_NT_WINDOWS32,
            VFT_DRV,
            subtype,
            0,
            0,
        ];
        let fixed: Vec<u8> = fixed.into_iter().flat_map(u32::to_le_bytes).collect();
        let version = format!("{major}.{minor}.{patch}.0");
        let copyright = format!("Copyright (c) The softndk authors. {}", self.licence);
        let file = format!("{}.sys", self.name);
        let strings = [
            ("CompanyName", "The softndk authors"),
            ("FileDescription", &self.description),
            ("FileVersion", &version),
            ("InternalName", &file),
            ("LegalCopyright", &copyright),
            ("OriginalFilename", &file),
            ("ProductName", "softndk"),
            ("ProductVersion", &version),
        ];
        let strings = strings.into_iter().map(|(key, value)| {
            let value = wide(value);
            node(key, true, value.len() / 2, &value, &[])
        });
        let strings: Vec<_> = strings.collect::<Result<_, _>>()?;
        let table = node(&format!("{LANGUAGE:04x}{CODE_PAGE:04x}"), true, 0, &[], &strings)?;
        let translation: Vec<u8> = [LANGUAGE, CODE_PAGE].into_iter().flat_map(u16::to_le_bytes).collect();
        let translation = node("Translation", false, translation.len(), &translation, &[])?;
        let children = [
            node("StringFileInfo", true, 0, &[], &[table])?,
            node("VarFileInfo", true, 0, &[], &[translation])?,
        ];
        node("VS_VERSION_INFO", false, fixed.len(), &fixed, &children)
    }
}

/// A node of the tree: its length, the length of its value, whether that is text, key, value and children, each from a
/// multiple of four bytes on.
fn node(
    key: &str,
    text: bool,
    length: usize,
    value: &[u8],
    children: &[Vec<u8>],
) -> Result<Vec<u8>, TryFromIntError> {
    let mut bytes = vec![0; 2];
    bytes.extend(u16::try_from(length)?.to_le_bytes());
    bytes.extend(u16::from(text).to_le_bytes());
    bytes.extend(wide(key));
    pad(&mut bytes);
    bytes.extend(value);
    for child in children {
        pad(&mut bytes);
        bytes.extend(child);
    }
    let whole = u16::try_from(bytes.len())?.to_le_bytes();
    bytes.splice(..2, whole);
    Ok(bytes)
}

/// UTF-16 with its end.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
