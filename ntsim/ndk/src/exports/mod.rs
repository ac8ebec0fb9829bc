//! The functions of the layer that consumers call, a file for each kind of object.

pub(crate) mod adapter;
pub(crate) mod close;
pub(crate) mod connector;
pub(crate) mod cq;
pub(crate) mod direct;
pub(crate) mod extension;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod pd;
pub(crate) mod qp;
pub(crate) mod srq;
