//! What the rows of prediction files say of each result, counted once for each state of the files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use rayon::prelude::*;

use super::dataset_files::HiddenRows;
use super::row_entry::{self, by_metric};
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics;
use crate::base::progress::Progress;
use crate::catalogue::cache;
use crate::catalogue::result_fields::score_fields;
use crate::catalogue::unit::{Known, Unit};
use crate::fs::{platform, stat};
use crate::reading::scan;
use crate::summary::fold_scores::AVERAGES;
use crate::summary::other_metric::{OTHERS, scored_by};
use crate::summary::result_stats::{self, ResultRows};
use crate::types::columns::{self, Numbers, Texts};
use crate::yaml::tree::Tree;

/// What the rows of prediction files said.
const CACHE: &str = "results.bin";

/// How rows are grouped and scored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grouping<'a> {
    /// The metric that scores them, by their `scores` where theirs is another; without one theirs.
    pub metric: Option<&'a str>,
    /// Whether the results that rows name tell them apart, and nothing else.
    pub by_result: bool,
}

impl Grouping<'_> {
    /// Where it is cached what the rows said.
    fn cache(self) -> String {
        let Some(metric) = self.metric else { return CACHE.to_owned() };
        let hash = blake3::hash(metric.as_bytes()).to_hex();
        let kind = if self.by_result { "run" } else { "file" };
        format!("{kind}-scores-{}.bin", &hash[..12])
    }
}

/// Rows that belong to one result: a run and result, if they name these, a dataset and a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    result: Option<String>,
    dataset: String,
    config: Option<String>,
}

/// What each of these lists of files says, from the cache as far as they are unchanged; what is new is cached.
pub(crate) fn units(
    root: &Path,
    lists: &[&[String]],
    hidden: &HiddenRows,
    grouping: Grouping<'_>,
    may_cache: bool,
    progress: &Progress,
) -> Result<Vec<Arc<Unit>>> {
    let file = grouping.cache();
    let known = cache::load(root, &file);
    let read = lists.par_iter().map(|files| {
        progress.check()?;
        Ok(read_unit(root, files, hidden, grouping, &known))
    });
    let read = read.collect::<Result<Vec<(Arc<Unit>, bool)>>>()?;
    let has_new = read.iter().any(|(_, is_new)| *is_new);
    let units: Vec<Arc<Unit>> = read.into_iter().map(|(unit, _)| unit).collect();
    if has_new && may_cache {
        let paths: HashSet<&str> = units.iter().map(|unit| unit.path.as_str()).collect();
        let others = known.into_values().filter(|unit| !paths.contains(unit.path.as_str()));
        let cached = units.iter().cloned().chain(others);
        cache::store(
            root,
            &file,
            cached.filter(|unit| root.join(&unit.path).exists() && !is_registered(unit)),
        );
    }
    Ok(units)
}

