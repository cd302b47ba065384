//! What a sealed segment says of the journal that it was made from.

use std::path::Path;

use twox_hash::XxHash3_64;

use super::journal::{Cut, Position, Stretch};
use super::live_keys::LiveKeys;
use crate::base::error::{Error, Result, corrupt};
use crate::base::file_names::Name;
use crate::base::value::Value;
use crate::footer::TailReader;
use crate::footer::keys::JOURNAL_KEY;
use crate::fs::platform;

/// What a sealed segment says of the journal that it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Id of the journal.
    pub journal: String,
    /// The end of its valid content, before the first frame that was given up.
    pub position: Position,
    /// The frames beyond that, where a frame was given up.
    pub saved: Vec<Stretch>,
    /// The journal that that one went on from.
    pub predecessor: Option<Cut>,
    /// XXH3 of the list of results that was made of it.
    pub results: u64,
}

impl Sealed {
    /// As footers carry it.
    pub fn to_value(&self) -> Value {
        let checksum = |position: Position| Value::from(format!("{:016x}", position.checksum).as_str());
        let mut entries = vec![
            ("journal".into(), self.journal.as_str().into()),
            ("length".into(), self.position.offset.into()),
            ("frames".into(), self.position.frames.into()),
            ("checksum".into(), checksum(self.position)),
            ("predecessor".into(), self.predecessor.as_ref().map(Cut::to_value).into()),
            ("results".into(), format!("{:016x}", self.results).as_str().into()),
        ];
        if !self.saved.is_empty() {
            let saved = self.saved.iter().map(|stretch| {
                Value::map([
                    ("offset", stretch.offset.into()),
                    ("number", stretch.number.into()),
                    ("length", stretch.end.offset.into()),
                    ("frames", stretch.end.frames.into()),
                    ("checksum", checksum(stretch.end)),
                ])
            });
            entries.push(("saved".into(), saved.collect()));
        }
        Value::Map(entries)
    }

    pub(crate) fn from_value(json: &serde_json::Value) -> Option<Self> {
        let saved = match json.get("saved") {
            None => Vec::new(),
            Some(saved) => saved.as_array()?.iter().map(stretch_of).collect::<Option<_>>()?,
        };
        Some(Self {
            journal: json.get("journal")?.as_str()?.to_owned(),
            position: position_of(json)?,
            saved,
            predecessor: json.get("predecessor").and_then(Cut::from_value),
            results: hash_of(json, "results")?,
        })
    }

    /// What is said of a writer in whose place another one came: further than any journal of its own goes.
    pub fn superseded() -> Self {
        Self {
            journal: "0".repeat(32),
            position: Position { offset: 0, frames: u64::MAX, checksum: 0 },
            saved: Vec::new(),
            predecessor: None,
            results: XxHash3_64::oneshot(b""),
        }
    }

    /// Whether this is said of a writer in whose place another one came.
    pub fn is_superseded(&self) -> bool {
        self.position.frames == u64::MAX
    }

    /// Whether its list of results is that of nothing.
    pub fn has_no_results(&self) -> bool {
        self.results == XxHash3_64::oneshot(b"")
    }
}

fn hash_of(json: &serde_json::Value, key: &str) -> Option<u64> {
    u64::from_str_radix(json.get(key)?.as_str()?, 16).ok()
}

fn position_of(json: &serde_json::Value) -> Option<Position> {
    Some(Position {
        offset: json.get("length")?.as_u64()?,
        frames: json.get("frames")?.as_u64()?,
        checksum: hash_of(json, "checksum")?,
    })
}

fn stretch_of(json: &serde_json::Value) -> Option<Stretch> {
    let number = |key: &str| json.get(key)?.as_u64();
    Some(Stretch { offset: number("offset")?, number: number("number")?, end: position_of(json)? })
}

/// One of the keys by which a file says which rows are live; `None` where there is no such file or no such key.
pub(super) fn live_key(
    path: &Path,
    pick: impl for<'a> Fn(LiveKeys<'a>) -> Option<&'a str>,
) -> Result<Option<String>> {
    let file = match platform::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, error)),
    };
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file).map_err(|error| error.at(path))?;
    let footer = tail.footer().map_err(|error| error.at(path))?;
    let keys = LiveKeys::of(&footer, Name::of_path(path).as_ref()).map_err(|error| error.at(path))?;
    Ok(pick(keys).map(str::to_owned))
}

/// Which journal a segment was sealed from; `None` where there is no segment or it does not say.
pub fn sealed_of(path: &Path) -> Result<Option<Sealed>> {
    let Some(text) = live_key(path, |keys| keys.journal)? else { return Ok(None) };
    let damaged = || corrupt(format!("its footer key {JOURNAL_KEY} is damaged")).at(path);
    sealed_from(&text).map(Some).ok_or_else(damaged)
}

/// What the value of [`JOURNAL_KEY`] says; `None` where it is damaged.
pub(crate) fn sealed_from(text: &str) -> Option<Sealed> {
    Sealed::from_value(&serde_json::from_str(text).ok()?)
}
