//! A PE image: its Authenticode hash, its embedded signature, its checksum.
//!
//! [PE format](https://learn.microsoft.com/windows/win32/debug/pe-format), sections "Optional header" and "The attribute
//! certificate table".

use sha2::Digest;
use thiserror::Error;

use crate::identity::Identity;
use crate::signed_data::{self, FileKind, INDIRECT_DATA};
use crate::time::Timestamp;

/// Offsets in the optional header of a PE32+ image of its checksum and of the entry of the certificate table.
const CHECKSUM: usize = 64;
const CERTIFICATE_ENTRY: usize = 112 + 4 * 8;
/// PE32+.
const MAGIC: u16 = 0x20B;
/// Images are hashed and signatures placed in units of this many bytes.
const UNIT: usize = 8;
/// `WIN_CERT_REVISION_2_0`, `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const CERTIFICATE_KIND: [u8; 4] = [0x00, 0x02, 0x02, 0x00];

/// An image that has no signature yet, padded as it is hashed.
pub struct Image {
    bytes: Vec<u8>,
    /// Offset of the checksum.
    checksum: usize,
    /// Offset of the certificate table's entry.
    entry: usize,
}

/// A file can't be signed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ImageError {
    /// It is no image for 64 bits.
    #[error("not a PE32+ image")]
    NotAnImage,
    /// It has a signature.
    #[error("signed already; sign the image that the linker wrote")]
    Signed,
    /// The result would be over 4 GiB.
    #[error("too large to sign")]
    TooLarge,
}

impl Image {
    /// Reads an image as the linker left it.
    ///
    /// # Errors
    ///
    /// [`ImageError::NotAnImage`], [`ImageError::Signed`].
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self, ImageError> {
        let optional = optional_header(&bytes).ok_or(ImageError::NotAnImage)?;
        let (checksum, entry) = (optional + CHECKSUM, optional + CERTIFICATE_ENTRY);
        match bytes.get(entry..entry + UNIT) {
            None => return Err(ImageError::NotAnImage),
            Some([0, 0, 0, 0, 0, 0, 0, 0]) => {}
            Some(_) => return Err(ImageError::Signed),
        }
        bytes.resize(bytes.len().next_multiple_of(UNIT), 0);
        Ok(Self { bytes, checksum, entry })
    }

    /// The Authenticode hash: all but the checksum and the certificate table's entry.
    #[must_use]
    pub fn hash<D: Digest>(&self) -> Vec<u8> {
        let hashed = [0..self.checksum, self.checksum + 4..self.entry, self.entry + UNIT..self.bytes.len()];
        let mut digest = D::new();
        for range in hashed {
            digest.update(self.bytes.get(range).unwrap_or_default());
        }
        digest.finalize().to_vec()
    }

    /// The image with an embedded signature and the checksum that belongs to it.
    ///
    /// # Errors
    ///
    /// [`ImageError::TooLarge`].
    pub fn sign(self, identity: &Identity, time: Timestamp) -> Result<Vec<u8>, ImageError> {
        let indirect = signed_data::indirect_data(FileKind::Image, &self.hash::<sha2::Sha256>());
        let signature = signed_data::sign(identity, &INDIRECT_DATA, &indirect, time);
        let Self { mut bytes, checksum, entry } = self;
        let size = |length: usize| u32::try_from(length).map_err(|_| ImageError::TooLarge);
        let place = size(bytes.len())?;
        let length = size((UNIT + signature.len()).next_multiple_of(UNIT))?;
        put(&mut bytes, entry, place);
        put(&mut bytes, entry + 4, length);
        bytes.extend(length.to_le_bytes());
        bytes.extend(CERTIFICATE_KIND);
        bytes.extend(signature);
        bytes.resize(bytes.len().next_multiple_of(UNIT), 0);
        put(&mut bytes, checksum, 0);
        let sum = sum(&bytes).wrapping_add(size(bytes.len())?);
        put(&mut bytes, checksum, sum);
        Ok(bytes)
    }
}

/// Offset of the optional header of a PE32+ image.
fn optional_header(bytes: &[u8]) -> Option<usize> {
    let signature = usize::try_from(u32::from_le_bytes(*bytes.get(0x3C..)?.first_chunk()?)).ok()?;
    let optional = signature.checked_add(4 + 20)?;
    let is_image = bytes.starts_with(b"MZ")
        && bytes.get(signature..)?.starts_with(b"PE\0\0")
        && bytes.get(optional..)?.starts_with(&MAGIC.to_le_bytes());
    is_image.then_some(optional)
}

