//! An NT kernel in a Linux process.
