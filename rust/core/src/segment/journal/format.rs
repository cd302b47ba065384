//! The bytes of headers and frames.

use twox_hash::XxHash3_64;

/// The head of a frame whose checksum is right.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub number: u64,
    /// Bytes of the whole frame.
    pub size: u64,
    /// Whether it can be one that this version reads.
    pub is_known: bool,
}

pub(super) const MAGIC: &[u8; 4] = b"N4AJ";
pub(super) const MAJOR: u8 = 1;
pub(super) const MINOR: u8 = 0;
/// Before the description: magic, version, two zeros, id, length of the description.
pub(super) const FIXED: usize = 28;
/// No writer makes a longer description.
pub(super) const LONGEST_ABOUT: usize = 64 * 1024;
pub(super) const FRAME_MAGIC: &[u8; 4] = b"N4AF";
/// Magic, kind, three zeros, sequence number, length, checksum.
pub(super) const HEAD: usize = 32;
pub(super) const CHECKSUM: usize = 8;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Arrays of predictions, as an Arrow IPC stream.
    Arrays = 1,
    /// Prediction rows, as an Arrow IPC stream.
    Rows = 2,
    /// A finished result, as strict JSON.
    Checkpoint = 3,
}

impl Kind {
    pub(super) fn of(byte: u8) -> Option<Self> {
        [Self::Arrays, Self::Rows, Self::Checkpoint].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The checksum of a head, and what the head says, where the checksum is right.
pub(super) fn head_of(head: &[u8], seed: u64) -> Option<(u64, Head)> {
    let word = |start: usize| {
        head[start..start + 8].iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte))
    };
    let (number, length, checksum) = (word(8), word(16), word(24));
    let is_known = head[..4] == FRAME_MAGIC[..] && Kind::of(head[4]).is_some() && length > 0;
    let size = length.saturating_add((HEAD + CHECKSUM) as u64);
    (XxHash3_64::oneshot_with_seed(seed, &head[..24]) == checksum)
        .then_some((checksum, Head { number, size, is_known }))
}
