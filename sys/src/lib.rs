//! Windows kernel interfaces.
#![no_std]
