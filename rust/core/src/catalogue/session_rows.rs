//! The rows of sessions of nirs4all 0.6: whether there are any, and how many by which metric.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::results::{Groups, HiddenRows, old_files, units};
use super::tree::Tree;
use super::{Entry, Kind};
use crate::error::Result;
use crate::files::SUFFIX;
use crate::metrics;
use crate::progress::Progress;
use crate::query::filter::Member;
use crate::summary::{Accumulator, Datasets, report};
use crate::value::{Key, Value};

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

/// The rows of all sessions, as their results count them: by session, dataset and metric.
pub fn rows_of_sessions(root: &Path, progress: &Progress) -> Result<Vec<SessionRows>> {
    let entries = super::list(root, true, progress)?.entries.into_iter().map(|listed| listed.entry);
    let sessions: Vec<Arc<Entry>> = entries.filter(|entry| entry.kind == Kind::Session).collect();
    let groups = Groups::read(root, &sessions, &mut Vec::new(), progress)?;
    let mut found = Vec::new();
    for session in &sessions {
        let tree = session.tree()?;
        let mut own = BTreeMap::<(String, String), (i64, Vec<f64>)>::new();
        for manifest in tree.get("manifests").and_then(Tree::items).unwrap_or_default() {
            let Some(Tree::Map(by_metric)) =
                groups.of_manifest(manifest).and_then(|group| group.get(BY_METRIC))
            else {
                continue;
            };
            let dataset = manifest.text("dataset").unwrap_or_default();
            for (metric, said) in by_metric {
                let metric = metric.as_str().unwrap_or_default().to_owned();
                let (rows, scores) = own.entry((dataset.to_owned(), metric)).or_default();
                if let Some([Tree::Int(count), best]) = said.items() {
                    *rows += count;
                    scores.extend(if let Tree::Float(best) = best { Some(*best) } else { None });
                }
            }
        }
        found.extend(own.into_iter().map(|((dataset, metric), (rows, scores))| {
            let direction = metrics::direction(&metric);
            let goodness = |score: &f64| direction.goodness(*score);
            let best = scores
                .into_iter()
                .max_by(|one, other| goodness(one).partial_cmp(&goodness(other)).unwrap_or(Ordering::Equal));
            SessionRows { id: session.id.clone(), dataset, metric, rows, best }
        }));
    }
    Ok(found)
}

/// What a group says of its metrics; no result has it.
pub const BY_METRIC: &str = "by_metric";

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
pub(super) struct Rows {
    members: HashSet<Member>,
    /// The datasets that files are named after.
    files: HashSet<String>,
    /// Of those, files of which not all was read.
    unread: HashSet<String>,
}

impl Rows {
    /// Reads the files that are named after these datasets, or remembers them.
    pub fn read(
        root: &Path,
        datasets: &BTreeSet<String>,
        may_keep: bool,
        progress: &Progress,
    ) -> Result<Self> {
        let files = old_files(root, datasets.iter().cloned());
        let lists: Vec<&[String]> = files.iter().map(std::slice::from_ref).collect();
        let (mut members, mut unread) = (HashSet::new(), HashSet::new());
        let name = |file: &String| file.strip_suffix(SUFFIX).unwrap_or(file).to_owned();
        for (file, unit) in files.iter().zip(units(root, &lists, &HiddenRows::new(), may_keep, progress)?) {
            if !unit.errors.is_empty() {
                unread.insert(name(file));
            }
            let said = unit.entry.as_ref().map(|entry| entry.tree()).transpose()?;
            members.extend(said.as_ref().and_then(Tree::items).unwrap_or_default().iter().filter_map(
                |group| {
                    let text = |key| group.text(key).map(str::to_owned);
                    Some((name(file), text("dataset_name")?, text("config_name")))
                },
            ));
        }
        Ok(Self { members, files: files.iter().map(name).collect(), unread })
    }

    /// Whether a configuration has rows, or may have some that could not be read.
    pub fn has(&self, folder: &str, dataset: &str, config: &str) -> bool {
        let file = if self.files.contains(folder) { folder } else { dataset };
        self.unread.contains(file)
            || self.members.contains(&(file.to_owned(), dataset.to_owned(), Some(config.to_owned())))
    }
}
