//! Results of many runs at once: checkpointed ones of runs, and of what nirs4all 0.6 left what its rows say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use rayon::prelude::*;

use super::legacy::session_rows::{self, by_metric};
use super::{Entry, Kind, Known, Unit, cache};
use crate::base::clock::now_ns;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::file_names::{self, Name, SUFFIX};
use crate::base::metrics;
use crate::base::progress::Progress;
use crate::fs::{folders, platform};
use crate::query::filter::Member;
use crate::reading::{files, live, scan};
use crate::segment::checkpoint;
use crate::segment::hidden::{self, Hidden, Rank};
use crate::segment::live_set::Open;
use crate::summary::tally::Tally;
use crate::summary::topk::TEXTS;
use crate::summary::{Accumulator, add_batches};
use crate::types::columns::{Numbers, SCORES, Texts};
use crate::yaml::canonical::content_id;
use crate::yaml::tree::Tree;

/// What the rows of prediction files said.
const CACHE: &str = "results.bin";

/// The fields of a result, in the order that answers show them.
pub(super) const FIELDS: [&str; 22] = [
    "id",
    "run_id",
    "template_id",
    "config_id",
    "config_name",
    "generator_choices",
    "dataset_id",
    "dataset_name",
    "status",
    "error",
    "best_score",
    "best_model",
    "metric",
    "score_kind",
    "n_rows",
    "n_samples",
    "n_features",
    "task_type",
    "duration_s",
    "artifacts",
    "completed_at",
    "writer",
];

/// The results of some runs.
#[derive(Debug, Default)]
pub struct Results {
    /// By run, oldest first; of a run, in the order that they were completed.
    pub results: Vec<Tree>,
    /// Further checkpoints of results that are there: diverged copies of a run were merged.
    pub repeated: Vec<Tree>,
    /// What could not be used.
    pub errors: Vec<FileError>,
}

/// Lists results within the current thread pool, of some runs or of all.
pub fn list(root: &Path, wanted: Option<&[String]>, progress: &Progress) -> Result<Results> {
    let entries = super::list(root, true, progress)?.entries;
    let wanted = wanted.map(|wanted| wanted.iter().map(String::as_str).collect::<HashSet<_>>());
    let is_wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
    let entries = entries.into_iter().map(|listed| listed.entry);
    let entries: Vec<Arc<Entry>> = entries.filter(|entry| is_wanted(&entry.id)).collect();
    let mut found = Results::default();
    for mut of_entry in of_entries(root, &entries, &mut found.errors, progress)? {
        found.results.append(&mut of_entry.results);
        found.repeated.append(&mut of_entry.repeated);
        found.errors.append(&mut of_entry.errors);
    }
    Ok(found)
}

/// The checkpointed results of one run, oldest first.
pub fn of_one_run(root: &Path, run_id: &str) -> Result<Results> {
    let (open, errors) = live::open_results(root, &|run| run == run_id)?;
    let mut found = of_run(root, run_id, open.get(run_id));
    folders::add_errors(&mut found.errors, errors);
    Ok(found)
}

/// The results of each of these entries.
pub(super) fn of_entries(
    root: &Path,
    entries: &[Arc<Entry>],
    errors: &mut Vec<FileError>,
    progress: &Progress,
) -> Result<Vec<Results>> {
    let runs: HashSet<&str> =
        entries.iter().filter(|entry| entry.kind == Kind::Run).map(|entry| entry.id.as_str()).collect();
    let mut open = HashMap::new();
    if !runs.is_empty() {
        let found = live::open_results(root, &|run| runs.contains(run))?;
        open = found.0;
        folders::add_errors(errors, found.1);
    }
    let groups = Groups::read(root, entries, errors, progress)?;
    let results = entries.par_iter().map(|entry| {
        progress.check()?;
        match entry.kind {
            Kind::Run => Ok(of_run(root, &entry.id, open.get(&entry.id))),
            _ => Ok(Results { results: groups.of(entry)?, ..Results::default() }),
        }
    });
    results.collect()
}

