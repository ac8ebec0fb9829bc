//! The catalogue of a package: a signed certificate trust list that names the hash of each member.
//!
//! The form is the second version, with SHA-256, which Inf2Cat writes by default since Windows 10. No page describes it; what
//! makecat writes was compared. Each member has an entry under its SHA-256 hash, and one under its SHA-1 hash that says no
//! more than what kind of file it is, for readers that look members up by that.

use ::der::oid::ObjectIdentifier;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::der::{CONTEXT_0, UTC_TIME, bmp_string, integer, null, octets, oid, sequence, set_of, tlv};
use crate::identity::Identity;
use crate::image::Image;
use crate::signed_data::{self, FileKind, INDIRECT_DATA};
use crate::time::Timestamp;

const TRUST_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.10.1");
const CATALOG_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.1.1");
const CATALOG_MEMBER_2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.1.3");
const NAME_VALUE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.2.1");
const MEMBER_INFO_2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.2.3");

/// The flags of a name and value pair, as makecat writes them.
const NAME_VALUE_FLAGS: u32 = 0x1001_0001;
/// Platform 2 is NT; the version is that of Windows 10 and of every server since 2016.
const MEMBER_OS: &str = "2:10.0";
/// The operating systems that Inf2Cat's `10_x64` stands for.
const CATALOG_OS: &str = "_v100_X64,Server_v100_X64";
/// Bytes of the list's identifier, which has no meaning.
const IDENTIFIER: usize = 16;

/// A file that the catalogue vouches for.
pub struct Member {
    name: String,
    kind: FileKind,
    sha1: Vec<u8>,
    sha256: Vec<u8>,
}

impl Member {
    /// An image. Its hash leaves out signature and checksum, so that it may be signed before or afterwards.
    #[must_use]
    pub fn image(name: &str, image: &Image) -> Self {
        let (sha1, sha256) = (image.hash::<Sha1>(), image.hash::<Sha256>());
        Self { name: name.to_owned(), kind: FileKind::Image, sha1, sha256 }
    }

    /// Any other file.
    #[must_use]
    pub fn flat(name: &str, content: &[u8]) -> Self {
        let (sha1, sha256) = (Sha1::digest(content).to_vec(), Sha256::digest(content).to_vec());
        Self { name: name.to_owned(), kind: FileKind::Flat, sha1, sha256 }
    }

    /// Both entries of the member, each behind the hash that it is found by.
    fn entries(&self) -> [(Vec<u8>, Vec<u8>); 2] {
        let kind = match self.kind {
            FileKind::Image => 0x80,
            FileKind::Flat => 0x82,
        };
        let attribute = |kind: &ObjectIdentifier, value| sequence(&[&oid(kind), &set_of(&[value])]);
        let info = attribute(&MEMBER_INFO_2, vec![kind, 0]);
        let by_sha1 = sequence(&[&octets(&self.sha1), &set_of(std::slice::from_ref(&info))]);
        let attributes = set_of(&[
            info,
            attribute(&NAME_VALUE, name_value("OSAttr", MEMBER_OS)),
            attribute(&NAME_VALUE, name_value("File", &self.name)),
            attribute(&INDIRECT_DATA, signed_data::indirect_data(self.kind, &self.sha256)),
        ]);
        let by_sha256 = sequence(&[&octets(&self.sha256), &attributes]);
        [(self.sha1.clone(), by_sha1), (self.sha256.clone(), by_sha256)]
    }
}

/// Writes and signs the catalogue of `members`, for devices with one of `hardware_ids`.
#[must_use]
pub fn sign(identity: &Identity, members: &[Member], hardware_ids: &[String], time: Timestamp) -> Vec<u8> {
    let list = trust_list(members, hardware_ids, time);
    signed_data::sign(identity, &TRUST_LIST, &list, time)
}

fn trust_list(members: &[Member], hardware_ids: &[String], time: Timestamp) -> Vec<u8> {
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = members.iter().flat_map(Member::entries).collect();
    entries.sort();
    let entries: Vec<&[u8]> = entries.iter().map(|(_, entry)| entry.as_slice()).collect();
    // A function of the content, so that the same package has the same catalogue.
    let identifier = Sha256::digest(entries.concat());
    let identifier = identifier.get(..IDENTIFIER).unwrap_or_default();

    let extension =
        |name: &str, value: &str| sequence(&[&oid(&NAME_VALUE), &octets(&name_value(name, value))]);
    let mut extensions = vec![extension("OS", CATALOG_OS)];
    for (number, id) in (1..).zip(hardware_ids) {
        extensions.push(extension(&format!("HWID{number}"), &id.to_lowercase()));
    }
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    sequence(&[
        &sequence(&[&oid(&CATALOG_LIST)]),
        &octets(identifier),
        &tlv(UTC_TIME, &[time.utc_time().as_bytes()]),
        &sequence(&[&oid(&CATALOG_MEMBER_2), &null()]),
        &sequence(&entries),
        &tlv(CONTEXT_0, &[&sequence(&extensions)]),
    ])
}

/// A name and its value, in UTF-16 with a terminator.
fn name_value(name: &str, value: &str) -> Vec<u8> {
    let value: Vec<u8> = value.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    sequence(&[&bmp_string(name), &integer(NAME_VALUE_FLAGS), &octets(&value)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::identity;

    fn catalog(content: &[u8]) -> Vec<u8> {
        let members = [Member::flat("a.inf", content), Member::flat("b.inf", b"b")];
        let time = Timestamp::from_unix(1_700_000_000).unwrap();
        sign(identity(), &members, &["Root\\Softndk".to_owned()], time)
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn catalog_names_each_member_by_both_hashes() {
        let catalog = catalog(b"a");
        for content in [b"a", b"b"] {
            assert!(contains(&catalog, &octets(&Sha256::digest(content))));
            assert!(contains(&catalog, &octets(&Sha1::digest(content))));
        }
        assert!(!contains(&catalog, &Sha256::digest(b"c")));
    }

    #[test]
    fn hardware_id_is_in_lower_case() {
        let id: Vec<u8> = "root\\softndk\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(contains(&catalog(b"a"), &id));
    }

    #[test]
    fn same_package_has_the_same_catalog_and_another_has_another() {
        assert_eq!(catalog(b"a"), catalog(b"a"));
        assert_ne!(catalog(b"a"), catalog(b"x"));
    }
}
