//! The state of a summary: what is counted, merged and stored.

use rayon::prelude::*;

use super::distinct::Distinct;
use super::group::Group;
use super::names::Names;
use super::quantiles::Quantiles;
use super::topk::{Ranked, TEXTS};
use crate::base::metrics::{self, Direction};
use crate::types::columns::SCORES;

/// How many of the best predictions a summary keeps unless told otherwise.
pub const TOP_K: usize = 32;

/// Everything that is known of a set of prediction rows.
#[derive(Clone, Debug)]
pub struct Accumulator {
    pub(super) top_k: usize,
    /// Rows by metric, sorted; rows without a metric under "".
    pub(super) groups: Vec<(String, Group)>,
    pub(super) datasets: Names<u64>,
    pub(super) task_types: Names<u64>,
    pub(super) partitions: Names<u64>,
    pub(super) folds: Names<u64>,
    pub(super) distinct: DistinctCounts,
    /// Earliest and latest `created_at`, µs since 1970 UTC.
    pub(super) dates: Option<(i64, i64)>,
}

/// How many different names there are.
#[derive(Clone, Debug, Default)]
pub struct DistinctCounts {
    pub(super) partitions: Distinct,
    pub(super) folds: Distinct,
    pub(super) configs: Distinct,
    pub(super) runs: Distinct,
    pub(super) branches: Distinct,
    /// The configuration of the row that was added last, which most often is the next one's.
    last_config: Option<String>,
}

/// One prediction row.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// `val_score`, `test_score`, `train_score`.
    pub scores: [Option<f64>; SCORES.len()],
    /// The columns of [`TEXTS`].
    pub texts: [Option<&'a str>; TEXTS.len()],
    /// Name of the metric of the scores.
    pub metric: Option<&'a str>,
    /// Task type.
    pub task_type: Option<&'a str>,
    /// Number of the branch, written out.
    pub branch_id: Option<&'a str>,
    /// Name of the branch; empty for none.
    pub branch_name: Option<&'a str>,
    /// When the row was made, µs since 1970 UTC.
    pub created_at: Option<i64>,
}

impl Row<'_> {
    fn is_val(&self) -> bool {
        self.texts[6] == Some("val")
    }
}

impl Default for Accumulator {
    fn default() -> Self {
        Self::new(TOP_K)
    }
}

