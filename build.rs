//! Build script of the driver package.
fn main() {}