/// Overwrites four bytes that are there.
fn put(bytes: &mut [u8], offset: usize, value: u32) {
    if let Some(place) = bytes.get_mut(offset..offset + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// The one's-complement sum of all 16-bit words. The length of `bytes` is even.
fn sum(bytes: &[u8]) -> u32 {
    let (words, _) = bytes.as_chunks::<2>();
    words.iter().fold(0, |sum, word| {
        let sum = sum + u32::from(u16::from_le_bytes(*word));
        (sum & 0xFFFF) + (sum >> 16)
    })
}

#[cfg(test)]
mod tests {
    use authenticode::{AttributeCertificateIterator, authenticode_digest};
    use sha2::Sha256;
    use sha2_of_authenticode::{Digest as _, Sha256 as Foreign};

    use super::*;
    use crate::identity::tests::identity;

    const TIME: u64 = 1_700_000_000;

    /// A PE32+ image with one section of `length` bytes.
    fn sample(length: usize) -> Vec<u8> {
        let mut bytes = vec![0_u8; 0x200];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3C] = 0x40;
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x44..0x46].copy_from_slice(&0x8664_u16.to_le_bytes());
        bytes[0x46..0x48].copy_from_slice(&1_u16.to_le_bytes());
        bytes[0x54..0x56].copy_from_slice(&240_u16.to_le_bytes());
        let optional = 0x58;
        bytes[optional..optional + 2].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[optional + 60..optional + 64].copy_from_slice(&0x200_u32.to_le_bytes());
        bytes[optional + 108..optional + 112].copy_from_slice(&16_u32.to_le_bytes());
        let section = optional + 240;
        bytes[section + 16..section + 20].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        bytes[section + 20..section + 24].copy_from_slice(&0x200_u32.to_le_bytes());
        bytes.extend((0..=u8::MAX).cycle().take(length));
        bytes
    }

    fn signed(length: usize) -> Vec<u8> {
        Image::parse(sample(length)).unwrap().sign(identity(), Timestamp::from_unix(TIME).unwrap()).unwrap()
    }

    /// The digest that the signature carries and the one that the `authenticode` crate computes.
    fn digests(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let image = object::read::pe::PeFile64::parse(bytes).unwrap();
        let mut computed = Foreign::default();
        authenticode_digest(&image, &mut computed).unwrap();
        let mut certificates = AttributeCertificateIterator::new(&image).unwrap().unwrap();
        let signature = certificates.next().unwrap().unwrap().get_authenticode_signature().unwrap();
        (signature.digest().to_vec(), computed.finalize().to_vec())
    }

    #[test]
    fn hash_agrees_with_a_foreign_implementation() {
        let unsigned = sample(0x200);
        let own = Image::parse(unsigned.clone()).unwrap().hash::<Sha256>();
        let image = object::read::pe::PeFile64::parse(&*unsigned).unwrap();
        let mut foreign = Foreign::default();
        authenticode_digest(&image, &mut foreign).unwrap();
        assert_eq!(own, foreign.finalize().to_vec());
    }

    #[test]
    fn signature_carries_the_hash_of_the_signed_image() {
        for length in [0x200, 0x203] {
            let (carried, computed) = digests(&signed(length));
            assert_eq!(carried, computed);
        }
    }

    #[test]
    fn changed_image_no_longer_matches_its_signature() {
        let mut bytes = signed(0x200);
        bytes[0x250] ^= 1;
        let (carried, computed) = digests(&bytes);
        assert_ne!(carried, computed);
    }

    #[test]
    fn same_input_and_key_give_the_same_bytes() {
        assert_eq!(signed(0x200), signed(0x200));
    }

    #[test]
    fn checksum_is_that_of_the_signed_file() {
        let mut bytes = signed(0x200);
        let place = 0x58 + CHECKSUM;
        let stored = u32::from_le_bytes(*bytes[place..].first_chunk().unwrap());
        put(&mut bytes, place, 0);
        assert_eq!(stored, sum(&bytes) + u32::try_from(bytes.len()).unwrap());
    }

    #[test]
    fn file_that_is_no_unsigned_image_is_refused() {
        assert_eq!(Image::parse(b"MZ".to_vec()).err(), Some(ImageError::NotAnImage));
        assert_eq!(Image::parse(vec![]).err(), Some(ImageError::NotAnImage));
        assert_eq!(Image::parse(signed(0x200)).err(), Some(ImageError::Signed));
        let mut far = sample(0x200);
        far[0x3C..0x40].fill(0xFF);
        assert_eq!(Image::parse(far).err(), Some(ImageError::NotAnImage));
    }
}
