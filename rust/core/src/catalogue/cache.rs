//! What folders and files said, cached until the stat of one of their files changes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::entry::{Entry, Kind};
use super::unit::{Known, Unit};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{ErrorKind, FileError, Result, corrupt};
use crate::fs::cache_file;
use crate::fs::stat::Identity;

const MAGIC: &[u8; 4] = b"N4AL";

/// What was cached, by path; nothing where there is nothing that can be used.
pub fn load(root: &Path, file: &str) -> Known {
    let read =
        |folder: std::path::PathBuf| decode(&cache_file::read_file(&folder.join(file)).ok()?.into()).ok();
    cache_file::places(root).into_iter().find_map(read).unwrap_or_default()
}

/// Keeps what can be told from its later self by stat.
pub fn store(root: &Path, file: &str, units: impl IntoIterator<Item = impl AsRef<Unit>>) {
    let cached: Vec<_> = units.into_iter().filter(|unit| unit.as_ref().is_settled()).collect();
    let mut out = ByteWriter::default();
    out.bytes.extend_from_slice(MAGIC);
    out.text(cache_file::VERSION);
    out.int(cached.len() as u64);
    for unit in &cached {
        let unit = unit.as_ref();
        out.text(&unit.path);
        out.int(unit.stats.len() as u64);
        for stat in &unit.stats {
            Identity::encode_if_any(stat.as_ref(), &mut out);
        }
        out.u64(unit.read_at as u64);
        out.int(unit.errors.len() as u64);
        for error in &unit.errors {
            out.text(&error.path);
            out.bytes.push(u8::from(error.kind != ErrorKind::Corrupt));
            out.text(&error.message);
        }
        out.bytes.push(u8::from(unit.entry.is_some()));
        if let Some(entry) = &unit.entry {
            out.bytes.push(u8::from(entry.kind == Kind::Run));
            out.text(&entry.id);
            out.text(&entry.name);
            out.text(entry.status.as_deref().unwrap_or_default());
            out.text(&entry.created_at);
            out.int(entry.content.len() as u64);
            out.bytes.extend_from_slice(&entry.content);
        }
    }
    cache_file::write_any(root, file, &cache_file::finish(out));
}

fn decode(bytes: &Bytes) -> Result<Known> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.text()? != cache_file::VERSION {
        return Err(corrupt("another version"));
    }
    let count = reader.count(12)?;
    let mut units = HashMap::with_capacity(count);
    for _ in 0..count {
        let unit = decode_unit(bytes, &mut reader)?;
        units.insert(unit.path.clone(), Arc::new(unit));
    }
    Ok(units)
}

fn decode_unit(whole: &Bytes, reader: &mut ByteReader<'_>) -> Result<Unit> {
    let path = reader.text()?.to_owned();
    let count = reader.count(1)?;
    let stats = (0..count).map(|_| Identity::decode_if_any(reader)).collect::<Result<Vec<_>>>()?;
    let read_at = reader.u64()? as i64;
    let count = reader.count(3)?;
    let errors = (0..count).map(|_| {
        let path = reader.text()?.to_owned();
        let kind = if reader.byte()? == 0 { ErrorKind::Corrupt } else { ErrorKind::Schema };
        Ok(FileError { path, kind, message: reader.text()?.to_owned() })
    });
    let errors = errors.collect::<Result<Vec<_>>>()?;
    let entry = match reader.byte()? {
        0 => None,
        _ => {
            let kind = if reader.byte()? == 0 { Kind::Part } else { Kind::Run };
            let mut text = || reader.text().map(str::to_owned);
            let (id, name, status, created_at) = (text()?, text()?, text()?, text()?);
            let status = Some(status).filter(|status| !status.is_empty());
            let length = reader.count(1)?;
            // Not copied: the content of all units is most of the file.
            let content = whole.slice_ref(reader.bytes(length)?);
            Some(Arc::new(Entry { kind, id, name, status, created_at, content }))
        }
    };
    Ok(Unit { path, stats, read_at, entry, errors })
}
