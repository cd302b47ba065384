//! The rows of sessions of nirs4all 0.6: whether there are any, and how many by which metric.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::manifests::Manifest;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{FileError, Result};
use crate::base::file_names::SUFFIX;
use crate::base::metrics;
use crate::base::progress::Progress;
use crate::base::value::{Key, Value};
use crate::catalogue::results::{HiddenRows, is_within, old_files, units};
use crate::catalogue::{Entry, Kind};
use crate::query::filter::Member;
use crate::summary::{Accumulator, Datasets, report};
use crate::yaml::tree::Tree;

/// What the rows of a session on one dataset say by one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRows {
    /// The session.
    pub id: String,
    /// The dataset.
    pub dataset: String,
    /// The metric, empty where rows name none.
    pub metric: String,
    /// Rows.
    pub rows: i64,
    /// The best of their validation scores, in the metric's direction.
    pub best: Option<f64>,
}

/// Names by id.
pub type Names = Vec<(String, String)>;

/// The names of all runs, and the rows of all sessions, as their results count them: by session, dataset
/// and metric; and what could not be read.
pub fn list(root: &Path, progress: &Progress) -> Result<(Names, Vec<SessionRows>, Vec<FileError>)> {
    let mut rows = Vec::new();
    let listed = crate::catalogue::list_with(root, true, progress, Some(&mut rows))?;
    let names = listed.entries.iter().map(|listed| (listed.entry.id.clone(), listed.entry.name.clone()));
    Ok((names.collect(), rows, listed.errors))
}

/// What some files say: their configurations, each with dataset and [`by_metric`], and behind that their results.
pub(crate) fn entry(configurations: Vec<Tree>, results: Vec<Tree>) -> Entry {
    let mut writer = ByteWriter::default();
    Tree::List(configurations).encode(&mut writer);
    Tree::List(results).encode(&mut writer);
    let entry = Entry::new(Kind::Part, "", Tree::Null);
    Entry { content: writer.bytes.into(), ..entry }
}

/// The configurations of such an entry.
pub(crate) fn configurations(entry: &Entry) -> Result<Tree> {
    Tree::decode(&mut ByteReader::new(&entry.content))
}

/// Its results.
pub(crate) fn results(entry: &Entry) -> Result<Tree> {
    let mut reader = ByteReader::new(&entry.content);
    Tree::decode(&mut reader)?;
    Tree::decode(&mut reader)
}

/// Of each metric the rows, and the best of the validation scores.
pub fn by_metric(rows: Accumulator) -> Tree {
    let Value::Map(datasets) = report::configurations(&Datasets::from([(String::new(), rows)])) else {
        return Tree::Null;
    };
    let metrics = datasets
        .into_iter()
        .filter_map(|(_, metrics)| if let Value::Map(metrics) = metrics { Some(metrics) } else { None });
    let of_metric = |(metric, configs): (Key, Value)| {
        let Value::List(configs) = configs else { return (metric.as_ref().into(), Tree::Null) };
        let count = |config: &Value| match config.get("n_predictions") {
            Some(Value::Int(count)) => *count as i64,
            _ => 0,
        };
        // Rows of one configuration: there is one, or none where rows name runs.
        let best = configs.iter().find_map(|config| match config.get("best_val_score") {
            Some(Value::Float(best)) => Some(Tree::Float(*best)),
            _ => None,
        });
        let said = Tree::List(vec![Tree::Int(configs.iter().map(count).sum()), best.into()]);
        (Tree::from(metric.as_ref()), said)
    };
    Tree::Map(metrics.flatten().map(of_metric).collect())
}

/// Which configurations have rows in the files of nirs4all 0.6.
pub(crate) struct Rows {
    /// With what [`by_metric`] says of each.
    members: HashMap<Member, Tree>,
    /// The datasets that files are named after.
    files: HashSet<String>,
    /// Files of which not all was read, and folders that they may be in.
    pub unread: Vec<FileError>,
}

impl Rows {
    /// Reads the files that are named after these datasets, or remembers them.
    pub fn read(
        root: &Path,
        datasets: &BTreeSet<String>,
        may_keep: bool,
        progress: &Progress,
    ) -> Result<Self> {
        let mut unread = Vec::new();
        let files = old_files(root, datasets.iter().cloned(), &mut unread);
        let lists: Vec<&[String]> = files.iter().map(std::slice::from_ref).collect();
        let mut members = HashMap::new();
        let name = |file: &String| file.strip_suffix(SUFFIX).unwrap_or(file).to_owned();
        for (file, unit) in files.iter().zip(units(root, &lists, &HiddenRows::new(), may_keep, progress)?) {
            unread.extend(unit.errors.iter().cloned());
            let said = unit.entry.as_deref().map(configurations).transpose()?;
            let Some(Tree::List(said)) = said else { continue };
            members.extend(said.into_iter().filter_map(|configuration| {
                let Tree::List(parts) = configuration else { return None };
                let [Tree::Text(dataset), config, by_metric] = <[Tree; 3]>::try_from(parts).ok()? else {
                    return None;
                };
                let config = if let Tree::Text(config) = config { Some(config) } else { None };
                Some(((name(file), dataset, config), by_metric))
            }));
        }
        Ok(Self { members, files: files.iter().map(name).collect(), unread })
    }

    /// Whether a configuration has rows, or may have some that could not be read.
    pub fn has(&self, manifest: &Manifest) -> bool {
        let file = format!("{}{SUFFIX}", self.file_of(manifest));
        self.of(manifest).is_some() || self.unread.iter().any(|error| is_within(&file, &error.path))
    }

    /// A copy of its file beside it is no part of it.
    fn file_of<'a>(&self, manifest: &'a Manifest) -> &'a str {
        if self.files.contains(&manifest.folder) { &manifest.folder } else { &manifest.dataset }
    }

    fn of(&self, manifest: &Manifest) -> Option<&Tree> {
        let file = self.file_of(manifest).to_owned();
        self.members.get(&(file, manifest.dataset.clone(), Some(manifest.pipeline_id.clone())))
    }

    /// What the rows of a session say.
    pub fn of_session(&self, id: &str, manifests: &[Manifest]) -> Vec<SessionRows> {
        let mut own = BTreeMap::<(&str, &str), (i64, Vec<f64>)>::new();
        for manifest in manifests {
            let Some(Tree::Map(by_metric)) = self.of(manifest) else { continue };
            for (metric, said) in by_metric {
                let key = (manifest.dataset.as_str(), metric.as_str().unwrap_or_default());
                let (rows, scores) = own.entry(key).or_default();
                if let Some([Tree::Int(count), best]) = said.items() {
                    *rows += count;
                    scores.extend(if let Tree::Float(best) = best { Some(*best) } else { None });
                }
            }
        }
        let said = |((dataset, metric), (rows, scores)): ((&str, &str), (i64, Vec<f64>))| {
            let direction = metrics::direction(metric);
            let goodness = |score: &f64| direction.goodness(*score);
            let best = scores
                .into_iter()
                .max_by(|one, other| goodness(one).partial_cmp(&goodness(other)).unwrap_or(Ordering::Equal));
            SessionRows {
                id: id.to_owned(),
                dataset: dataset.to_owned(),
                metric: metric.to_owned(),
                rows,
                best,
            }
        };
        own.into_iter().map(said).collect()
    }
}
