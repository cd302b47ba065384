//! What open segments say: their frames are read once, and reading goes on where it stopped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::files;
use crate::base::codec::ByteWriter;
use crate::base::error::{Error, FileError, Result, corrupt};
use crate::base::file_names::{self, Name};
use crate::fs::{cache_file, folders, platform};
use crate::segment::checkpoints::{self, Checkpoint};
use crate::segment::hidden_rows::Hidden;
use crate::segment::journal::{Journal, Kind, Position};
use crate::segment::journal_contents::results;
use crate::segment::{ipc, resolve};
use crate::summary::{Datasets, SketchReader, merge_datasets, split_by_dataset};

const FILE: &str = "journals.bin";
const MAGIC: &[u8; 4] = b"N4AL";

/// What a journal said up to a verified place.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    journal: String,
    position: Position,
    /// Encoded [`Datasets`].
    state: Vec<u8>,
}

/// What is known of the journals of a workspace, by their path in it.
#[derive(Debug, Default, PartialEq)]
pub struct Journals {
    known: BTreeMap<String, Known>,
}

/// What a journal says.
pub struct OpenSummary {
    /// Its rows.
    pub datasets: Datasets,
    /// Frames that were given up; those after them that prove themselves count.
    pub damage: Option<Error>,
    known: Known,
}

impl Journals {
    /// What the cache has.
    pub fn load(root: &Path) -> Self {
        let read = |folder: std::path::PathBuf| decode(&cache_file::read_file(&folder.join(FILE)).ok()?).ok();
        cache_file::places(root).into_iter().find_map(read).unwrap_or_default()
    }

    /// Counts a journal's live rows, those that are new since the last time.
    pub fn summarise(&self, root: &Path, file: &str, hidden: Option<&Hidden>) -> Result<OpenSummary> {
        let journal = Journal::open(&root.join(file))?;
        // What else is hidden makes it another one.
        let id = match hidden {
            None => journal.header.journal.clone(),
            Some(hidden) => format!("{} {:016x}", journal.header.journal, hidden.fingerprint()),
        };
        // What was counted may be damaged since.
        let known = self
            .known
            .get(file)
            .filter(|known| known.journal == id && journal.is_intact_until(known.position).unwrap_or(false));
        let from = known.and_then(|known| Some((known.position, datasets_of(&known.state)?)));
        let (from, mut datasets) = from.unwrap_or_else(|| (journal.begin(), Datasets::new()));
        let unnamed = &journal.header.dataset_name;
        datasets.entry(unnamed.clone()).or_default();
        let mut frames = journal.frames(from);
        // Nothing is cached past a frame that was given up: the next reading looks at it again.
        let mut cached = None;
        while let Some((kind, _)) = frames.advance()? {
            if kind != Kind::Rows {
                continue;
            }
            if frames.has_lost() {
                cached.get_or_insert_with(|| state_of(&datasets));
            }
            let batches = ipc::decode(frames.payload()).map_err(|error| error.at(&journal.path))?;
            let live = match hidden {
                None => batches,
                // All of a journal is one part.
                Some(hidden) => {
                    batches.iter().map(|batch| hidden.filter(batch, 0)).collect::<Result<Vec<_>>>()?
                }
            };
            merge_datasets(&mut datasets, split_by_dataset(&live, unnamed)?);
        }
        let reading = frames.finish();
        let damage = journal.damage(&reading);
        let state = cached.unwrap_or_else(|| state_of(&datasets));
        let known = Known { journal: id, position: reading.position, state };
        Ok(OpenSummary { datasets, damage, known })
    }

    /// Keeps what was found, and forgets journals that are gone.
    pub fn store(root: &Path, found: impl IntoIterator<Item = (String, OpenSummary)>, before: &Self) {
        let now = Self { known: found.into_iter().map(|(file, live)| (file, live.known)).collect() };
        if now != *before {
            cache_file::write_any(root, FILE, &now.encode());
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = ByteWriter::default();
        writer.bytes.extend_from_slice(MAGIC);
        writer.text(cache_file::VERSION);
        writer.int(self.known.len() as u64);
        for (file, known) in &self.known {
            writer.text(file);
            writer.text(&known.journal);
            for number in [known.position.offset, known.position.frames, known.position.checksum] {
                writer.u64(number);
            }
            writer.int(known.state.len() as u64);
            writer.bytes.extend_from_slice(&known.state);
        }
        cache_file::finish(writer)
    }
}

fn decode(bytes: &[u8]) -> Result<Journals> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.text()? != cache_file::VERSION {
        return Err(corrupt("another version"));
    }
    let mut journals = Journals::default();
    for _ in 0..reader.count(27)? {
        let (file, journal) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let position = Position { offset: reader.u64()?, frames: reader.u64()?, checksum: reader.u64()? };
        let length = reader.count(1)?;
        journals.known.insert(file, Known { journal, position, state: reader.bytes(length)?.to_vec() });
    }
    Ok(journals)
}

fn state_of(datasets: &Datasets) -> Vec<u8> {
    let mut state = ByteWriter::default();
    state.datasets(datasets);
    state.bytes
}

fn datasets_of(state: &[u8]) -> Option<Datasets> {
    let mut datasets = Datasets::new();
    let mut reader = SketchReader::new(state);
    let is_whole = reader.merge_datasets(&mut datasets).is_ok() && reader.is_at_end();
    (is_whole && !crate::summary::embedded::table_disagrees(&datasets)).then_some(datasets)
}