/// What files say together, from the cache where they are unchanged; and whether that is new and worth caching.
fn read_unit(
    root: &Path,
    files: &[String],
    hidden: &HiddenRows,
    grouping: Grouping<'_>,
    known: &Known,
) -> (Arc<Unit>, bool) {
    let read_at = now_ns();
    let stat = |file: &String| {
        let identity = stat::identity_of(&root.join(file)).ok()?;
        Some(hidden.get(file).map_or(identity, |hidden| hidden.identity(identity)))
    };
    let stats: Vec<_> = files.iter().map(stat).collect();
    let path = files.first().cloned().unwrap_or_default();
    if let Some(unit) = known.get(&path).filter(|unit| unit.is_unchanged(&stats) && !is_registered(unit)) {
        return (unit.clone(), false);
    }
    let mut unit = Unit { path, stats, read_at, entry: None, errors: Vec::new() };
    let mut groups = BTreeMap::<Key, Group>::new();
    for file in files {
        let path = root.join(file);
        let unnamed = scan::dataset_of(&path);
        let opened = platform::open(&path).map_err(|error| Error::io(&path, error));
        let (mut of_file, mut place) = (BTreeMap::new(), 0);
        let mut take = |batch: &RecordBatch| match hidden.get(file) {
            None => add(batch, &unnamed, grouping, &mut of_file),
            Some(hidden) => {
                let live = hidden.filter(batch, place)?;
                place += batch.num_rows() as u64;
                add(&live, &unnamed, grouping, &mut of_file)
            }
        };
        let read = opened.and_then(|opened| {
            scan::read_rows(&path, opened, &read_columns(grouping), &mut |batches| {
                batches.iter().try_for_each(&mut take)
            })
        });
        match read {
            Ok(damage) => unit.errors.extend(damage.map(|error| FileError::new(file, &error))),
            Err(error) => {
                unit.errors.push(FileError::new(file, &error));
                continue;
            }
        }
        for (key, group) in of_file {
            groups.entry(key).or_default().merge(&group);
        }
    }
    let (mut configurations, mut said) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
    for (key, group) in groups {
        let named = [key.dataset.as_str().into(), key.config.clone().into()];
        said.push(group.to_tree(key, grouping));
        configurations.push(named.into_iter().chain([by_metric(group.rows.all)]).collect());
    }
    unit.entry = Some(Arc::new(row_entry::entry(configurations, said)));
    let is_new = unit.is_settled();
    (Arc::new(unit), is_new)
}

/// Whether the files rank a metric that this process alone was told of.
fn is_registered(unit: &Unit) -> bool {
    let Some(Ok(tree)) = unit.entry.as_deref().map(row_entry::configurations) else { return false };
    let by_metric = tree.items().unwrap_or_default().iter().filter_map(|said| said.items()?.last());
    let mut metrics =
        by_metric.filter_map(|said| if let Tree::Map(metrics) = said { Some(metrics) } else { None });
    metrics.any(|metrics| metrics.iter().any(|(name, _)| name.as_str().is_some_and(metrics::is_registered)))
}

