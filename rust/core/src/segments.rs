//! What lies in a folder of `predictions`: which files belong together, and which of them count.
//!
//! A writer's journal counts until a sealed segment covers it; what a compaction replaced does not
//! count beside it; what belongs to a run in the trash does not count at all.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result, corrupt};
use crate::files::FileError;
use crate::footer::TailReader;
use crate::journal::{Coverage, Cut, Journal, Position, Stretch};
use crate::platform;
use crate::value::Value;

/// The footer key that says which journal a segment was sealed from.
pub const JOURNAL_KEY: &str = "n4a_journal";
/// The footer key that lists what a compaction merged.
pub const REPLACES_KEY: &str = "n4a_replaces";
/// Where rows of results that were never finished lie, apart from those that count.
pub const PARTIAL_FOLDER: &str = "partial";

const JOURNAL: &str = ".journal";
const SEALED: &str = ".meta.parquet";

/// The name that all files of one writer share: `<run_id>.<writer>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The run.
    pub run_id: String,
    /// 12 hexadecimal digits, `-<n>` where a journal failed and was continued; `c` and 12 digits for a
    /// compaction.
    pub writer: String,
}

impl Name {
    /// The name in that of a journal, a segment or their like.
    pub fn of(file: &str) -> Option<Self> {
        let suffixes = [JOURNAL, ".partial.meta.parquet", SEALED, ".arrays.parquet"];
        let stem = suffixes.iter().find_map(|suffix| file.strip_suffix(suffix))?;
        let (run_id, writer) = stem.rsplit_once('.')?;
        let is_hex = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (base, count) = writer.split_once('-').unwrap_or((writer, "1"));
        let is_writer =
            is_hex(base) && count.parse::<u32>().is_ok() || writer.strip_prefix('c').is_some_and(is_hex);
        (is_writer && !run_id.is_empty())
            .then(|| Self { run_id: run_id.to_owned(), writer: writer.to_owned() })
    }

    /// The same of a path.
    pub fn of_path(path: &Path) -> Option<Self> {
        Self::of(path.file_name()?.to_str()?)
    }

    /// The open segment.
    pub fn journal(&self) -> String {
        format!("{self}{JOURNAL}")
    }

    /// The sealed segment.
    pub fn sealed(&self) -> String {
        format!("{self}{SEALED}")
    }

    /// Rows of unfinished results, relative to the folder of the segment.
    pub fn partial(&self) -> String {
        format!("{PARTIAL_FOLDER}/{self}.partial.meta.parquet")
    }

    /// Its arrays.
    pub fn arrays(&self) -> String {
        format!("{self}.arrays.parquet")
    }

    /// The finished results, in the folder of the run.
    pub fn results(&self) -> String {
        format!("results.{}.jsonl", self.writer)
    }

    /// The name under which a writer goes on where its journal failed.
    #[must_use]
    pub fn successor(&self) -> Self {
        let (base, count) = self.writer.split_once('-').unwrap_or((&self.writer, "0"));
        let count = count.parse::<u32>().unwrap_or_default().saturating_add(1);
        Self { run_id: self.run_id.clone(), writer: format!("{base}-{count}") }
    }

    fn is_compaction(&self) -> bool {
        self.writer.starts_with('c') && self.writer.len() == 13
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.run_id, self.writer)
    }
}

/// Whether a file's name is that of a journal.
pub fn is_journal(file: &str) -> bool {
    file.ends_with(JOURNAL) && Name::of_path(Path::new(file)).is_some()
}

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

    fn from_value(json: &serde_json::Value) -> Option<Self> {
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

    /// Whether all that counts in a journal is in the segment.
    pub fn covers(&self, journal: &Journal) -> Result<bool> {
        if self.journal != journal.header.journal {
            let message = "the segment was sealed from another journal of this name; move one of them away";
            return Err(corrupt(message).at(&journal.path));
        }
        // It may have been sealed before its writer went on elsewhere and took back its last frames.
        let reach = self.saved.last().map_or(self.position, |stretch| stretch.end);
        if journal.is_cut_before(reach) {
            return Ok(false);
        }
        if journal.limit() <= self.position.offset {
            return Ok(true);
        }
        match journal.compare(self.position, &self.saved)? {
            Coverage::Whole => Ok(true),
            Coverage::Outgrown => Ok(false),
            Coverage::Apart => {
                let message = "is damaged elsewhere than the journal that its segment was sealed from: each has rows that \
                               the other lacks; the segment counts, copy an intact journal here or move this one away";
                Err(Error::new(ErrorKind::Conflict, message).at(&journal.path))
            }
        }
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

/// A key of a file's footer; `None` where there is no such file or no such key.
fn footer_value(path: &Path, key: &str) -> Result<Option<String>> {
    let file = match platform::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, error)),
    };
    let mut tails = TailReader::default();
    let tail = tails.read_file(&file).map_err(|error| error.at(path))?;
    let footer = tail.footer().map_err(|error| error.at(path))?;
    Ok(footer.get(key).map(str::to_owned))
}

