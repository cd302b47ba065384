//! Rankings: from footers where they suffice, else from the rows of the files that can matter.

use std::ops::RangeInclusive;
use std::path::Path;

use arrow_array::RecordBatch;
use rayon::prelude::*;

use crate::collect::{self, Caching, Collected};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileError, Open};
use crate::footer::TailReader;
use crate::metrics::{self, Direction};
use crate::platform;
use crate::progress::Progress;
use crate::scan;
use crate::segments;
use crate::summary::columns::{Numbers, SCORES, Texts};
use crate::summary::embedded::{self, Embedded};
use crate::summary::topk::{Ranked, TEXTS, TopK};
use crate::summary::{Accumulator, Datasets, TOP_K};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// How many predictions.
    pub k: usize,
    /// The metric to rank; `None` means the one that there is.
    pub metric: Option<String>,
    /// The score column to rank by; `None` means the one that the summary ranks by.
    pub score: Option<String>,
    /// Which scores are better; `None` means what the table or the files say.
    pub direction: Option<Direction>,
    /// Columns that must have exactly this text: any of [`EQUAL`].
    pub equal: Vec<(String, String)>,
    /// Score columns that must lie in this range, by their place in [`SCORES`].
    pub ranges: Vec<(usize, RangeInclusive<f64>)>,
    /// A text that `preprocessings` must contain.
    pub preprocessings_contains: Option<String>,
}

/// The columns that can be asked to equal a text.
pub const EQUAL: [&str; 7] =
    ["dataset_name", "model_name", "partition", "run_id", "result_id", "fold_id", "task_type"];

/// A ranking and how it came about.
pub struct Answer {
    /// The metric that was ranked.
    pub metric: String,
    /// Which scores are better.
    pub direction: Direction,
    /// The score column that ranked, by its place in [`SCORES`].
    pub score: usize,
    /// Best first.
    pub top: TopK,
    /// Files whose rows were read; 0 where footers sufficed.
    pub files_read: usize,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
}

/// The best predictions of one metric.
///
/// Candidates are rows of partition "val" where the metric has any, else all rows, unless the query
/// names a partition. NaN never ranks, ties break by id.
pub fn top(root: &Path, query: &Query, open: Open, caching: Caching, progress: &Progress) -> Result<Answer> {
    let collected = collect::collect_rankings(root, open, caching, progress)?;
    let whole = matching(&collected, query);
    let metric = match &query.metric {
        Some(metric) => metric.clone(),
        None => only_metric(&whole)?,
    };
    let group = whole.group(&metric);
    let stored = group.map_or(Direction::Unknown, crate::summary::Group::direction);
    let table = metrics::direction(&metric);
    let known = if stored == Direction::Unknown { table } else { stored };
    let direction = query.direction.unwrap_or(known);
    if direction == Direction::Unknown {
        return Err(metrics::unknown(&metric));
    }
    let by_default = group.map_or(0, |group| group.ranking().score());
    let score = match &query.score {
        None => by_default,
        Some(column) => SCORES.iter().position(|score| score == column).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                format!("score is {column:?}; it must be one of {}", SCORES.join(", ")),
            )
        })?,
    };
    let of_val_rows = group.is_some_and(|group| group.ranking().is_of_val_rows());
    let mut answer =
        Answer { metric, direction, score, top: TopK::new(query.k), files_read: 0, errors: Vec::new() };

    let only_default_rows = query.equal.iter().all(|(column, value)| match column.as_str() {
        "dataset_name" => true,
        "partition" => of_val_rows && value == "val",
        _ => false,
    });
    let footers_suffice = query.k <= TOP_K
        && only_default_rows
        && query.ranges.is_empty()
        && query.preprocessings_contains.is_none()
        && (direction, score) == (stored, by_default);
    match group {
        None => {}
        Some(group) if footers_suffice => answer.top.merge(group.ranking().top()),
        Some(_) => {
            let rows = Rows { query, metric: answer.metric.clone(), direction, score, only_val: of_val_rows };
            read_rows(root, &rows, open, &collected, &mut answer, progress)?;
        }
    }
    answer.errors.extend(collected.errors);
    Ok(answer)
}

