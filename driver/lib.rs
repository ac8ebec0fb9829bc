//! softndk.sys.
#![cfg(windows)]
#![no_std]
