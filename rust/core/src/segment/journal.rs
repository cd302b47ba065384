//! Journals: what one writer acknowledges, in frames that prove themselves.
//!
//! A file begins with a header that names its writer and carries a random id. Frames follow, each with
//! a checksum of its head and one of its payload, both seeded with that id: a frame of another file,
//! a stale block or a flipped bit is found out, and costs that frame alone. Nobody but its writer appends to a
//! journal.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use twox_hash::XxHash3_64;

use self::frames::Step;
use crate::base::clock;
use crate::base::content::{hex, random_hex};
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::file_names::Name;
use crate::base::value::Value;
use crate::fs::forks::OwnFile;
use crate::fs::lock::{self, Holder};
use crate::fs::platform;

mod frames;

pub use self::frames::{Coverage, Frames, Lost, Reading, Stretch};

const MAGIC: &[u8; 4] = b"N4AJ";
const MAJOR: u8 = 1;
const MINOR: u8 = 0;
/// Before the description: magic, version, two zeros, id, length of the description.
const FIXED: usize = 28;
/// Nobody writes a longer description.
const LONGEST_ABOUT: usize = 64 * 1024;
const FRAME_MAGIC: &[u8; 4] = b"N4AF";
/// Magic, kind, three zeros, sequence number, length, checksum.
const HEAD: usize = 32;
const CHECKSUM: usize = 8;
/// A journal is created and then locked; nobody else may lock it for longer.
const LOCKING: Duration = Duration::from_secs(5);

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
    fn of(byte: u8) -> Option<Self> {
        [Self::Arrays, Self::Rows, Self::Checkpoint].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A place between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Frames before it.
    pub frames: u64,
    /// The checksum of the payload before it.
    pub checksum: u64,
}

/// How the frames end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the file, or where a successor of the journal says that they end.
    Clean,
    /// In a frame whose end is missing: it was never acknowledged.
    Torn,
    /// In bytes that are no frame, and why; nothing after them proves itself.
    Bad {
        /// Where they begin.
        offset: u64,
        /// What is wrong.
        message: String,
        /// Whether the bad frame reaches just to the end of the file.
        is_last: bool,
    },
}

/// Where a journal that could not be continued ends for its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Id of the journal that failed.
    pub journal: String,
    /// Its bytes that were acknowledged.
    pub length: u64,
}

impl Cut {
    /// As footers and headers carry it.
    pub fn to_value(&self) -> Value {
        Value::map([("journal", self.journal.as_str().into()), ("length", self.length.into())])
    }

