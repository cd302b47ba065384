//! Files named after their content, stored once.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::atomic::{Draft, make_folder};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// Bytes read at once.
const BLOCK: usize = 1 << 18;

/// Stores what `content` gives below `root` as `artifacts/<2 hex>/<hash>.<extension>`, durably, and
/// returns its hash: the 64 hexadecimal digits of its BLAKE3.
///
/// Content that is there already is not written again; its time is set to now, which tells that
/// somebody is about to name it. `source` is for the message of a failed read.
pub fn put(
    root: &Path,
    content: &mut dyn Read,
    source: &Path,
    extension: &str,
    progress: &Progress,
) -> Result<String> {
    let folder = root.join("artifacts");
    make_folder(&folder)?;
    let mut draft = Draft::begin(&folder.join("artifact"))?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK];
    loop {
        progress.check()?;
        let count = content.read(&mut block).map_err(|error| Error::io(source, error))?;
        if count == 0 {
            break;
        }
        hasher.update(&block[..count]);
        draft.file().write_all(&block[..count]).map_err(|error| Error::io(&folder, error))?;
    }
    let hash = hasher.finalize().to_hex().to_string();
    let target = path_of(root, &hash, extension);
    if let Some(target_folder) = target.parent() {
        make_folder(target_folder)?;
    }
    if touch(&target) {
        return Ok(hash);
    }
    draft.sync()?;
    match draft.create_as(&target) {
        Err(error) if error.kind == ErrorKind::Conflict => {
            touch(&target);
        }
        done => done?,
    }
    Ok(hash)
}

/// Where content with this hash lies.
fn path_of(root: &Path, hash: &str, extension: &str) -> PathBuf {
    let name = if extension.is_empty() { hash.to_owned() } else { format!("{hash}.{extension}") };
    root.join("artifacts").join(&hash[..2]).join(name)
}

/// Sets a file's time to now; `false` where there is none.
fn touch(path: &Path) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    // Losing this only makes the file look older.
    let _ = file.set_modified(SystemTime::now());
    true
}
