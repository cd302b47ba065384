//! The frames of a journal one after the other, those after a damaged one too.
//!
//! A frame that does not prove itself, read twice, is given up. What comes after it is believed where head,
//! payload and a number that was not there before prove it: at the announced length where the head of the bad
//! frame is right, else at the next head that is.

use super::format::{CHECKSUM, FRAME_MAGIC, HEAD, Head, Kind, head_of};
use super::position::{End, Position, Stretch};
use super::read::{Journal, Step};
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::segment::sealed::Sealed;

/// Bytes that are searched at a time for the next frame.
const SEARCHED: usize = 256 * 1024;
/// So many damaged places a message names.
const NAMED: usize = 4;

/// A place where bytes were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Where they begin.
    pub offset: u64,
    /// What is wrong there.
    pub message: String,
}

/// What a reading of frames found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The end of what lies before the first frame that was given up.
    pub position: Position,
    /// How the frames end.
    pub end: End,
    /// What was given up, with frames or the end of the file after it.
    pub lost: Vec<Lost>,
    /// The frames beyond the first of these places.
    pub saved: Vec<Stretch>,
}

impl Reading {
    /// Whether a frame was given up, the last one among them.
    pub fn is_damaged(&self) -> bool {
        !self.lost.is_empty() || matches!(self.end, End::Bad { .. })
    }

    /// The end of the last live frame.
    pub fn reach(&self) -> Position {
        self.saved.last().map_or(self.position, |stretch| stretch.end)
    }

    /// Whether there is no frame at all.
    pub fn is_empty(&self) -> bool {
        self.position.frames == 0 && self.saved.is_empty()
    }

    /// What is wrong, and where, where anything was given up.
    pub fn describe(&self) -> Option<String> {
        match &self.end {
            End::Bad { offset, message, .. } => self.describe_with(Some((*offset, message))),
            End::Clean | End::Torn => self.describe_with(None),
        }
    }

    fn describe_with(&self, last: Option<(u64, &String)>) -> Option<String> {
        let places: Vec<_> = self.lost.iter().map(|lost| (lost.offset, &lost.message)).chain(last).collect();
        if places.is_empty() {
            return None;
        }
        let named = places.iter().take(NAMED).map(|(offset, message)| format!("{message}, at byte {offset}"));
        let mut text = named.collect::<Vec<_>>().join("; ");
        if places.len() > NAMED {
            text = format!("{text}; and {} more such places", places.len() - NAMED);
        }
        let saved: u64 = self.saved.iter().map(Stretch::frames).sum();
        Some(match saved {
            0 => format!("{text}; what is before it counts"),
            saved => format!("{text}; what is before it and {saved} frames after it count"),
        })
    }
}

/// How a journal compares to what was sealed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All its frames are sealed.
    Whole,
    /// It has all frames that are sealed, and more.
    Outgrown,
    /// It has frames that are not sealed, and lacks some that are.
    Apart,
}

/// Reads frame by frame.
pub struct Frames<'a> {
    journal: &'a Journal,
    /// The place of the next frame, and its number.
    at: Position,
    payload: Vec<u8>,
    position: Position,
    end: Option<End>,
    lost: Vec<Lost>,
    saved: Vec<Stretch>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(journal: &'a Journal, from: Position) -> Self {
        Self {
            journal,
            at: from,
            payload: Vec::new(),
            position: from,
            end: None,
            lost: Vec::new(),
            saved: Vec::new(),
        }
    }

    /// Goes to the next frame and says what it is and where it begins; `None` at the end.
    pub fn advance(&mut self) -> Result<Option<(Kind, Position)>> {
        while self.end.is_none() {
            let read = |payload: &mut Vec<u8>| {
                self.journal.frame(self.at, payload).map_err(|error| error.at(&self.journal.path))
            };
            let mut step = read(&mut self.payload)?;
            if matches!(step, Step::Bad(..)) {
                // On some drives what another host wrote a moment ago is not there at once.
                step = read(&mut self.payload)?;
            }
            match step {
                Step::Frame(kind, next) => {
                    let at = std::mem::replace(&mut self.at, next);
                    self.keep(at, next);
                    return Ok(Some((kind, at)));
                }
                Step::End(end) => self.end = Some(end),
                Step::Bad(message, is_last, head) => match self.after(head)? {
                    None => {
                        let (offset, message) = (self.at.offset, message.to_owned());
                        self.end = Some(End::Bad { offset, message, is_last });
                    }
                    Some(next) => {
                        if self.lost.last().is_none_or(|lost| lost.offset < self.at.offset) {
                            let message = message.to_owned();
                            self.lost.push(Lost { offset: self.at.offset, message });
                        }
                        self.at = next;
                    }
                },
            }
        }
        Ok(None)
    }

    /// The payload of the frame that was read last.
    pub fn payload(&self) -> &[u8] {
        &self.payload[..self.payload.len().saturating_sub(CHECKSUM)]
    }

    /// The place that reading goes on at.
    pub fn at(&self) -> Position {
        self.at
    }

    /// The end of what lies before the first frame that was given up, so far.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether a frame was given up before this one.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// What was found, which is all where the end was reached.
    pub fn finish(self) -> Reading {
        let Self { position, end, lost, saved, .. } = self;
        Reading { position, end: end.unwrap_or(End::Clean), lost, saved }
    }

    fn keep(&mut self, at: Position, end: Position) {
        if self.lost.is_empty() {
            self.position = end;
            return;
        }
        match self.saved.last_mut() {
            Some(last) if (last.end.offset, last.end.frames) == (at.offset, at.frames) => last.end = end,
            _ => self.saved.push(Stretch { offset: at.offset, number: at.frames, end }),
        }
    }

    /// Where to go on after the bytes here, which are no frame.
    fn after(&self, head: Option<Head>) -> Result<Option<Position>> {
        let Position { offset, frames, .. } = self.at;
        let Some(head) = head else { return self.search(offset + 1, frames) };
        if head.is_known && head.number > frames {
            // Frames before it are missing, and it proves itself.
            return Ok(Some(Position { offset, frames: head.number, checksum: 0 }));
        }
        let offset = offset.saturating_add(head.size);
        let frames = frames.max(head.number.saturating_add(1));
        Ok((offset < self.journal.limit).then_some(Position { offset, frames, checksum: 0 }))
    }

    /// The next head that is right, of a frame with at least this number.
    fn search(&self, mut from: u64, least: u64) -> Result<Option<Position>> {
        let journal = self.journal;
        let mut bytes = vec![0; SEARCHED];
        loop {
            let wanted = SEARCHED.min(journal.limit.saturating_sub(from) as usize);
            let count = journal.fill(&mut bytes[..wanted], from)?;
            if count < HEAD {
                return Ok(None);
            }
            let starts = count - HEAD + 1;
            for start in 0..starts {
                let head = &bytes[start..start + HEAD];
                if head[..4] == FRAME_MAGIC[..]
                    && let Some((_, head)) = head_of(head, journal.header.seed())
                    && head.is_known
                    && head.number >= least
                {
                    let offset = from + start as u64;
                    return Ok(Some(Position { offset, frames: head.number, checksum: 0 }));
                }
            }
            from += starts as u64;
        }
    }
}

