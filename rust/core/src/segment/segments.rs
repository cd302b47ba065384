//! What lies in a folder of `predictions`: which files belong together, and which of them count.
//!
//! A writer's journal counts until a sealed segment covers it; what a compaction replaced does not
//! count beside it; what belongs to a run in the trash does not count at all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::carriers::Run;
use super::journal::{Coverage, Cut, Journal, Position, Stretch};
use super::live_set::{Hidden, Part};
use super::merged::{self, Replaced, Unit};
use super::said::Memory;
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::file_names::{JOURNAL_SUFFIX, Name, SUFFIX, is_journal, split};
use crate::base::value::Value;
use crate::footer::TailReader;
use crate::footer::keys::{JOURNAL_KEY, REPLACES_KEY};
use crate::fs::platform;
use crate::reading::files::Open;

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

    /// Whether its list of results is that of nothing.
    pub fn has_no_results(&self) -> bool {
        self.results == XxHash3_64::oneshot(b"")
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
    sealed_from(&text).map(Some).ok_or_else(damaged)
}

/// What the value of [`JOURNAL_KEY`] says; `None` where it is damaged.
pub(crate) fn sealed_from(text: &str) -> Option<Sealed> {
    Sealed::from_value(&serde_json::from_str(text).ok()?)
}

/// How far the journal of a writer went into the compactions in this folder, if it did, and whether its rows are
/// told from others there.
pub fn compacted_of(folder: &Path, name: &Name) -> Result<Option<(Sealed, bool)>> {
    let mut found: Option<(Sealed, bool)> = None;
    for file in crate::fs::folders::names_in(folder)? {
        let is_of_run = |by: &Name| by.is_compaction() && by.run_id == name.run_id;
        let Some(by) = Name::of(&file).filter(is_of_run).filter(|_| file.ends_with(SUFFIX)) else { continue };
        for Unit { writers, .. } in merged::units(&by, None, &replaces(&folder.join(&file))?) {
            let is_divided = writers.len() == 1;
            let sealed = writers.into_iter().find(|(writer, _)| *writer == name.writer);
            if let Some((_, Some(sealed))) = sealed
                && found.as_ref().is_none_or(|(other, _)| other.position.frames < sealed.position.frames)
            {
                found = Some((sealed, is_divided));
            }
        }
    }
    Ok(found)
}

/// What counts of the files in one folder of `predictions`.
#[derive(Debug, Default)]
pub struct Counted {
    /// Sealed segments, and other prediction files.
    pub files: Vec<String>,
    /// Journals that no segment covers.
    pub journals: Vec<String>,
    /// What of these is hidden.
    pub hidden: HashMap<String, Arc<Hidden>>,
    /// Sealed segments whose journal goes on: the journal counts in their place.
    pub outgrown: Vec<String>,
    /// Journals that a segment covers.
    pub covered: Vec<String>,
    /// Segments and compactions whose rows others have, each with one of those.
    pub replaced: Vec<(String, String)>,
    /// Compactions of an earlier version that share inputs with a larger one without being part of it, and
    /// segments that go on after what such a one merged of them: copies went apart, and these do not count.
    pub diverged: Vec<String>,
    /// Compactions of which some rows are hidden, each with a writer whose rows another file carries further.
    pub overlapping: Vec<(String, String)>,
    /// Results of which a file has hidden rows.
    pub lost: Vec<Lost>,
    /// Journals that could not be judged and do not count.
    pub errors: Vec<(String, Error)>,
}

/// A result whose rows in a file are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The file.
    pub file: String,
    /// The id of the result.
    pub result: String,
    /// The writer whose checkpoint of it won.
    pub winner: String,
}

impl Counted {
    /// The part of a file that hides rows of results, each with the writer that won it.
    pub(crate) fn part(
        &mut self,
        file: &str,
        rows: std::ops::Range<u64>,
        results: &BTreeMap<String, String>,
    ) -> Part {
        let lost = results.iter().map(|(result, winner)| Lost {
            file: file.to_owned(),
            result: result.clone(),
            winner: winner.clone(),
        });
        self.lost.extend(lost);
        Part { rows, results: Some(Arc::new(results.keys().cloned().collect())) }
    }

    pub(crate) fn hide(&mut self, file: &str, parts: Vec<Part>) {
        let hidden = Hidden::of(parts);
        self.hidden.extend(hidden.map(|hidden| (file.to_owned(), Arc::new(hidden))));
    }
}

/// What a compaction merged; nothing where there is no such file, or it is none.
pub fn replaces(path: &Path) -> Result<Replaced> {
    let Some(text) = footer_value(path, REPLACES_KEY)? else { return Ok(Replaced::new()) };
    merged::parse(&text).map_err(|error| error.at(path))
}

/// Judges the journals and prediction files of one folder of `predictions`; `names` has nothing else.
pub fn judge(folder: &Path, names: Vec<String>) -> Counted {
    let root = folder.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    judge_with(folder, names, Open::Counted, Some(&Memory::none(root)))
}

/// The same without results, for who asks for files alone: of most of them nothing is read.
pub fn judge_files(folder: &Path, names: Vec<String>) -> Counted {
    judge_with(folder, names, Open::Counted, None)
}

/// The same with what is known of the files, and without journals where they are left out.
pub fn judge_with(folder: &Path, names: Vec<String>, open: Open, memory: Option<&Memory>) -> Counted {
    let mut counted = Counted::default();
    let busy = busy_runs(names.iter().map(String::as_str));
    if busy.is_empty() {
        counted.files = names;
        return counted;
    }
    let mut runs = BTreeMap::<String, (Vec<(String, Name)>, Vec<(String, Name)>)>::new();
    for file in names {
        match Name::of(&file).filter(|name| busy.contains(&name.run_id)) {
            None => counted.files.push(file),
            Some(name) => {
                let (sealed, journals) = runs.entry(name.run_id.clone()).or_default();
                if is_journal(&file) { journals.push((file, name)) } else { sealed.push((file, name)) }
            }
        }
    }
    let base = folder.file_name().unwrap_or_default().to_string_lossy();
    let relative = format!("predictions/{base}");
    for (sealed, journals) in runs.into_values() {
        if let Some(run) = Run::of(folder, &relative, memory, sealed, journals, &mut counted) {
            run.resolve(open, &mut counted);
        }
    }
    counted
}

/// Whether the files of these names in one folder may have hidden rows.
pub fn may_hide<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    !busy_runs(names).is_empty()
}

/// The runs of which something must be read: those of several writers, or with a journal or a compaction.
fn busy_runs<'a>(names: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut runs: Vec<(&str, bool)> = names
        .filter_map(|file| {
            let (run_id, writer) = split(file)?;
            Some((run_id, file.ends_with(JOURNAL_SUFFIX) || Name::is_of_compaction(writer)))
        })
        .collect();
    runs.sort_unstable();
    let one = runs.iter().filter(|(_, is_busy)| *is_busy);
    let several = runs.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[0]);
    one.chain(several).map(|(run_id, _)| (*run_id).to_owned()).collect()
}
