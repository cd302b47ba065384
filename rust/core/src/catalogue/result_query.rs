//! Results of many runs: which of them, in which order, and a page of these.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::listing::list;
use super::packed_results::{PackedResult, field, unpack};
use super::result_fields::FIELDS;
use super::run_results::{RunResults, Wanted};
use super::{ranking, results};
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics::{self, Direction};
use crate::base::names::same_name;
use crate::base::progress::Progress;
use crate::fs::folders;
use crate::segment::live_set::Open;
use crate::summary::fold_scores::Basis;
use crate::yaml::tree::{Part, Tree};

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
    /// The field that orders; `score` does so within a dataset and a metric where the best come first.
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

/// The runs that may have what is asked for.
pub(super) struct Chosen {
    pub ranking: ranking::Ranking,
    /// Their places.
    pub wanted: Vec<usize>,
    /// By which ids each of them names the wanted template and dataset.
    pub ids: Vec<Ids>,
    /// What could not be used.
    pub errors: Vec<FileError>,
}

impl Chosen {
    /// Adds what was found wrong since.
    pub fn take_errors(&mut self) -> Result<()> {
        folders::add_errors(&mut self.errors, std::mem::take(&mut self.ranking.folder_errors));
        let mut wrong = Vec::new();
        for &place in &self.wanted {
            let run = &self.ranking.runs[place];
            let found = run.result_errors()?;
            if !found.is_empty() {
                wrong.push((run.created_at(), &run.id, found));
            }
        }
        wrong.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
        self.errors.extend(wrong.into_iter().flat_map(|(_, _, errors)| errors));
        Ok(())
    }
}

/// Chooses runs, with open segments of them if those count.
pub(super) fn choose(root: &Path, query: &ResultQuery, open: Open, progress: &Progress) -> Result<Chosen> {
    let is_of_run =
        |id: &str, name: &str| query.run.as_deref().is_none_or(|wanted| wanted == id || wanted == name);
    let by_records = query.run.is_some() || query.template.is_some() || query.dataset.is_some();
    let mut ranking = ranking::list(root, &Wanted { is_of_run: &is_of_run, by_records }, progress)?;
    let mut errors = std::mem::take(&mut ranking.folder_errors);
    let mut wanted = Vec::new();
    let mut ids = Vec::new();
    let mut is_there = false;
    for (place, run) in ranking.runs.iter().enumerate() {
        errors.extend(run.record_errors()?);
        if !run.is_there || !is_of_run(&run.id, run.name()) {
            continue;
        }
        is_there = true;
        if let Some(own) = Ids::of(run, query)? {
            wanted.push(place);
            ids.push(own);
        }
    }
    folders::add_errors(&mut errors, std::mem::take(&mut ranking.old_errors));
    if let Some(run) = query.run.as_deref()
        && !is_there
        && !errors.iter().any(|error| error.path.starts_with(&format!("runs/{run}/")))
    {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no run {run:?}")).at(root));
    }
    if open == Open::Live {
        ranking.add_open(root, &wanted)?;
    }
    Ok(Chosen { ranking, wanted, ids, errors })
}