    /// What [`Cut::to_value`] made.
    pub fn from_value(value: &serde_json::Value) -> Option<Self> {
        Some(Self {
            journal: value.get("journal")?.as_str()?.to_owned(),
            length: value.get("length")?.as_u64()?,
        })
    }
}

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
    fn encode_checked(&self) -> Result<Vec<u8>> {
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
    fn read(file: &File) -> Result<(Self, u64)> {
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
            return Err(Error::new(ErrorKind::Schema, message));
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
    fn seed(&self) -> u64 {
        let id = u128::from_str_radix(&self.journal, 16).unwrap_or_default();
        (id >> 64) as u64 ^ id as u64
    }
}

/// A journal that is being read, whoever writes it.
pub struct Journal {
    /// Its path.
    pub path: PathBuf,
    /// What its header says.
    pub header: Header,
    /// The open file.
    pub file: File,
    begin: u64,
    /// Bytes that count: those of the file, or those that a successor says were acknowledged.
    limit: u64,
    /// What a successor says, where there is one.
    cut: Option<u64>,
}

impl Journal {
    /// Opens a journal and reads its header, and that of its successor where there is one.
    pub fn open(path: &Path) -> Result<Self> {
        // For writing: on a network drive nobody can lock a file that is only read.
        let opened = platform::open_for_writing(path, false).or_else(|_| platform::open(path));
        let file = opened.map_err(|error| Error::io(path, error))?;
        let (header, begin) = Header::read(&file).map_err(|error| error.at(path))?;
        let size = file.metadata().map_err(|error| Error::io(path, error))?.len();
        let cut = successor_cut(path)?.filter(|cut| cut.journal == header.journal);
        let cut = cut.map(|cut| cut.length);
        let limit = cut.map_or(size, |cut| cut.min(size));
        Ok(Self { path: path.to_path_buf(), header, file, begin, limit, cut })
    }

    /// The place before the first frame.
    pub fn begin(&self) -> Position {
        Position { offset: self.begin, ..Position::default() }
    }

    /// Reads no frame beyond this place.
    pub fn end_at(&mut self, position: Position) {
        self.limit = self.limit.min(position.offset);
    }

    /// Bytes that may hold frames.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether its writer says that it ends before this place.
    pub fn is_cut_before(&self, position: Position) -> bool {
        self.cut.is_some_and(|cut| cut < position.offset)
    }

    fn frame(&self, at: Position, payload: &mut Vec<u8>) -> Result<Step> {
        let seed = self.header.seed();
        let left = self.limit.saturating_sub(at.offset);
        if left == 0 {
            return Ok(Step::End(End::Clean));
        }
        let mut head = [0; HEAD];
        let wanted = HEAD.min(left as usize);
        if self.fill(&mut head[..wanted], at.offset)? < HEAD {
            return Ok(Step::End(End::Torn));
        }
        if head.iter().all(|&byte| byte == 0) && self.is_zero_from(at.offset)? {
            // After a power failure the file may be as long as it was to become, and empty there.
            return Ok(Step::End(End::Torn));
        }
        let Some((checksum, about)) = head_of(&head, seed) else {
            return Ok(Step::Bad("the head of a frame is damaged", left == HEAD as u64, None));
        };
        let Some(kind) = Kind::of(head[4]).filter(|_| about.is_known) else {
            return Ok(Step::Bad("a frame of an unknown kind", false, Some(about)));
        };
        if about.number != at.frames {
            let is_early = about.number > at.frames;
            let message = if is_early { "frames are missing" } else { "a frame out of its order" };
            return Ok(Step::Bad(message, false, Some(about)));
        }
        let size = about.size;
        if size > left {
            return Ok(Step::End(End::Torn));
        }
        payload.resize(size as usize - HEAD, 0);
        if self.fill(payload, at.offset + HEAD as u64)? < payload.len() {
            return Ok(Step::End(End::Torn));
        }
        let (content, stored) = payload.split_at(size as usize - HEAD - CHECKSUM);
        let sum = XxHash3_64::oneshot_with_seed(seed ^ checksum, content);
        if sum.to_le_bytes() != *stored {
            return Ok(Step::Bad("a frame is damaged", size == left, Some(about)));
        }
        Ok(Step::Frame(kind, Position { offset: at.offset + size, frames: at.frames + 1, checksum: sum }))
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        platform::read_at(&self.file, buffer, offset).map_err(|error| Error::io(&self.path, error))
    }

    fn is_zero_from(&self, mut offset: u64) -> Result<bool> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = self.fill(&mut buffer, offset)?;
            if count == 0 {
                return Ok(true);
            }
            if buffer[..count].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            offset += count as u64;
        }
    }
}

/// The checksum of a head, and what the head says, where the checksum is right.
fn head_of(head: &[u8], seed: u64) -> Option<(u64, frames::Head)> {
    let word = |start: usize| {
        head[start..start + 8].iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte))
    };
    let (number, length, checksum) = (word(8), word(16), word(24));
    let is_known = head[..4] == FRAME_MAGIC[..] && Kind::of(head[4]).is_some() && length > 0;
    let size = length.saturating_add((HEAD + CHECKSUM) as u64);
    (XxHash3_64::oneshot_with_seed(seed, &head[..24]) == checksum)
        .then_some((checksum, frames::Head { number, size, is_known }))
}

/// Where the successor of a journal says that it ends; the successor may be sealed by now.
fn successor_cut(path: &Path) -> Result<Option<Cut>> {
    let Some(next) = Name::of_path(path).map(|name| name.successor()) else { return Ok(None) };
    let folder = path.parent().unwrap_or(Path::new(""));
    let journal = folder.join(next.journal());
    match platform::open(&journal) {
        Ok(file) => match Header::read(&file) {
            Ok((header, _)) => Ok(header.predecessor),
            // It was being made when its writer died, or nothing in it can be read: this journal still
            // counts.
            Err(error) if matches!(error.kind, ErrorKind::Truncated | ErrorKind::Corrupt) => Ok(None),
            Err(error) => Err(error.at(&journal)),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            match super::segments::sealed_of(&folder.join(next.sealed())) {
                Err(error) if error.kind == ErrorKind::Io => Err(error),
                sealed => Ok(sealed.ok().flatten().and_then(|sealed| sealed.predecessor)),
            }
        }
        Err(error) => Err(Error::io(&journal, error)),
    }
}