impl Accumulator {
    /// An empty summary that keeps the best `top_k` predictions of each metric.
    pub fn new(top_k: usize) -> Self {
        Self {
            top_k,
            groups: Vec::new(),
            datasets: Names::default(),
            task_types: Names::default(),
            partitions: Names::default(),
            folds: Names::default(),
            distinct: DistinctCounts::default(),
            dates: None,
        }
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|(_, group)| group.rows).sum()
    }

    /// How many of the best predictions of each metric are kept.
    pub fn top_k(&self) -> usize {
        self.top_k
    }

    /// Rows by task type.
    pub fn task_types(&self) -> &Names<u64> {
        &self.task_types
    }

    /// Rows by partition.
    pub fn partitions(&self) -> &Names<u64> {
        &self.partitions
    }

    /// Rows by fold.
    pub fn folds(&self) -> &Names<u64> {
        &self.folds
    }

    /// The rows of a metric.
    pub fn group(&self, metric: &str) -> Option<&Group> {
        self.place(metric).ok().map(|place| &self.groups[place].1)
    }

    fn place(&self, metric: &str) -> Result<usize, usize> {
        self.groups.binary_search_by(|(name, _)| name.as_str().cmp(metric))
    }

    /// All metrics with their rows, "" for rows without one.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(metric, group)| (metric.as_str(), group))
    }

    pub(super) fn group_mut(&mut self, metric: &str) -> &mut Group {
        let place = self.place_of(metric, || metrics::direction(metric));
        &mut self.groups[place].1
    }

    /// The place of a metric's group, made if it is new.
    fn place_of(&mut self, metric: &str, direction: impl FnOnce() -> Direction) -> usize {
        self.place(metric).unwrap_or_else(|place| {
            self.groups.insert(place, (metric.to_owned(), Group::new(direction(), self.top_k)));
            place
        })
    }

    /// The group of a metric to which rows of this direction are to be added.
    pub(super) fn group_of(&mut self, metric: &str, direction: Direction) -> &mut Group {
        let place = self.place_of(metric, || direction);
        let group = &mut self.groups[place].1;
        group.settle(direction);
        group
    }

    /// Adds one row whose `id` and `preprocessings` are not known, unless it would be ranked and needs them.
    ///
    /// Returns whether it was added.
    pub fn add_unranked(&mut self, row: &Row<'_>) -> bool {
        let Ok(place) = self.place(row.metric.unwrap_or_default()) else { return false };
        let (group, is_val) = (&self.groups[place].1, row.is_val());
        let ranks = group.ranking.changes_with(is_val, row.scores[0].is_some())
            || group.ranking.goodness(is_val, row.scores, group.direction).is_some();
        if !ranks {
            self.count(row, place);
        }
        !ranks
    }

    /// Adds one row.
    pub fn add(&mut self, row: &Row<'_>) {
        let metric = row.metric.unwrap_or_default();
        let place = self.place_of(metric, || metrics::direction(metric));
        self.count(row, place);
        let Group { ranking, direction, .. } = &mut self.groups[place].1;
        let is_val = row.is_val();
        ranking.note(is_val, row.scores[0].is_some());
        if let Some(goodness) = ranking.goodness(is_val, row.scores, *direction) {
            ranking.top.offer(Ranked::new(goodness, row.scores, row.texts.into_iter()));
        }
    }

    /// Adds one row to everything but the ranking of its group.
    fn count(&mut self, row: &Row<'_>, place: usize) {
        let [_, run, dataset, model, config, fold, partition, _] = row.texts;
        *self.datasets.entry(dataset) += 1;
        *self.task_types.entry(row.task_type) += 1;
        // A name that is counted already is no new one.
        if self.partitions.count(partition) {
            self.distinct.partitions.add(partition.unwrap_or_default());
        }
        if self.folds.count(fold) {
            self.distinct.folds.add(fold.unwrap_or_default());
        }
        if let Some(config) = config {
            self.distinct.add_config(config);
        }
        self.distinct.add_branch(row.branch_id, row.branch_name);
        self.add_date(row.created_at.map(|time| (time, time)));

        let group = &mut self.groups[place].1;
        group.rows += 1;
        for (stats, &score) in group.scores.iter_mut().zip(&row.scores) {
            stats.add(score);
        }
        let val_score = row.scores[0];
        group.models.entry(model).add(val_score, group.direction);
        match run {
            Some(name) => {
                let totals = group.runs.entry(run);
                totals.add(val_score, group.direction);
                if totals.rows == 1 || group.runs.other.is_some() {
                    self.distinct.runs.add(name);
                }
            }
            None => group.configs.entry(config).add(val_score, group.direction),
        }
    }

    pub(super) fn add_date(&mut self, range: Option<(i64, i64)>) {
        if let Some((low, high)) = range {
            let (earliest, latest) = self.dates.unwrap_or((low, high));
            self.dates = Some((earliest.min(low), latest.max(high)));
        }
    }

    /// Adds what another summary has counted.
    ///
    /// Where the two rank a metric differently it becomes unranked.
    pub fn merge(&mut self, other: &Self) {
        self.merge_outline(other);
        for (metric, theirs) in &other.groups {
            let ours = self.group_of(metric, theirs.direction);
            for (ours, theirs) in ours.scores.iter_mut().zip(&theirs.scores) {
                ours.quantiles.merge(&theirs.quantiles);
            }
            ours.configs.merge(&theirs.configs, ours.direction);
        }
    }

    /// Adds what another summary has counted, but for what is told apart within a dataset alone, single
    /// configurations, and for the values behind quartiles, which [`Self::finalize_over`] finds where they are.
    pub(super) fn merge_outline(&mut self, other: &Self) {
        for (metric, theirs) in &other.groups {
            self.group_of(metric, theirs.direction).merge_outline(theirs);
        }
        for (ours, theirs) in [
            (&mut self.datasets, &other.datasets),
            (&mut self.task_types, &other.task_types),
            (&mut self.partitions, &other.partitions),
            (&mut self.folds, &other.folds),
        ] {
            ours.merge(theirs, Direction::Unknown);
        }
        self.distinct.merge(&other.distinct);
        self.add_date(other.dates);
    }

    /// Whether another count of the same rows names them alike, as far as is known exactly.
    pub fn has_names_of(&self, other: &Self) -> bool {
        self.task_types.has_rows_of(&other.task_types)
            && self.partitions.has_rows_of(&other.partitions)
            && self.folds.has_rows_of(&other.folds)
            && self.dates == other.dates
            && self.distinct.all() == other.distinct.all()
    }

    /// Makes the state small enough for a footer: so many names a facet, so many values a score.
    pub(super) fn limit(&mut self, names: usize, values: usize) {
        for counts in [&mut self.datasets, &mut self.task_types, &mut self.partitions, &mut self.folds] {
            counts.limit(names, Direction::Unknown);
        }
        for group in self.groups.iter_mut().map(|(_, group)| group) {
            for totals_by_name in [&mut group.models, &mut group.runs, &mut group.configs] {
                totals_by_name.limit(names, group.direction);
            }
            group.scores.iter_mut().for_each(|stats| stats.quantiles.compact_to(values));
        }
    }

    /// Keeps what a report says and forgets the values behind the quartiles: nothing can be added then.
    pub fn finalize(&mut self) {
        for group in self.groups.iter_mut().map(|(_, group)| group) {
            group.scores.par_iter_mut().for_each(|stats| stats.quantiles.finalize());
        }
    }

    /// Takes the quartiles from the parts whose outlines were merged; in parallel.
    pub(super) fn finalize_over(&mut self, parts: &[&Self]) {
        for (metric, group) in &mut self.groups {
            let parts: Vec<&Group> = parts.iter().filter_map(|part| part.group(metric)).collect();
            group.scores.par_iter_mut().enumerate().for_each(|(column, stats)| {
                let sketches: Vec<_> = parts.iter().map(|part| &part.scores[column].quantiles).collect();
                stats.quantiles = Quantiles::together(&sketches);
            });
        }
    }

    /// The name of the only dataset, where there is just one.
    pub fn dataset_name(&self) -> Option<&str> {
        match (self.datasets.named.len(), self.datasets.null, self.datasets.other) {
            (1, None, None) => self.datasets.named.iter().next().map(|(name, _)| name),
            _ => None,
        }
    }

    /// The metric of most rows, ties by name; rows without a metric count only where all are.
    pub fn main_metric(&self) -> Option<&str> {
        let mut named = self.groups.iter().filter(|(metric, _)| !metric.is_empty());
        let first = named.next()?;
        let most = named.fold(first, |best, next| if next.1.rows > best.1.rows { next } else { best });
        Some(most.0.as_str())
    }
}

impl DistinctCounts {
    fn add_config(&mut self, name: &str) {
        if self.last_config.as_deref() != Some(name) {
            self.configs.add(name);
            self.last_config = Some(name.to_owned());
        }
    }

    /// A branch is known by its number or, without one, by its name; an empty name is none.
    pub(super) fn add_branch(&mut self, id: Option<&str>, name: Option<&str>) {
        if let Some(id) = id {
            self.branches.add(id);
        } else if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.branches.add(name);
        }
    }

    pub(super) fn all(&self) -> [&Distinct; 5] {
        [&self.partitions, &self.folds, &self.configs, &self.runs, &self.branches]
    }

    pub(super) fn all_mut(&mut self) -> [&mut Distinct; 5] {
        [&mut self.partitions, &mut self.folds, &mut self.configs, &mut self.runs, &mut self.branches]
    }

    fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.all_mut().into_iter().zip(other.all()) {
            ours.merge(theirs);
        }
    }
}