impl Journal {
    /// The frames from a place on.
    pub fn frames(&self, from: Position) -> Frames<'_> {
        Frames::new(self, from)
    }

    /// Hands out the frames from a place on, and says where and how they end.
    pub fn read(&self, from: Position, take: &mut dyn FnMut(Kind, &[u8]) -> Result<()>) -> Result<Reading> {
        let mut frames = self.frames(from);
        while let Some((kind, _)) = frames.advance()? {
            take(kind, frames.payload()).map_err(|error| error.at(&self.path))?;
        }
        Ok(frames.finish())
    }

    /// How it compares to a sealed segment that has its frames up to a place, and some beyond.
    pub fn compare(&self, sealed: Position, saved: &[Stretch]) -> Result<Coverage> {
        let (mut more, mut found) = (false, 0);
        let mut frames = self.frames(sealed);
        while let Some((_, at)) = frames.advance()? {
            if saved.iter().any(|stretch| stretch.holds(at)) {
                found += 1;
            } else {
                more = true;
                if saved.is_empty() {
                    break;
                }
            }
        }
        let all: u64 = saved.iter().map(Stretch::frames).sum();
        Ok(match (more, found == all) {
            (false, _) => Coverage::Whole,
            (true, true) if self.is_intact_until(sealed)? => Coverage::Outgrown,
            (true, _) => Coverage::Apart,
        })
    }

    /// Whether all frames before a place are there, the last of them the one that ended there.
    pub fn is_intact_until(&self, place: Position) -> Result<bool> {
        let mut frames = self.frames(self.begin());
        while frames.at().offset < place.offset && !frames.has_lost() && frames.advance()?.is_some() {}
        Ok(!frames.has_lost() && frames.at() == place)
    }

    /// What is wrong in it, if its writer cannot be about to mend it.
    ///
    /// An incomplete last frame is the end of the data, unless a successor says that it was acknowledged.
    pub fn damage(&self, reading: &Reading) -> Option<Error> {
        let is_unfinished = matches!(reading.end, End::Bad { is_last: true, .. }) && self.cut.is_none();
        let message = if is_unfinished { reading.describe_with(None) } else { reading.describe() };
        message.map(|message| corrupt(message).at(&self.path))
    }

    /// Whether a sealed segment has all frames of this journal.
    pub fn is_covered_by(&self, sealed: &Sealed) -> Result<bool> {
        if sealed.journal != self.header.journal {
            let message = "the segment was sealed from another journal of this name; move one of them away";
            return Err(corrupt(message).at(&self.path));
        }
        // It may have been sealed before its writer went on elsewhere and took back its last frames.
        let reach = sealed.saved.last().map_or(sealed.position, |stretch| stretch.end);
        if self.is_cut_before(reach) {
            return Ok(false);
        }
        if self.limit() <= sealed.position.offset {
            return Ok(true);
        }
        match self.compare(sealed.position, &sealed.saved)? {
            Coverage::Whole => Ok(true),
            Coverage::Outgrown => Ok(false),
            Coverage::Apart => {
                let message = "is damaged elsewhere than the journal that its segment was sealed from: each has rows that \
                               the other lacks; the segment counts, copy an intact journal here or move this one away";
                Err(Error::new(ErrorKind::Conflict, message).at(&self.path))
            }
        }
    }
}
