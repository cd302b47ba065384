//! What sealed segments and journals say that decides which rows are live, cached between processes.
//!
//! Only asked where several writers of one run have files in a folder, or a compaction lies there. What is cached
//! counts where the stat of the file is unchanged; what is cached of a journal, up to where it was verified.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use twox_hash::XxHash3_64;

use super::checkpoints::{self, Checkpoint, Checkpoints};
use super::hidden_rows::RESULT;
use super::journal::{Journal, Kind, Position};
use super::live_keys::LiveKeys;
use super::merged::{self, Replaced};
use super::sealed::{self, Sealed};
use super::{ipc, journal_contents, stored_result};
use crate::base::clock::now_ns;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Error, Result, corrupt};
use crate::base::file_names::Name;
use crate::footer::TailReader;
use crate::fs::stat::{self, Identity};
use crate::fs::{cache_file, platform};
use crate::types::columns::Texts;

/// What sealed segments said.
const SEALED: &str = "live.bin";
/// What open ones said up to now.
const OPEN: &str = "live-open.bin";
const MAGIC: &[u8; 4] = b"N4AV";
/// Another layout: ignored.
const VERSION: &str = concat!("2 ", env!("CARGO_PKG_VERSION"));

/// The stat of a file when it was read; `None` where there was none.
type FileStat = Option<Identity>;

/// What a sealed segment says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The footer key of a segment that was made from a journal.
    journal: Option<String>,
    /// That of a compaction.
    replaces: Option<String>,
    /// As [`checkpoints::to_json`] has it.
    results: Option<String>,
    /// The file, and the lists of results that were read for it.
    stats: Vec<(String, FileStat)>,
    read_at: i64,
}

impl Said {
    /// The journal that it was sealed from; none for others, or where that is damaged.
    pub fn sealed(&self) -> Option<Sealed> {
        sealed::sealed_from(self.journal.as_deref()?)
    }

    /// What it merged; nothing for a segment that is no compaction, or where that is damaged.
    pub fn replaced(&self) -> Replaced {
        self.replaces.as_deref().and_then(merged::from_json).unwrap_or_default()
    }

    /// The results that its writers checkpointed.
    pub fn checkpoints(&self, writer: &str) -> Checkpoints {
        let parsed = self.results.as_deref().and_then(|text| checkpoints::from_json(text, writer));
        parsed.unwrap_or_default()
    }

    /// Reads the footer, and the lists of results where it does not name them; fails where it is not as it was
    /// written.
    pub fn read(root: &Path, relative: &str, name: &Name) -> Result<Self> {
        let path = root.join(relative);
        let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
        let mut tails = TailReader::default();
        let tail = tails.read_file(&file).map_err(|error| error.at(&path))?;
        let footer = tail.footer().map_err(|error| error.at(&path))?;
        let keys = LiveKeys::of(&footer, Some(name)).map_err(|error| error.at(&path))?;
        let [journal, replaces, results] =
            [keys.journal, keys.replaces, keys.results].map(|key| key.map(str::to_owned));
        let stats = vec![(relative.to_owned(), Some(tail.identity))];
        let mut said = Self { journal, replaces, results, stats, read_at: now_ns() };
        let is_named = said.results.as_deref().and_then(|text| checkpoints::from_json(text, &name.writer));
        if is_named.is_none() {
            said.read_lists(root, name)?;
        }
        Ok(said)
    }

