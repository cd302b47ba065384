//! Checking files of arrays, and whether the arrays that rows name are there.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use twox_hash::XxHash3_64;

use super::finding::{Finding, check_whole};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::footer::TailReader;
use crate::fs::{folders, platform};
use crate::segment::ipc;
use crate::segment::journal::{self, Journal};
use crate::segment::live_set::LiveSet;
use crate::types::columns::Texts;
use crate::write::arrays::{self, EXTRA_REFERENCES, ROLES};

/// So many ids are held at a time; where there are more they take turns.
const AT_ONCE: u64 = 4_000_000;

/// Checks the arrays of one folder of predictions: with `full` whether they hold what rows name, else their
/// footers alone.
pub fn verify(
    root: &Path,
    folder: &str,
    live_set: &LiveSet,
    full: bool,
    errors: &mut Vec<FileError>,
    progress: &Progress,
) -> Result<Vec<Finding>> {
    let place = root.join("arrays").join(folder);
    let mut findings = Vec::new();
    let mut unread = HashSet::new();
    let mut of_runs: BTreeMap<String, Files> = BTreeMap::new();
    let below = format!("arrays/{folder}");
    let before = errors.len();
    let is_ours = |file: &str| Name::of(file).is_some() || file.ends_with(".arrays.parquet");
    for file in folders::list(root, &below, is_ours).into_names(errors) {
        let Some(name) = Name::of(&file) else { continue };
        let path = place.join(&file);
        let rows = rows_in(&path).and_then(|rows| {
            if full {
                check_whole(&path)?;
                each_id(&path, &["array_id"], &mut |_| ())?;
            }
            Ok(rows)
        });
        match rows {
            Ok(rows) => {
                let of_run = of_runs.entry(name.run_id).or_default();
                of_run.ids += rows;
                of_run.arrays.push(path);
            }
            // A compaction replaced it meanwhile.
            Err(error) if FileError::is_vanished(&error) => {}
            Err(error) => {
                // What is damaged is lost; what cannot be opened may be there.
                if error.source.is_some() {
                    unread.insert(name.run_id);
                }
                findings.push(FileError::new(&format!("arrays/{folder}/{file}"), &error).into());
            }
        }
    }
    // What rows name may lie in what cannot be listed: none of it is missing.
    if full && errors.len() == before {
        let predictions = root.join("predictions").join(folder);
        for file in &live_set.files {
            let Some(name) = Name::of(file) else { continue };
            let of_run = of_runs.entry(name.run_id).or_default();
            of_run.ids += rows_in(&predictions.join(file)).unwrap_or_default();
            of_run.segments.push(predictions.join(file));
        }
        for file in &live_set.journals {
            let Some(name) = Name::of(file) else { continue };
            of_runs.entry(name.run_id).or_default().journals.push(predictions.join(file));
        }
        for (run_id, files) in of_runs.iter().filter(|(run_id, _)| !unread.contains(*run_id)) {
            let is_migrated = root.join("runs").join(run_id).join("migrated.yaml").is_file();
            let lacking = match files.lacking(is_migrated, progress) {
                Ok(lacking) => lacking,
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                // It went, or changed, after it was looked at: what it has is not compared.
                Err(error) => {
                    let path = error.path.as_deref().and_then(|path| path.strip_prefix(root).ok());
                    let path = path.map_or(below.clone(), |path| path.to_string_lossy().into_owned());
                    findings.push(FileError::new(&path, &error).into());
                    continue;
                }
            };
            for (path, lacking) in files.segments.iter().zip(lacking) {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                findings.extend(lacking.findings(folder, &file));
            }
        }
    }
    Ok(findings)
}

/// What one run has in one folder.
#[derive(Default)]
struct Files {
    arrays: Vec<PathBuf>,
    segments: Vec<PathBuf>,
    journals: Vec<PathBuf>,
    /// Arrays and rows in them.
    ids: u64,
}

impl Files {
    /// What each of the segments lacks.
    fn lacking(&self, is_migrated: bool, progress: &Progress) -> Result<Vec<Lacking>> {
        let mut lacking = vec![Lacking::default(); self.segments.len()];
        let turns = self.ids / AT_ONCE + 1;
        for turn in 0..turns {
            let is_due = |hash: u64| hash % turns == turn;
            let known = self.known_ids(&is_due)?;
            for (path, lacking) in self.segments.iter().zip(&mut lacking) {
                progress.check()?;
                lacking.add(path, is_migrated, &known, &is_due);
            }
        }
        Ok(lacking)
    }

