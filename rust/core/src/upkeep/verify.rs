//! Checking prediction files: footers against rows, and what dead processes left.

use std::path::Path;

use rayon::prelude::*;

use super::finding::{Finding, check_whole};
use super::verify_segments;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::footer::TailReader;
use crate::fs::{atomic, platform};
use crate::reading::collect::{FileSummary, summarise_file};
use crate::reading::files::{self, Listing};
use crate::reading::scan;
use crate::segment::live_set::Open;
use crate::segment::sealed;
use crate::summary::{Accumulator, Datasets};

/// Checks all prediction files within the current thread pool, in name order.
///
/// With `full`, the rows of files with a trusted summary are read and compared with it.
pub fn verify(root: &Path, full: bool, progress: &Progress) -> Result<Vec<Finding>> {
    let Listing { files: names, errors, .. } = files::list(root, Open::LeftOut)?;
    progress.expect(names.len());
    let found: Vec<Result<Option<Finding>>> = names
        .par_iter()
        .map_init(TailReader::default, |tails, name| {
            let finding = check(root, name, full, tails);
            progress.step()?;
            Ok(finding)
        })
        .collect();
    let mut findings: Vec<Finding> = errors.into_iter().map(Finding::from).collect();
    for finding in found {
        findings.extend(finding?);
    }
    for finding in verify_segments::verify(root, full, progress)? {
        // What cannot be looked at is told by each who looks.
        let is_told = |told: &Finding| {
            let is_same = finding.kind == ErrorKind::Io.name() || told.message == finding.message;
            told.path == finding.path && told.kind == finding.kind && is_same
        };
        if !findings.iter().any(is_told) {
            findings.push(finding);
        }
    }
    let mut folders: Vec<_> =
        names.iter().map(|name| name.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    folders.push("");
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        // One that cannot be listed by now is told of above.
        for path in atomic::leftovers(&root.join(folder)).unwrap_or_default() {
            findings.push(Finding {
                path: path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned(),
                is_problem: false,
                kind: "leftover",
                message: "a temporary file whose writer is gone; recover or rebuild-summaries removes it"
                    .to_owned(),
            });
        }
    }
    Ok(findings)
}

fn check(root: &Path, name: &str, full: bool, tails: &mut TailReader) -> Option<Finding> {
    let path = files::path_of(root, name);
    let found =
        |is_problem, kind, message| Some(Finding { path: name.to_owned(), is_problem, kind, message });
    let problem = |error: Error| found(true, error.kind.name(), error.message);
    let (datasets, scanned) = match summarise_file(&path, tails).and_then(FileSummary::datasets) {
        Ok(summary) => summary,
        Err(error) => return problem(error),
    };
    if full && let Err(error) = check_whole(&path) {
        return problem(error);
    }
    if let Some(reason) = scanned {
        if let Err(error) = sealed::sealed_of(&path) {
            return problem(error);
        }
        return found(false, "untrusted_summary", format!("{reason}; rebuild-summaries adds one"));
    }
    if !full {
        return None;
    }
    let rows = platform::open(&path)
        .map_err(|error| Error::io(&path, error))
        .and_then(|file| scan::scan(&path, file, &scan::dataset_of(&path)));
    match rows {
        Err(error) => problem(error),
        Ok(rows) => first_difference(&datasets, &rows).and_then(|difference| {
            let message =
                format!("the summary disagrees with the rows: {difference}; run rebuild-summaries on a copy");
            found(true, ErrorKind::Corrupt.name(), message)
        }),
    }
}

/// What a summary says otherwise than the rows; what it knows only approximately is not compared.
fn first_difference(said: &Datasets, counted: &Datasets) -> Option<String> {
    // Where nothing was counted, a file may name a dataset or not.
    let with_rows = |datasets| Datasets::iter(datasets).filter(|(_, accumulator)| accumulator.rows() > 0);
    if !with_rows(said).map(|(name, _)| name).eq(with_rows(counted).map(|(name, _)| name)) {
        return Some("other datasets".to_owned());
    }
    with_rows(said).zip(with_rows(counted)).find_map(|((name, said), (_, counted))| {
        difference(said, counted).map(|difference| format!("dataset {name:?}, {difference}"))
    })
}

fn difference(said: &Accumulator, counted: &Accumulator) -> Option<String> {
    if said.rows() != counted.rows() {
        return Some(format!("{} rows against {}", said.rows(), counted.rows()));
    }
    if !said.has_names_of(counted) {
        return Some("names of partitions, folds, configurations, runs or branches".to_owned());
    }
    said.groups().zip(counted.groups()).find_map(|((metric, said), (counted_metric, counted))| {
        let equal = metric == counted_metric
            && said.rows() == counted.rows()
            && said.models().has_rows_of(counted.models())
            && said.runs().has_rows_of(counted.runs())
            && said.scores().iter().zip(counted.scores()).all(|(said, counted)| said.agrees_with(counted))
            && said.ranking().top().sorted() == counted.ranking().top().sorted();
        (!equal).then(|| format!("metric {metric:?}"))
    })
}
