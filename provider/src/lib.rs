//! The RDMA provider.
#![no_std]
