//! What all runs say of their results, in bytes that a query looks through, cached between processes.
//!
//! What a run said is cached for as long as its folder, its `run.yaml` and its lists of results have the stat
//! that they had then. Where results are asked for by what records say, the other records are looked at too.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use super::cache as records;
use super::entry::Entry;
use super::listing::{Found, look, old_entries};
use super::results::{of_entries, of_run};
use super::results_cache::CachedResults;
use super::row_scores::RunFiles;
use super::run_results::{CacheState, RunResults, Wanted, write_entry, write_results};
use super::run_stats::RunStats;
use super::unit::{Known, UnitReader};
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Error, FileError, Result};
use crate::base::progress::Progress;
use crate::fs::folders;
use crate::fs::platform::Folder;
use crate::reading::open_segments;

/// So many runs are read again before what is cached of their records is looked at.
const FEW: usize = 64;

/// All runs.
#[derive(Default)]
pub struct Ranking {
    /// In the order of their ids; then what old files come to.
    pub runs: Vec<RunResults>,
    /// The entries of the latter, in their order.
    pub(super) old: Vec<Arc<Entry>>,
    /// Folders that are no runs.
    pub folder_errors: Vec<FileError>,
    /// What is wrong with manifests and rows of nirs4all 0.6.
    pub old_errors: Vec<FileError>,
}

/// Lists runs with their results within the current thread pool.
pub fn list(root: &Path, wanted: &Wanted<'_>, progress: &Progress) -> Result<Ranking> {
    if root.join("workspace.yaml").exists() {
        return list_native(root, wanted, progress);
    }
    // A folder of nirs4all 0.6, whose manifests the catalogue keeps.
    let catalogue = super::listing::list(root, true, progress)?;
    let mut ranking = Ranking { folder_errors: catalogue.errors, ..Ranking::default() };
    ranking.add_old(root, catalogue.entries.into_iter().map(|listed| listed.entry), wanted, progress)?;
    Ok(ranking)
}

fn list_native(root: &Path, wanted: &Wanted<'_>, progress: &Progress) -> Result<Ranking> {
    let runs = root.join("runs");
    let mut ranking = Ranking::default();
    let (names, cached) = rayon::join(
        || super::listing::names_of_runs(root, &mut ranking.folder_errors),
        || CachedResults::load(root),
    );
    progress.expect(names.len());
    let folder = if names.is_empty() { None } else { Folder::open(&runs).ok() };
    let is_unchanged = |name: &str, body: &Bytes| {
        let folder = folder.as_ref().map(|folder| {
            RunStats::are_those_of(&mut ByteReader::new(body), folder, name, wanted.by_records)
        });
        matches!(folder, Some(Ok(true)))
    };
    let known = names.par_iter().enumerate().with_min_len(64).map(|(place, name)| {
        progress.check()?;
        let body = cached.get(name, place).filter(|body| is_unchanged(name, body));
        Ok(body.and_then(|body| RunResults::new(name.clone(), body, CacheState::Cached).ok()))
    });
    let known: Vec<Option<RunResults>> = known.collect::<Result<_>>()?;
    let unknown = known.iter().filter(|run| run.is_none()).count();
    let mut manifests = Vec::new();
    if unknown == 0 {
        ranking.runs.extend(known.into_iter().flatten());
    } else {
        let records = if unknown > FEW { records::load(root, super::listing::CACHE) } else { Known::new() };
        for found in read_unknown(root, &names, known, &records, wanted, progress)? {
            let (run, found) = found?;
            ranking.runs.extend(run);
            manifests.extend(found.manifests);
            ranking.folder_errors.extend(found.errors);
        }
    }
    ranking.old_errors.extend(manifests.iter().flat_map(|unit| unit.errors.iter().cloned()));
    cached.store(root, &ranking.runs);
    let ids: HashSet<&str> = ranking.runs.iter().map(|run| run.id.as_str()).collect();
    let parts = (&manifests[..], &[][..]);
    let old = old_entries(root, &ids, parts, true, progress, None, &mut ranking.folder_errors)?;
    ranking.add_old(root, old.into_iter().map(Arc::new), wanted, progress)?;
    Ok(ranking)
}

