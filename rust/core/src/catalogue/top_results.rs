//! The best results of each dataset by one metric, or their best models.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::packed_results::{PackedResult, field, unpack};
use super::result_query::{Chosen, FAILED, Places, ResultQuery, Standing, choose, fits, score_of, trees};
use crate::base::codec::ByteReader;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics::{self, Direction};
use crate::base::progress::Progress;
use crate::segment::live_set::Open;
use crate::yaml::tree::Tree;

/// What a ranking has one entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Each dataset: its best result.
    Dataset,
    /// Each model by its name: the result in which it is best.
    Model,
    /// Each result: its best model.
    Result,
}

impl Per {
    /// The one of that name.
    pub fn of(name: &str) -> Result<Self> {
        match name {
            "dataset" => Ok(Self::Dataset),
            "model" => Ok(Self::Model),
            "result" => Ok(Self::Result),
            _ => {
                let message = format!("per is {name:?}; it must be 'dataset', 'model' or 'result'");
                Err(Error::new(ErrorKind::Argument, message))
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct TopResults {
    /// What there is one entry for.
    pub per: Per,
    /// How many at most of each dataset.
    pub k: usize,
    /// The metric; without one the only one that there is.
    pub metric: Option<String>,
    /// Whether test scores order, not validation.
    pub by_test: bool,
    /// Which scores are better; without one as the table of metrics has it.
    pub direction: Option<Direction>,
    /// The model of each entry.
    pub model: Option<String>,
    /// The least and the largest score, and test score.
    pub bounds: [[Option<f64>; 2]; 2],
    /// Which results, by all else.
    pub filter: ResultQuery,
    /// Whether open segments count.
    pub open: Open,
}

/// The best results.
#[derive(Debug, Default)]
pub struct Ranked {
    /// Dataset by dataset, the best first.
    pub results: Vec<Tree>,
    /// By which metric; empty where there is none.
    pub metric: String,
    /// In which direction.
    pub direction: &'static str,
    /// What could not be used.
    pub errors: Vec<FileError>,
}

/// A result, or one of its models.
struct Candidate {
    dataset: Option<String>,
    standing: Standing,
    badness: f64,
    id: String,
    name: Option<String>,
    place: (usize, usize),
    /// Its place among the models of its result, where that has several.
    model: Option<usize>,
}

/// Ranks results within the current thread pool.
pub fn top(root: &Path, query: &TopResults, progress: &Progress) -> Result<Ranked> {
    let mut chosen = choose(root, &query.filter, query.open, progress)?;
    let metric = match &query.metric {
        Some(metric) => metric.clone(),
        None => match only_metric(&chosen, query)? {
            Some(metric) => metric,
            None => return Ok(Ranked { direction: "unknown", errors: chosen.errors, ..Ranked::default() }),
        },
    };
    let direction = query.direction.unwrap_or_else(|| metrics::direction(&metric));
    if direction == Direction::Unknown {
        return Err(metrics::unknown(&metric));
    }
    chosen.ranking.score_by(root, &metric, &chosen.wanted, query.open, progress)?;
    chosen.take_errors()?;
    let mut found = candidates(&chosen, query, &metric, direction, progress)?;
    if found.is_empty() {
        check_known(&chosen, &metric)?;
    }
    found.sort_by(|one, other| {
        let by_dataset =
            (one.dataset.is_none(), &one.dataset).cmp(&(other.dataset.is_none(), &other.dataset));
        by_dataset
            .then(one.standing.cmp(&other.standing))
            .then(one.badness.total_cmp(&other.badness))
            .then_with(|| (&one.id, one.model, one.place).cmp(&(&other.id, other.model, other.place)))
    });
    let mut taken = HashMap::<Option<String>, usize>::new();
    let mut seen = HashSet::new();
    found.retain(|candidate| {
        let dataset = candidate.dataset.clone();
        let is_new = match query.per {
            Per::Result => true,
            Per::Dataset => seen.insert((dataset.clone(), None)),
            Per::Model => seen.insert((dataset.clone(), Some(candidate.name.clone()))),
        };
        let count = taken.entry(dataset).or_default();
        let is_taken = is_new && *count < query.k;
        *count += usize::from(is_taken);
        is_taken
    });
    let places: Vec<(usize, usize)> = found.iter().map(|candidate| candidate.place).collect();
    let results = trees(&chosen.ranking.runs, &places)?.into_iter().zip(&found);
    let results = results.map(|(result, candidate)| match candidate.model {
        Some(model) => of_model(result, model),
        None => result,
    });
    let results = results.collect();
    Ok(Ranked { results, metric, direction: direction.name(), errors: chosen.errors })
}

/// Fails where there are results, and none by a metric.
fn check_known(chosen: &Chosen, metric: &str) -> Result<()> {
    let (place, mut named) = (field("metric"), BTreeSet::new());
    for &run in &chosen.wanted {
        unpack(&mut chosen.ranking.runs[run].results(), &mut |_, result| {
            named.extend(place.and_then(|place| result.text(place)).map(str::to_owned));
            Ok(())
        })?;
    }
    if named.is_empty() || named.contains(metric) {
        return Ok(());
    }
    let named: Vec<String> = named.into_iter().collect();
    let message = format!("no result has a score by {metric:?}; there are {}", named.join(", "));
    Err(Error::new(ErrorKind::Argument, message))
}

/// The metric of all results that fit.
fn only_metric(chosen: &Chosen, query: &TopResults) -> Result<Option<String>> {
    let (places, metric) = (Places::of(&query.filter, 0), field("metric"));
    let mut named = BTreeSet::new();
    for (&run, ids) in chosen.wanted.iter().zip(&chosen.ids) {
        unpack(&mut chosen.ranking.runs[run].results(), &mut |_, result| {
            let metric = metric.and_then(|metric| result.text(metric));
            if let Some(metric) = metric
                && !named.contains(metric)
                && fits(result, &query.filter, &places, ids)?
            {
                named.insert(metric.to_owned());
            }
            Ok(())
        })?;
    }
    if named.len() > 1 {
        let named: Vec<String> = named.into_iter().collect();
        let message = "there are several metrics, which do not compare; name the metric to rank, one of";
        return Err(Error::new(ErrorKind::Argument, format!("{message} {}", named.join(", "))));
    }
    Ok(named.pop_first())
}

fn candidates(
    chosen: &Chosen,
    query: &TopResults,
    metric: &str,
    direction: Direction,
    progress: &Progress,
) -> Result<Vec<Candidate>> {
    let places = Places::of(&query.filter, 0);
    let names = ["id", "dataset_name", "metric", "status", "model_name", "score_basis", "models"].map(field);
    let [id, dataset, own, status, model, basis, models] = names;
    let scores = ["score", "score_test"].map(field);
    let mut found = Vec::new();
    for (&run, ids) in chosen.wanted.iter().zip(&chosen.ids) {
        progress.check()?;
        unpack(&mut chosen.ranking.runs[run].results(), &mut |place, result: &PackedResult<'_>| {
            let text = |field: Option<usize>| field.and_then(|field| result.text(field));
            if text(own) != Some(metric)
                || text(status) == Some(FAILED)
                || !fits(result, &query.filter, &places, ids)?
            {
                return Ok(());
            }
            let mut add = |name: Option<&str>, basis: Option<&str>, scores: [Option<f64>; 2], model| {
                let is_within = |(score, bounds): (&Option<f64>, &[Option<f64>; 2])| {
                    let [least, most] = *bounds;
                    least.is_none_or(|least| score.is_some_and(|score| least <= score))
                        && most.is_none_or(|most| score.is_some_and(|score| score <= most))
                };
                let goodness = scores[usize::from(query.by_test)].and_then(|score| direction.goodness(score));
                if let Some(goodness) = goodness
                    && query.model.as_deref().is_none_or(|wanted| name == Some(wanted))
                    && scores.iter().zip(&query.bounds).all(is_within)
                {
                    found.push(Candidate {
                        dataset: text(dataset).map(str::to_owned),
                        // A test score is compared with test scores.
                        standing: if query.by_test { Standing::Tested } else { Standing::of_basis(basis) },
                        badness: -goodness + 0.0,
                        id: text(id).unwrap_or_default().to_owned(),
                        name: name.map(str::to_owned),
                        place: (run, place),
                        model,
                    });
                }
            };
            let several = models.filter(|_| query.per == Per::Model);
            let several = several.map(|models| Tree::decode(&mut ByteReader::new(result.bytes(models))));
            match several.transpose()?.as_ref().and_then(Tree::items) {
                Some(models) if models.len() > 1 => {
                    for (number, model) in models.iter().enumerate() {
                        let scores = ["score", "score_test"].map(|name| number_of(model.get(name)));
                        add(model.text("model_name"), model.text("score_basis"), scores, Some(number));
                    }
                }
                _ => {
                    let [one, test] =
                        scores.map(|score| score.map(|score| score_of(result, score)).transpose());
                    add(text(model), text(basis), [one?.flatten(), test?.flatten()], None);
                }
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn number_of(value: Option<&Tree>) -> Option<f64> {
    match value? {
        Tree::Float(score) => Some(*score).filter(|score| !score.is_nan()),
        Tree::Int(score) => Some(*score as f64),
        // As strict JSON has them.
        Tree::Text(text) if text == "Infinity" => Some(f64::INFINITY),
        Tree::Text(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A result as it would be with one of its models alone.
fn of_model(result: Tree, model: usize) -> Tree {
    let Tree::Map(mut entries) = result else { return result };
    let models = entries.iter_mut().find(|(key, _)| key.as_str() == Some("models"));
    let models = models.map_or(Tree::Null, |(_, models)| std::mem::replace(models, Tree::Null));
    let Some(Tree::Map(own)) = models.items().and_then(|models| models.get(model)).cloned() else {
        return Tree::Map(entries);
    };
    for (name, value) in own {
        // The configuration's name stays that of the result.
        if name.as_str() == Some("config_name") {
            continue;
        }
        match entries.iter_mut().find(|(key, _)| *key == name) {
            Some((_, place)) => *place = value,
            None => entries.push((name, value)),
        }
    }
    Tree::Map(entries)
}
