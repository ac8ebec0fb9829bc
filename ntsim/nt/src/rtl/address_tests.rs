//! Addresses as text, through the functions that drivers call.

use core::net::Ipv4Addr;

use ntsim_core::address::Va;
use sys::sockaddr::{IN_ADDR, IN6_ADDR};
use sys::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use super::address_exports::*;

#[test]
fn address_with_scope_and_port_comes_back_from_its_text() {
    let machine = crate::testing::builder().boot();
    let from = IN6_ADDR::from_rust("fe80::5".parse().unwrap());
    let mut text = [0u16; 65];
    let mut length = 65;
    // SAFETY: the buffer has room for the longest text.
    let status =
        unsafe { RtlIpv6AddressToStringExW(&from, 7, 445u16.to_be(), text.as_mut_ptr(), &mut length) };
    assert_eq!((status, length), (STATUS_SUCCESS, 16));
    assert_eq!(String::from_utf16_lossy(&text[..15]), "[fe80::5%7]:445");

    let (mut address, mut scope, mut port) = (IN6_ADDR { Byte: [0; 16] }, 0, 0);
    // SAFETY: the text is NUL-terminated and the results have room.
    let status = unsafe { RtlIpv6StringToAddressExW(text.as_ptr(), &mut address, &mut scope, &mut port) };
    assert_eq!((status, scope, port), (STATUS_SUCCESS, 7, 445u16.to_be()));
    assert_eq!(address.to_rust(), from.to_rust());
    assert!(machine.shutdown().is_clean());
}

#[test]
fn text_too_long_for_the_buffer_says_how_much_it_needs() {
    let machine = crate::testing::builder().boot();
    let from = IN_ADDR::from_rust(Ipv4Addr::new(10, 0, 0, 1));
    let mut text = [0i8; 4];
    let mut length = 4;
    // SAFETY: the length says how much room there is.
    let status = unsafe { RtlIpv4AddressToStringExA(&from, 0, text.as_mut_ptr(), &mut length) };
    assert_eq!((status, length), (STATUS_INVALID_PARAMETER, 9));
    assert!(machine.shutdown().is_clean());
}

#[test]
fn terminator_is_where_the_address_ended() {
    let machine = crate::testing::builder().boot();
    let text = c"10.0.0.1/8";
    let (mut end, mut address) = (core::ptr::null(), IN_ADDR { S_addr: 0 });
    // SAFETY: the text is NUL-terminated and the results have room.
    let status = unsafe { RtlIpv4StringToAddressA(text.as_ptr(), 1, &mut end, &mut address) };
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(address.to_rust(), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(Va::of(end) - Va::of(text.as_ptr()), 8);
    assert!(machine.shutdown().is_clean());
}