/// What the live journals of a run hold of results.
#[derive(Debug, Default)]
pub struct OpenResults {
    /// The lists that sealing made or will make of these journals.
    pub lists: Vec<String>,
    /// The results as texts, with the writer that checkpointed each.
    pub results: Vec<(String, String)>,
    /// Journals that are damaged or cannot be read.
    pub errors: Vec<FileError>,
}

/// The results that are not sealed yet, by run, and what may hold others and cannot be looked at.
pub fn open_results(
    root: &Path,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<(HashMap<String, OpenResults>, Vec<FileError>)> {
    let mut found = HashMap::<String, OpenResults>::new();
    let mut unlisted = Vec::new();
    for folder in files::prediction_folders(root, &mut unlisted) {
        let mut names = files::names_of_predictions(root, &folder, &mut unlisted);
        let below = format!("predictions/{folder}");
        let folder = root.join(&below);
        let run_of = |file: &str| Name::of(file).map(|name| name.run_id).filter(|run| is_wanted(run));
        let writing: HashSet<String> = names
            .iter()
            .filter(|file| file_names::is_journal(file))
            .filter_map(|file| run_of(file))
            .collect();
        if writing.is_empty() {
            continue;
        }
        names.retain(|file| {
            file_names::is_of_predictions(file) && run_of(file).is_some_and(|run| writing.contains(&run))
        });
        let live_set = resolve::resolve_live_files(&folder, names);
        for (file, error) in &live_set.errors {
            if let Some(run) = run_of(file) {
                let error = FileError::new(&format!("{below}/{file}"), error);
                found.entry(run).or_default().errors.push(error);
            }
        }
        for file in live_set.journals {
            let Some(name) = Name::of(&file) else { continue };
            let path = format!("{below}/{file}");
            match results(&folder.join(&file)) {
                Ok((texts, damage)) => {
                    let of_run = found.entry(name.run_id.clone()).or_default();
                    of_run.results.extend(texts.into_iter().map(|text| (name.writer.clone(), text)));
                    of_run.lists.push(name.results());
                    of_run.errors.extend(damage.map(|error| FileError::new(&path, &error)));
                }
                // An empty one that was closed, or one whose list is there by now.
                Err(error) if FileError::is_vanished(&error) => {}
                Err(error) => {
                    found.entry(name.run_id).or_default().errors.push(FileError::new(&path, &error));
                }
            }
        }
    }
    Ok((found, unlisted))
}

/// The writer of a list of results, by its name.
fn writer_of(list: &str) -> Option<&str> {
    list.strip_prefix("results.").and_then(|rest| rest.strip_suffix(".jsonl"))
}

/// Whether a file of a run's folder is a list of results.
pub(crate) fn is_list(name: &str) -> bool {
    writer_of(name).is_some()
}

/// The results in the lists of a run that sealing made, but for those of open journals, as texts with the
/// writer that checkpointed each. A compaction's list adds what its writers' lists and journals lack. What cannot
/// be read is added to the errors.
pub fn sealed_results(root: &Path, run_id: &str, open: &OpenResults, errors: &mut Vec<FileError>) -> Texts {
    let (mut found, mut of_compactions) = (Texts::new(), Vec::new());
    let below = format!("runs/{run_id}");
    for file in folders::list(root, &below, is_list).into_names(errors) {
        let Some(writer) = writer_of(&file) else { continue };
        if !open.lists.contains(&file) {
            let path = format!("{below}/{file}");
            let bytes = match platform::read(&root.join(&path)).map_err(Error::pathless) {
                Ok(bytes) => bytes,
                // The run was deleted since it was listed.
                Err(error) if FileError::is_vanished(&error) => continue,
                Err(error) => {
                    folders::add_errors(errors, [folders::error_of_file(root, &path, &error)]);
                    continue;
                }
            };
            // A damaged line is no JSON, and is that line's fault alone.
            let text = String::from_utf8_lossy(&bytes);
            if Name::is_of_compaction(writer) {
                of_compactions.extend(text.lines().map(str::to_owned));
            } else {
                found.extend(text.lines().map(|line| (writer.to_owned(), line.to_owned())));
            }
        }
    }
    if !of_compactions.is_empty() {
        let checkpoint =
            |(writer, text): &(String, String)| Some((writer.clone(), Checkpoint::of_result(text)?));
        let mut known: HashSet<_> = open.results.iter().chain(&found).filter_map(checkpoint).collect();
        for line in of_compactions {
            let Some(named) = checkpoints::in_compaction(&line) else { continue };
            let writer = named.0.clone();
            if known.insert(named) {
                found.push((writer, line));
            }
        }
    }
    let replaced: HashSet<String> =
        found.iter().flat_map(|(_, line)| checkpoints::replaced_by(line)).collect();
    if !replaced.is_empty() {
        found.retain(|(writer, line)| !replaced.contains(writer) && !checkpoints::is_only_replacing(line));
    }
    found
}

/// Results as texts, each with the writer that checkpointed it.
pub type Texts = Vec<(String, String)>;

/// The finished results of a run: those of live journals, and of the lists that sealing made of others; and
/// the journals that are damaged.
pub fn results_of_run(root: &Path, run_id: &str) -> Result<(Texts, Vec<FileError>)> {
    let (mut open, unlisted) = open_results(root, &|run| run == run_id)?;
    let mut open = open.remove(run_id).unwrap_or_default();
    folders::add_errors(&mut open.errors, unlisted);
    let mut errors = std::mem::take(&mut open.errors);
    let sealed = sealed_results(root, run_id, &open, &mut errors);
    Ok((open.results.into_iter().chain(sealed).collect(), errors))
}