/// Which journal a segment was sealed from; `None` where there is no segment or it does not say.
pub fn sealed_of(path: &Path) -> Result<Option<Sealed>> {
    let Some(text) = footer_value(path, JOURNAL_KEY)? else { return Ok(None) };
    let damaged = || corrupt(format!("its footer key {JOURNAL_KEY} is damaged")).at(path);
    let json = serde_json::from_str(&text).map_err(|_| damaged())?;
    Sealed::from_value(&json).map(Some).ok_or_else(damaged)
}

/// The writers whose segments a compaction merged, transitively, and how far their journals went; nothing
/// for other compactions among them.
pub type Replaced = BTreeMap<String, Option<Sealed>>;

/// What a compaction replaces; nothing for other files.
pub fn replaces(path: &Path) -> Result<Replaced> {
    let Some(text) = footer_value(path, REPLACES_KEY)? else { return Ok(Replaced::new()) };
    let damaged = |_| corrupt(format!("its footer key {REPLACES_KEY} is damaged")).at(path);
    let json: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).map_err(damaged)?;
    Ok(json.into_iter().map(|(writer, sealed)| (writer, Sealed::from_value(&sealed))).collect())
}

/// As footers carry what a compaction replaces.
pub fn replaces_to_json(replaced: &Replaced) -> String {
    let entries = replaced.iter();
    let entry = |(writer, sealed): (&String, &Option<Sealed>)| {
        (writer.clone().into(), sealed.as_ref().map(Sealed::to_value).into())
    };
    Value::Map(entries.map(entry).collect()).to_json()
}

/// How far the journal of a writer went into a compaction in this folder, if it did.
pub fn compacted_of(folder: &Path, name: &Name) -> Result<Option<Sealed>> {
    for file in crate::files::names_in(folder)? {
        if Name::of(&file).is_some_and(|by| by.is_compaction() && by.run_id == name.run_id)
            && file.ends_with(SEALED)
            && let Some(Some(sealed)) = replaces(&folder.join(&file))?.remove(&name.writer)
        {
            return Ok(Some(sealed));
        }
    }
    Ok(None)
}

/// What counts of the files in one folder of `predictions`.
#[derive(Debug, Default)]
pub struct Counted {
    /// Sealed segments, and other prediction files.
    pub files: Vec<String>,
    /// Journals that no segment covers.
    pub journals: Vec<String>,
    /// Sealed segments whose journal goes on: the journal counts in their place.
    pub outgrown: Vec<String>,
    /// Journals that a segment covers.
    pub covered: Vec<String>,
    /// Segments that a compaction replaced, each with that compaction.
    pub replaced: Vec<(String, String)>,
    /// Compactions that share inputs with a larger one without being part of it, and segments that go on
    /// after what a compaction merged of them: copies went apart, and these do not count.
    pub diverged: Vec<String>,
    /// Journals that could not be judged and do not count.
    pub errors: Vec<(String, Error)>,
}

/// Judges the journals and prediction files of one folder; `names` has nothing else.
pub fn judge(folder: &Path, names: Vec<String>) -> Counted {
    let (journals, mut files): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_journal(name));
    let mut counted = Counted::default();
    let listed: HashSet<String> = files.iter().cloned().collect();
    let mut compactions = Vec::new();
    if files.iter().filter_map(|file| Name::of(file)).any(|name| name.is_compaction()) {
        compactions = drop_replaced(folder, &mut files, &mut counted);
    }
    for file in journals {
        let Some(name) = Name::of(&file) else { continue };
        let sealed = name.sealed();
        match is_covered(folder, &name, &compactions) {
            // It was being made when its writer died, or is about to go on: it has nothing yet.
            Ok(None) => {}
            Ok(Some(true)) => {
                // A segment that was published after the names were listed counts in its journal's place.
                if !listed.contains(&sealed) && folder.join(&sealed).exists() {
                    files.push(sealed);
                }
                counted.covered.push(file);
            }
            Ok(Some(false)) => {
                if let Some(place) = files.iter().position(|file| *file == sealed) {
                    counted.outgrown.push(files.swap_remove(place));
                }
                counted.journals.push(file);
            }
            Err(error) => counted.errors.push((file, error)),
        }
    }
    counted.files = files;
    counted
}