/// All datasets that the query allows, as one.
fn matching(collected: &Collected, query: &Query) -> Accumulator {
    let wanted = query.equal.iter().find(|(column, _)| column == "dataset_name").map(|(_, value)| value);
    match wanted {
        None => collected.whole.clone(),
        Some(wanted) => collected.datasets.get(wanted).cloned().unwrap_or_default(),
    }
}

fn only_metric(whole: &Accumulator) -> Result<String> {
    let named: Vec<&str> =
        whole.groups().map(|(metric, _)| metric).filter(|metric| !metric.is_empty()).collect();
    match named[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Error::new(ErrorKind::Argument, "there is no row with a metric to rank")),
        _ => Err(Error::new(
            ErrorKind::Argument,
            format!(
                "there are several metrics, which do not compare; pass metric= one of {}",
                named.join(", ")
            ),
        )),
    }
}

/// What is asked of each row.
struct Rows<'a> {
    query: &'a Query,
    metric: String,
    direction: Direction,
    score: usize,
    only_val: bool,
}

impl Rows<'_> {
    /// The partition that a row must have.
    fn partition(&self) -> Option<&str> {
        let asked = self.query.equal.iter().find(|(column, _)| column == "partition");
        asked.map(|(_, value)| value.as_str()).or(self.only_val.then_some("val"))
    }

    /// Whether a file with this summary can hold such a row.
    fn can_be_in(&self, datasets: &Datasets) -> bool {
        datasets.iter().any(|(name, accumulator)| {
            accumulator.group(&self.metric).is_some_and(|group| {
                let names_match = self.query.equal.iter().all(|(column, value)| match column.as_str() {
                    "dataset_name" => name == value,
                    "model_name" => group.models().may_have(value),
                    "run_id" => group.runs().may_have(value),
                    "partition" => accumulator.partitions().may_have(value),
                    "fold_id" => accumulator.folds().may_have(value),
                    "task_type" => accumulator.task_types().may_have(value),
                    _ => true,
                });
                names_match
                    && self.partition().is_none_or(|partition| accumulator.partitions().may_have(partition))
                    && self
                        .query
                        .ranges
                        .iter()
                        .all(|(score, wanted)| group.scores()[*score].may_lie_in(wanted))
            })
        })
    }

    fn offer(&self, batch: &RecordBatch, unnamed: &str, top: &mut TopK) -> Result<()> {
        let scores =
            [Numbers::of(batch, SCORES[0])?, Numbers::of(batch, SCORES[1])?, Numbers::of(batch, SCORES[2])?];
        let metric = Texts::of(batch, "metric")?;
        let partition = Texts::of(batch, "partition")?;
        let preprocessings = Texts::of(batch, "preprocessings")?;
        let dataset = Texts::of(batch, "dataset_name")?;
        let equal =
            self.query.equal.iter().filter(|(column, _)| column != "dataset_name" && column != "partition");
        let equal = equal.map(|(column, value)| Ok((Texts::of(batch, column)?, value.as_str())));
        let equal: Vec<(Texts<'_>, &str)> = equal.collect::<Result<_>>()?;
        let wanted_dataset = self.query.equal.iter().find(|(column, _)| column == "dataset_name");
        let texts = TEXTS.map(|column| Texts::of(batch, column));
        let mut columns = Vec::with_capacity(TEXTS.len());
        for text in texts {
            columns.push(text?);
        }
        for row in 0..batch.num_rows() {
            let Some(goodness) = scores[self.score].get(row).and_then(|score| self.direction.goodness(score))
            else {
                continue;
            };
            let fits =
                top.admits(goodness)
                    && metric.get(row).unwrap_or_default() == self.metric
                    && self.partition().is_none_or(|wanted| partition.get(row) == Some(wanted))
                    && wanted_dataset.is_none_or(|(_, wanted)| dataset.get(row).unwrap_or(unnamed) == wanted)
                    && equal.iter().all(|(texts, wanted)| texts.get(row) == Some(*wanted))
                    && self.query.ranges.iter().all(|(score, wanted)| {
                        scores[*score].get(row).is_some_and(|value| wanted.contains(&value))
                    })
                    && self.query.preprocessings_contains.as_ref().is_none_or(|wanted| {
                        preprocessings.get(row).is_some_and(|text| text.contains(wanted))
                    });
            if fits {
                let scores = [0, 1, 2].map(|score: usize| scores[score].get(row));
                top.offer(Ranked::new(goodness, scores, columns.iter().map(|texts| texts.get(row))));
            }
        }
        Ok(())
    }
}

