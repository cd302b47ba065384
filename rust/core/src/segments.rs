//! What lies in a folder of `predictions`: which files belong together, and which of them count.
//!
//! A writer's journal counts until a sealed segment covers it; what a compaction replaced does not
//! count beside it; what belongs to a run in the trash does not count at all.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result, corrupt};
use crate::files::FileError;
use crate::footer::TailReader;
use crate::journal::{Cut, Journal, Position};
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
    /// The end of its valid content.
    pub position: Position,
    /// The journal that that one went on from.
    pub predecessor: Option<Cut>,
}

impl Sealed {
    /// As footers carry it.
    pub fn to_json(&self) -> String {
        Value::map([
            ("journal", self.journal.as_str().into()),
            ("length", self.position.offset.into()),
            ("frames", self.position.frames.into()),
            ("checksum", format!("{:016x}", self.position.checksum).as_str().into()),
            ("predecessor", self.predecessor.as_ref().map(Cut::to_value).into()),
        ])
        .to_json()
    }

    fn from_json(text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        Some(Self {
            journal: json.get("journal")?.as_str()?.to_owned(),
            position: Position {
                offset: json.get("length")?.as_u64()?,
                frames: json.get("frames")?.as_u64()?,
                checksum: u64::from_str_radix(json.get("checksum")?.as_str()?, 16).ok()?,
            },
            predecessor: json.get("predecessor").and_then(Cut::from_value),
        })
    }

    /// Whether all that counts in a journal is in the segment.
    pub fn covers(&self, journal: &Journal) -> Result<bool> {
        if self.journal != journal.header.journal {
            let message = "the segment was sealed from another journal of this name; move one of them away";
            return Err(corrupt(message).at(&journal.path));
        }
        // It may have been sealed before its writer went on elsewhere and took back its last frames.
        let is_beyond = journal.is_cut_before(self.position);
        Ok(!is_beyond
            && (journal.limit() <= self.position.offset || !journal.goes_on_after(self.position)?))
    }
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
    Sealed::from_json(&text).map(Some).ok_or_else(damaged)
}

/// The writers whose segments a compaction merged, transitively; none for other files.
pub fn replaces(path: &Path) -> Result<BTreeSet<String>> {
    let Some(text) = footer_value(path, REPLACES_KEY)? else { return Ok(BTreeSet::new()) };
    let damaged = |_| corrupt(format!("its footer key {REPLACES_KEY} is damaged")).at(path);
    serde_json::from_str(&text).map_err(damaged)
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
    /// Compactions that share inputs with a larger one without being part of it.
    pub diverged: Vec<String>,
    /// Journals that could not be judged and do not count.
    pub errors: Vec<(String, Error)>,
}

/// Judges the journals and prediction files of one folder; `names` has nothing else.
pub fn judge(folder: &Path, names: Vec<String>) -> Counted {
    let (journals, mut files): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_journal(name));
    let mut counted = Counted::default();
    let listed: HashSet<String> = files.iter().cloned().collect();
    if files.iter().filter_map(|file| Name::of(file)).any(|name| name.is_compaction()) {
        drop_replaced(folder, &mut files, &mut counted);
    }
    for file in journals {
        let Some(name) = Name::of(&file) else { continue };
        let sealed = name.sealed();
        match is_covered(folder, &name) {
            Ok(true) => {
                // A segment that was published after the names were listed counts in its journal's place.
                if !listed.contains(&sealed) && folder.join(&sealed).exists() {
                    files.push(sealed);
                }
                counted.covered.push(file);
            }
            Ok(false) => {
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

/// Whether a sealed segment, or a compaction of it, has all that counts in a journal.
fn is_covered(folder: &Path, name: &Name) -> Result<bool> {
    let journal = match Journal::open(&folder.join(name.journal())) {
        // It was being made, or had just been made, when its writer died or is about to go on.
        Err(error) if error.kind == ErrorKind::Truncated => return Ok(true),
        // Sealed and removed since it was listed.
        Err(error) if FileError::is_vanished(&error) => return Ok(true),
        journal => journal?,
    };
    match sealed_of(&folder.join(name.sealed())) {
        Ok(Some(sealed)) => sealed.covers(&journal),
        // A damaged segment is no reason to lose what its journal still has.
        Ok(None) | Err(_) => Ok(false),
    }
}

/// Takes out what compactions replaced: the larger one first, so that one within another is replaced,
/// and one that overlaps without being within is reported.
fn drop_replaced(folder: &Path, files: &mut Vec<String>, counted: &mut Counted) {
    let mut compactions: Vec<(BTreeSet<String>, String, Name)> = files
        .iter()
        .filter_map(|file| Some((file, Name::of(file).filter(Name::is_compaction)?)))
        // One that cannot be read replaces nothing; reading its rows will say why.
        .map(|(file, name)| (replaces(&folder.join(file)).unwrap_or_default(), file.clone(), name))
        .collect();
    compactions.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.1.cmp(&b.1)));
    let mut gone: HashSet<String> = HashSet::new();
    let mut kept: Vec<(BTreeSet<String>, String, Name)> = Vec::new();
    for (inputs, file, name) in compactions {
        let of_run = || kept.iter().filter(|(_, _, other)| other.run_id == name.run_id);
        if let Some((_, larger, _)) =
            of_run().find(|(theirs, _, _)| theirs.contains(&name.writer) || theirs.is_superset(&inputs))
        {
            counted.replaced.push((file.clone(), larger.clone()));
            gone.insert(file);
        } else if of_run().any(|(theirs, _, _)| !theirs.is_disjoint(&inputs)) {
            counted.diverged.push(file.clone());
            gone.insert(file);
        } else {
            kept.push((inputs, file, name));
        }
    }
    for file in files.iter().filter(|file| !gone.contains(*file)) {
        let Some(name) = Name::of(file) else { continue };
        let by =
            kept.iter().find(|(inputs, _, by)| by.run_id == name.run_id && inputs.contains(&name.writer));
        if let Some((_, by, _)) = by {
            counted.replaced.push((file.clone(), by.clone()));
        }
    }
    gone.extend(counted.replaced.iter().map(|(file, _)| file.clone()));
    files.retain(|file| !gone.contains(file));
}