/// Whether a sealed segment, or a compaction of it, has all that counts in a journal; `None` where that
/// is not yet one.
fn is_covered(folder: &Path, name: &Name, compactions: &[Compaction]) -> Result<Option<bool>> {
    let journal = match Journal::open(&folder.join(name.journal())) {
        Err(error) if error.kind == ErrorKind::Truncated => return Ok(None),
        // Sealed and removed since it was listed.
        Err(error) if FileError::is_vanished(&error) => return Ok(Some(true)),
        journal => journal?,
    };
    match sealed_of(&folder.join(name.sealed())) {
        Ok(Some(sealed)) => sealed.covers(&journal).map(Some),
        Ok(None) => {
            let merged = compactions.iter().filter(|by| by.name.run_id == name.run_id);
            match merged.filter_map(|by| by.replaces.get(&name.writer)).flatten().next() {
                None => Ok(Some(false)),
                Some(sealed) if sealed.covers(&journal)? => Ok(Some(true)),
                // Counted as a whole, what was merged would count twice.
                Some(_) => {
                    let message = "goes on after its segment was compacted; recover seals the rest";
                    Err(Error::new(ErrorKind::Conflict, message).at(&journal.path))
                }
            }
        }
        // A damaged segment is no reason to lose what its journal still has.
        Err(_) => Ok(Some(false)),
    }
}

/// A compaction that counts.
struct Compaction {
    replaces: Replaced,
    file: String,
    name: Name,
}

impl Compaction {
    fn is_within(&self, other: &Self) -> bool {
        other.replaces.contains_key(&self.name.writer)
            || self.replaces.keys().all(|writer| other.replaces.contains_key(writer))
    }

    fn shares_with(&self, other: &Self) -> bool {
        self.replaces.keys().any(|writer| other.replaces.contains_key(writer))
    }
}

/// Takes out what compactions replaced: the larger one first, so that one within another is replaced,
/// and one that overlaps without being within is reported. Gives the compactions that count.
fn drop_replaced(folder: &Path, files: &mut Vec<String>, counted: &mut Counted) -> Vec<Compaction> {
    let compactions = files.iter().filter_map(|file| {
        let name = Name::of(file).filter(Name::is_compaction)?;
        // One that cannot be read replaces nothing; reading its rows will say why.
        let replaces = replaces(&folder.join(file)).unwrap_or_default();
        Some(Compaction { replaces, file: file.clone(), name })
    });
    let mut compactions: Vec<_> = compactions.collect();
    compactions.sort_by(|a, b| b.replaces.len().cmp(&a.replaces.len()).then_with(|| a.file.cmp(&b.file)));
    let mut kept: Vec<Compaction> = Vec::new();
    for compaction in compactions {
        let of_run = || kept.iter().filter(|other| other.name.run_id == compaction.name.run_id);
        if let Some(larger) = of_run().find(|larger| compaction.is_within(larger)) {
            counted.replaced.push((compaction.file, larger.file.clone()));
        } else if of_run().any(|other| compaction.shares_with(other)) {
            counted.diverged.push(compaction.file);
        } else {
            kept.push(compaction);
        }
    }
    for file in files.iter() {
        let Some(name) = Name::of(file).filter(|name| !name.is_compaction()) else { continue };
        let mut merged = kept.iter().filter(|by| by.name.run_id == name.run_id);
        let merged = merged.find_map(|by| Some((by, by.replaces.get(&name.writer)?)));
        let Some((by, sealed)) = merged else { continue };
        let end = |sealed: &Sealed| sealed.position.offset;
        let now = sealed_of(&folder.join(file)).ok().flatten();
        if now.as_ref().map(end) > sealed.as_ref().map(end) {
            counted.diverged.push(file.clone());
        } else {
            counted.replaced.push((file.clone(), by.file.clone()));
        }
    }
    let gone: HashSet<&String> =
        counted.replaced.iter().map(|(file, _)| file).chain(&counted.diverged).collect();
    files.retain(|file| !gone.contains(file));
    kept
}
