//! The tree in which mistakes are planted: a copy of what git tracks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::CommandError, root};

/// A copy of the tracked files.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The one that mutants are built from.
    pub(super) fn below_target() -> Self {
        Self::at(root().join("target/mutants/tree"))
    }

    pub(super) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn exists(&self) -> bool {
        self.root.exists()
    }

    /// Makes it what the repository's tree is now. What is the same already is not touched, so that it is not
    /// built again.
    pub(super) fn refresh(&self) -> Result<(), CommandError> {
        let tracked = tracked(root())?;
        for file in &tracked {
            let (from, to) = (root().join(file), self.root.join(file));
            copy(&from, &to).map_err(|error| CommandError::file(&from, &error))?;
        }
        for path in files(&self.root).map_err(|error| CommandError::file(&self.root, &error))? {
            let known = path.strip_prefix(&self.root).is_ok_and(|file| tracked.iter().any(|one| one == file));
            if !known {
                fs::remove_file(&path).map_err(|error| CommandError::file(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Applies a patch. The error is git's first line.
    pub(super) fn apply(&self, patch: &Path) -> Result<(), String> {
        self.git_apply(patch, &[])
    }

    /// Checks that a patch would apply. The error is git's first line.
    #[cfg(test)]
    pub(super) fn would_apply(&self, patch: &Path) -> Result<(), String> {
        self.git_apply(patch, &["--check"])
    }

    fn git_apply(&self, patch: &Path, options: &[&str]) -> Result<(), String> {
        // Below target/ git would take the repository's root for the patch's, and skip every file.
        let output = Command::new("git")
            .arg("apply")
            .args(options)
            .arg(patch)
            .current_dir(&self.root)
            .env("GIT_CEILING_DIRECTORIES", self.root.parent().unwrap_or(&self.root))
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned())
    }
}

/// The files that git tracks and that are there.
fn tracked(repository: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository)
        .output()
        .map_err(|error| CommandError::work(format!("git: {error}")))?;
    if !output.status.success() {
        return Err(CommandError::work(String::from_utf8_lossy(&output.stderr).trim()));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = names.split_terminator('\0').map(PathBuf::from);
    Ok(files
        .map(|file| (repository.join(&file), file))
        .filter(|(path, _)| path.is_file() || path.is_symlink())
        .map(|(_, file)| file)
        .collect())
}

/// Copies a file or a link, unless its copy is the same. A link is never written through: what it leads to is tracked.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().map_or(Ok(()), fs::create_dir_all);
    if from.is_symlink() {
        let goal = fs::read_link(from)?;
        if fs::read_link(to).is_ok_and(|present| present == goal) {
            return Ok(());
        }
        folder?;
        if to.symlink_metadata().is_ok() {
            fs::remove_file(to)?;
        }
        return std::os::unix::fs::symlink(goal, to);
    }
    if to.is_symlink() {
        fs::remove_file(to)?;
    }
    let contents = fs::read(from)?;
    if fs::read(to).is_ok_and(|present| present == contents) {
        return Ok(());
    }
    folder?;
    fs::write(to, contents)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// All files below a folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.extend(files(&entry.path())?);
        } else {
            all.push(entry.path());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshed_tree_has_the_tracked_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::at(folder.path().join("tree"));
        tree.refresh().unwrap();
        let manifest = tree.root().join("Cargo.toml");
        let written = fs::metadata(&manifest).unwrap().modified().unwrap();
        fs::write(tree.root().join("stray.rs"), "").unwrap();
        fs::write(tree.root().join("README.md"), "changed").unwrap();
        tree.refresh().unwrap();
        assert!(!tree.root().join("stray.rs").exists());
        let links = [tree.root(), root()].map(|folder| fs::read_link(folder.join("kit/tree")).unwrap());
        assert_eq!(links[0], links[1], "links are copied as links");
        assert_eq!(
            fs::read(tree.root().join("README.md")).unwrap(),
            fs::read(root().join("README.md")).unwrap()
        );
        assert_eq!(fs::metadata(&manifest).unwrap().modified().unwrap(), written, "what is the same stays");
    }

    #[test]
    fn link_and_file_that_took_turns_are_copied_as_what_they_are_now() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, to, goal] =
            ["file", "link", "copies/one", "copies/goal"].map(|name| folder.path().join(name));
        fs::write(&file, "file").unwrap();
        std::os::unix::fs::symlink("goal", &link).unwrap();
        copy(&file, &to).unwrap();
        copy(&link, &to).unwrap();
        assert_eq!(fs::read_link(&to).unwrap(), Path::new("goal"));
        fs::write(&goal, "goal").unwrap();
        copy(&file, &to).unwrap();
        assert!(!to.is_symlink());
        assert_eq!(fs::read_to_string(&goal).unwrap(), "goal", "the link is not written through");
    }

    #[test]
    fn patch_that_does_not_apply_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, patch) = (Tree::at(folder.path().to_owned()), folder.path().join("x.patch"));
        fs::write(&patch, "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n").unwrap();
        assert!(tree.apply(&patch).unwrap_err().contains("x"));
        fs::write(folder.path().join("x"), "old\n").unwrap();
        tree.apply(&patch).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("x")).unwrap(), "new\n");
    }
}
