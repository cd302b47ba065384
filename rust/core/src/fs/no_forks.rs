//! Files that a forked child must not keep, on systems without forks.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// An open file of this process; dropping it unlocks it, then closes it.
#[derive(Debug)]
pub struct OwnFile(File);

impl OwnFile {
    /// The file that `open` opens.
    pub fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        open().map(Self)
    }
}

impl Deref for OwnFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Nothing is forked here.
pub fn watch() -> io::Result<()> {
    Ok(())
}
