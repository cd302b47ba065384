//! The rows of sessions of nirs4all 0.6: whether there are any, and how many by which metric.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::dataset_files::{HiddenRows, is_within, old_files};
use super::manifests::Manifest;
use super::row_entry::configurations;
use super::row_groups::{Grouping, units};
use crate::base::error::{FileError, Result};
use crate::base::file_names::SUFFIX;
use crate::base::metrics;
use crate::base::progress::Progress;
use crate::query::filter::Member;
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
        may_cache: bool,
        progress: &Progress,
    ) -> Result<Self> {
        let mut unread = Vec::new();
        let files = old_files(root, datasets.iter().cloned(), &mut unread);
        let lists: Vec<&[String]> = files.iter().map(std::slice::from_ref).collect();
        let mut members = HashMap::new();
        let name = |file: &String| file.strip_suffix(SUFFIX).unwrap_or(file).to_owned();
        for (file, unit) in files.iter().zip(units(
            root,
            &lists,
            &HiddenRows::new(),
            Grouping::default(),
            may_cache,
            progress,
        )?) {
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