/// A journal that this process writes, locked until it is dropped.
pub struct Appender {
    /// Its path.
    pub path: PathBuf,
    /// What its header says.
    pub header: Header,
    /// The open file.
    pub file: OwnFile,
    /// The end of what was appended successfully.
    pub position: Position,
}

impl Appender {
    /// Makes a journal that nobody has made, locked, with its header written but not yet durable.
    pub fn create(path: &Path, header: Header) -> Result<Self> {
        let fail = |error| Error::io(path, error);
        let bytes = header.encode_checked()?;
        let create = || OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = OwnFile::open(create).map_err(fail)?;
        let made = (|| {
            if !lock::lock_file(&file, path, LOCKING)? {
                return Err(Error::new(ErrorKind::Conflict, "was taken by another process").at(path));
            }
            platform::write_at(&file, &bytes, 0).map_err(fail)?;
            Ok(Position { offset: bytes.len() as u64, ..Position::default() })
        })();
        match made {
            Ok(position) => Ok(Self { path: path.to_path_buf(), header, file, position }),
            Err(error) => {
                // Nothing in it was acknowledged.
                let _ = std::fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Appends frames as one write; after an error the file is not to be appended to again.
    ///
    /// They are durable only after a sync of the file.
    pub fn append(&mut self, frames: &[(Kind, Vec<u8>)]) -> Result<Position> {
        let seed = self.header.seed();
        let mut position = self.position;
        let mut bytes =
            Vec::with_capacity(frames.iter().map(|(_, payload)| payload.len() + HEAD + CHECKSUM).sum());
        for (kind, payload) in frames {
            let start = bytes.len();
            bytes.extend_from_slice(FRAME_MAGIC);
            bytes.extend_from_slice(&[*kind as u8, 0, 0, 0]);
            bytes.extend_from_slice(&position.frames.to_le_bytes());
            bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            let checksum = XxHash3_64::oneshot_with_seed(seed, &bytes[start..]);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            bytes.extend_from_slice(payload);
            position.checksum = XxHash3_64::oneshot_with_seed(seed ^ checksum, payload);
            bytes.extend_from_slice(&position.checksum.to_le_bytes());
            position.frames += 1;
        }
        platform::write_at(&self.file, &bytes, self.position.offset)
            .map_err(|error| Error::io(&self.path, error))?;
        position.offset += bytes.len() as u64;
        Ok(position)
    }

    /// Fails with [`ErrorKind::Conflict`] where this writer was declared dead: its path names another
    /// file or none, or a fence stands beside it.
    pub fn check_alive(&self) -> Result<()> {
        let reason = if fence_path(&self.path).exists() {
            "this writer was declared dead and its journal recovered"
        } else if !platform::is_same_file(&self.file, &self.path) {
            "the journal of this writer was moved or removed"
        } else {
            return Ok(());
        };
        let message = format!("{reason}; what was acknowledged is kept, start a new writer for the rest");
        Err(Error::new(ErrorKind::Conflict, message).at(&self.path))
    }

    /// Forgets what was written beyond the last acknowledged frame, as far as that still works.
    pub fn cut_back(&self) {
        let _ = self.file.set_len(self.position.offset);
    }
}

/// What declares the writer of a journal dead.
pub fn fence_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".fence");
    PathBuf::from(name)
}

/// What a damaged journal is called that is kept after all that can be read of it was sealed.
pub fn corrupt_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".corrupt");
    PathBuf::from(name)
}

/// Declares the writer of a journal dead, durably: its next flush raises.
pub fn fence(journal: &Path) -> Result<()> {
    let path = fence_path(journal);
    let about = Value::map([
        ("declared_at", clock::now().as_str().into()),
        ("by", Holder::this_process().to_value()),
    ]);
    match crate::fs::atomic::create(&path, about.to_json().as_bytes()) {
        Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
        result => result,
    }
}
