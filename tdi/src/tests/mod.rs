//! The transport over the real provider, on the host: each test is a client with two RNICs.

/// The address of a handler, as a client registers it: a function becomes one by a cast alone.
macro_rules! code_address {
    ($handler:ident) => {
        $handler as *const ()
    };
}

pub(crate) mod access;
#[cfg(test)]
mod adapter;
#[cfg(test)]
mod adapter_meanwhile;
#[cfg(test)]
mod arriving;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod cleanup;
pub(crate) mod client;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod datagram;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod expedited;
#[cfg(test)]
mod handler;
pub(crate) mod host;
pub(crate) mod hostile;
#[cfg(test)]
mod in_order;
#[cfg(test)]
mod pending;
#[cfg(test)]
mod possible;
#[cfg(test)]
mod preempt;
#[cfg(test)]
mod random;
#[cfg(test)]
mod transfer;
