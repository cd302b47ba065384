//! Fingerprints of files and folders: full hashes that prove, quick hashes that narrow.
//!
//! [`stream`] reads one file, [`quick`] its ends, [`folder`] a tree of files, and [`cache`] remembers
//! what was hashed for as long as the stat of a file tells that it is the same.

mod algorithm;
pub mod cache;
pub mod folder;
pub mod quick;
pub mod stream;

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::progress::Progress;

pub use algorithm::{Algorithm, ContentHash};
pub use cache::{Fingerprint, HashCache};

/// Hashes a file or a folder in full, on all threads of the pool that it runs in.
pub fn hash_path(path: &Path, algorithm: Algorithm, progress: &Progress) -> Result<Fingerprint> {
    HashCache::default().fingerprint(path, algorithm, progress)
}

/// Bytes of a file, or of all files of a folder as its fingerprint counts them; and whether it is a
/// folder.
pub fn size(path: &Path) -> Result<(u64, bool)> {
    let stat = path.metadata().map_err(|error| Error::io(path, error))?;
    let size = if stat.is_dir() { folder::size(&folder::members(path)?) } else { stat.len() };
    Ok((size, stat.is_dir()))
}