/// A run, or what else lies in a folder of `runs`.
type FoundRun = Result<(Option<RunResults>, Found)>;

/// Reads the folders of which nothing is known.
fn read_unknown(
    root: &Path,
    names: &[String],
    known: Vec<Option<RunResults>>,
    records: &Known,
    wanted: &Wanted<'_>,
    progress: &Progress,
) -> Result<Vec<FoundRun>> {
    let folder = Folder::open(root).map_err(|error| Error::io(root, error))?;
    let reader = UnitReader { folder, known: records };
    let read = |name: &str, files: Option<&RunFiles>| {
        let stats = RunStats::of(&root.join("runs").join(name));
        let mut found = look(root, &reader, name, true);
        let read = found
            .run
            .take()
            .map(|unit| RunResults::read(root, name.to_owned(), &unit, &stats, wanted, files));
        let (run, lacks_scores) = read.transpose()?.unzip();
        Ok(((run, found), lacks_scores == Some(true)))
    };
    let first = names.par_iter().zip(known).with_min_len(4).map(|(name, known)| {
        progress.step()?;
        if known.is_some() {
            return Ok(((known, Found::default()), false));
        }
        read(name, None)
    });
    let mut found: Vec<Result<(_, bool)>> = first.collect();
    let lacks = |found: &Result<(_, bool)>| matches!(found, Ok((_, true)));
    if found.iter().any(lacks) {
        let files = RunFiles::list(root)?;
        let again = names.par_iter().zip(&mut found).filter(|(_, found)| lacks(found));
        again.for_each(|(name, found)| {
            *found = progress.check().and_then(|()| read(name, Some(&files)));
        });
    }
    Ok(found.into_iter().map(|found| found.map(|(found, _)| found)).collect())
}

impl Ranking {
    /// Adds what is read each time: what old files come to.
    fn add_old(
        &mut self,
        root: &Path,
        entries: impl Iterator<Item = Arc<Entry>>,
        wanted: &Wanted<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let entries: Vec<_> = entries.filter(|entry| (wanted.is_of_run)(&entry.id, &entry.name)).collect();
        let results = of_entries(root, &entries, &mut self.old_errors, progress)?;
        for (entry, found) in entries.iter().zip(results) {
            let mut body = ByteWriter::default();
            RunStats::default().write(&[], &mut body);
            write_entry(Some(entry), &[], &mut body)?;
            write_results(&found, &mut body);
            let mut run = RunResults::new(entry.id.clone(), body.bytes.into(), CacheState::Never)?;
            run.is_run = false;
            self.runs.push(run);
        }
        self.old.extend(entries);
        Ok(())
    }

    /// Takes what open segments hold in place of what sealing made of them, of some runs by their places.
    pub fn add_open(&mut self, root: &Path, wanted: &[usize]) -> Result<()> {
        // Runs stand before all else, in the order of their ids.
        let native = self.runs.partition_point(|run| run.is_run);
        let place_of = |id: &str| {
            let place = self.runs[..native].binary_search_by(|run| run.id.as_str().cmp(id)).ok()?;
            (self.runs[place].is_there && wanted.binary_search(&place).is_ok()).then_some(place)
        };
        let (open, errors) = open_segments::open_results(root, &|run| place_of(run).is_some())?;
        folders::add_errors(&mut self.folder_errors, errors);
        let open: Vec<_> = open.into_iter().filter_map(|(run, open)| Some((place_of(&run)?, open))).collect();
        let mut files = None;
        for (place, open) in open {
            let run = &mut self.runs[place];
            let mut body = ByteWriter::default();
            body.bytes.extend_from_slice(run.before_results());
            let mut found = of_run(root, &run.id, Some(&open));
            if found.lacks_scores {
                let files = match &mut files {
                    Some(files) => files,
                    none => none.insert(RunFiles::list(root)?),
                };
                files.add_scores(root, &run.id, &mut found);
            }
            write_results(&found, &mut body);
            *run = RunResults::new(run.id.clone(), body.bytes.into(), CacheState::Never)?;
        }
        Ok(())
    }
}
