//! No network.

#![expect(unsafe_code, reason = "a network makes promises")]

use core::net::SocketAddr;

use sys::status::NTSTATUS;

use super::{Batch, ConnectionEvents, LocalEnd, Network, PortEvents, Purpose};

/// The network of a kernel without one. It has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNetwork {}

impl Batch for NoNetwork {
    fn room(&mut self) -> &mut [u8] {
        match *self {}
    }

    fn set_length(&mut self, _: usize) {
        match *self {}
    }

    fn length(&self) -> usize {
        match *self {}
    }

    fn set_tag(&mut self, _: u64) {
        match *self {}
    }

    fn tag(&self) -> u64 {
        match *self {}
    }
}

// SAFETY: there is none that could call up.
unsafe impl Network for NoNetwork {
    type Connection = Self;
    type Port = Self;
    type Batch = Self;

    fn connection(&self) -> Result<Self, NTSTATUS> {
        match *self {}
    }

    fn batch(&self, _: usize) -> Result<Self, NTSTATUS> {
        match *self {}
    }

    fn port(&self) -> Result<Self, NTSTATUS> {
        match *self {}
    }

    fn connect(on: &Self, _: LocalEnd, _: SocketAddr, _: ConnectionEvents<Self>) {
        match *on {}
    }

    fn send(on: &Self, _: Self) {
        match *on {}
    }

    fn resume(on: &Self) {
        match *on {}
    }

    fn finish(on: &Self) {
        match *on {}
    }

    fn abort(on: &Self) {
        match *on {}
    }

    fn segment(on: &Self) -> u32 {
        match *on {}
    }

    fn open(port: &Self, _: SocketAddr, _: Purpose, _: PortEvents<Self>) {
        match *port {}
    }

    fn close(port: &Self) {
        match *port {}
    }
}
