//! The version resource: what a file says of itself to Windows and to those that look for its origin.
//!
//! <https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo>

use object::read::pe::PeFile64;

use super::{Violation, resources};

const RESOURCE: &str = "version resource";
/// RT_VERSION.
const RT_VERSION: u16 = 16;
const SIGNATURE: u32 = 0xFEEF_04BD;
const VFT_DRV: u32 = 3;

/// Checks that the image of `driver` says its version, which is this workspace's, its name and that it is a driver.
pub(super) fn check(image: &PeFile64<'_>, driver: &str, faults: &mut Vec<Violation>) {
    let absent = [Violation::Absent(RESOURCE)];
    match resources::first(image, RT_VERSION) {
        Some(info) => faults.extend(wrong(info, driver).unwrap_or_else(|| absent.into())),
        None => faults.extend(absent),
    }
}

/// The faults of a VS_VERSIONINFO; `None` if it is none.
fn wrong(info: &[u8], driver: &str) -> Option<Vec<Violation>> {
    let (root, _) = Node::first(info)?;
    let field = |index: usize| {
        let bytes = root.value.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if root.key != "VS_VERSION_INFO" || field(0)? != SIGNATURE {
        return None;
    }
    let number = |index| Some(u64::from(field(index)?) << 32 | u64::from(field(index + 1)?));
    let dotted = |number: u64| [48, 32, 16, 0].map(|shift| (number >> shift & 0xffff).to_string()).join(".");
    let table = root.child("StringFileInfo")?.children().next()?;
    let text = |key| table.child(key).map_or_else(String::new, |node| node.text());
    let version = concat!(env!("CARGO_PKG_VERSION"), ".0");
    let said = [
        ("file version", dotted(number(2)?), version.to_owned()),
        ("product version", dotted(number(4)?), version.to_owned()),
        ("file type", field(9)?.to_string(), VFT_DRV.to_string()),
        ("FileVersion", text("FileVersion"), version.to_owned()),
        ("OriginalFilename", text("OriginalFilename"), format!("{driver}.sys")),
        ("ProductName", text("ProductName"), "softndk".to_owned()),
    ];
    let told = ["FileDescription", "LegalCopyright"].map(|key| (key, text(key)));
    let mut faults: Vec<Violation> = said
        .into_iter()
        .filter(|(_, found, right)| found != right)
        .map(|(what, found, _)| Violation::Version { what, found })
        .collect();
    let empty = told.into_iter().filter(|(_, text)| text.is_empty());
    faults.extend(empty.map(|(what, found)| Violation::Version { what, found }));
    Some(faults)
}

/// A node of the tree that a version resource is.
struct Node<'a> {
    key: String,
    value: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Node<'a> {
    /// The node at the start of `bytes`, and what follows it.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let field =
            |index: usize| Some(u16::from_le_bytes(bytes.get(index * 2..index * 2 + 2)?.try_into().ok()?));
        let (length, value, text) = (usize::from(field(0)?), usize::from(field(1)?), field(2)? == 1);
        let whole = bytes.get(..length)?;
        let units: Vec<u16> = (3..).map_while(field).take_while(|unit| *unit != 0).collect();
        let start = (6 + (units.len() + 1) * 2).next_multiple_of(4);
        let end = start + if text { value * 2 } else { value };
        let node = Self {
            key: String::from_utf16_lossy(&units),
            value: whole.get(start.min(length)..end)?,
            rest: whole.get(end.next_multiple_of(4)..).unwrap_or_default(),
        };
        Some((node, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
    }

    fn children(&self) -> impl Iterator<Item = Self> + use<'a> {
        let mut rest = self.rest;
        core::iter::from_fn(move || {
            let (node, following) = Self::first(rest)?;
            rest = following;
            Some(node)
        })
    }

    fn child(&self, key: &str) -> Option<Self> {
        self.children().find(|node| node.key == key)
    }

    /// The value as text, without its end.
    fn text(&self) -> String {
        let units: Vec<u16> =
            self.value.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned()
    }
}

/// The writer of the drivers' build script.
#[cfg(test)]
#[path = "../../../build/version.rs"]
#[allow(dead_code, reason = "the file is a module of the build script")]
mod writer;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    fn written() -> writer::Version {
        let numbers = env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse().unwrap());
        writer::Version {
            numbers: numbers.collect::<Vec<u16>>().try_into().unwrap(),
            name: "softndk".to_owned(),
            description: "a driver".to_owned(),
            licence: "MIT".to_owned(),
        }
    }

    #[test]
    fn image_without_version_resource_is_refused() {
        let sample = Sample::good();
        let mut faults = Vec::new();
        check(&PeFile64::parse(&*sample.bytes).unwrap(), "softndk", &mut faults);
        assert_eq!(faults, [Violation::Absent(RESOURCE)]);
    }

    #[test]
    fn resource_of_build_script_is_right() {
        assert_eq!(wrong(&written().info().unwrap(), "softndk"), Some(Vec::new()));
    }

    #[test]
    fn resource_of_another_version_is_refused() {
        let mut version = written();
        version.numbers[2] += 1;
        let faults = wrong(&version.info().unwrap(), "softndk").unwrap();
        let whats: Vec<_> = faults.iter().map(|fault| matches!(fault, Violation::Version { .. })).collect();
        assert_eq!(whats, [true; 3], "{faults:?}");
    }

    #[test]
    fn resource_of_another_file_or_without_description_is_refused() {
        let fault = |what, found: &str| Violation::Version { what, found: found.to_owned() };
        let mut version = written();
        assert_eq!(
            wrong(&version.info().unwrap(), "ndkhlk").unwrap(),
            [fault("OriginalFilename", "softndk.sys")]
        );
        version.description.clear();
        assert_eq!(wrong(&version.info().unwrap(), "softndk").unwrap(), [fault("FileDescription", "")]);
    }

    #[test]
    fn resource_that_is_cut_off_is_none() {
        let info = written().info().unwrap();
        assert_eq!(wrong(&info[..100], "softndk"), None);
    }
}
