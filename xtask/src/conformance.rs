//! `cargo xtask conformance`: the table of what is shown, and by which test.

use crate::{failure::CommandError, root, step::Step, toolchain::cargo};

/// Has `tests/conformance.rs` write the table.
pub(crate) fn write() -> Result<(), CommandError> {
    let step = Step::start("docs/conformance.md");
    let mut test = cargo();
    test.args(["test", "--release", "--package", "softndk", "--test", "conformance"]);
    step.run(test.env("UPDATE_CONFORMANCE", "1"))?;
    step.done();
    println!("{}", root().join("docs/conformance.md").display());
    Ok(())
}
