//! Files of the cache: where they lie, and bytes with their checksum.
//!
//! The cache is never data: a file that is missing, damaged or of another layout is ignored and written anew.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::{atomic, platform};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Result, corrupt};
use crate::base::file_names;

/// Written by another version, or another layout: ignored.
pub(crate) const VERSION: &str = concat!("7 ", env!("CARGO_PKG_VERSION"));

/// Where the cache of a workspace may lie, the better place first.
///
/// A folder on a network drive is cached in the user's cache folder, and so is one that may not be
/// written to.
pub(crate) fn places(root: &Path) -> Vec<PathBuf> {
    let inside = (!platform::is_network_drive(root)).then(|| root.join(".cache"));
    inside.into_iter().chain(outside(root)).collect()
}

/// Whether a folder is a workspace or has prediction files where they are looked for; in any other nothing is
/// left behind.
pub(crate) fn is_ours(root: &Path) -> bool {
    let entries = |folder: &Path| folder.read_dir().into_iter().flatten().flatten();
    let has_files = |folder: &Path| {
        entries(folder).any(|entry| file_names::is_of_predictions(&entry.file_name().to_string_lossy()))
    };
    root.join("workspace.yaml").exists()
        || has_files(root)
        || entries(&root.join("predictions")).any(|folder| has_files(&folder.path()))
}

/// The folder for what is cached of `root` outside of it, where the user has one.
pub(crate) fn outside(root: &Path) -> Option<PathBuf> {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let name = XxHash3_64::oneshot(full.as_os_str().as_encoded_bytes());
    user_cache().map(|folder| folder.join("nirs4all-workspace").join(format!("{name:016x}")))
}

fn user_cache() -> Option<PathBuf> {
    let folder =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    }
}

/// A file of the cache with content of another kind; nothing where there is none.
pub fn read_any(root: &Path, file: &str) -> Option<Vec<u8>> {
    places(root).into_iter().find_map(|folder| read_file(&folder.join(file)).ok())
}

/// Writes a file of the cache where that is allowed; a cache that cannot be written is no failure.
pub fn write_any(root: &Path, file: &str, bytes: &[u8]) {
    let _ = is_ours(root) && places(root).into_iter().any(|folder| write(&folder.join(file), bytes).is_ok());
}

/// The bytes of a file of the cache.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = platform::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces the file without fsync: a torn one fails its checksum and is ignored.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temp = atomic::temp_in(folder)?;
    temp.write_all(bytes)?;
    temp.persist(file)?;
    Ok(())
}

/// The content before a file's checksum, where that is right.
pub(crate) fn checked(bytes: &[u8]) -> Result<ByteReader<'_>> {
    let (content, checksum) = bytes.split_last_chunk::<8>().ok_or_else(|| corrupt("too short"))?;
    if XxHash3_64::oneshot(content) != u64::from_le_bytes(*checksum) {
        return Err(corrupt("wrong checksum"));
    }
    Ok(ByteReader::new(content))
}

/// The bytes of a file of the cache: its content and their checksum.
pub(crate) fn finish(mut writer: ByteWriter) -> Vec<u8> {
    let checksum = XxHash3_64::oneshot(&writer.bytes);
    writer.u64(checksum);
    writer.bytes
}
