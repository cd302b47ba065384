//! Rankings: from footers where they suffice, else from the rows of the files that can matter.

use std::ops::RangeInclusive;
use std::path::Path;

use super::equal_rows::{Configurations, are_different};
use super::file_snapshot::FileFailure;
use super::filter::Filter;
use super::keys::Sort;
use super::page::{self, Ask, attempts};
use super::ranked_rows::{Best, RankedBy, RankedRows};
use super::score_names;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics::{self, Direction};
use crate::base::progress::Progress;
use crate::reading::collect::{self, Caching, Collected};
use crate::segment::live_set::Open;
use crate::summary::json_scores::ScorePath;
use crate::summary::{Accumulator, Group, TOP_K};
use crate::types::columns::{SCORES, Texts};

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
    /// Whether equal rows are one entry.
    pub distinct: bool,
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
    pub best: Vec<Best>,
    /// Files whose rows were read; 0 where footers sufficed.
    pub files_read: usize,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
}

/// The best predictions of one metric.
///
/// Candidates are rows of partition "val" where the metric has any, else all rows, unless the query
/// names a partition; what the metric has is judged by the rows that are asked for. NaN never ranks, ties
/// break by id. Rows of another metric rank by what they have of it in `scores`.
pub fn top(
    root: &Path,
    query: &Query,
    configurations: &Configurations<'_>,
    open: Open,
    caching: Caching,
    progress: &Progress,
) -> Result<Answer> {
    let collected = collect::collect_rankings(root, open, caching, progress)?;
    collected.cache(root);
    let whole = matching(&collected, query);
    let metric = match &query.metric {
        Some(metric) => metric.clone(),
        // Which metric there is cannot be told without the files that cannot be used.
        None if named_metrics(&whole).is_empty() && !collected.errors.is_empty() => {
            let (metric, direction, errors) = (String::new(), Direction::Unknown, collected.errors);
            return Ok(Answer { metric, direction, score: 0, best: Vec::new(), files_read: 0, errors });
        }
        None => only_metric(root, &whole, &query.filter, open, progress)?,
    };
    let group = whole.group(&metric);
    let stored = group.map_or(Direction::Unknown, crate::summary::Group::direction);
    let table = metrics::direction(&metric);
    let known = if stored == Direction::Unknown { table } else { stored };
    let direction = query.direction.unwrap_or(known);
    let named = named_metrics(&collected.whole);
    let asked = Asked { root, query, open, progress };
    // A file that cannot be used may have had it.
    if !named.is_empty() && !named.contains(&metric.as_str()) && collected.errors.is_empty() {
        asked.check_scores(&metric, direction != Direction::Unknown, &named.join(", "))?;
    }
    if direction == Direction::Unknown {
        return Err(metrics::unknown(&metric));
    }
    let by_default = group.map_or(0, |group| group.ranking().score());
    let score = score_of(query, by_default)?;
    let by = RankedBy { metric: &metric, direction, score, by_scores: false, k: query.k, distinct: None };
    let by = RankedBy { distinct: query.distinct.then_some(configurations), ..by };
    let is_own = (direction, score) == (stored, by_default);
    let has_others = query.metric.is_some() && whole.groups().any(|(other, _)| other != metric);
    let of_scores = if has_others { asked.by_scores(by, group)? } else { None };
    let (score, found) = match (of_scores, group) {
        (Some((score, found)), _) => (score, found),
        (None, None) => (score, RankedRows::default()),
        (None, Some(group)) => match in_footers(query, group, is_own) {
            Some(best) => (score, RankedRows { best, ..RankedRows::default() }),
            None => asked.by_column(by, group, is_own)?,
        },
    };
    let RankedRows { best, files_read, mut errors } = found;
    let known: Vec<String> = collected.errors.iter().map(|error| error.path.clone()).collect();
    errors.retain(|error| !known.contains(&error.path));
    errors.extend(collected.errors);
    Ok(Answer { metric, direction, score, best, files_read, errors })
}

/// The score column that is asked for, by its place.
fn score_of(query: &Query, by_default: usize) -> Result<usize> {
    let Some(column) = &query.score else { return Ok(by_default) };
    SCORES.iter().position(|score| score == column).ok_or_else(|| {
        Error::new(
            ErrorKind::Argument,
            format!("score is {column:?}; it must be one of {}", SCORES.join(", ")),
        )
    })
}

/// The best rows, where footers say which they are, and that none of them is there twice.
fn in_footers(query: &Query, group: &Group, is_own: bool) -> Option<Vec<Best>> {
    let ranking = group.ranking();
    let sorted = ranking.top().sorted();
    let asks_for_val_rows =
        ranking.is_of_val_rows() && !sorted.is_empty() && query.filter.value("partition") == Some("val");
    let counted = if asks_for_val_rows { &["dataset_name", "partition"][..] } else { &WHOLE };
    if query.k > TOP_K || !is_own || !asks_only_for(&query.filter, counted) {
        return None;
    }
    if query.distinct && query.k > 0 && !sorted.is_empty() {
        // Rows beyond those that footers have may equal the last of them.
        let shown = &sorted[query.k.min(sorted.len()) - 1];
        let are_all_there = sorted.len() < TOP_K || sorted[TOP_K - 1].goodness() < shown.goodness();
        let alike = sorted.iter().take_while(|ranked| ranked.goodness() >= shown.goodness());
        if !are_all_there || !are_different(&alike.copied().collect::<Vec<_>>()) {
            return None;
        }
    }
    let best = sorted.into_iter().take(query.k).cloned();
    Some(best.map(|ranked| Best { ranked, n_equal: 1 }).collect())
}