type Map = serde_json::Map<String, serde_json::Value>;

/// The checkpointed results of a run, of each result the checkpoint that wins.
pub(super) fn of_run(root: &Path, run_id: &str, open: Option<&live::OpenResults>) -> Results {
    let none = live::OpenResults::default();
    let open = open.unwrap_or(&none);
    let mut found = Results::default();
    let sealed = live::sealed_results(root, run_id, open, &mut found.errors);
    found.errors.extend(open.errors.iter().cloned());
    let mut parsed = Vec::new();
    for (writer, text) in open.results.iter().chain(&sealed) {
        match checkpoint::parse(text) {
            Ok(json) => {
                let text = |key: &str| json.get(key).and_then(|value| value.as_str()).unwrap_or_default();
                parsed.push((text("completed_at").to_owned(), writer, text("id").to_owned(), json));
            }
            Err(error) => {
                let path = format!("runs/{run_id}/results.{writer}.jsonl");
                found.errors.push(FileError::new(&path, &error));
            }
        }
    }
    parsed.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let wins = hidden::winners(parsed.iter().map(|(completed_at, writer, id, json)| {
        let status = json.get("status").and_then(|status| status.as_str());
        (id.as_str(), Rank::new(status, Some(completed_at), writer))
    }));
    // Of several failed attempts the last one says what is wrong.
    let failed = |json: &Map| json.get("status").is_some_and(|status| status == "failed");
    let said = |json: &Map| ["error", "traceback"].map(|key| (key, json.get(key).cloned()));
    let of_failed = parsed.iter().filter(|(_, _, _, json)| failed(json));
    let last: HashMap<String, _> = of_failed.map(|(_, _, id, json)| (id.clone(), said(json))).collect();
    for ((_, writer, id, mut json), wins) in parsed.into_iter().zip(wins) {
        if let Some(last) = last.get(&id).filter(|_| wins && failed(&json)) {
            json.extend(last.iter().filter_map(|(key, said)| Some(((*key).to_owned(), said.clone()?))));
        }
        let given = json.into_iter().filter(|(key, _)| key != "writer");
        let mut given: Vec<(Tree, Tree)> = given.map(|(key, value)| (key.into(), of_json(value))).collect();
        given.push(("writer".into(), writer.as_str().into()));
        let result = complete(given);
        if wins { found.results.push(result) } else { found.repeated.push(result) }
    }
    found
}

fn of_json(value: serde_json::Value) -> Tree {
    match value {
        serde_json::Value::Null => Tree::Null,
        serde_json::Value::Bool(value) => Tree::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), _, _) => Tree::Int(value),
            (None, Some(value), _) => Tree::Digits(value.to_string()),
            (None, None, value) => value.map_or(Tree::Null, Tree::Float),
        },
        serde_json::Value::String(text) => Tree::Text(text),
        serde_json::Value::Array(items) => items.into_iter().map(of_json).collect(),
        serde_json::Value::Object(entries) => {
            Tree::Map(entries.into_iter().map(|(key, value)| (key.into(), of_json(value))).collect())
        }
    }
}

/// A result with all its fields, in order; then what else was given.
pub(super) fn complete(given: Vec<(Tree, Tree)>) -> Tree {
    let mut fields: Vec<Option<(Tree, Tree)>> = vec![None; FIELDS.len()];
    let mut others = Vec::new();
    for (number, (key, value)) in given.into_iter().enumerate() {
        let is_of = |field: &str| key.as_str() == Some(field);
        // They come in this order, mostly.
        let place = FIELDS.get(number).filter(|field| is_of(field)).map(|_| number);
        match place.or_else(|| FIELDS.iter().position(|field| is_of(field))) {
            Some(place) => fields[place] = Some((key, value)),
            None => others.push((key, value)),
        }
    }
    let default = |field: &str| if field == "artifacts" { Tree::List(Vec::new()) } else { Tree::Null };
    let fields = FIELDS.iter().zip(fields).map(|(&field, given)| {
        let given = given.filter(|(_, value)| *value != Tree::Null);
        given.unwrap_or_else(|| (field.into(), default(field)))
    });
    Tree::Map(fields.chain(others).collect())
}

