//! A journal that is read, whichever process writes it.

use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::format::{CHECKSUM, HEAD, Head, Kind, head_of};
use super::header::Header;
use super::position::{Cut, End, Position};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::file_names::Name;
use crate::fs::{File, platform};

/// A journal that is being read, whichever process writes it.
pub struct Journal {
    /// Its path.
    pub path: PathBuf,
    /// What its header says.
    pub header: Header,
    /// The open file.
    pub file: File,
    begin: u64,
    /// Bytes that are live: those of the file, or those that a successor says were acknowledged.
    pub(crate) limit: u64,
    /// What a successor says, where there is one.
    pub(super) cut: Option<u64>,
}

impl Journal {
    /// Opens a journal and reads its header, and that of its successor where there is one.
    pub fn open(path: &Path) -> Result<Self> {
        // For writing: on a network drive no process can lock a file that is only read.
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

    pub(super) fn frame(&self, at: Position, payload: &mut Vec<u8>) -> Result<Step> {
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

    pub(super) fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
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
            match crate::segment::sealed::sealed_of(&folder.join(next.sealed())) {
                Err(error) if error.kind == ErrorKind::Io => Err(error),
                sealed => Ok(sealed.ok().flatten().and_then(|sealed| sealed.predecessor)),
            }
        }
        Err(error) => Err(Error::io(&journal, error)),
    }
}

/// What is read at one place.
pub(super) enum Step {
    /// A frame, and the place after it.
    Frame(Kind, Position),
    /// Nothing more.
    End(End),
    /// Bytes that are no frame; whether they reach just to the end, and their head where that is right.
    Bad(&'static str, bool, Option<Head>),
}
