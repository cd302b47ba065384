//! What a summary says, in the shape that files, Python and the command line share.

use rayon::prelude::*;

use super::accumulator::Accumulator;
use super::datasets::Datasets;
use super::distinct::Distinct;
use super::group::Group;
use super::names::{Count, Names, ScoreTotals};
use super::score_stats::ScoreStats;
use super::topk::{Ranked, TEXTS};
use crate::base::clock::format_time;
use crate::base::metrics::Direction;
use crate::base::value::{Key, Value};
use crate::types::columns::SCORES;

/// The version of the summary's shape, as `n4a_version` says.
pub const VERSION: &str = "1.1";
/// How many of the best predictions a summary shows.
pub const SHOWN: usize = 10;

/// The summary of one set of rows; `dataset_name` is that of the rows unless given.
pub fn summary(accumulator: &Accumulator, dataset_name: Option<&str>, generated_at: &str) -> Value {
    brief_summary(accumulator, dataset_name, generated_at, SHOWN)
}

/// The summary of one set of rows with only the best `shown` predictions of each metric in `by_metric`.
pub fn brief_summary(
    accumulator: &Accumulator,
    dataset_name: Option<&str>,
    generated_at: &str,
    shown: usize,
) -> Value {
    let dataset_name = dataset_name.or_else(|| accumulator.dataset_name());
    let by_metric = by_metric(accumulator, shown);
    let main = Main::of(accumulator);
    Value::map([
        ("n4a_version", VERSION.into()),
        ("generated_at", generated_at.into()),
        ("dataset_name", dataset_name.into()),
        ("total_predictions", accumulator.rows().into()),
        ("metric", main.metric.into()),
        ("direction", main.direction().name().into()),
        ("ranked_by", main.copy_of("ranked_by", &by_metric)),
        ("stats", main.copy_of("stats", &by_metric)),
        ("facets", facets(accumulator, &main, &by_metric)),
        ("task_types", counts_by_name(&accumulator.task_types)),
        ("date_range", date_range(accumulator)),
        ("metrics_used", metrics_used(accumulator)),
        ("has_branches", (accumulator.distinct.branches.count() > 0).into()),
        ("branch_count", accumulator.distinct.branches.count().into()),
        ("runs", runs(accumulator, &main, &by_metric)),
        ("top_predictions", main.top_predictions(&by_metric, shown)),
        ("by_metric", by_metric),
    ])
}

/// The summary of several datasets: each one's, and what they are together.
pub fn workspace_summary(datasets: &Datasets, whole: &Accumulator, generated_at: &str) -> Value {
    let by_metric = by_metric(whole, SHOWN);
    let main = Main::of(whole);
    let each: Vec<(&String, &Accumulator)> = datasets.iter().collect();
    let each = each.par_iter().map(|(name, accumulator)| summary(accumulator, Some(name), generated_at));
    Value::map([
        ("n4a_version", VERSION.into()),
        ("generated_at", generated_at.into()),
        ("total_predictions", whole.rows().into()),
        ("total_datasets", (datasets.len() as u64).into()),
        ("metric", main.metric.into()),
        ("direction", main.direction().name().into()),
        ("ranked_by", main.copy_of("ranked_by", &by_metric)),
        ("datasets", Value::List(each.collect())),
        ("models", models(whole, &main, &by_metric)),
        ("runs", runs(whole, &main, &by_metric)),
        ("top_predictions", main.top_predictions(&by_metric, SHOWN)),
        ("task_types", counts_by_name(&whole.task_types)),
        ("date_range", date_range(whole)),
        ("by_metric", by_metric),
    ])
}

/// What is known of each model on each dataset by each metric, in a form that can be added up: rows,
/// finite validation scores, their sum, and the best of them.
pub fn performance(datasets: &Datasets) -> Value {
    let mut all = Vec::new();
    for (dataset, accumulator) in datasets {
        for (metric, group) in accumulator.groups() {
            let entry = |name: Option<&str>, totals: &ScoreTotals| {
                Value::map([
                    ("dataset", dataset.as_str().into()),
                    ("metric", metric.into()),
                    ("direction", group.direction().name().into()),
                    ("model", name.into()),
                    ("count", totals.rows().into()),
                    ("scores", totals.scores().into()),
                    ("sum", totals.sum().into()),
                    ("best", best(totals, group.direction())),
                ])
            };
            if let Value::List(entries) = with_other(group.models(), entry) {
                all.extend(entries);
            }
        }
    }
    Value::List(all)
}

/// The configurations of rows without a run, by dataset and metric, each as a run is listed.
pub fn configurations(datasets: &Datasets) -> Value {
    let of_group = |(metric, group): (&str, &Group)| {
        let configs = run_list(&group.configs, group.direction());
        (metric.to_owned().into(), configs)
    };
    let of_dataset = |(name, accumulator): (&String, &Accumulator)| {
        (name.clone().into(), Value::Map(accumulator.groups().map(of_group).collect()))
    };
    Value::Map(datasets.iter().map(of_dataset).collect())
}