/// Rows that belong to one result: a run and result, if they name these, a dataset and a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    result: Option<String>,
    dataset: String,
    config: Option<String>,
}

/// What the rows of files say of each result, by the entry or the dataset that the files are of.
#[derive(Default)]
pub(super) struct Groups {
    of_files: HashMap<String, Vec<Tree>>,
    /// By the dataset that the file is named after, dataset and configuration.
    of_configs: HashMap<Member, Tree>,
    /// The datasets that files are named after which sessions share.
    shared: HashSet<String>,
    /// Files of these, and folders that they may be in, of which not all was read.
    unread: Vec<FileError>,
}

impl Groups {
    pub fn read(
        root: &Path,
        entries: &[Arc<Entry>],
        errors: &mut Vec<FileError>,
        progress: &Progress,
    ) -> Result<Self> {
        let mut groups = Self::default();
        if entries.iter().all(|entry| entry.kind == Kind::Run) {
            return Ok(groups);
        }
        let (wanted, hidden) = wanted_files(root, entries, &mut groups.unread)?;
        folders::add_errors(errors, groups.unread.iter().cloned());
        let lists: Vec<&[String]> = wanted.iter().map(|(_, files)| &files[..]).collect();
        for ((of, _), unit) in wanted.iter().zip(units(root, &lists, &hidden, true, progress)?) {
            folders::add_errors(errors, unit.errors.iter().cloned());
            if of.is_none() {
                groups.unread.extend(unit.errors.iter().cloned());
            }
            let said = unit.entry.as_deref().map(session_rows::results).transpose()?;
            let said = said.as_ref().and_then(Tree::items).unwrap_or_default();
            match of {
                Some(entry) => {
                    groups.of_files.insert(entry.clone(), said.to_vec());
                }
                None => {
                    let file = unit.path.strip_suffix(SUFFIX).unwrap_or(&unit.path);
                    groups.of_configs.extend(said.iter().filter_map(|group| {
                        let text = |key| group.text(key).map(str::to_owned);
                        Some(((file.to_owned(), text("dataset_name")?, text("config_name")), group.clone()))
                    }));
                    groups.shared.insert(file.to_owned());
                }
            }
        }
        Ok(groups)
    }

    /// What the rows of a manifest's configuration say, if there are any.
    pub fn of_manifest(&self, manifest: &Tree) -> Option<&Tree> {
        let text = |key: &str| manifest.text(key).unwrap_or_default().to_owned();
        let file = self.file_of(manifest).to_owned();
        self.of_configs.get(&(file, text("dataset"), Some(text("pipeline_id"))))
    }

