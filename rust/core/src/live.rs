//! What open segments say: their frames are counted once, and counting goes on where it stopped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::cache;
use crate::error::{Error, Result, corrupt};
use crate::files::{self, FileError};
use crate::ipc;
use crate::journal::{End, Journal, Kind, Position};
use crate::segments::{self, Name};
use crate::summary::{Datasets, Reader, Writer, merge_datasets, split_by_dataset};

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
pub struct Live {
    /// Its rows.
    pub datasets: Datasets,
    /// A frame that is damaged, with others after it: nothing from there on is believed.
    pub damage: Option<Error>,
    known: Known,
}

impl Journals {
    /// What the cache has.
    pub fn load(root: &Path) -> Self {
        let read = |folder: std::path::PathBuf| decode(&cache::read_file(&folder.join(FILE)).ok()?).ok();
        cache::places(root).into_iter().find_map(read).unwrap_or_default()
    }

    /// Counts a journal's rows, those that are new since the last time.
    pub fn summarise(&self, root: &Path, file: &str) -> Result<Live> {
        let journal = Journal::open(&root.join(file))?;
        let known = self.known.get(file).filter(|known| {
            known.journal == journal.header.journal && known.position.offset <= journal.limit()
        });
        let from = known.and_then(|known| Some((known.position, datasets_of(&known.state)?)));
        let (from, mut datasets) = from.unwrap_or_else(|| (journal.begin(), Datasets::new()));
        let unnamed = &journal.header.dataset_name;
        datasets.entry(unnamed.clone()).or_default();
        let (position, damage) = rows(&journal, from, &mut |batches| {
            merge_datasets(&mut datasets, split_by_dataset(batches, unnamed)?);
            Ok(())
        })?;
        let mut state = Writer::default();
        state.datasets(&datasets);
        let known = Known { journal: journal.header.journal.clone(), position, state: state.bytes };
        Ok(Live { datasets, damage, known })
    }

    /// Keeps what was found, and forgets journals that are gone.
    pub fn store(root: &Path, found: impl IntoIterator<Item = (String, Live)>, before: &Self) {
        let now = Self { known: found.into_iter().map(|(file, live)| (file, live.known)).collect() };
        if now != *before {
            cache::write_any(root, FILE, &now.encode());
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes.extend_from_slice(MAGIC);
        writer.text(cache::VERSION);
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
        cache::finish(writer)
    }
}

fn decode(bytes: &[u8]) -> Result<Journals> {
    let mut reader = cache::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.text()? != cache::VERSION {
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

fn datasets_of(state: &[u8]) -> Option<Datasets> {
    let mut datasets = Datasets::new();
    let mut reader = Reader::new(state);
    let is_whole = reader.merge_datasets(&mut datasets).is_ok() && reader.is_at_end();
    (is_whole && !crate::summary::embedded::table_disagrees(&datasets)).then_some(datasets)
}

/// Hands out the rows of a journal from a place on; says where they end, and what is damaged there.
///
/// An incomplete last frame is the end of the data: its writer may be about to finish it.
pub fn rows(
    journal: &Journal,
    from: Position,
    take: &mut dyn FnMut(&[arrow_array::RecordBatch]) -> Result<()>,
) -> Result<(Position, Option<Error>)> {
    let (position, end) = journal.read(from, &mut |kind, payload| match kind {
        Kind::Rows => take(&ipc::decode(payload)?),
        Kind::Arrays | Kind::Checkpoint => Ok(()),
    })?;
    Ok((position, damage(journal, position, &end)))
}

/// What is wrong where a journal's frames end, if its writer cannot be about to mend it.
pub fn damage(journal: &Journal, position: Position, end: &End) -> Option<Error> {
    match end {
        End::Bad { message, is_last: false } => {
            let message = format!("{message}, at byte {}; what is before it counts", position.offset);
            Some(corrupt(message).at(&journal.path))
        }
        End::Bad { .. } | End::Torn | End::Clean => None,
    }
}

/// The results that were checkpointed in a journal, as texts.
pub fn results(path: &Path) -> Result<Vec<String>> {
    let mut results = Vec::new();
    let journal = Journal::open(path)?;
    journal.read(journal.begin(), &mut |kind, payload| {
        if kind == Kind::Checkpoint {
            results.push(crate::seal::checkpoint(payload)?.1);
        }
        Ok(())
    })?;
    Ok(results)
}

/// What the journals of a run that count hold of results.
#[derive(Debug, Default)]
pub struct OpenResults {
    /// The lists that sealing made or will make of these journals.
    pub lists: Vec<String>,
    /// The results as texts, with the writer that checkpointed each.
    pub results: Vec<(String, String)>,
}

/// The results that are not sealed yet, by run.
pub fn open_results(root: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Result<HashMap<String, OpenResults>> {
    let mut found = HashMap::<String, OpenResults>::new();
    for folder in files::prediction_folders(root)? {
        let folder = root.join("predictions").join(folder);
        let run_of = |file: &str| Name::of(file).map(|name| name.run_id).filter(|run| is_wanted(run));
        let mut names = files::names_in(&folder)?;
        let writing: HashSet<String> =
            names.iter().filter(|file| segments::is_journal(file)).filter_map(|file| run_of(file)).collect();
        if writing.is_empty() {
            continue;
        }
        names.retain(|file| {
            files::is_of_predictions(file) && run_of(file).is_some_and(|run| writing.contains(&run))
        });
        for file in segments::judge(&folder, names).journals {
            let Some(name) = Name::of(&file) else { continue };
            match results(&folder.join(&file)) {
                Ok(texts) => {
                    let of_run = found.entry(name.run_id.clone()).or_default();
                    of_run.results.extend(texts.into_iter().map(|text| (name.writer.clone(), text)));
                    of_run.lists.push(name.results());
                }
                // An empty one that was closed, or one whose list is there by now.
                Err(error) if FileError::is_vanished(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// The writer of a list of results, by its name.
fn writer_of(list: &str) -> Option<&str> {
    list.strip_prefix("results.").and_then(|rest| rest.strip_suffix(".jsonl"))
}

/// Whether a file of a run's folder is a list of results.
pub(crate) fn is_list(name: &str) -> bool {
    writer_of(name).is_some()
}

/// The results in the lists of a run that sealing made, but for those of `open` journals, as texts with the
/// writer that checkpointed each.
pub fn sealed_results(root: &Path, run_id: &str, open: &[String]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let folder = root.join("runs").join(run_id);
    for file in files::names_in(&folder)? {
        let Some(writer) = writer_of(&file) else { continue };
        if !open.contains(&file) {
            let path = folder.join(&file);
            let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
            // A damaged line is no JSON, and is that line's fault alone.
            found.extend(
                String::from_utf8_lossy(&bytes).lines().map(|line| (writer.to_owned(), line.to_owned())),
            );
        }
    }
    Ok(found)
}

/// The finished results of a run: those of journals that count, and of the lists that sealing made of others.
pub fn results_of_run(root: &Path, run_id: &str) -> Result<Vec<(String, String)>> {
    let open = open_results(root, &|run| run == run_id)?.remove(run_id).unwrap_or_default();
    let sealed = sealed_results(root, run_id, &open.lists)?;
    Ok(open.results.into_iter().chain(sealed).collect())
}