    fn read_lists(&mut self, root: &Path, name: &Name) -> Result<()> {
        let replaced = self.replaced();
        let mut of: Vec<(&str, Option<&Sealed>)> = replaced
            .iter()
            .filter(|(writer, _)| !Name::is_of_compaction(writer))
            .map(|(writer, merged)| (writer.as_str(), merged.sealed.as_ref()))
            .collect();
        let (sealed, is_compaction) = (self.sealed(), !of.is_empty());
        if of.is_empty() {
            of.push((&name.writer, sealed.as_ref()));
        }
        let mut found = Checkpoints::new();
        for (writer, sealed) in of {
            if sealed.is_some_and(Sealed::has_no_results) {
                continue;
            }
            let list = Name { run_id: name.run_id.clone(), writer: writer.to_owned() }.results();
            let relative = format!("runs/{}/{list}", name.run_id);
            let path = root.join(&relative);
            let stat = stat_of(&path);
            found.insert(writer.to_owned(), checkpoints::in_list(&path)?);
            self.stats.push((relative, stat));
        }
        self.results = Some(checkpoints::to_json(&found, is_compaction));
        Ok(())
    }

    /// Another one for each state of the files.
    pub fn fingerprint(&self) -> u64 {
        let mut writer = ByteWriter::default();
        self.stats.iter().for_each(|(path, stat)| write_stat(&mut writer, path, *stat));
        XxHash3_64::oneshot(&writer.bytes)
    }

    fn is_unchanged(&self, root: &Path) -> bool {
        self.stats.iter().all(|(path, stat)| *stat == stat_of(&root.join(path)))
    }

    /// Whether the files were old enough for their stat to tell.
    pub fn is_settled(&self) -> bool {
        self.stats.iter().all(|(_, stat)| stat.is_none_or(|stat| stat.settled_at(self.read_at)))
    }
}

/// What a journal says up to a verified place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenSaid {
    journal: String,
    position: Position,
    /// Its checkpoints.
    pub checkpoints: Vec<Checkpoint>,
    /// The results that its rows name.
    pub named: BTreeSet<String>,
}

impl OpenSaid {
    fn read(journal: &Journal, known: Option<&Self>) -> Result<(Self, Self)> {
        let known = known.filter(|known| {
            known.journal == journal.header.journal
                && journal.is_intact_until(known.position).unwrap_or(false)
        });
        let begin =
            || Self { journal: journal.header.journal.clone(), position: journal.begin(), ..Self::default() };
        let mut said = known.cloned().unwrap_or_else(begin);
        let cached = said.clone();
        let reading = journal.read(said.position, &mut |kind, payload| {
            match kind {
                Kind::Arrays => {}
                Kind::Checkpoint => {
                    // One without an id is reported by recover and verify.
                    if let Ok(checkpoint) = stored_result::read(payload) {
                        said.checkpoints.extend(Checkpoint::of_result(&checkpoint.text));
                    }
                }
                Kind::Rows => {
                    for batch in ipc::decode_column(payload, RESULT)? {
                        let names = Texts::of(&batch, RESULT)?;
                        let codes = names.codes(0..batch.num_rows());
                        said.named.extend(codes.names.iter().map(|name| (*name).to_owned()));
                    }
                }
            }
            Ok(())
        })?;
        said.position = reading.position;
        if !reading.is_damaged() && journal.header.predecessor.is_none() {
            return Ok((said.clone(), said));
        }
        // Results that lost rows, here or in the journal before, were not checkpointed; nothing is cached of that.
        let (texts, _) = journal_contents::results(&journal.path)?;
        said.checkpoints = texts.iter().filter_map(|text| Checkpoint::of_result(text)).collect();
        Ok((said, cached))
    }
}

type Sealeds = BTreeMap<String, Arc<Said>>;
type Opens = BTreeMap<String, Arc<OpenSaid>>;
/// By folder and run, the fingerprint of files of which all rows are live.
type Plains = BTreeMap<String, u64>;

/// What is known of files.
#[derive(Default)]
struct Known {
    sealed: Sealeds,
    plain: Plains,
    open: Opens,
}

/// What files said before and say now, for one listing.
#[derive(Default)]
pub struct Memory {
    root: PathBuf,
    /// Whether anything is cached between processes.
    is_cached: bool,
    known: OnceLock<Known>,
    used: Mutex<Known>,
    has_new: AtomicBool,
    has_new_open: AtomicBool,
}

