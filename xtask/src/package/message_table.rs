//! The message table of softndk.sys beside the one that windmc of GNU binutils makes of the same source.

use std::{fs, path::Path, process::Command};

use object::read::pe::PeFile64;

use crate::{build::Images, failure::CommandError, image::messages, root, step::Step};

/// The message compiler of binutils-mingw-w64, which comes with the linker of ndkhlk.exe.
const COMPILER: &str = "x86_64-w64-mingw32-windmc";
/// The name of its output for a source `messages.mc` whose language has the file name `MSG00409`.
const OUTPUT: &str = "messages_MSG00409.bin";

/// Has windmc compile the source in `scratch`, and compares.
pub(super) fn verify(images: &Images, scratch: &Path) -> Result<(), CommandError> {
    let step = Step::start("compare the message table with windmc's");
    let source = root().join("driver/messages.mc");
    let text = fs::read_to_string(&source).map_err(|error| CommandError::file(&source, &error))?;
    // windmc keeps the ends of lines of the source, and mc.exe writes those of Windows.
    let copy = scratch.join("messages.mc");
    fs::write(&copy, text.replace('\n', "\r\n")).map_err(|error| CommandError::file(&copy, &error))?;
    step.run(Command::new(COMPILER).args(["-b", "messages.mc"]).current_dir(scratch))?;
    let foreign = super::read(&scratch.join(OUTPUT))?;
    let image = super::read(&images.image("softndk"))?;
    let image = PeFile64::parse(&*image).map_err(|error| CommandError::work(error.to_string()))?;
    if messages::table(&image) != Some(&*foreign) {
        return Err(CommandError::work("the message table of softndk.sys is not what windmc makes"));
    }
    step.done();
    Ok(())
}
