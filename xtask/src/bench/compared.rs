//! A driver that is measured: this checkout's, or that of an earlier commit.

use std::path::{Path, PathBuf};

use crate::{build, failure::CommandError, root};

/// An image, and the commit that it is of.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) commit: String,
    pub(super) image: PathBuf,
}

impl Compared {
    /// The driver of this checkout, which was built just now.
    pub(super) fn built(images: &build::Images) -> Self {
        Self { name: "after", commit: root::commit(root()), image: images.image("softndk") }
    }

    /// The driver that was built in the checkout `folder`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) fn before(folder: &Path) -> Result<Self, CommandError> {
        let image = folder.join("target/softndk/softndk.sys");
        image.metadata().map_err(|error| CommandError::file(&image, &error))?;
        Ok(Self { name: "before", commit: root::commit(folder), image })
    }
}