/// What is asked, of which workspace.
struct Asked<'a> {
    root: &'a Path,
    query: &'a Query,
    open: Open,
    progress: &'a Progress,
}

impl Asked<'_> {
    fn rank(&self, by: &RankedBy<'_>, filter: &Filter) -> Result<RankedRows> {
        attempts(self.root, self.open, |files| by.rank(self.root, filter, files, self.progress))
    }

    /// Checks that some row has the metric in `scores`, as none has it as its own.
    fn check_scores(&self, metric: &str, is_known: bool, own: &str) -> Result<()> {
        let parts = match &self.query.score {
            Some(_) => vec![score_of(self.query, 0)?],
            None => vec![0, 1],
        };
        attempts(self.root, self.open, |files| {
            let files = files.files;
            let all: Vec<usize> = (0..files.len()).collect();
            let check = || {
                for &part in &parts {
                    let path = ScorePath { part, metric: metric.to_owned() };
                    if score_names::is_there(self.root, &path, &files, &all, self.progress)? {
                        return Ok(());
                    }
                }
                let scores = score_names::some_names(&files)?;
                let scores = if scores.is_empty() { scores } else { format!("; in `scores` {scores}") };
                let message = format!("there is no row with the metric {metric:?}; there are {own}{scores}");
                let kind = if is_known { ErrorKind::Argument } else { ErrorKind::Metric };
                Err(FileFailure::from(Error::new(kind, message)))
            };
            check().map_err(|failed: FileFailure| failed.named(&files))
        })
    }

    fn of_val(filter: &Filter) -> Filter {
        let mut filter = filter.clone();
        filter.add_equal("partition", "val".to_owned());
        filter
    }

    /// Ranks the rows that have the metric as their own.
    fn by_column(&self, by: RankedBy<'_>, group: &Group, is_own: bool) -> Result<(usize, RankedRows)> {
        let mut filter = self.query.filter.clone();
        filter.add_equal("metric", by.metric.to_owned());
        let of_val = Self::of_val(&filter);
        let mut is_of_val = group.ranking().is_of_val_rows() && filter.value("partition").is_none();
        let chosen = |is_of_val: bool| if is_of_val { &of_val } else { &filter };
        if is_own
            && asks_only_for(&self.query.filter, &WHOLE)
            && let Some(range) = range_of_best(group, by.direction)
        {
            // Most files and row groups have no score that good.
            let mut filter = chosen(is_of_val).clone();
            filter.ranges.push((by.score, range));
            let found = self.rank(&by, &filter)?;
            if found.best.len() == by.k || group.ranking().top().sorted().len() < TOP_K {
                return Ok((by.score, found));
            }
        }
        let found = self.rank(&by, chosen(is_of_val))?;
        if !found.best.is_empty() || asks_only_for(&filter, &["dataset_name", "metric"]) {
            return Ok((by.score, found));
        }
        // What the metric has, the rows that are asked for may lack.
        let first = |filter| first(self.root, filter, SCORES[0], false, self.open, self.progress);
        is_of_val = is_of_val && first(&of_val)?.total > 0;
        let lacks_val = first(&filter)?.rows.column(0).logical_null_count() > 0;
        let score = if self.query.score.is_none() && lacks_val { 1 } else { by.score };
        let by = RankedBy { score, ..by };
        Ok((score, self.rank(&by, chosen(is_of_val))?))
    }

    /// Ranks rows of all metrics, those of others by what they have in `scores`; `None` where none has it.
    fn by_scores(&self, by: RankedBy<'_>, group: Option<&Group>) -> Result<Option<(usize, RankedRows)>> {
        let has_val = group.is_some_and(|group| group.ranking().score() == 0);
        let scores = if self.query.score.is_some() || has_val { vec![by.score] } else { vec![0, 1] };
        let filter = &self.query.filter;
        let filters = match filter.value("partition") {
            Some(_) => vec![filter.clone()],
            None => vec![Self::of_val(filter), filter.clone()],
        };
        let mut last = None;
        for &score in &scores {
            let by = RankedBy { score, by_scores: true, ..by };
            let path = ScorePath { part: score, metric: by.metric.to_owned() };
            let has_any = attempts(self.root, self.open, |files| {
                let files = files.files;
                score_names::others_have(self.root, &path, filter, &files, self.progress)
                    .map_err(|failed| failed.named(&files))
            })?;
            if !has_any {
                continue;
            }
            for filter in &filters {
                let found = self.rank(&by, filter)?;
                if !found.best.is_empty() {
                    return Ok(Some((score, found)));
                }
                last = Some((score, found));
            }
        }
        Ok(last)
    }
}

/// The scores that are as good as those in footers.
fn range_of_best(group: &Group, direction: Direction) -> Option<RangeInclusive<f64>> {
    let sorted = group.ranking().top().sorted();
    let worst = sorted.last()?.scores()[group.ranking().score()]?;
    match direction {
        Direction::Maximize => Some(worst..=f64::INFINITY),
        Direction::Minimize => Some(f64::NEG_INFINITY..=worst),
        Direction::Zero | Direction::Unknown => None,
    }
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
