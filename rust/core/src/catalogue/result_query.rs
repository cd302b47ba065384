//! Results of many runs: which of them, in which order, and a page of these.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::results::{self, FIELDS, Results};
use super::tree::Tree;
use super::{Entry, Listed, list};
use crate::error::{Error, ErrorKind, Result};
use crate::files::FileError;
use crate::metrics;
use crate::progress::Progress;
use crate::summary::Writer;

/// What is asked for; without a value, of any.
#[derive(Clone, Debug, Default)]
pub struct ResultQuery {
    /// Fields that must be equal to these texts.
    pub equal: Vec<(String, String)>,
    /// Id or name of the run.
    pub run: Option<String>,
    /// Id of the template, or its name in the run.
    pub template: Option<String>,
    /// Id or name of the dataset.
    pub dataset: Option<String>,
    /// The least score.
    pub min_score: Option<f64>,
    /// The largest score.
    pub max_score: Option<f64>,
    /// The field that orders; `best_score` does so within a metric where the best come first.
    pub sort_by: String,
    /// Largest first; without a value best first, or smallest first of another field than the score.
    pub descending: Option<bool>,
    /// How many are left out.
    pub offset: usize,
    /// How many are wanted at most.
    pub limit: Option<usize>,
}

/// Some of the results that fit.
#[derive(Debug, Default)]
pub struct ResultPage {
    /// In order.
    pub results: Vec<Tree>,
    /// How many fit.
    pub total: usize,
    /// What could not be used.
    pub errors: Vec<FileError>,
}

/// Finds results within the current thread pool.
pub fn page(root: &Path, query: &ResultQuery, progress: &Progress) -> Result<ResultPage> {
    if !FIELDS.contains(&query.sort_by.as_str()) {
        let message = format!("sort_by is {:?}, none of {}", query.sort_by, FIELDS.join(", "));
        return Err(Error::new(ErrorKind::Argument, message));
    }
    let catalogue = list(root, true, progress)?;
    let mut wanted = Vec::new();
    let mut of = Vec::new();
    let mut is_there = false;
    for Listed { entry, .. } in catalogue.entries {
        if !is_of_run(&entry, query) {
            continue;
        }
        is_there = true;
        if let Some(ids) = Ids::of(&entry, query)? {
            wanted.push(entry);
            of.push(ids);
        }
    }
    if let Some(run) = query.run.as_deref()
        && !is_there
        && !catalogue.errors.iter().any(|error| error.path.starts_with(&format!("runs/{run}/")))
    {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no run {run:?}")).at(root));
    }
    let mut errors = catalogue.errors;
    let found = results::of_entries(root, &wanted, &mut errors, progress)?;
    let fitting = found.into_par_iter().zip(of).map(|(found, ids)| {
        let Results { mut results, errors, .. } = found;
        results.retain(|result| fits(result, query, &ids));
        (results.into_iter().map(|result| Ranked::new(result, query)).collect::<Vec<_>>(), errors)
    });
    let mut all = Vec::new();
    for (ranked, problems) in fitting.collect::<Vec<_>>() {
        all.extend(ranked);
        errors.extend(problems);
    }
    let is_reversed = query.descending == Some(true);
    all.par_sort_unstable_by(|one, other| one.compare(other, is_reversed));
    let total = all.len();
    let page = all.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
    Ok(ResultPage { results: page.map(|ranked| ranked.result).collect(), total, errors })
}

/// How the results of a run ended.
#[derive(Debug, Default)]
pub struct Counted {
    /// The run; empty for what is of no one run.
    pub run_id: String,
    /// How many are done, and how many failed.
    pub counts: [u64; 2],
    /// What could not be used.
    pub errors: Vec<FileError>,
}

/// Counts the results of these runs within the current thread pool; what could not be used and is of no
/// one run comes last.
pub fn count(root: &Path, run_ids: &[String], progress: &Progress) -> Result<Vec<Counted>> {
    let wanted: HashSet<&str> = run_ids.iter().map(String::as_str).collect();
    let entries = list(root, true, progress)?.entries.into_iter().map(|listed| listed.entry);
    let entries: Vec<_> = entries.filter(|entry| wanted.contains(entry.id.as_str())).collect();
    let mut errors = Vec::new();
    let found = results::of_entries(root, &entries, &mut errors, progress)?;
    let counted = entries.iter().zip(found).map(|(entry, found)| {
        let failed = found.results.iter().filter(|result| result.text("status") == Some("failed")).count();
        let counts = [found.results.len() - failed, failed].map(|count| count as u64);
        Counted { run_id: entry.id.clone(), counts, errors: found.errors }
    });
    Ok(counted.chain([Counted { errors, ..Counted::default() }]).collect())
}

impl ResultQuery {
    fn is_best_first(&self) -> bool {
        self.sort_by == "best_score" && self.descending.is_none()
    }
}

/// By which ids a run's results name the wanted template and dataset.
struct Ids {
    template: Vec<String>,
    dataset: Vec<String>,
}