impl Memory {
    /// What is cached of a workspace; it is read once it is needed.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_path_buf(), is_cached: true, ..Self::default() }
    }

    /// Nothing: every file is read.
    pub fn none(root: &Path) -> Self {
        Self { root: root.to_path_buf(), ..Self::default() }
    }

    /// What a sealed segment says.
    pub fn sealed(&self, relative: &str, name: &Name) -> Result<Arc<Said>> {
        let known = self.known().sealed.get(relative).filter(|known| known.is_unchanged(&self.root));
        if let Some(known) = known {
            self.use_(|used| used.sealed.insert(relative.to_owned(), Arc::clone(known)));
            return Ok(Arc::clone(known));
        }
        let said = Arc::new(Said::read(&self.root, relative, name)?);
        if self.is_cached && said.is_settled() {
            self.has_new.store(true, Ordering::Relaxed);
            self.use_(|used| used.sealed.insert(relative.to_owned(), Arc::clone(&said)));
        }
        Ok(said)
    }

    /// What a journal says.
    pub fn open(&self, relative: &str, journal: &Journal) -> Result<OpenSaid> {
        let known = self.known().open.get(relative);
        let (said, cached) = OpenSaid::read(journal, known.map(Arc::as_ref))?;
        if self.is_cached {
            let is_new = known.is_none_or(|known| **known != cached);
            self.has_new_open.fetch_or(is_new, Ordering::Relaxed);
            self.use_(|used| used.open.insert(relative.to_owned(), Arc::new(cached)));
        }
        Ok(said)
    }

    /// Whether all rows of some files of a run in a folder were live when they were as now.
    pub fn is_plain(&self, of: &str, fingerprint: u64) -> bool {
        let is_plain = self.known().plain.get(of) == Some(&fingerprint);
        if is_plain {
            self.use_(|used| used.plain.insert(of.to_owned(), fingerprint));
        }
        is_plain
    }

    /// Takes note that all of them are live.
    pub fn note_plain(&self, of: &str, fingerprint: u64) {
        if self.is_cached {
            self.has_new.store(true, Ordering::Relaxed);
            self.use_(|used| used.plain.insert(of.to_owned(), fingerprint));
        }
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| {
            if !self.is_cached {
                return Known::default();
            }
            let read = |file| cache_file::read_any(&self.root, file);
            let sealed = read(SEALED).and_then(|bytes| decode_sealed(&bytes).ok());
            let open = read(OPEN).and_then(|bytes| decode_open(&bytes).ok());
            let (sealed, plain) = sealed.unwrap_or_default();
            Known { sealed, plain, open: open.unwrap_or_default() }
        })
    }

    fn use_<T>(&self, work: impl FnOnce(&mut Known) -> T) {
        work(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps what was read; with a folder, beside what is known of others.
    pub fn store(self, folder: Option<&str>) {
        let mut used = self.used.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let (Some(folder), Some(before)) = (folder, self.known.into_inner()) {
            let is_elsewhere = |file: &str| file.rsplit_once('/').is_none_or(|(of, _)| of != folder);
            used.sealed.extend(before.sealed.into_iter().filter(|(file, _)| is_elsewhere(file)));
            used.plain.extend(before.plain.into_iter().filter(|(of, _)| is_elsewhere(of)));
            used.open.extend(before.open.into_iter().filter(|(file, _)| is_elsewhere(file)));
        }
        if self.has_new.into_inner() {
            cache_file::write_any(&self.root, SEALED, &encode_sealed(&used.sealed, &used.plain));
        }
        if self.has_new_open.into_inner() {
            cache_file::write_any(&self.root, OPEN, &encode_open(&used.open));
        }
    }
}

fn stat_of(path: &Path) -> FileStat {
    stat::identity_of(path).ok()
}

fn begin(entries: usize) -> ByteWriter {
    let mut writer = ByteWriter::default();
    writer.bytes.extend_from_slice(MAGIC);
    writer.text(VERSION);
    writer.int(entries as u64);
    writer
}

fn begun(bytes: &[u8]) -> Result<ByteReader<'_>> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.text()? != VERSION {
        return Err(corrupt("another version"));
    }
    Ok(reader)
}