    /// The ids of arrays whose turn it is, as hashes.
    fn known_ids(&self, is_due: &impl Fn(u64) -> bool) -> Result<HashSet<u64>> {
        let mut known = HashSet::new();
        let mut add = |id: &str| {
            let hash = hash_of(id);
            if is_due(hash) {
                known.insert(hash);
            }
        };
        for path in &self.arrays {
            each_id(path, &["array_id"], &mut add).map_err(|error| error.at(path))?;
        }
        for path in &self.journals {
            // A journal that cannot be read is reported as that.
            let Ok(journal) = Journal::open(path) else { continue };
            let read = journal.read(journal.begin(), &mut |kind, payload| {
                if kind == journal::Kind::Arrays {
                    ipc::decode(payload)?.iter().for_each(|batch| texts_of(batch, "array_id", &mut add));
                }
                Ok(())
            });
            read.map_err(|error| error.at(path))?;
        }
        Ok(known)
    }
}

/// Arrays that the rows of a segment name and that are not there.
#[derive(Clone, Default)]
struct Lacking {
    lost: usize,
    /// By the id that nirs4all 0.6 gave them, in a run that was migrated: what a migration finds gets another id.
    never_there: usize,
}

impl Lacking {
    /// A segment that cannot be read is reported as that, and not counted.
    fn add(&mut self, path: &Path, is_migrated: bool, known: &HashSet<u64>, is_due: &impl Fn(u64) -> bool) {
        let (mut lost, mut never_there) = (HashSet::new(), HashSet::new());
        let columns: Vec<&str> = ROLES.iter().map(|(_, column, _)| *column).chain(EXTRA_REFERENCES).collect();
        let read = each_id(path, &columns, &mut |id| {
            let hash = hash_of(id);
            if is_due(hash) && !known.contains(&hash) {
                let missing = if is_migrated && !arrays::is_id(id) { &mut never_there } else { &mut lost };
                missing.insert(hash);
            }
        });
        if read.is_ok() {
            self.lost += lost.len();
            self.never_there += never_there.len();
        }
    }

    fn findings(&self, folder: &str, file: &str) -> impl Iterator<Item = Finding> {
        let path = format!("predictions/{folder}/{file}");
        let lost = (self.lost > 0).then(|| Finding {
            path: path.clone(),
            is_problem: true,
            kind: "dangling",
            message: format!(
                "{} of the arrays that its rows name are in no file of its run in arrays/{folder}",
                self.lost
            ),
        });
        let lacking = (self.never_there > 0).then(|| Finding {
            path,
            is_problem: false,
            kind: "lacking",
            message: format!(
                "its rows name {} arrays that the workspace it was migrated from lacked",
                self.never_there
            ),
        });
        lost.into_iter().chain(lacking)
    }
}

/// A missing id goes unnoticed where an array that is there has the same hash: 1 in 2^64 for each of them.
fn hash_of(id: &str) -> u64 {
    XxHash3_64::oneshot(id.as_bytes())
}

fn rows_in(path: &Path) -> Result<u64> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let rows = TailReader::default().read_file(&file).and_then(|tail| {
        let footer = tail.footer()?;
        footer.check()?;
        Ok(footer.num_rows)
    });
    rows.map_err(|error| error.at(path))
}

fn each_id(path: &Path, columns: &[&str], take: &mut dyn FnMut(&str)) -> Result<()> {
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    batches::read_batches(path, file, Some(columns), &mut |batches| {
        for batch in batches {
            for column in columns {
                let is_extra = EXTRA_REFERENCES.contains(column);
                texts_of(batch, column, &mut |id| {
                    if !is_extra || arrays::is_id(id) {
                        take(id);
                    }
                });
            }
        }
        Ok(())
    })
}

fn texts_of(batch: &RecordBatch, column: &str, take: &mut dyn FnMut(&str)) {
    let Ok(texts) = Texts::of(batch, column) else { return };
    (0..batch.num_rows()).filter_map(|row| texts.get(row)).for_each(take);
}