impl Ids {
    /// `None` for a run that is not wanted.
    fn of(entry: &Entry, query: &ResultQuery) -> Result<Option<Self>> {
        if query.template.is_none() && query.dataset.is_none() {
            return Ok(Some(Self { template: Vec::new(), dataset: Vec::new() }));
        }
        let tree = entry.tree()?;
        let ids = |key: &str, wanted: &Option<String>| {
            let Some(wanted) = wanted.as_deref() else { return Vec::new() };
            let references = tree.get(key).and_then(Tree::items).unwrap_or_default().iter();
            let named = references.filter_map(|item| {
                let (id, name) = (item.text("id"), item.text("name"));
                (id == Some(wanted) || name == Some(wanted)).then(|| id.or(name).map(str::to_owned))?
            });
            named.collect::<Vec<_>>()
        };
        let (template, mut dataset) = (ids("templates", &query.template), ids("datasets", &query.dataset));
        // A result may be of a dataset that its run does not refer to.
        dataset.extend(query.dataset.clone());
        let is_ruled_out = query.template.is_some() && template.is_empty();
        Ok((!is_ruled_out).then_some(Self { template, dataset }))
    }
}

/// Whether this is the run that is wanted, by id or name.
fn is_of_run(entry: &Entry, query: &ResultQuery) -> bool {
    query.run.as_deref().is_none_or(|wanted| wanted == entry.id || wanted == entry.name)
}

fn fits(result: &Tree, query: &ResultQuery, ids: &Ids) -> bool {
    let is_one_of = |ids: &[String], keys: &[&str]| {
        let mut named = keys.iter().filter_map(|key| result.text(key));
        ids.is_empty() || named.any(|text| ids.iter().any(|id| id == text))
    };
    query.equal.iter().all(|(key, value)| result.text(key) == Some(value))
        && is_one_of(&ids.template, &["template_id"])
        && is_one_of(&ids.dataset, &["dataset_id", "dataset_name"])
        && (query.min_score.is_none() && query.max_score.is_none()
            || score_of(result).is_some_and(|score| {
                query.min_score.is_none_or(|least| least <= score)
                    && query.max_score.is_none_or(|most| score <= most)
            }))
}

/// The best score as a number; `None` where there is none, or NaN, which ranks nowhere.
fn score_of(result: &Tree) -> Option<f64> {
    match result.get("best_score")? {
        Tree::Int(score) => Some(*score as f64),
        Tree::Float(score) => Some(*score).filter(|score| !score.is_nan()),
        Tree::Digits(digits) => digits.parse().ok(),
        // As strict JSON has them.
        Tree::Text(text) if text == "Infinity" => Some(f64::INFINITY),
        Tree::Text(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A value that orders; what has none comes last.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Key {
    Number(f64),
    Text(String),
    /// Lists and maps: anyhow, but always the same.
    Other(Vec<u8>),
    Score {
        /// Results without a metric come after all others.
        metric: (bool, String),
        /// Smaller is better.
        badness: f64,
    },
}

struct Ranked {
    key: Option<Key>,
    id: String,
    result: Tree,
}

impl Ranked {
    fn new(result: Tree, query: &ResultQuery) -> Self {
        let key = if query.is_best_first() {
            score_of(&result).map(|score| Key::of_score(&result, score))
        } else if query.sort_by == "best_score" {
            score_of(&result).map(Key::Number)
        } else {
            result.get(&query.sort_by).and_then(Key::of)
        };
        Self { key, id: result.text("id").unwrap_or_default().to_owned(), result }
    }

    fn compare(&self, other: &Self, is_reversed: bool) -> Ordering {
        let by_key = match (&self.key, &other.key) {
            (Some(one), Some(other)) if is_reversed => other.partial_cmp(one),
            (Some(one), Some(other)) => one.partial_cmp(other),
            (one, other) => Some(one.is_none().cmp(&other.is_none())),
        };
        by_key.unwrap_or(Ordering::Equal).then_with(|| self.id.cmp(&other.id))
    }
}

impl Key {
    fn of(value: &Tree) -> Option<Self> {
        match value {
            Tree::Null => None,
            Tree::Bool(value) => Some(Self::Number(f64::from(u8::from(*value)))),
            Tree::Int(value) => Some(Self::Number(*value as f64)),
            Tree::Float(value) => Some(Self::Number(*value)).filter(|_| !value.is_nan()),
            Tree::Digits(digits) => digits.parse().ok().map(Self::Number),
            Tree::Text(text) => Some(Self::Text(text.clone())),
            other => {
                let mut writer = Writer::default();
                other.encode(&mut writer);
                Some(Self::Other(writer.bytes))
            }
        }
    }

    fn of_score(result: &Tree, score: f64) -> Self {
        let metric = result.text("metric");
        let direction = metrics::direction(metric.unwrap_or_default());
        // Where nobody can say which is better, ids order.
        let badness = direction.goodness(score).map_or(0.0, |goodness| -goodness);
        Self::Score { metric: (metric.is_none(), metric.unwrap_or_default().to_owned()), badness }
    }
}