fn write_stat(writer: &mut ByteWriter, path: &str, stat: FileStat) {
    writer.text(path);
    writer.bytes.push(u8::from(stat.is_some()));
    stat.unwrap_or_default().encode(writer);
}

fn encode_sealed(entries: &Sealeds, plain: &Plains) -> Vec<u8> {
    let mut writer = begin(entries.len());
    for (file, said) in entries {
        writer.text(file);
        for text in [&said.journal, &said.replaces, &said.results] {
            writer.bytes.push(u8::from(text.is_some()));
            writer.text(text.as_deref().unwrap_or_default());
        }
        writer.u64(said.read_at as u64);
        writer.int(said.stats.len() as u64);
        said.stats.iter().for_each(|(path, stat)| write_stat(&mut writer, path, *stat));
    }
    writer.int(plain.len() as u64);
    for (of, fingerprint) in plain {
        writer.text(of);
        writer.u64(*fingerprint);
    }
    cache_file::finish(writer)
}

fn decode_sealed(bytes: &[u8]) -> Result<(Sealeds, Plains)> {
    let mut reader = begun(bytes)?;
    let mut entries = Sealeds::new();
    for _ in 0..reader.count(16)? {
        let file = reader.text()?.to_owned();
        let mut text = || {
            let is_there = reader.byte()? == 1;
            reader.text().map(|text| is_there.then(|| text.to_owned()))
        };
        let (journal, replaces, results) = (text()?, text()?, text()?);
        let read_at = reader.u64()? as i64;
        let stats = (0..reader.count(34)?).map(|_| {
            let path = reader.text()?.to_owned();
            let is_there = reader.byte()? == 1;
            let identity = Identity::decode(&mut reader)?;
            Ok((path, is_there.then_some(identity)))
        });
        let stats = stats.collect::<Result<_>>()?;
        entries.insert(file, Arc::new(Said { journal, replaces, results, stats, read_at }));
    }
    let plain = (0..reader.count(9)?).map(|_| Ok((reader.text()?.to_owned(), reader.u64()?)));
    let plain = plain.collect::<Result<_>>()?;
    Ok((entries, plain))
}

fn encode_open(entries: &Opens) -> Vec<u8> {
    let mut writer = begin(entries.len());
    for (file, said) in entries {
        writer.text(file);
        writer.text(&said.journal);
        let Position { offset, frames, checksum } = said.position;
        [offset, frames, checksum].into_iter().for_each(|number| writer.u64(number));
        writer.int(said.checkpoints.len() as u64);
        for Checkpoint { id, is_failed, completed_at } in &said.checkpoints {
            writer.text(id);
            writer.bytes.push(u8::from(*is_failed));
            writer.text(completed_at);
        }
        writer.int(said.named.len() as u64);
        said.named.iter().for_each(|name| writer.text(name));
    }
    cache_file::finish(writer)
}

fn decode_open(bytes: &[u8]) -> Result<Opens> {
    let mut reader = begun(bytes)?;
    let mut entries = Opens::new();
    for _ in 0..reader.count(28)? {
        let (file, journal) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let position = Position { offset: reader.u64()?, frames: reader.u64()?, checksum: reader.u64()? };
        let checkpoints = (0..reader.count(3)?).map(|_| {
            let (id, is_failed) = (reader.text()?.to_owned(), reader.byte()? == 1);
            Ok(Checkpoint { id, is_failed, completed_at: reader.text()?.to_owned() })
        });
        let checkpoints = checkpoints.collect::<Result<_>>()?;
        let named = (0..reader.count(1)?).map(|_| reader.text().map(str::to_owned));
        let named = named.collect::<Result<_>>()?;
        entries.insert(file, Arc::new(OpenSaid { journal, position, checkpoints, named }));
    }
    Ok(entries)
}
