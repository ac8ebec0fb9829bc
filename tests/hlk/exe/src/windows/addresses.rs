//! The addresses that the adapters get.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::net::Ipv4Addr;
use std::env;
use std::process::Command;

use runner::{Error, PREFIX, own_addresses};
use windows_sys::Win32::System::Registry::HKEY_LOCAL_MACHINE;
use windows_sys::Win32::System::SystemInformation::{GetSystemFirmwareTable, RSMB};

use super::adapters::Interface;
use super::power_shell::program;
use super::setup::registry_text;
use super::text::failed;

/// The addresses of this machine's own, in a network that none of its other interfaces is in.
pub(super) fn own(interfaces: &[Interface]) -> Result<[Ipv4Addr; 2], Error> {
    let others = interfaces.iter().filter(|interface| !interface.is_ours());
    let taken: Vec<_> = others.flat_map(Interface::networks).collect();
    own_addresses(&identity(), &taken).ok_or_else(|| {
        failed("choose addresses", "this machine is in all of 10.0.0.0/8: give some with --near and --far")
    })
}

/// The marks of this machine among others. A clone has the same installation, but firmware tables and a name of its own.
fn identity() -> Vec<u8> {
    let installation =
        registry_text(HKEY_LOCAL_MACHINE, Some(r"SOFTWARE\Microsoft\Cryptography"), "MachineGuid");
    let name = env::var("COMPUTERNAME");
    let texts = [installation.unwrap_or_default(), name.unwrap_or_default()];
    let mut identity = texts.join("\n").into_bytes();
    identity.extend(firmware());
    identity
}

/// The SMBIOS tables, which have the identifier of a virtual machine.
fn firmware() -> Vec<u8> {
    // SAFETY: without a buffer it only returns how long one has to be.
    let length = unsafe { GetSystemFirmwareTable(RSMB, 0, core::ptr::null_mut(), 0) };
    let mut table = vec![0; length as usize];
    // SAFETY: the buffer has that many bytes.
    let written = unsafe { GetSystemFirmwareTable(RSMB, 0, table.as_mut_ptr(), length) };
    table.truncate(written as usize);
    table
}

/// Gives an interface an address that stays.
pub(super) fn give(interface: &Interface, address: Ipv4Addr) -> Result<(), Error> {
    let mask = Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(PREFIX)));
    let mut netsh = Command::new("netsh.exe");
    netsh.args(["interface", "ipv4", "set", "address"]).arg(format!("name={}", interface.if_index)).args([
        "source=static".to_owned(),
        format!("address={address}"),
        format!("mask={mask}"),
    ]);
    program(&mut netsh).map(drop).map_err(|why| failed("give an address", why))
}
