//! A test-signed driver package, made without Windows: what stampinf, signtool, Inf2Cat and InfVerif do.
//!
//! # Layers, each using only those below it
//!
//! | module | makes or checks |
//! |---|---|
//! | [`catalog`] | the SHA-256 catalogue over the members of a package |
//! | [`image`] | the Authenticode hash of a PE image, its embedded signature, its checksum |
//! | [`inf`], [`signed_data`], [`stamp`] | an INF's rules, as far as they can be held without Windows; the PKCS #7 envelope of both above; the INF from the INX: DriverVer, architecture, KMDF version |
//! | `der`, [`identity`], [`kmdf`], [`time`] | the encoding below all of them; the test-signing key and its certificate; the framework version that an image binds to; a time |
//!
//! The output is a function of the input, the key and the time that the caller names: RSA signatures of PKCS #1 v1.5 are
//! deterministic, so two runs give the same bytes.
//!
//! Formats follow [Windows Authenticode Portable Executable Signature Format](https://learn.microsoft.com/windows/win32/debug/pe-format)
//! and, for catalogues, which no page describes, what makecat and Inf2Cat were seen to write. Foreign verifiers judge the result
//! (`cargo xtask package --verify`); acceptance by Windows has not been shown.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a tool in user mode: its inputs are files that the caller chose"
)]
#![forbid(unsafe_code)]

pub mod catalog;
mod der;
pub mod identity;
pub mod image;
pub mod inf;
pub mod kmdf;
pub mod signed_data;
pub mod stamp;
pub mod time;