/// A ranked prediction.
pub fn prediction(ranked: &Ranked) -> Value {
    let mut entries: Vec<(Key, Value)> = Vec::with_capacity(TEXTS.len() + SCORES.len());
    let texts = ranked.texts();
    entries.extend(TEXTS.iter().zip(texts).map(|(&key, text)| (key.into(), text.into())));
    // Scores stand after the names of model and configuration, where a reader looks for them.
    let scores = SCORES.iter().zip(ranked.scores()).map(|(&key, score)| (key.into(), score.into()));
    entries.splice(5..5, scores);
    Value::Map(entries)
}

/// One entry of a ranking, which stands for so many rows.
pub fn ranked(ranked: &Ranked, n_equal: u64) -> Value {
    let Value::Map(mut entries) = prediction(ranked) else { return Value::Null };
    entries.push(("n_equal".into(), n_equal.into()));
    Value::Map(entries)
}

/// The metric of most rows and its group.
struct Main<'a> {
    metric: Option<&'a str>,
    group: Option<&'a Group>,
}

impl<'a> Main<'a> {
    fn of(accumulator: &'a Accumulator) -> Self {
        let metric = accumulator.main_metric();
        Self { metric, group: accumulator.group(metric.unwrap_or_default()) }
    }

    fn direction(&self) -> Direction {
        self.group.map_or(Direction::Unknown, Group::direction)
    }

    fn top_predictions(&self, by_metric: &Value, shown: usize) -> Value {
        match self.group {
            Some(group) if shown < SHOWN => top_predictions(group, SHOWN),
            _ => self.copy_of("top_predictions", by_metric),
        }
    }

    /// What `by_metric` says of the main metric; of no rows, what it would say.
    fn copy_of(&self, key: &str, by_metric: &Value) -> Value {
        match by_metric.get(self.metric.unwrap_or_default()) {
            Some(entry) => entry.again(key),
            None => of_group(&Group::new(Direction::Unknown, 0), 0).again(key),
        }
    }
}

fn ranked_by(group: &Group) -> Value {
    (group.direction() != Direction::Unknown).then(|| SCORES[group.ranking().score()]).into()
}

fn top_predictions(group: &Group, shown: usize) -> Value {
    group.ranking().top().sorted().into_iter().take(shown).map(prediction).collect()
}

fn stats(scores: &[ScoreStats; SCORES.len()]) -> Value {
    Value::Map(
        SCORES.iter().zip(scores).map(|(&column, stats)| (column.into(), score_stats(stats))).collect(),
    )
}

fn score_stats(stats: &ScoreStats) -> Value {
    let quartiles = stats.quantiles.quartiles().map(|quartiles| quartiles.into_iter().collect::<Value>());
    Value::map([
        ("count", stats.moments.count().into()),
        ("nulls", stats.nulls.into()),
        ("nans", stats.nans.into()),
        ("infs", stats.infs.into()),
        ("min", stats.range.map(|range| range.0).into()),
        ("max", stats.range.map(|range| range.1).into()),
        ("mean", stats.moments.mean().into()),
        ("std", stats.moments.std().into()),
        ("overflow", stats.moments.has_overflow().into()),
        ("quartiles", quartiles.unwrap_or(Value::Null)),
        ("quartiles_exact", stats.quantiles.is_exact().into()),
    ])
}

fn by_metric(accumulator: &Accumulator, shown: usize) -> Value {
    let entries =
        accumulator.groups().map(|(metric, group)| (metric.to_owned().into(), of_group(group, shown)));
    Value::Map(entries.collect())
}

fn of_group(group: &Group, shown: usize) -> Value {
    Value::map([
        ("direction", group.direction().name().into()),
        ("ranked_by", ranked_by(group)),
        ("count", group.rows().into()),
        ("stats", stats(group.scores()).shared()),
        ("models", totals_by_name(group.models(), group.direction()).shared()),
        ("runs", run_list(group.runs(), group.direction()).shared()),
        ("top_predictions", top_predictions(group, shown).shared()),
    ])
}

fn facets(accumulator: &Accumulator, main: &Main<'_>, by_metric: &Value) -> Value {
    let distinct = &accumulator.distinct;
    let mut folds: Vec<&str> = accumulator.folds.named.iter().map(|(name, _)| name).collect();
    folds.sort_unstable();
    let counted: [(&str, &Distinct); 4] = [
        ("n_partitions", &distinct.partitions),
        ("n_folds", &distinct.folds),
        ("n_configs", &distinct.configs),
        ("n_runs", &distinct.runs),
    ];
    let mut entries: Vec<(Key, Value)> = vec![
        ("models".into(), models(accumulator, main, by_metric)),
        ("partitions".into(), counts(&accumulator.partitions)),
        ("folds".into(), folds.into_iter().collect()),
    ];
    entries.extend(counted.iter().map(|(key, set)| ((*key).into(), set.count().into())));
    let approximate = counted.iter().filter(|(_, set)| !set.is_exact()).map(|(key, _)| *key);
    entries.push(("approximate".into(), approximate.collect()));
    Value::Map(entries)
}

