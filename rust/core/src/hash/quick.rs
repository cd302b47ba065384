//! Quick hashes: the ends of a file. They narrow a search and prove nothing.

use std::path::Path;

use super::stream::{Read, pieces, read_unchanged};
use crate::base::content::hex;
use crate::base::error::Result;
use crate::base::progress::Progress;

/// What is read at each end; a file up to twice as long is read whole.
pub const END: u64 = 64 << 10;

/// What a quick hash is shown as: `quick1:<16 hex>`.
pub fn show(quick: [u8; 8]) -> String {
    format!("quick1:{}", hex(&quick))
}

/// The bytes of a quick hash that this version computes; nothing where it is another's.
pub fn parse(text: &str) -> Option<[u8; 8]> {
    let digits = text.strip_prefix("quick1:").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().map(u64::to_be_bytes)
}

/// How many bytes a quick hash of so large a file reads.
pub fn cost(size: u64) -> u64 {
    size.min(2 * END)
}

/// The first 8 bytes of the BLAKE3 of size, first and last 64 KiB.
pub fn hash(path: &Path, progress: &Progress) -> Result<Read<[u8; 8]>> {
    read_unchanged(path, |file, size| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&size.to_le_bytes());
        let mut add = |piece: &[u8]| {
            hasher.update(piece);
        };
        let first = size.min(END);
        pieces(file, 0, first, progress, &mut add)?;
        pieces(file, first.max(size.saturating_sub(END)), size, progress, &mut add)?;
        let mut quick = [0; 8];
        quick.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Ok(quick)
    })
}
