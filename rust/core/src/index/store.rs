//! An index as a file in the user's cache folder. Byte for byte in docs/format.md.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::tree::{File, Folder, Tree, size_of};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Result, corrupt};
use crate::fs::cache_file;
use crate::fs::stat::{FileKey, Identity};

pub(super) const FILE: &str = "index.bin";
const MAGIC: &[u8; 4] = b"N4AI";
/// Another layout: ignored.
const VERSION: u8 = 1;

/// What an earlier process kept of this tree; nothing where it is damaged or of another version.
pub(super) fn load(file: &Path, root: &Path) -> Option<Tree> {
    decode(&cache_file::read_file(file).ok()?, root).ok()
}

pub(super) fn save(file: &Path, root: &Path, tree: &Tree) -> std::io::Result<()> {
    let mut out = ByteWriter::default();
    out.bytes.extend(MAGIC);
    out.bytes.push(VERSION);
    name(&mut out, root.as_os_str());
    out.int(tree.folders.len() as u64);
    for folder in &tree.folders {
        name(&mut out, folder.path.as_os_str());
        out.bytes.push(u8::from(folder.is_link));
        // What could not be read is looked at again.
        out.u64(if folder.errors.is_empty() { folder.read_at as u64 } else { 0 });
        let mut before = FileKey::default();
        key(&mut out, folder.key, &mut before);
        out.int(folder.files.len() as u64);
        for file in &folder.files {
            name(&mut out, &file.name);
            out.bytes.push(u8::from(file.is_link));
            key(&mut out, file.key, &mut before);
        }
        for names in [&folder.folders, &folder.links] {
            out.int(names.len() as u64);
            names.iter().for_each(|it| name(&mut out, it));
        }
    }
    let checksum = XxHash3_64::oneshot(&out.bytes);
    out.u64(checksum);
    cache_file::write(file, &out.bytes)
}

fn name(out: &mut ByteWriter, name: &OsStr) {
    let bytes = name.as_encoded_bytes();
    out.int(bytes.len() as u64);
    out.bytes.extend(bytes);
}

/// Differences to the key before, which is replaced: neighbours were written one after another.
fn key(out: &mut ByteWriter, key: FileKey, before: &mut FileKey) {
    let numbers = numbers(key);
    for (number, before) in numbers.into_iter().zip(self::numbers(*before)) {
        let difference = number.wrapping_sub(before) as i64;
        // Small ones of either sign become small numbers.
        out.int(((difference << 1) ^ (difference >> 63)) as u64);
    }
    *before = key;
}

fn numbers(key: FileKey) -> [u64; 5] {
    let [size, mtime, ctime, inode] = key.identity.numbers();
    [key.device, size, mtime, ctime, inode]
}

fn decode(bytes: &[u8], root: &Path) -> Result<Tree> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.byte()? != VERSION {
        return Err(corrupt("another version"));
    }
    if read_name(&mut reader)? != root.as_os_str() {
        return Err(corrupt("another tree"));
    }
    let count = reader.count(18)?;
    let mut folders = Vec::with_capacity(count);
    for _ in 0..count {
        folders.push(Arc::new(read_folder(&mut reader)?));
    }
    Ok(Tree { folders, errors: Vec::new() })
}

fn read_folder(reader: &mut ByteReader<'_>) -> Result<Folder> {
    let path = PathBuf::from(read_name(reader)?);
    let is_link = reader.byte()? != 0;
    let read_at = reader.u64()? as i64;
    let mut before = FileKey::default();
    let folder_key = read_key(reader, &mut before)?;
    let count = reader.count(7)?;
    let mut files = Vec::with_capacity(count);
    for _ in 0..count {
        let name = read_name(reader)?;
        let is_link = reader.byte()? != 0;
        files.push(File { name, is_link, key: read_key(reader, &mut before)? });
    }
    let [folders, links] = [read_names(reader)?, read_names(reader)?];
    let (size, errors) = (size_of(&files), Vec::new());
    Ok(Folder { path, key: folder_key, read_at, is_link, files, size, folders, links, errors })
}

fn read_names(reader: &mut ByteReader<'_>) -> Result<Vec<OsString>> {
    let count = reader.count(1)?;
    (0..count).map(|_| read_name(reader)).collect()
}

#[cfg(unix)]
fn read_name(reader: &mut ByteReader<'_>) -> Result<OsString> {
    let length = reader.count(1)?;
    Ok(std::os::unix::ffi::OsStringExt::from_vec(reader.bytes(length)?.to_vec()))
}

#[cfg(not(unix))]
fn read_name(reader: &mut ByteReader<'_>) -> Result<OsString> {
    reader.text().map(OsString::from)
}

fn read_key(reader: &mut ByteReader<'_>, before: &mut FileKey) -> Result<FileKey> {
    let mut numbers = numbers(*before);
    for number in &mut numbers {
        let coded = reader.int()?;
        *number = number.wrapping_add((coded >> 1) ^ (coded & 1).wrapping_neg());
    }
    let [device, size, mtime, ctime, inode] = numbers;
    let identity = Identity::of_numbers([size, mtime, ctime, inode]);
    *before = FileKey { device, identity };
    Ok(*before)
}
