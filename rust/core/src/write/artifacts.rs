//! Files named after their content, stored once.

use std::io::{Read, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::fs::atomic::{Draft, make_folder};
use crate::fs::folders::names_in;

/// Bytes read at once.
const BLOCK: usize = 1 << 18;

/// Stores what `content` gives below `root` as `artifacts/<2 hex>/<hash>.<extension>`, durably, and
/// returns its hash: the 64 hexadecimal digits of its BLAKE3.
///
/// Content that is there already, under any extension, is not written again; its time is set to now,
/// which tells that it is about to be named. `source` is for the message of a failed read.
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
    let (mut hasher, mut block) = (blake3::Hasher::new(), vec![0; BLOCK]);
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
    let folder = folder.join(&hash[..2]);
    make_folder(&folder)?;
    for name in names_in(&folder)? {
        if name.split('.').next() == Some(&hash) && touch(&folder.join(name)) {
            return Ok(hash);
        }
    }
    let target = folder.join(format!("{hash}.{extension}"));
    draft.sync()?;
    match draft.create_as(&target) {
        Err(error) if error.kind == ErrorKind::Conflict => {
            touch(&target);
        }
        done => done?,
    }
    Ok(hash)
}

/// Sets a file's time to now; `false` where there is none.
fn touch(path: &Path) -> bool {
    let Ok(file) = crate::fs::platform::open(path) else { return false };
    // Losing this only makes the file look older.
    let _ = file.set_modified(SystemTime::now());
    true
}
