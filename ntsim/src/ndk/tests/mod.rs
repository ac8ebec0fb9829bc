//! The layer between a provider written for it and the tests.