fn read_rows(
    root: &Path,
    rows: &Rows<'_>,
    open: Open,
    collected: &Collected,
    answer: &mut Answer,
    progress: &Progress,
) -> Result<()> {
    let mut read = read_files(root, rows, open, collected, progress)?;
    for _ in 0..collect::RESTARTS {
        // A file that was listed and replaced since: the new listing has what replaced it.
        if !read.iter().any(|file| file.as_ref().is_err_and(|(_, error)| FileError::is_vanished(error))) {
            break;
        }
        read = read_files(root, rows, open, collected, progress)?;
    }
    for file in read {
        match file {
            Ok(Some(top)) => {
                answer.files_read += 1;
                answer.top.merge(&top);
            }
            Ok(None) => {}
            Err((_, error)) if error.kind == ErrorKind::Interrupted => return Err(error),
            Err((name, error)) => answer.errors.push(FileError::new(&name, &error)),
        }
    }
    Ok(())
}

type FileTop = Result<Option<TopK>, (String, Error)>;

fn read_files(
    root: &Path,
    rows: &Rows<'_>,
    open: Open,
    collected: &Collected,
    progress: &Progress,
) -> Result<Vec<FileTop>> {
    // What is before the damage in a journal counts.
    let broken = collected.errors.iter().map(|error| error.path.as_str());
    let broken: Vec<&str> = broken.filter(|path| !segments::is_journal(path)).collect();
    let names = files::list(root, open)?.files;
    let usable: Vec<&String> = names.iter().filter(|name| !broken.contains(&name.as_str())).collect();
    let read: Vec<FileTop> = usable
        .par_iter()
        .map_init(TailReader::default, |tails, name| {
            progress
                .check()
                .and_then(|()| read_file(root, name, rows, tails))
                .map_err(|error| ((*name).clone(), error))
        })
        .collect();
    Ok(read)
}

/// Whether the footer leaves it possible that a row matters.
fn can_matter(file: &std::fs::File, rows: &Rows<'_>, tails: &mut TailReader) -> Result<bool> {
    let tail = tails.read_file(file)?;
    match embedded::read(&tail.footer()?)? {
        Embedded::Trusted(sketch) => Ok(rows.can_be_in(&sketch.datasets()?)),
        Embedded::Untrusted(_) | Embedded::Newer(_) => Ok(true),
    }
}

/// `None` where the footer says that no row can matter.
fn read_file(root: &Path, name: &str, rows: &Rows<'_>, tails: &mut TailReader) -> Result<Option<TopK>> {
    let path = files::path_of(root, name);
    let file = platform::open(&path).map_err(|error| Error::io(&path, error))?;
    if !segments::is_journal(name) && !can_matter(&file, rows, tails).map_err(|error| error.at(&path))? {
        return Ok(None);
    }
    let mut columns: Vec<&str> = [&TEXTS[..], &SCORES[..], &EQUAL[..]].concat();
    columns.push("metric");
    let unnamed = scan::dataset_of(&path);
    let mut top = TopK::new(rows.query.k);
    // Damage in a journal is reported already.
    scan::read_rows(&path, file, &columns, &mut |batches| {
        batches.iter().try_for_each(|batch| rows.offer(batch, &unnamed, &mut top))
    })?;
    Ok(Some(top))
}
