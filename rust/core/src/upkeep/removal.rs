//! What is looked at before a file is removed that others replace: that they are whole, and have all of it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::beside::{self, Live, Only};
use super::promote;
use crate::base::error::{FileError, Result};
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::reading::files;
use crate::segment::checkpoints;
use crate::segment::file_results::Said;
use crate::segment::journal::{Journal, keep_corrupt};
use crate::segment::live_set::LiveSet;
use crate::segment::merged::{self, Replaced};
use crate::segment::resolve;

/// What was looked at in one folder.
pub struct Checks<'a> {
    root: &'a Path,
    folder: &'a str,
    /// Of each run, what was read of files that stay.
    live: HashMap<String, Live>,
    compactions: Compactions,
    /// Why files stay.
    pub errors: Vec<FileError>,
}

impl<'a> Checks<'a> {
    /// Nothing yet.
    pub fn new(root: &'a Path, folder: &'a str) -> Self {
        Self { root, folder, live: HashMap::new(), compactions: Compactions::new(), errors: Vec::new() }
    }

    /// Whether a covered journal or a replaced segment can be removed: the live files that replace it are whole, and what
    /// it alone had is written elsewhere.
    pub fn may_remove(&mut self, file: &str, live_set: &LiveSet) -> bool {
        let Some(name) = Name::of(file) else { return false };
        let may = self.is_replaced_by_whole(file, &name, live_set).and_then(|()| self.complete(file, &name));
        match may {
            Ok(()) => true,
            Err(error) => {
                let path = error.path.as_deref().and_then(|path| path.strip_prefix(self.root).ok()?.to_str());
                let path = path.map_or_else(|| format!("predictions/{}/{file}", self.folder), str::to_owned);
                if !self.errors.iter().any(|known| known.path == path) {
                    self.errors.push(FileError::new(&path, &error));
                }
                false
            }
        }
    }

