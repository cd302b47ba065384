//! Replacing keys in the footer of a file whose pages are copied byte for byte.

use std::io::{Read, Seek, Write};
use std::path::Path;

use super::digest::fill;
use super::parse::{FIELD_KEY_VALUES, Footer};
use super::tail::{MAGIC, Tail};
use super::thrift::{BINARY, LIST, STRUCT, write_binary, write_field, write_list};
use crate::base::error::{Error, ErrorKind, Result};
use crate::fs::atomic::Draft;
use crate::fs::{File, stat};

/// What a splice wrote.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Bytes before the footer, equal in the old and the new file.
    pub copied: u64,
    /// Bytes of the new footer.
    pub footer: u64,
}

/// Publishes `path` anew with `keys` in its footer, atomically and durably.
///
/// `tail` is the footer that was read from `source`. Just before the rename, `path` must still name the
/// file that `tail` was read from; else nothing is changed and the error is
/// [`ErrorKind::Conflict`].
pub fn splice(
    path: &Path,
    source: &mut File,
    tail: &Tail<'_>,
    footer: &Footer<'_>,
    keys: &[(&str, String)],
) -> Result<Published> {
    let io_error = |error| Error::io(path, error);
    let encoded = encode(footer, keys);
    let length = u32::try_from(encoded.len())
        .map_err(|_| Error::new(ErrorKind::Argument, "the new footer would be larger than 4 GiB").at(path))?;
    let copied = tail.identity.size - tail.bytes().len() as u64 - 8;
    let metadata = source.metadata().map_err(io_error)?;

    let mut draft = Draft::begin(path)?;
    source.rewind().map_err(io_error)?;
    let written = std::io::copy(&mut Read::by_ref(source).take(copied), draft.file()).map_err(io_error)?;
    let mut end = encoded;
    end.extend_from_slice(&length.to_le_bytes());
    end.extend_from_slice(MAGIC);
    draft.file().write_all(&end).map_err(io_error)?;
    draft.belong_like(&metadata)?;
    draft.sync()?;
    let now = stat::identity_of(path).map_err(io_error)?;
    if written != copied || now != tail.identity {
        return Err(Error::new(
            ErrorKind::Conflict,
            "the file was changed by somebody else meanwhile; nothing was written, run again",
        )
        .at(path));
    }
    draft.replace()?;
    Ok(Published { copied, footer: u64::from(length) })
}

/// The footer's bytes with `keys` replaced or appended, and sealed where one of them can be; all else is
/// copied.
pub fn encode(footer: &Footer<'_>, keys: &[(&str, String)]) -> Vec<u8> {
    let kept: Vec<_> = footer
        .key_values
        .iter()
        .filter(|pair| !keys.iter().any(|(key, _)| key.as_bytes() == pair.key))
        .collect();
    let mut list = Vec::new();
    write_list(&mut list, kept.len() + keys.len(), STRUCT);
    for pair in kept {
        list.extend_from_slice(pair.bytes);
    }
    for (key, value) in keys {
        write_field(&mut list, 0, 1, BINARY);
        write_binary(&mut list, key.as_bytes());
        write_field(&mut list, 1, 2, BINARY);
        write_binary(&mut list, value.as_bytes());
        list.push(0);
    }

    let mut fields: Vec<(i16, u8, &[u8])> = footer
        .fields
        .iter()
        .filter(|field| field.id != FIELD_KEY_VALUES)
        .map(|field| (field.id, field.kind, field.bytes))
        .collect();
    fields.push((FIELD_KEY_VALUES, LIST, &list));
    fields.sort_by_key(|field| field.0);
    let mut out = Vec::new();
    let mut previous = 0;
    for (id, kind, bytes) in fields {
        write_field(&mut out, previous, id, kind);
        out.extend_from_slice(bytes);
        previous = id;
    }
    out.push(0);
    fill(&mut out);
    out
}
