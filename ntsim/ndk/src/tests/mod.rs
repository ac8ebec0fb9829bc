//! The layer between a provider written for it and consumers that are these tests.
//!
//! The [provider](provider) keeps the rules. A test that wants one broken replaces a function in the
//! provider's tables by one that breaks it, and sees the finding; so each check is one that can fail.

mod antecedent;
mod close;
mod connection;
mod fixture;
mod memory;
mod notification;
mod object;
mod pair;
mod provider;
mod queue;
mod request;
mod serial;