/// Finds results within the current thread pool. Where a metric is asked for, results of others are scored by it as
/// far as their rows have it among their `scores`.
pub fn page(root: &Path, query: &ResultQuery, progress: &Progress) -> Result<ResultPage> {
    let Some(sort_by) = field(&query.sort_by) else {
        let message = format!("sort_by is {:?}, none of {}", query.sort_by, FIELDS.join(", "));
        return Err(Error::new(ErrorKind::Argument, message));
    };
    let mut chosen = choose(root, query, Open::Live, progress)?;
    if let Some((_, metric)) = query.equal.iter().find(|(field, _)| field == "metric") {
        chosen.ranking.score_by(root, metric, &chosen.wanted, Open::Live, progress)?;
    }
    chosen.take_errors()?;
    let Chosen { ranking, wanted, ids, errors } = chosen;
    let runs = &ranking.runs;
    let is_reversed = query.descending == Some(true);
    let end = query.limit.and_then(|limit| query.offset.checked_add(limit)).unwrap_or(usize::MAX);
    let places = Places::of(query, sort_by);
    let best = || Best { found: Vec::new(), total: 0, end, is_reversed };
    let fitting = wanted.par_iter().zip(&ids).with_min_len(64).try_fold(best, |mut best, (&run, ids)| {
        progress.check()?;
        let mut directions = Directions::default();
        unpack(&mut runs[run].results(), &mut |place, result| {
            if fits(result, query, &places, ids)? {
                best.add(Ranked::new(result, &places, &mut directions, (run, place))?);
            }
            Ok(())
        })?;
        Ok::<_, Error>(best)
    });
    let Best { found: mut all, total, .. } = fitting.try_reduce(best, |one, other| Ok(one.with(other)))?;
    all.par_sort_unstable_by(|one, other| one.compare(other, is_reversed));
    all.truncate(end);
    let page: Vec<(usize, usize)> = all.iter().skip(query.offset).map(|ranked| ranked.place).collect();
    Ok(ResultPage { results: trees(runs, &page)?, total, errors })
}

/// Results as trees, by run and place in it.
pub(super) fn trees(runs: &[RunResults], places: &[(usize, usize)]) -> Result<Vec<Tree>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_unstable_by_key(|&at| places[at]);
    let of_run: Vec<&[usize]> = order.chunk_by(|&one, &other| places[one].0 == places[other].0).collect();
    let of_run = of_run.par_iter().map(|order| {
        let mut found = Vec::with_capacity(order.len());
        let mut next = order.iter().peekable();
        unpack(&mut runs[places[order[0]].0].results(), &mut |place, result| {
            // Several models of one result may be asked for.
            while let Some(at) = next.next_if(|&&at| places[at].1 == place) {
                found.push((*at, result.tree()?));
            }
            Ok(())
        })?;
        Ok(found)
    });
    let mut found: Vec<(usize, Tree)> = of_run.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, tree)| tree).collect())
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
        let failed = found.results.iter().filter(|result| result.text("status") == Some(FAILED)).count();
        let counts = [found.results.len() - failed, failed].map(|count| count as u64);
        Counted { run_id: entry.id.clone(), counts, errors: found.errors }
    });
    Ok(counted.chain([Counted { errors, ..Counted::default() }]).collect())
}

impl ResultQuery {
    fn is_best_first(&self) -> bool {
        self.sort_by == SCORE && self.descending.is_none()
    }
}

/// By which ids a run's results name the wanted template and dataset.
pub(super) struct Ids {
    template: Vec<String>,
    dataset: Vec<String>,
}

