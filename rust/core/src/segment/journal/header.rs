//! The header of a journal: who writes it, and the id that its frames are sealed with.

use twox_hash::XxHash3_64;

use super::format::{CHECKSUM, FIXED, FRAME_MAGIC, LONGEST_ABOUT, MAGIC, MAJOR, MINOR};
use super::position::Cut;
use crate::base::content::{hex, random_hex};
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::value::Value;
use crate::fs::lock::Holder;
use crate::fs::{File, platform};

/// What the header of a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random; 32 hex digits.
    pub journal: String,
    /// Name of the dataset of its rows.
    pub dataset_name: String,
    /// The process that writes it.
    pub owner: Holder,
    /// The journal that it goes on from, where that one failed.
    pub predecessor: Option<Cut>,
}

impl Header {
    /// A journal of this process with a new id.
    pub fn new(dataset_name: &str, predecessor: Option<Cut>) -> Result<Self> {
        Self::with_id(random_hex(32)?, dataset_name, predecessor)
    }

    /// A journal of this process with an id of 32 hexadecimal digits.
    pub fn with_id(journal: String, dataset_name: &str, predecessor: Option<Cut>) -> Result<Self> {
        if journal.len() != 32 || !journal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("the id of a journal has 32 hexadecimal digits, unlike {journal:?}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(Self {
            journal,
            dataset_name: dataset_name.to_owned(),
            owner: Holder::this_process(),
            predecessor,
        })
    }

    /// As a file begins; fails where that is more than a reader would believe.
    pub(super) fn encode_checked(&self) -> Result<Vec<u8>> {
        let bytes = self.encode();
        if bytes.len() > FIXED + LONGEST_ABOUT + CHECKSUM {
            let message = "the name of the dataset is too long for the header of a journal";
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let about = Value::map([
            ("dataset_name", self.dataset_name.as_str().into()),
            ("owner", self.owner.to_value()),
            ("predecessor", self.predecessor.as_ref().map(Cut::to_value).into()),
        ])
        .to_json();
        let mut out = Vec::with_capacity(FIXED + about.len() + CHECKSUM);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[MAJOR, MINOR, 0, 0]);
        out.extend_from_slice(&u128::from_str_radix(&self.journal, 16).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(&(about.len() as u32).to_le_bytes());
        out.extend_from_slice(about.as_bytes());
        out.extend_from_slice(&XxHash3_64::oneshot(&out).to_le_bytes());
        out
    }

    /// The header and its length in the file.
    pub(super) fn read(file: &File) -> Result<(Self, u64)> {
        let mut bytes = vec![0; FIXED];
        let read = |buffer: &mut [u8], offset| {
            let count = platform::read_at(file, buffer, offset).map_err(Error::pathless)?;
            if count == buffer.len() {
                Ok(())
            } else {
                Err(Error::new(ErrorKind::Truncated, "the journal's header ends too early"))
            }
        };
        read(&mut bytes, 0)?;
        if bytes[..4] != MAGIC[..] {
            return Err(corrupt("is no journal: it does not begin with N4AJ"));
        }
        let length = bytes[24..28].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        if length > LONGEST_ABOUT {
            return Err(corrupt("the journal's header is damaged: its length is impossible"));
        }
        bytes.resize(FIXED + length + CHECKSUM, 0);
        if let Err(error) = read(&mut bytes[FIXED..], FIXED as u64) {
            // A header that was being made when its writer died has no frames after it.
            let has_frames = bytes.windows(FRAME_MAGIC.len()).any(|word| word == FRAME_MAGIC);
            return Err(if has_frames {
                corrupt("the journal's header is damaged: its length is wrong")
            } else {
                error
            });
        }
        let (content, checksum) = bytes.split_at(FIXED + length);
        if XxHash3_64::oneshot(content).to_le_bytes() != *checksum {
            return Err(corrupt("the journal's header is damaged: its checksum is wrong"));
        }
        if content[4] > MAJOR {
            let message =
                format!("the journal has version {}.{}, newer than {MAJOR}.{MINOR}", content[4], content[5]);
            return Err(Error::new(ErrorKind::Version, message));
        }
        let journal = hex(&content[8..24]);
        let header = Self::decode(journal, &content[FIXED..]);
        let header =
            header.ok_or_else(|| corrupt("the journal's header lacks a key or has one of a wrong type"))?;
        Ok((header, bytes.len() as u64))
    }

    fn decode(journal: String, about: &[u8]) -> Option<Self> {
        let about: serde_json::Value = serde_json::from_slice(about).ok()?;
        Some(Self {
            journal,
            dataset_name: about.get("dataset_name")?.as_str()?.to_owned(),
            owner: Holder::from_value(about.get("owner")?)?,
            predecessor: about.get("predecessor").and_then(Cut::from_value),
        })
    }

    /// What the checksums of frames are seeded with.
    pub(super) fn seed(&self) -> u64 {
        let id = u128::from_str_radix(&self.journal, 16).unwrap_or_default();
        (id >> 64) as u64 ^ id as u64
    }
}
