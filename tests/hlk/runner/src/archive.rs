//! One file of many, for a person to send: a ZIP archive.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An archive that grows.
#[derive(Debug)]
pub struct Archive(ZipWriter<File>);

impl Archive {
    /// A new archive at `path`.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(ZipWriter::new(File::create(path)?)))
    }

    /// Adds a file of this name and content.
    ///
    /// # Errors
    /// If the archive has that name, or can't be written.
    pub fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default().large_file(content.len() >= 1 << 31);
        self.0.start_file(name, options)?;
        self.0.write_all(content)
    }

    /// Writes the directory, without which it is no archive.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn archive_gives_back_what_was_added() {
        let path = std::env::temp_dir().join(format!("ndkhlk-archive-{}.zip", std::process::id()));
        let mut archive = Archive::create(&path).unwrap();
        archive.add("netstat.txt", b"no connections").unwrap();
        archive.add("empty.log", b"").unwrap();
        assert!(archive.add("netstat.txt", b"again").is_err());
        archive.finish().unwrap();
        let mut read = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(read.file_names().collect::<Vec<_>>(), ["netstat.txt", "empty.log"]);
        let mut content = String::new();
        read.by_name("netstat.txt").unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "no connections");
    }
}