    /// The dataset that its file is named after; a copy of its file beside it is no part of it.
    fn file_of<'a>(&self, manifest: &'a Tree) -> &'a str {
        let folder = folder_of(manifest).filter(|folder| self.shared.contains(*folder));
        folder.unwrap_or_else(|| manifest.text("dataset").unwrap_or_default())
    }

    /// What a manifest came to of which no row was read: nothing, or nobody knows.
    fn without_rows(&self, manifest: &Tree) -> Tree {
        let file = format!("{}{SUFFIX}", self.file_of(manifest));
        match self.unread.iter().find(|error| is_within(&file, &error.path)) {
            Some(error) => Tree::map([
                ("error", format!("{}: {}", error.path, error.message).into()),
                ("n_rows", Tree::Int(0)),
            ]),
            None => Tree::map([
                ("status", "failed".into()),
                ("error", "no prediction names it".into()),
                ("n_rows", Tree::Int(0)),
            ]),
        }
    }

    fn of(&self, entry: &Entry) -> Result<Vec<Tree>> {
        if entry.kind == Kind::Files {
            let said = self.of_files.get(&entry.id).map(Vec::as_slice).unwrap_or_default();
            let result = |group: &Tree| {
                let given = |key: &str| group.get(key).cloned().unwrap_or(Tree::Null);
                let named =
                    [entry.id.as_str().into(), Tree::Null, given("config_name"), given("dataset_name")];
                let made = || content_id("res", &named.into_iter().collect()).into();
                let id = group.text("id").map_or_else(made, Tree::from);
                with(group, &entry.id, vec![("id".into(), id)])
            };
            return Ok(said.iter().map(result).collect());
        }
        let tree = entry.tree()?;
        let manifests = tree.get("manifests").and_then(Tree::items).unwrap_or_default();
        let result = |manifest: &Tree| {
            let text = |key: &str| manifest.text(key).unwrap_or_default().to_owned();
            let group = self.of_manifest(manifest).cloned().unwrap_or_else(|| self.without_rows(manifest));
            let template = manifest.get("template_id").cloned().unwrap_or(Tree::Null);
            let config = manifest.get("config_id").cloned().unwrap_or(Tree::Null);
            let named = [entry.id.as_str().into(), template.clone(), config.clone(), text("dataset").into()];
            let own = vec![
                ("id".into(), content_id("res", &named.into_iter().collect()).into()),
                ("template_id".into(), template.clone()),
                ("config_id".into(), config),
                ("config_name".into(), format!("{}_{}", text("name"), text("config_hash")).into()),
                (
                    "generator_choices".into(),
                    manifest.get("generator_choices").cloned().unwrap_or(Tree::Null),
                ),
                ("dataset_id".into(), text("dataset").into()),
                ("dataset_name".into(), text("dataset").into()),
            ];
            with(&group, &entry.id, own)
        };
        Ok(manifests.iter().map(result).collect())
    }
}

/// What each of these lists of files says, from the cache as far as they are unchanged; what is new is kept.
pub(super) fn units(
    root: &Path,
    lists: &[&[String]],
    hidden: &HiddenRows,
    may_keep: bool,
    progress: &Progress,
) -> Result<Vec<Arc<Unit>>> {
    let known = cache::load(root, CACHE);
    let read = lists.par_iter().map(|files| {
        progress.check()?;
        Ok(read_unit(root, files, hidden, &known))
    });
    let read = read.collect::<Result<Vec<(Arc<Unit>, bool)>>>()?;
    let has_new = read.iter().any(|(_, is_new)| *is_new);
    let units: Vec<Arc<Unit>> = read.into_iter().map(|(unit, _)| unit).collect();
    if has_new && may_keep {
        let paths: HashSet<&str> = units.iter().map(|unit| unit.path.as_str()).collect();
        let others = known.into_values().filter(|unit| !paths.contains(unit.path.as_str()));
        let kept = units.iter().cloned().chain(others);
        cache::store(root, CACHE, kept.filter(|unit| root.join(&unit.path).exists() && !is_registered(unit)));
    }
    Ok(units)
}

/// Those files of nirs4all 0.6 that are there, named after these datasets, whatever they are; folders in which
/// there may be more of them are added to the errors.
pub(super) fn old_files(
    root: &Path,
    datasets: impl Iterator<Item = String>,
    errors: &mut Vec<FileError>,
) -> Vec<String> {
    let mut files: Vec<String> = datasets.map(|name| format!("{name}{SUFFIX}")).collect();
    files.sort_unstable();
    // Whatever manifests say, files are those that are listed.
    let has_deeper = files.iter().any(|file| file.contains('/'));
    let mut found = Vec::new();
    let deeper = if has_deeper { files::list_old(root, &mut found) } else { Vec::new() };
    let is_wanted = |error: &FileError| files.iter().any(|file| is_within(file, &error.path));
    folders::add_errors(errors, found.into_iter().filter(is_wanted));
    files.retain(|file| {
        if file.contains('/') {
            return deeper.binary_search(file).is_ok();
        }
        file_names::is_prediction_file(file) && root.join(file).symlink_metadata().is_ok()
    });
    files
}

