//! Places in a journal, and where its frames end.

use crate::base::value::Value;

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

/// Frames after the first one that was given up, without a gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins.
    pub offset: u64,
    /// The number of its first frame.
    pub number: u64,
    /// Where it ends.
    pub end: Position,
}

impl Stretch {
    /// Whether a frame that begins at a place is in it.
    pub fn holds(&self, at: Position) -> bool {
        (self.offset..self.end.offset).contains(&at.offset)
            && (self.number..self.end.frames).contains(&at.frames)
    }

    pub(super) fn frames(&self) -> u64 {
        self.end.frames.saturating_sub(self.number)
    }
}