fn read_columns(grouping: Grouping<'_>) -> Vec<&'static str> {
    let own = ["result_id", "task_type", "n_features", OTHERS];
    let own = if grouping.metric.is_some() { &own[..] } else { &own[..3] };
    [&columns::COLUMNS[..], &result_stats::COLUMNS[..], own].concat()
}

/// What the rows of one result say.
struct Group {
    rows: ResultRows,
    features: f64,
    /// By fold: the most samples of a training, validation and test set, and of others.
    samples: BTreeMap<String, [f64; 4]>,
}

impl Default for Group {
    fn default() -> Self {
        Self { rows: ResultRows::default(), features: 0.0, samples: BTreeMap::new() }
    }
}

impl Group {
    fn merge(&mut self, other: &Self) {
        self.rows.merge(&other.rows);
        self.features = self.features.max(other.features);
        for (fold, counts) in &other.samples {
            let own = self.samples.entry(fold.clone()).or_default();
            own.iter_mut().zip(counts).for_each(|(own, count)| *own = own.max(*count));
        }
    }

    /// Samples of the dataset, which a fold divides between sets. Averages over folds were validated on samples
    /// that they were trained on, and have samples that augmentation made: they count where there is no fold.
    /// Where there was no splitter, a validation set is the test set again.
    fn n_samples(&self) -> f64 {
        let is_average = |fold: &str| AVERAGES.contains(&fold);
        let has_folds = self.samples.keys().any(|fold| !is_average(fold));
        let of_fold = |(fold, counts): (&String, &[f64; 4])| {
            let [train, val, test, other] = *counts;
            let is_again =
                fold.is_empty() && val.to_bits() == test.to_bits() || is_average(fold) && train > 0.0;
            other.max(train + test + if is_again { 0.0 } else { val })
        };
        let folds = self.samples.iter().filter(|(fold, _)| !has_folds || !is_average(fold));
        folds.map(of_fold).fold(0.0, f64::max)
    }

    fn to_tree(&self, key: Key, grouping: Grouping<'_>) -> Tree {
        let n_samples = self.n_samples();
        let mut stats = self.rows.stats();
        if grouping.metric.is_some_and(|metric| !self.rows.has_scores(metric)) {
            stats.models.clear();
        }
        let count = |value: f64| (value > 0.0).then_some(value as i64);
        let task_types = self.rows.all.task_types().sorted();
        let task_type = task_types.iter().filter_map(|(name, rows)| Some((*rows, (*name)?)));
        let task_type = task_type.max_by(|one, other| one.0.cmp(other.0).then(other.1.cmp(one.1)));
        let scores = score_fields(&stats);
        let said = [
            ("id", key.result.into()),
            ("config_name", key.config.into()),
            ("dataset_id", key.dataset.as_str().into()),
            ("dataset_name", key.dataset.as_str().into()),
            ("status", "done".into()),
            ("best_score", stats.best_score.map_or(Tree::Null, Tree::Float)),
            ("best_model", stats.best_model.into()),
            ("metric", stats.metric.into()),
            ("score_kind", stats.score_kind.into()),
            ("n_rows", Tree::Int(stats.rows as i64)),
            ("n_samples", count(n_samples).into()),
            ("n_features", count(self.features).into()),
            ("task_type", task_type.map(|(_, name)| name.to_owned()).into()),
        ];
        Tree::Map(said.into_iter().chain(scores).map(|(name, value)| (name.into(), value)).collect())
    }
}

/// Adds the rows of a batch to the results that they belong to.
fn add(
    batch: &RecordBatch,
    unnamed: &str,
    grouping: Grouping<'_>,
    groups: &mut BTreeMap<Key, Group>,
) -> Result<()> {
    let scored = grouping.metric.map(|metric| scored_by(batch, metric)).transpose()?;
    let batch = scored.as_ref().unwrap_or(batch);
    let [result, dataset, config] =
        ["result_id", "dataset_name", "config_name"].map(|name| Texts::of(batch, name));
    let (result, dataset, config) = (result?, dataset?, config?);
    let mut members = HashMap::<(Option<&str>, Option<&str>, Option<&str>), Vec<u32>>::new();
    for row in 0..batch.num_rows() {
        let key = match result.get(row) {
            None if grouping.by_result => continue,
            Some(result) if grouping.by_result => (Some(result), None, None),
            result => (result, dataset.get(row), config.get(row)),
        };
        members.entry(key).or_default().push(row as u32);
    }
    for ((result, dataset, config), rows) in members {
        let part = arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows))
            .map_err(|error| Error::new(ErrorKind::Corrupt, error.to_string()))?;
        let key = Key {
            result: result.map(str::to_owned),
            dataset: dataset.unwrap_or(unnamed).to_owned(),
            config: config.map(str::to_owned),
        };
        let group = groups.entry(key).or_default();
        group.rows.add(&part)?;
        let (samples, features) = (Numbers::of(&part, "n_samples")?, Numbers::of(&part, "n_features")?);
        let (fold, partition) = (Texts::of(&part, "fold_id")?, Texts::of(&part, "partition")?);
        for row in 0..part.num_rows() {
            group.features = group.features.max(features.get(row).unwrap_or(0.0));
            let set = match partition.get(row) {
                Some("train") => 0,
                Some("val") => 1,
                Some("test") => 2,
                _ => 3,
            };
            let fold = fold.get(row).unwrap_or_default();
            if !group.samples.contains_key(fold) {
                group.samples.insert(fold.to_owned(), [0.0; 4]);
            }
            if let Some(counts) = group.samples.get_mut(fold) {
                counts[set] = counts[set].max(samples.get(row).unwrap_or(0.0));
            }
        }
    }
    Ok(())
}
