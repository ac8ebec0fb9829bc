//! PKCS #7 SignedData (RFC 2315) as Authenticode has it: one signer, its certificate, and the content bare.

use ::der::oid::ObjectIdentifier;
use sha2::{Digest as _, Sha256};

use crate::der::{
    CONTEXT_0, CONTEXT_2, UTC_TIME, content, integer, null, octets, oid, sequence, set_of, tlv,
};
use crate::identity::Identity;
use crate::time::Timestamp;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `SPC_STATEMENT_TYPE_OBJID`, and its value for a key of an individual.
const STATEMENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.11");
const INDIVIDUAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.21");
/// `SPC_SP_OPUS_INFO_OBJID`: program name and address, both left out.
const OPUS_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.12");
pub(crate) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Signs `signed`, an encoded SEQUENCE of type `content_type`. It stands directly below the explicit tag, without the OCTET STRING
/// that CMS (RFC 5652) would put around it; the digest is over its content, without tag and length.
pub(crate) fn sign(
    identity: &Identity,
    content_type: &ObjectIdentifier,
    signed: &[u8],
    time: Timestamp,
) -> Vec<u8> {
    let digest_algorithm = sequence(&[&oid(&SHA_256), &null()]);
    let attribute = |kind: &ObjectIdentifier, value: Vec<u8>| sequence(&[&oid(kind), &set_of(&[value])]);
    let attributes = set_of(&[
        attribute(&CONTENT_TYPE, oid(content_type)),
        attribute(&SIGNING_TIME, tlv(UTC_TIME, &[time.utc_time().as_bytes()])),
        attribute(&MESSAGE_DIGEST, octets(&Sha256::digest(content(signed)))),
        attribute(&STATEMENT_TYPE, sequence(&[&oid(&INDIVIDUAL)])),
        attribute(&OPUS_INFO, sequence(&[])),
    ]);
    let signature = identity.sign(&attributes);
    // The signature is over the attributes as a SET; the signer info has them under an implicit tag.
    let implicit = tlv(CONTEXT_0, &[content(&attributes)]);
    let (issuer, serial) = identity.issuer_and_serial();
    let signer = sequence(&[
        &integer(1),
        &sequence(&[&issuer, &serial]),
        &digest_algorithm,
        &implicit,
        &sequence(&[&oid(&RSA_ENCRYPTION), &null()]),
        &octets(&signature),
    ]);
    let data = sequence(&[
        &integer(1),
        &set_of(&[digest_algorithm]),
        &sequence(&[&oid(content_type), &tlv(CONTEXT_0, &[signed])]),
        &tlv(CONTEXT_0, &[&identity.certificate()]),
        &set_of(&[signer]),
    ]);
    sequence(&[&oid(&SIGNED_DATA), &tlv(CONTEXT_0, &[&data])])
}

/// `SPC_INDIRECT_DATA_OBJID`.
pub(crate) const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SPC_PE_IMAGE_DATA_OBJID`.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
/// `SPC_CAB_DATA_OBJID`: an SpcLink, which stands for any flat file.
const LINK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.25");

/// The kind of file that a hash is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A PE image, hashed without checksum and signature.
    Image,
    /// Any other file, hashed whole.
    Flat,
}

/// SpcIndirectDataContent: the SHA-256 hash of a file, and what kind of file it is.
pub(crate) fn indirect_data(kind: FileKind, sha256: &[u8]) -> Vec<u8> {
    // An SpcLink or SpcString with an empty name, which is not looked at.
    let empty = tlv(CONTEXT_2, &[&[0x80, 0]]);
    let data = match kind {
        // No flags: a BIT STRING of no bits.
        FileKind::Image => {
            sequence(&[&oid(&PE_IMAGE_DATA), &sequence(&[&[0x03, 0x01, 0x00], &tlv(CONTEXT_0, &[&empty])])])
        }
        FileKind::Flat => sequence(&[&oid(&LINK), &empty]),
    };
    let digest = sequence(&[&sequence(&[&oid(&SHA_256), &null()]), &octets(sha256)]);
    sequence(&[&data, &digest])
}