impl Ids {
    /// `None` for a run that is not wanted.
    fn of(run: &RunResults, query: &ResultQuery) -> Result<Option<Self>> {
        if query.template.is_none() && query.dataset.is_none() {
            return Ok(Some(Self { template: Vec::new(), dataset: Vec::new() }));
        }
        let tree = run.references()?;
        let ids = |key: &str, wanted: &Option<String>| {
            let Some(wanted) = wanted.as_deref() else { return Vec::new() };
            let references = tree.get(key).and_then(Tree::items).unwrap_or_default().iter();
            let named = references.filter_map(|item| {
                let (id, name) = (item.text("id"), item.text("name"));
                let is_named = name.is_some_and(|name| same_name(name, wanted));
                (id == Some(wanted) || is_named).then(|| id.or(name).map(str::to_owned))?
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

/// The fields by which results are chosen and ordered, by their places.
pub(super) struct Places {
    equal: Vec<Option<usize>>,
    id: Option<usize>,
    template: Option<usize>,
    dataset: [Option<usize>; 2],
    metric: Option<usize>,
    score: Option<usize>,
    /// The status, and what the score rests on.
    standing: [Option<usize>; 2],
    sort_by: usize,
    is_best_first: bool,
}

impl Places {
    pub(super) fn of(query: &ResultQuery, sort_by: usize) -> Self {
        Self {
            equal: query.equal.iter().map(|(key, _)| field(key)).collect(),
            id: field("id"),
            template: field("template_id"),
            dataset: ["dataset_id", "dataset_name"].map(field),
            metric: field("metric"),
            score: field(SCORE),
            standing: ["status", "score_basis"].map(field),
            sort_by,
            is_best_first: query.is_best_first(),
        }
    }
}

pub(super) fn fits(
    result: &PackedResult<'_>,
    query: &ResultQuery,
    places: &Places,
    ids: &Ids,
) -> Result<bool> {
    let text = |place: &Option<usize>| place.and_then(|place| result.text(place));
    let is_one_of = |ids: &[String], places: &[Option<usize>]| {
        let mut named = places.iter().filter_map(text);
        ids.is_empty() || named.any(|text| ids.iter().any(|id| same_name(id, text)))
    };
    let mut equal = query.equal.iter().zip(&places.equal);
    if !(equal.all(|((_, value), place)| text(place) == Some(value))
        && is_one_of(&ids.template, &[places.template])
        && is_one_of(&ids.dataset, &places.dataset))
    {
        return Ok(false);
    }
    if query.min_score.is_none() && query.max_score.is_none() {
        return Ok(true);
    }
    let is_within = |score: f64| {
        query.min_score.is_none_or(|least| least <= score) && query.max_score.is_none_or(|most| score <= most)
    };
    Ok(places.score.map(|score| score_of(result, score)).transpose()?.flatten().is_some_and(is_within))
}

/// The first of the results that fit, and how many do.
struct Best<'a> {
    found: Vec<Ranked<'a>>,
    total: usize,
    /// How many are wanted.
    end: usize,
    is_reversed: bool,
}

impl<'a> Best<'a> {
    fn add(&mut self, ranked: Ranked<'a>) {
        self.total += 1;
        self.found.push(ranked);
        if self.found.len() > self.end.saturating_mul(2).saturating_add(4_096) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.end < self.found.len() {
            let is_reversed = self.is_reversed;
            self.found.select_nth_unstable_by(self.end, |one, other| one.compare(other, is_reversed));
            self.found.truncate(self.end);
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.total += other.total;
        self.found.extend(other.found);
        self.shrink();
        self
    }
}

/// Which scores of a metric are better, of the metric asked for last: results of a run mostly have one.
#[derive(Default)]
struct Directions<'a>(Option<(Option<&'a str>, Direction)>);

impl<'a> Directions<'a> {
    fn of(&mut self, metric: Option<&'a str>) -> Direction {
        match self.0 {
            Some((known, direction)) if known == metric => direction,
            _ => {
                let direction = metrics::direction(metric.unwrap_or_default());
                self.0 = Some((metric, direction));
                direction
            }
        }
    }
}

/// Further fields that are scores.
const NUMBERS: [&str; 5] = ["score_mean", "score_std", "score_avg", "score_test", "best_score"];
/// The field by which the best results are found.
const SCORE: &str = "score";
/// The status of a result that failed.
pub(super) const FAILED: &str = "failed";

/// What a score is worth in a ranking, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It is of validation.
    Validated,
    /// It is a test score, of a result that was not validated.
    Tested,
    /// There is none, or the result failed.
    Unranked,
}

impl Standing {
    /// That of a score with this basis.
    pub fn of_basis(basis: Option<&str>) -> Self {
        if basis == Some(Basis::Test.name()) { Self::Tested } else { Self::Validated }
    }
}

/// What a result's score is worth, and how bad it is; where it is unknown which is better, all are alike.
fn standing(
    result: &PackedResult<'_>,
    places: [Option<usize>; 2],
    score: Option<f64>,
    direction: Direction,
) -> (Standing, f64) {
    let [status, basis] = places.map(|place| place.and_then(|place| result.text(place)));
    match score {
        Some(score) if status != Some(FAILED) => {
            let badness = direction.goodness(score).map_or(0.0, |goodness| -goodness + 0.0);
            (Standing::of_basis(basis), badness)
        }
        _ => (Standing::Unranked, 0.0),
    }
}

/// A score as a number; `None` where there is none, or NaN, which ranks nowhere.
pub(super) fn score_of(result: &PackedResult<'_>, field: usize) -> Result<Option<f64>> {
    Ok(match result.get(field)? {
        Part::Int(score) => Some(score as f64),
        Part::Float(score) => Some(score).filter(|score| !score.is_nan()),
        Part::Digits(digits) => digits.parse().ok(),
        // As strict JSON has them.
        Part::Text("Infinity") => Some(f64::INFINITY),
        Part::Text("-Infinity") => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

/// A value that orders; what has none comes last.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Key<'a> {
    Number(f64),
    Text(&'a str),
    /// Lists and maps: anyhow, but always the same.
    Other(&'a [u8]),
    Score {
        /// Results without a dataset or a metric come after all others.
        dataset: (bool, &'a str),
        metric: (bool, &'a str),
        standing: (Standing, f64),
    },
}

struct Ranked<'a> {
    key: Option<Key<'a>>,
    id: &'a str,
    /// Its run, and its place in it.
    place: (usize, usize),
}

impl<'a> Ranked<'a> {
    fn new(
        result: &PackedResult<'a>,
        places: &Places,
        directions: &mut Directions<'a>,
        place: (usize, usize),
    ) -> Result<Self> {
        let key = if Some(places.sort_by) != places.score {
            Key::of(result, places.sort_by)?
        } else if places.is_best_first {
            let text = |place: Option<usize>| place.and_then(|place| result.text(place));
            let (dataset, metric) = (text(places.dataset[1]), text(places.metric));
            let score = score_of(result, places.sort_by)?;
            let direction = directions.of(metric);
            Some(Key::of_score(dataset, metric, standing(result, places.standing, score, direction)))
        } else {
            score_of(result, places.sort_by)?.map(Key::Number)
        };
        Ok(Self { key, id: places.id.and_then(|id| result.text(id)).unwrap_or_default(), place })
    }

    fn compare(&self, other: &Self, is_reversed: bool) -> Ordering {
        let by_key = match (&self.key, &other.key) {
            (Some(one), Some(other)) if is_reversed => other.partial_cmp(one),
            (Some(one), Some(other)) => one.partial_cmp(other),
            (one, other) => Some(one.is_none().cmp(&other.is_none())),
        };
        let by_id = by_key.unwrap_or(Ordering::Equal).then_with(|| self.id.cmp(other.id));
        by_id.then_with(|| self.place.cmp(&other.place))
    }
}

impl<'a> Key<'a> {
    fn of(result: &PackedResult<'a>, field: usize) -> Result<Option<Self>> {
        Ok(match result.get(field)? {
            Part::Null => None,
            Part::Bool(value) => Some(Self::Number(f64::from(u8::from(value)))),
            Part::Int(value) => Some(Self::Number(value as f64)),
            Part::Float(value) => Some(Self::Number(value)).filter(|_| !value.is_nan()),
            Part::Digits(digits) => digits.parse().ok().map(Self::Number),
            // As strict JSON has scores that are no numbers.
            Part::Text(text) if NUMBERS.iter().any(|name| FIELDS[field] == *name) => {
                text.parse().ok().map(Self::Number).filter(|_| text != "NaN")
            }
            Part::Text(text) => Some(Self::Text(text)),
            Part::Time(_) | Part::List(_) | Part::Map(_) => Some(Self::Other(result.bytes(field))),
        })
    }

    fn of_score(dataset: Option<&'a str>, metric: Option<&'a str>, standing: (Standing, f64)) -> Self {
        let named = |name: Option<&'a str>| (name.is_none(), name.unwrap_or_default());
        Self::Score { dataset: named(dataset), metric: named(metric), standing }
    }
}
