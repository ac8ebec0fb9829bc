//! The Windows kernel interfaces that this project is built on: types, constants and function signatures,
//! and nothing else but the levels at which these may be called ([`irql`]).
//!
//! Both ends of every test use these declarations: the driver that is built for Windows and the simulator
//! that plays Windows. A mistake here would be invisible to both, so each structure states its size and
//! the offset of every member, and a wrong one does not compile. The figures come from published symbol
//! files and documentation; each module's head says which.
//!
//! Names stand as Microsoft spells them, so that they can be searched in its pages. Conventions:
//!
//! - every function type is `extern "efiapi"`: on x64 the Microsoft x64 convention, on any host, so that code
//!   built for Windows can be called from a Linux process; on ARM64 that of C, which Windows uses there;
//! - every function pointer that crosses the interface is an [`Option`]: a null there is the other side's
//!   mistake to detect, not undefined behaviour;
//! - an enumeration is a transparent integer with named constants: the other side may send any number;
//! - pointers are `*const` where the interface only reads through them, also where the C declaration
//!   forgot to say so.
//!
//! # Layers, each using only those below it
//!
//! | module | interfaces of |
//! |---|---|
//! | [`explain`] | levels and statuses in words, for reports |
//! | [`ndis`], [`tdi`], [`wdf`], [`wsk`] | NDIS, the transport driver interface, the driver framework, Winsock Kernel |
//! | [`ip2string`], [`ndk`], [`netioapi`] | addresses as text, the NDKPI, the IP helper |
//! | [`sockaddr`], [`wdm`] | socket addresses, the kernel |
//! | [`irql`], [`status`] | levels, statuses |
//! | `imports`, `layout` | the macros of all declarations |
//!
//! Left out is everything that neither the driver, nor the simulator, nor the test consumers use.

#![no_std]
#![deny(clippy::as_conversions)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the names are those of the interface"
)]

#[macro_use]
mod imports;
#[macro_use]
mod layout;

pub mod explain;
pub mod ip2string;
pub mod irql;
pub mod ndis;
pub mod ndk;
pub mod netioapi;
pub mod sockaddr;
pub mod status;
pub mod tdi;
pub mod wdf;
pub mod wdm;
pub mod wsk;
