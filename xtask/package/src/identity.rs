//! The test-signing identity: an RSA key and its self-signed certificate.
//!
//! A key of one's own for each developer: it is made on first use, outside the repository, and the certificate is what a test
//! machine has to trust ([Creating test
//! certificates](https://learn.microsoft.com/windows-hardware/drivers/install/creating-test-certificates)).

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr as _,
    time::{Duration, SystemTime},
};

use ::der::{Decode as _, Encode as _, oid::ObjectIdentifier};
use rsa::{
    PrivateKey,
    pkcs1v15::{Signature, SigningKey},
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
    signature::{Keypair as _, SignatureEncoding as _, Signer as _},
};
use sha2::Sha256;
use thiserror::Error;
use x509_cert::{
    Certificate, TbsCertificate,
    builder::{Builder as _, CertificateBuilder, profile::BuilderProfile},
    ext::{
        Extension, ToExtension as _,
        pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef},
    time::{Time, Validity},
};

/// Length of the key, in bits.
const KEY_BITS: usize = 3072;
/// The subject and issuer of the certificate.
const SUBJECT: &str = "CN=softndk test signing";
/// Extended key usage: code signing (RFC 5280, 4.2.1.12).
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The validity of the certificate, from a day before it is made.
const VALIDITY: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// A key that signs and the certificate that says whose it is.
pub struct Identity {
    key: SigningKey<Sha256>,
    certificate: Certificate,
}

/// The identity can't be had.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file can't be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// A file is there and is not what it should be.
    #[error("{path}: not {what}; remove it, and the next run makes a new key")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The kind of content that was expected.
        what: &'static str,
    },
    /// The key or certificate can't be made.
    #[error("no test-signing key could be made: {0}")]
    Creation(String),
}

impl Identity {
    /// Reads the key at `path` (PKCS #8) and the certificate beside it, with the extension `cer`; makes both if neither is
    /// there. The key is then readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`IdentityError`]; nothing that exists is overwritten.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        let certificate_path = path.with_extension("cer");
        if path.exists() {
            return Self::load(path, &certificate_path);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| IdentityError::File(folder.to_owned(), error))?;
        }
        let (private, identity) = Self::generate()?;
        write_new(path, private.as_bytes())?;
        write_new(&certificate_path, &identity.certificate())?;
        Ok(identity)
    }

    fn load(path: &Path, certificate_path: &Path) -> Result<Self, IdentityError> {
        let read = |path: &Path| fs::read(path).map_err(|error| IdentityError::File(path.to_owned(), error));
        let malformed = |path: &Path, what| IdentityError::Malformed { path: path.to_owned(), what };
        let private =
            PrivateKey::from_pkcs8_der(&read(path)?).map_err(|_| malformed(path, "an RSA key in PKCS #8"))?;
        let certificate = Certificate::from_der(&read(certificate_path)?)
            .map_err(|_| malformed(certificate_path, "a certificate"))?;
        let key = SigningKey::new(private);
        if SubjectPublicKeyInfo::from_key(&key.verifying_key()).ok().as_ref()
            != Some(certificate.tbs_certificate().subject_public_key_info())
        {
            return Err(malformed(certificate_path, "the certificate of the key beside it"));
        }
        Ok(Self { key, certificate })
    }

    /// Makes a key and its certificate; the key also in PKCS #8.
    fn generate() -> Result<(rsa::pkcs8::SecretDocument, Self), IdentityError> {
        let failed = |error: &dyn core::fmt::Display| IdentityError::Creation(error.to_string());
        let mut random = rsa::rand_core::UnwrapErr(getrandom::SysRng);
        let private = PrivateKey::new(&mut random, KEY_BITS).map_err(|error| failed(&error))?;
        let document = private.to_pkcs8_der().map_err(|error| failed(&error))?;
        let key = SigningKey::<Sha256>::new(private);
        let certificate = certify(&key).map_err(|error| failed(&error))?;
        Ok((document, Self { key, certificate }))
    }

    /// The certificate, in DER.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        // The certificate was made or read as DER, so that it can be encoded again.
        self.certificate.to_der().unwrap_or_default()
    }

    /// Issuer and serial number, in DER, as a signer info names the certificate.
    pub(crate) fn issuer_and_serial(&self) -> (Vec<u8>, Vec<u8>) {
        let certificate = self.certificate.tbs_certificate();
        (
            certificate.issuer().to_der().unwrap_or_default(),
            certificate.serial_number().to_der().unwrap_or_default(),
        )
    }

    /// Signs by RSA PKCS #1 v1.5 over SHA-256, which is deterministic.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_vec()
    }
}

/// Writes a file that must not exist, readable by its owner alone.
fn write_new(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| io::Write::write_all(&mut file, content));
    written.map_err(|error| IdentityError::File(path.to_owned(), error))
}

/// Makes the self-signed certificate.
fn certify(key: &SigningKey<Sha256>) -> x509_cert::builder::Result<Certificate> {
    let mut serial = [0_u8; 16];
    getrandom::fill(&mut serial).map_err(|_| ::der::Error::from(::der::ErrorKind::Failed))?;
    // A serial number is positive and has its full length.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    let begin = SystemTime::now() - DAY;
    let validity = Validity::new(Time::try_from(begin)?, Time::try_from(begin + VALIDITY)?);
    let public = SubjectPublicKeyInfo::from_key(&key.verifying_key())?;
    let builder = CertificateBuilder::new(
        Profile(Name::from_str(SUBJECT)?),
        SerialNumber::new(&serial)?,
        validity,
        public,
    )?;
    builder.build::<_, Signature>(key)
}

/// A leaf that may sign code and nothing else: no basic constraints, as makecert and New-SelfSignedCertificate make it. Signing
/// with a CA certificate is refused by some verifiers.
struct Profile(Name);

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.0.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        public: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        certificate: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = certificate.subject();
        let usage = KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?;
        let extended = ExtendedKeyUsage(vec![CODE_SIGNING]).to_extension(subject, &[])?;
        let identifier = SubjectKeyIdentifier::try_from(public)?.to_extension(subject, &[])?;
        Ok(vec![usage, extended, identifier])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// One identity for all tests: a key takes a second to make.
    pub(crate) fn identity() -> &'static Identity {
        static ONE: OnceLock<Identity> = OnceLock::new();
        ONE.get_or_init(|| Identity::generate().unwrap().1)
    }

    #[test]
    fn identity_made_on_first_use_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/test.key");
        let made = Identity::load_or_create(&path).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.certificate(), read.certificate());
        assert_eq!(made.sign(b"x"), read.sign(b"x"));
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o77,
            0
        );
    }

    #[test]
    fn malformed_key_or_foreign_certificate_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.key");
        fs::write(&path, b"no key").unwrap();
        let refused = Identity::load_or_create(&path).err().unwrap().to_string();
        assert!(refused.contains("not an RSA key"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"no key");

        let (document, _) = Identity::generate().unwrap();
        fs::write(&path, document.as_bytes()).unwrap();
        fs::write(path.with_extension("cer"), identity().certificate()).unwrap();
        let refused = Identity::load_or_create(&path).err().unwrap().to_string();
        assert!(refused.contains("not the certificate of the key"), "{refused}");
    }
}