    fn is_replaced_by_whole(&mut self, file: &str, name: &Name, live_set: &LiveSet) -> Result<()> {
        let place = self.root.join("predictions").join(self.folder);
        let live = self.live.entry(name.run_id.clone()).or_default();
        live.carriers = carriers(file, name, &place, live_set, &mut self.compactions)?;
        live.damaged(&place).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Writes what only this file has elsewhere.
    fn complete(&mut self, file: &str, name: &Name) -> Result<()> {
        let (root, folder, progress) = (self.root, self.folder, Progress::default());
        let live = self.live.entry(name.run_id.clone()).or_default();
        let only = only_in(root, folder, file, name, live, &progress)?;
        let has_rows = only.has_rows();
        only.write(root, folder, name)?;
        if has_rows {
            promote::promote(root, folder, Some(&name.run_id), &progress)?;
        }
        if name.is_compaction() {
            self.keep_results(name)?;
        }
        Ok(())
    }

    /// Results that only the list of a compaction has are added to the lists of their writers.
    fn keep_results(&self, name: &Name) -> Result<()> {
        let place = self.root.join("runs").join(&name.run_id);
        let text = checkpoints::read_list(&place.join(name.results()))?;
        let mut of_writers = HashMap::<String, Vec<&str>>::new();
        for line in text.lines() {
            if let Some((writer, one)) = checkpoints::in_compaction(line) {
                let list = Name { run_id: name.run_id.clone(), writer: writer.clone() }.results();
                if !checkpoints::in_list(&place.join(list))?.contains(&one) {
                    of_writers.entry(writer).or_default().push(line);
                }
            }
        }
        for (writer, lines) in of_writers {
            let list = Name { run_id: name.run_id.clone(), writer }.results();
            beside::add_lines(&place.join(list), lines.into_iter())?;
        }
        Ok(())
    }
}

/// What only this file, a covered journal or a replaced segment, has.
pub fn only_in(
    root: &Path,
    folder: &str,
    file: &str,
    name: &Name,
    live: &mut Live,
    progress: &Progress,
) -> Result<Only> {
    let place = root.join("predictions").join(folder);
    let superseded = merged::superseded(&place, &name.run_id);
    if superseded.contains(&name.writer) {
        // Another writer took its place.
        return Ok(Only::default());
    }
    if name.is_compaction() && !superseded.is_empty() {
        return Only::in_segment_without(root, folder, name, live, &superseded, progress);
    }
    if file_names::is_journal(file) {
        Only::in_journal(root, folder, name, live, progress)
    } else {
        Only::in_segment(root, folder, name, None, live, progress)
    }
}

/// What live compactions say, by their names.
pub type Compactions = HashMap<String, Replaced>;

/// The live files that have rows of the writers of a file which is not live; what compactions say is read once.
pub fn carriers(
    file: &str,
    name: &Name,
    place: &Path,
    live_set: &LiveSet,
    compactions: &mut Compactions,
) -> Result<BTreeSet<String>> {
    let writers: BTreeSet<String> = if file_names::is_journal(file) || !name.is_compaction() {
        BTreeSet::from([name.writer.clone()])
    } else {
        let replaced = merged::replaces(&place.join(file))?;
        replaced.into_keys().filter(|writer| !Name::is_of_compaction(writer)).collect()
    };
    let mut found = BTreeSet::new();
    for other in live_set.files.iter().filter(|other| *other != file) {
        let Some(by) = Name::of(other).filter(|by| by.run_id == name.run_id) else { continue };
        let is_one = if by.is_compaction() {
            if !compactions.contains_key(other) {
                compactions.insert(other.clone(), merged::replaces(&place.join(other))?);
            }
            writers.iter().any(|writer| compactions[other].contains_key(writer))
        } else {
            writers.contains(&by.writer)
        };
        if is_one {
            found.insert(other.clone());
        }
    }
    Ok(found)
}

/// Renames damaged segments and compactions whose rows intact files have as far, so that those count; gives them
/// relative to the workspace, each with its new name.
pub fn set_damaged_aside(
    root: &Path,
    folder: &str,
    run_id: Option<&str>,
    errors: &mut Vec<FileError>,
) -> Vec<(String, String)> {
    let place = root.join("predictions").join(folder);
    let mut renamed = Vec::new();
    // A compaction may hide another one that is damaged as well.
    loop {
        let mut names = files::names_of_predictions(root, folder, &mut Vec::new());
        names.retain(|file| file_names::is_of_predictions(file));
        let live_set = resolve::resolve_live_files(&place, names.clone());
        let hidden = live_set.covered.iter().chain(live_set.replaced.iter().map(|(file, _)| file));
        let (mut suspects, mut compactions) = (BTreeSet::new(), Compactions::new());
        for file in hidden {
            let Some(name) = Name::of(file).filter(|name| run_id.is_none_or(|id| id == name.run_id)) else {
                continue;
            };
            suspects.extend(carriers(file, &name, &place, &live_set, &mut compactions).unwrap_or_default());
        }
        let before = renamed.len();
        for file in suspects {
            let path = place.join(&file);
            let is_damaged = beside::whole(&path).is_err_and(|error| error.is_damage());
            let relative = format!("predictions/{folder}/{file}");
            if !is_damaged || !is_elsewhere(root, folder, &file, &names).unwrap_or(false) {
                continue;
            }
            match keep_corrupt(&path) {
                Ok(aside) => renamed.push((relative, aside.to_string_lossy().into_owned())),
                Err(error) => errors.push(FileError::new(&relative, &error)),
            }
        }
        if renamed.len() == before {
            return renamed;
        }
    }
}

/// Whether intact files have the rows of each writer of a file as far.
fn is_elsewhere(root: &Path, folder: &str, file: &str, names: &[String]) -> Result<bool> {
    let place = root.join("predictions").join(folder);
    let Some(name) = Name::of(file) else { return Ok(false) };
    let said = Said::read(root, &format!("predictions/{folder}/{file}"), &name)?;
    let units = merged::units(&name, said.sealed().as_ref(), &said.replaced());
    for (writer, sealed) in units.into_iter().flat_map(|unit| unit.writers) {
        let mut is_there = false;
        for other in names.iter().filter(|other| *other != file) {
            let Some(by) = Name::of(other).filter(|by| by.run_id == name.run_id) else { continue };
            let path = place.join(other);
            let has = if file_names::is_journal(other) {
                let Some(sealed) = sealed.as_ref().filter(|_| by.writer == writer) else { continue };
                Journal::open(&path).and_then(|journal| {
                    Ok(journal.header.journal == sealed.journal
                        && journal.is_intact_until(sealed.position)?)
                })
            } else {
                has_as_far(root, folder, other, &by, &writer, sealed.as_ref().map(|it| it.position.frames))
            };
            if has.unwrap_or(false) {
                is_there = true;
                break;
            }
        }
        if !is_there {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_as_far(
    root: &Path,
    folder: &str,
    file: &str,
    name: &Name,
    writer: &str,
    frames: Option<u64>,
) -> Result<bool> {
    let said = Said::read(root, &format!("predictions/{folder}/{file}"), name)?;
    let units = merged::units(name, said.sealed().as_ref(), &said.replaced());
    let mut all = units.iter().flat_map(|unit| &unit.writers);
    let has = all.any(|(other, sealed)| {
        other == writer && sealed.as_ref().map(|sealed| sealed.position.frames) >= frames
    });
    Ok(has && beside::whole(&root.join("predictions").join(folder).join(file)).is_ok())
}