/// Whether a file is this one, or lies in this folder.
pub(super) fn is_within(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The folder below `runs` that a manifest lies in, which is named after its dataset.
fn folder_of(manifest: &Tree) -> Option<&str> {
    super::legacy::manifests::folder_of(
        manifest.text("path")?,
        manifest.text("pipeline_id").unwrap_or_default(),
    )
}

fn with(group: &Tree, run_id: &str, own: Vec<(Tree, Tree)>) -> Tree {
    let Tree::Map(mut entries) = group.clone() else { return Tree::Null };
    entries.push(("run_id".into(), run_id.into()));
    entries.extend(own);
    complete(entries)
}

/// Files that are read as one, and the entry that they are of.
type Wanted = (Option<String>, Vec<String>);
/// The rows of files that are not live.
pub(super) type HiddenRows = HashMap<String, Arc<Hidden>>;

/// Lists of files that are read as one, each with the entry that they are of, or `None` where sessions share
/// them.
fn wanted_files(
    root: &Path,
    entries: &[Arc<Entry>],
    errors: &mut Vec<FileError>,
) -> Result<(Vec<Wanted>, HiddenRows)> {
    let (mut wanted, mut hidden) = (Vec::new(), HiddenRows::new());
    let (mut segments, mut datasets) = (HashMap::new(), HashSet::new());
    for entry in entries {
        let tree = match entry.kind {
            Kind::Run | Kind::Part => continue,
            Kind::Session | Kind::Files => entry.tree()?,
        };
        let items = |key: &str| tree.get(key).and_then(Tree::items).unwrap_or_default().to_vec();
        for manifest in items("manifests") {
            datasets.extend(
                [folder_of(&manifest), manifest.text("dataset")].into_iter().flatten().map(str::to_owned),
            );
        }
        let files: Vec<String> =
            items("files").iter().filter_map(|file| file.as_str().map(str::to_owned)).collect();
        if files.iter().any(|file| Name::of_path(Path::new(file)).is_some()) {
            segments.insert(entry.id.clone(), Vec::new());
        } else if !files.is_empty() {
            wanted.push((Some(entry.id.clone()), files));
        }
    }
    wanted.extend(old_files(root, datasets.into_iter(), errors).into_iter().map(|file| (None, vec![file])));
    if !segments.is_empty() {
        // What counts of them: journals that nobody sealed, and compactions in place of their inputs.
        let listing = files::list(root, Open::Counted)?;
        hidden = listing.hidden;
        for file in listing.files {
            let run = Name::of_path(Path::new(&file)).map(|name| name.run_id);
            if let Some(files) = run.and_then(|run| segments.get_mut(&run)) {
                files.push(file);
            }
        }
        wanted.extend(segments.into_iter().map(|(run, files)| (Some(run), files)));
    }
    Ok((wanted, hidden))
}

/// What files say together, from the cache where they are unchanged; and whether that is new and worth keeping.
fn read_unit(root: &Path, files: &[String], hidden: &HiddenRows, known: &Known) -> (Arc<Unit>, bool) {
    let read_at = now_ns();
    let stamp = |file: &String| {
        let identity = platform::identity(&std::fs::metadata(root.join(file)).ok()?);
        Some(hidden.get(file).map_or(identity, |hidden| hidden.identity(identity)))
    };
    let stamps: Vec<_> = files.iter().map(stamp).collect();
    let path = files.first().cloned().unwrap_or_default();
    if let Some(unit) = known.get(&path).filter(|unit| unit.is_unchanged(&stamps) && !is_registered(unit)) {
        return (unit.clone(), false);
    }
    let mut unit = Unit { path, stamps, read_at, entry: None, errors: Vec::new() };
    let mut groups = BTreeMap::<Key, Group>::new();
    for file in files {
        let path = root.join(file);
        let unnamed = scan::dataset_of(&path);
        let opened = platform::open(&path).map_err(|error| Error::io(&path, error));
        let (mut of_file, mut place) = (BTreeMap::new(), 0);
        let mut take = |batch: &RecordBatch| match hidden.get(file) {
            None => add(batch, &unnamed, &mut of_file),
            Some(hidden) => {
                let live = hidden.filter(batch, place)?;
                place += batch.num_rows() as u64;
                add(&live, &unnamed, &mut of_file)
            }
        };
        let read = opened.and_then(|opened| {
            scan::read_rows(&path, opened, &columns(), &mut |batches| batches.iter().try_for_each(&mut take))
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
        said.push(group.to_tree(key));
        configurations.push(named.into_iter().chain([by_metric(group.rows)]).collect());
    }
    unit.entry = Some(Arc::new(session_rows::entry(configurations, said)));
    let is_new = unit.is_settled();
    (Arc::new(unit), is_new)
}

/// Whether the files rank a metric that this process alone was told of.
fn is_registered(unit: &Unit) -> bool {
    let Some(Ok(tree)) = unit.entry.as_deref().map(session_rows::configurations) else { return false };
    let by_metric = tree.items().unwrap_or_default().iter().filter_map(|said| said.items()?.last());
    let mut metrics =
        by_metric.filter_map(|said| if let Tree::Map(metrics) = said { Some(metrics) } else { None });
    metrics.any(|metrics| metrics.iter().any(|(name, _)| name.as_str().is_some_and(metrics::is_registered)))
}

fn columns() -> Vec<&'static str> {
    let own = ["result_id", "metric", "task_type", "n_samples", "n_features"];
    [&TEXTS[..], &SCORES[..], &own[..]].concat()
}

/// What the rows of one result say.
struct Group {
    rows: Accumulator,
    features: f64,
    /// By fold: the most samples of a training, validation and test set, and of others.
    samples: BTreeMap<String, [f64; 4]>,
}

impl Default for Group {
    fn default() -> Self {
        Self { rows: Accumulator::new(1), features: 0.0, samples: BTreeMap::new() }
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
        let is_average = |fold: &str| matches!(fold, "avg" | "w_avg");
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

    fn to_tree(&self, key: Key) -> Tree {
        let n_samples = self.n_samples();
        let tally = Tally::of(&self.rows);
        let count = |value: f64| (value > 0.0).then_some(value as i64);
        let task_types = self.rows.task_types().sorted();
        let task_type = task_types.iter().filter_map(|(name, rows)| Some((*rows, (*name)?)));
        let task_type = task_type.max_by(|one, other| one.0.cmp(other.0).then(other.1.cmp(one.1)));
        Tree::map([
            ("id", key.result.into()),
            ("config_name", key.config.into()),
            ("dataset_id", key.dataset.as_str().into()),
            ("dataset_name", key.dataset.as_str().into()),
            ("status", "done".into()),
            ("best_score", tally.best_score.map_or(Tree::Null, Tree::Float)),
            ("best_model", tally.best_model.into()),
            ("metric", tally.metric.into()),
            ("score_kind", tally.score_kind.into()),
            ("n_rows", Tree::Int(tally.rows as i64)),
            ("n_samples", count(n_samples).into()),
            ("n_features", count(self.features).into()),
            ("task_type", task_type.map(|(_, name)| name.to_owned()).into()),
        ])
    }
}

/// Adds the rows of a batch to the results that they belong to.
fn add(batch: &RecordBatch, unnamed: &str, groups: &mut BTreeMap<Key, Group>) -> Result<()> {
    let [result, dataset, config] =
        ["result_id", "dataset_name", "config_name"].map(|name| Texts::of(batch, name));
    let (result, dataset, config) = (result?, dataset?, config?);
    let mut members = HashMap::<(Option<&str>, Option<&str>, Option<&str>), Vec<u32>>::new();
    for row in 0..batch.num_rows() {
        members.entry((result.get(row), dataset.get(row), config.get(row))).or_default().push(row as u32);
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
        add_batches(&mut group.rows, std::slice::from_ref(&part))?;
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
