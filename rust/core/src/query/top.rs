//! Rankings: from footers where they suffice, else from the rows of the files that can matter.

use std::path::Path;

use super::file_snapshot::{FileFailure, Files};
use super::filter::Filter;
use super::keys::Sort;
use super::order::Order;
use super::page::{self, Ask, Unread, attempts};
use super::take::{schema_of, take};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics::{self, Direction};
use crate::base::progress::Progress;
use crate::reading::collect::{self, Caching, Collected};
use crate::segment::live_set::Open;
use crate::summary::topk::{Ranked, TEXTS, TopK};
use crate::summary::{Accumulator, TOP_K};
use crate::types::columns::{Numbers, SCORES, Texts};

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
    /// What the predictions must have.
    pub filter: Filter,
}

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
/// names a partition; what the metric has is judged by the rows that are asked for. NaN never ranks, ties
/// break by id.
pub fn top(root: &Path, query: &Query, open: Open, caching: Caching, progress: &Progress) -> Result<Answer> {
    let collected = collect::collect_rankings(root, open, caching, progress)?;
    collected.cache(root);
    let whole = matching(&collected, query);
    let metric = match &query.metric {
        Some(metric) => metric.clone(),
        // Which metric there is cannot be told without the files that cannot be used.
        None if named_metrics(&whole).is_empty() && !collected.errors.is_empty() => {
            let (metric, direction, errors) = (String::new(), Direction::Unknown, collected.errors);
            return Ok(Answer {
                metric,
                direction,
                score: 0,
                top: TopK::new(query.k),
                files_read: 0,
                errors,
            });
        }
        None => only_metric(root, &whole, &query.filter, open, progress)?,
    };
    let group = whole.group(&metric);
    let stored = group.map_or(Direction::Unknown, crate::summary::Group::direction);
    let table = metrics::direction(&metric);
    let known = if stored == Direction::Unknown { table } else { stored };
    let direction = query.direction.unwrap_or(known);
    let named = named_metrics(&collected.whole);
    // A file that cannot be used may have had it.
    if !named.is_empty() && !named.contains(&metric.as_str()) && collected.errors.is_empty() {
        let message = format!("there is no row with the metric {metric:?}; there are {}", named.join(", "));
        let is_known = direction != Direction::Unknown;
        return Err(Error::new(if is_known { ErrorKind::Argument } else { ErrorKind::Metric }, message));
    }
    if direction == Direction::Unknown {
        return Err(metrics::unknown(&metric));
    }
    let by_default = group.map_or(0, |group| group.ranking().score());
    let mut score = match &query.score {
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

    let filter = &query.filter;
    let has_top = group.is_some_and(|group| !group.ranking().top().sorted().is_empty());
    let asks_for_val_rows = of_val_rows && has_top && filter.value("partition") == Some("val");
    let counted = if asks_for_val_rows { &["dataset_name", "partition"][..] } else { &WHOLE };
    let footers_suffice =
        query.k <= TOP_K && asks_only_for(filter, counted) && (direction, score) == (stored, by_default);
    match group {
        None => {}
        Some(group) if footers_suffice => answer.top.merge(group.ranking().top()),
        Some(_) => {
            let mut filter = filter.clone();
            filter.equal.push(("metric", answer.metric.clone()));
            let mut of_val = filter.clone();
            of_val.equal.push(("partition", "val".to_owned()));
            let mut is_of_val = of_val_rows && filter.value("partition").is_none();
            let read = |score: usize, is_of_val: bool| {
                let filter = if is_of_val { &of_val } else { &filter };
                let column = SCORES[score].to_owned();
                let sort = Sort { column, descending: None, direction: Some(direction) };
                attempts(root, open, |files| rank(root, filter, &sort, query.k, files, progress))
            };
            let mut found = read(score, is_of_val)?;
            if found.top.sorted().is_empty() && !asks_only_for(&filter, &["dataset_name", "metric"]) {
                // What the metric has, the rows that are asked for may lack.
                let first = |filter| first(root, filter, SCORES[0], false, open, progress);
                is_of_val = is_of_val && first(&of_val)?.total > 0;
                if query.score.is_none() && first(&filter)?.rows.column(0).logical_null_count() > 0 {
                    score = 1;
                }
                found = read(score, is_of_val)?;
            }
            answer = Answer { metric: answer.metric, direction, score, ..found };
        }
    }
    let known: Vec<String> = collected.errors.iter().map(|error| error.path.clone()).collect();
    answer.errors.retain(|error| !known.contains(&error.path));
    answer.errors.extend(collected.errors);
    Ok(answer)
}

/// The first rows in the order of a page.
fn rank(
    root: &Path,
    filter: &Filter,
    sort: &Sort,
    k: usize,
    files: Files,
    progress: &Progress,
) -> Result<Answer, Unread> {
    let Files { files, errors, .. } = files;
    let read = || {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        let order = Order::of(
            &root,
            format!("{} {filter:?} {sort:?}", root.display()),
            &files,
            filter,
            sort,
            progress,
        )?;
        let mut entries = order.rows(0, k)?;
        let ranks = order.levels.keys.ranks.as_ref();
        entries.retain(|entry| ranks.is_some_and(|ranks| ranks.has_scores(entry.key.0)));
        let names: Vec<String> = TEXTS.iter().chain(&SCORES).map(|&name| name.to_owned()).collect();
        let rows = take(&files, &entries, &schema_of(&files, &names)?)?.rows;
        let mut scores = Vec::with_capacity(SCORES.len());
        for column in SCORES {
            scores.push(Numbers::of(&rows, column)?);
        }
        let mut texts = Vec::with_capacity(TEXTS.len());
        for column in TEXTS {
            texts.push(Texts::of(&rows, column)?);
        }
        let direction = sort.direction.unwrap_or(Direction::Unknown);
        let ranked_by = SCORES.iter().position(|column| *column == sort.column).unwrap_or(0);
        let mut top = TopK::new(k);
        for row in 0..rows.num_rows() {
            if let Some(goodness) = scores[ranked_by].get(row).and_then(|score| direction.goodness(score)) {
                let scores = [0, 1, 2].map(|score: usize| scores[score].get(row));
                top.offer(Ranked::new(goodness, scores, texts.iter().map(|texts| texts.get(row))));
            }
        }
        let errors = errors.iter().chain(&order.damage).cloned().collect();
        Ok(Answer {
            metric: String::new(),
            direction,
            score: ranked_by,
            top,
            files_read: order.levels.files.len(),
            errors,
        })
    };
    read().map_err(|failed: FileFailure| (failed.file.map(|file| files[file].name.clone()), failed.error))
}

/// All datasets that the query allows, as one.
fn matching(collected: &Collected, query: &Query) -> Accumulator {
    match query.filter.value("dataset_name") {
        None => collected.whole.clone(),
        Some(wanted) => collected.datasets.get(wanted).cloned().unwrap_or_default(),
    }
}

/// What the footers of a dataset count.
const WHOLE: [&str; 1] = ["dataset_name"];

/// Whether nothing but texts of these columns is asked.
fn asks_only_for(filter: &Filter, columns: &[&str]) -> bool {
    filter.equal.iter().all(|(column, _)| columns.contains(column))
        && *filter == Filter { equal: filter.equal.clone(), ..Filter::default() }
}

/// The first row that fits in the order of a column, with this column.
fn first(
    root: &Path,
    filter: &Filter,
    column: &str,
    descending: bool,
    open: Open,
    progress: &Progress,
) -> Result<page::Page> {
    let sort = Sort { column: column.to_owned(), descending: Some(descending), direction: None };
    let columns = Some(vec![column.to_owned()]);
    let filter = filter.clone();
    let ask = Ask { filter, named: String::new(), sort, offset: 0, limit: 1, cursor: None, columns, open };
    page::page(root, &ask, progress)
}

fn named_metrics(whole: &Accumulator) -> Vec<&str> {
    whole.groups().map(|(metric, _)| metric).filter(|metric| !metric.is_empty()).collect()
}

/// The metric of the rows that are asked for, where they have one.
fn only_metric(
    root: &Path,
    whole: &Accumulator,
    filter: &Filter,
    open: Open,
    progress: &Progress,
) -> Result<String> {
    let named = named_metrics(whole);
    if named.len() > 1 && !asks_only_for(filter, &WHOLE) {
        let end = |descending| {
            let rows = first(root, filter, "metric", descending, open, progress)?.rows;
            let metric = Texts::of(&rows, "metric")?;
            Ok::<_, Error>((rows.num_rows() > 0).then(|| metric.get(0).map(str::to_owned)).flatten())
        };
        if let (Some(smallest), Some(largest)) = (end(false)?, end(true)?)
            && smallest == largest
        {
            return Ok(smallest);
        }
    }
    match named[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Error::new(ErrorKind::Argument, "there is no row with a metric to rank")),
        _ => Err(Error::new(
            ErrorKind::Argument,
            format!(
                "there are several metrics, which do not compare; name the metric to rank, one of {}",
                named.join(", ")
            ),
        )),
    }
}