/// Models of all rows, with the scores of the main metric.
fn models(accumulator: &Accumulator, main: &Main<'_>, by_metric: &Value) -> Value {
    if accumulator.groups().nth(1).is_none() {
        return main.copy_of("models", by_metric);
    }
    totals_by_name(&with_rows_of_all(accumulator, main, Group::models), main.direction())
}

fn runs(accumulator: &Accumulator, main: &Main<'_>, by_metric: &Value) -> Value {
    if accumulator.groups().nth(1).is_none() {
        return main.copy_of("runs", by_metric);
    }
    run_list(&with_rows_of_all(accumulator, main, Group::runs), main.direction())
}

/// The names of the main metric with its scores, and the rows of every metric.
fn with_rows_of_all(
    accumulator: &Accumulator,
    main: &Main<'_>,
    names: impl Fn(&Group) -> &Names<ScoreTotals>,
) -> Names<ScoreTotals> {
    let Some(main_group) = main.group else { return Names::default() };
    let mut all = names(main_group).clone();
    for (metric, group) in accumulator.groups() {
        if metric != main.metric.unwrap_or_default() {
            all.merge(&names(group).without_scores(), Direction::Unknown);
        }
    }
    all
}

fn totals_by_name(names: &Names<ScoreTotals>, direction: Direction) -> Value {
    let entry = |name: Option<&str>, totals: &ScoreTotals| {
        let said = [
            ("name", name.into()),
            ("count", totals.rows().into()),
            ("avg_val_score", totals.mean().into()),
            ("best_val_score", best(totals, direction)),
        ];
        // Of a thousand names none has it, mostly, and a footer has room for little.
        let overflow = totals.has_overflow().then(|| ("overflow", Value::from(true)));
        Value::Map(said.into_iter().chain(overflow).map(|(key, value)| (key.into(), value)).collect())
    };
    with_other(names, entry)
}

fn run_list(names: &Names<ScoreTotals>, direction: Direction) -> Value {
    with_other(names, |id, totals| {
        Value::map([
            ("id", id.into()),
            ("name", id.map(run_name).into()),
            ("n_predictions", totals.rows().into()),
            ("best_val_score", best(totals, direction)),
        ])
    })
}

fn best(totals: &ScoreTotals, direction: Direction) -> Value {
    totals.best().filter(|_| direction != Direction::Unknown).into()
}

/// The name in a run's id, `<YYYY-MM-DD>_<Slug>_<12 hex>`; other ids are their own names.
fn run_name(id: &str) -> &str {
    let is_date = |text: &str| {
        text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    let is_hex = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match id.split_once('_').and_then(|(date, rest)| Some((date, rest.rsplit_once('_')?))) {
        Some((date, (name, hex))) if is_date(date) && is_hex(hex) => name,
        _ => id,
    }
}

fn counts(names: &Names<u64>) -> Value {
    with_other(names, |name, count| Value::map([("name", name.into()), ("count", (*count).into())]))
}

/// Entries by name, and at the end one for all names that were counted together.
fn with_other<T: Count>(names: &Names<T>, entry: impl Fn(Option<&str>, &T) -> Value) -> Value {
    let mut entries: Vec<Value> =
        names.sorted().into_iter().map(|(name, count)| entry(name, count)).collect();
    if let Some(other) = &names.other
        && let Value::Map(mut fields) = entry(Some("other"), other)
    {
        fields.push(("is_other".into(), true.into()));
        entries.push(Value::Map(fields));
    }
    Value::List(entries)
}

fn counts_by_name(names: &Names<u64>) -> Value {
    let named = names
        .sorted()
        .into_iter()
        .filter_map(|(name, count)| Some((name?.to_owned().into(), (*count).into())));
    Value::Map(named.chain(names.other.map(|count| ("other".into(), count.into()))).collect())
}

fn date_range(accumulator: &Accumulator) -> Value {
    let (earliest, latest) = accumulator.dates.unzip();
    Value::map([
        ("earliest", earliest.and_then(format_time).as_deref().into()),
        ("latest", latest.and_then(format_time).as_deref().into()),
    ])
}

fn metrics_used(accumulator: &Accumulator) -> Value {
    accumulator.groups().map(|(metric, _)| metric).filter(|metric| !metric.is_empty()).collect()
}
