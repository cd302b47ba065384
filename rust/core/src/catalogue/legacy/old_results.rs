//! The results of sessions and files of nirs4all 0.6: what their rows come to.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::dataset_files::{folder_of, is_within, wanted_files};
use super::row_entry;
use super::row_groups::{Grouping, units};
use crate::base::error::{FileError, Result};
use crate::base::file_names::SUFFIX;
use crate::base::progress::Progress;
use crate::catalogue::entry::{Entry, Kind};
use crate::catalogue::result_fields::complete;
use crate::fs::folders;
use crate::query::filter::Member;
use crate::yaml::canonical::content_id;
use crate::yaml::tree::Tree;

/// What the rows of files say of each result, by the entry or the dataset that the files are of.
#[derive(Default)]
pub(crate) struct Groups {
    of_files: HashMap<String, Vec<Tree>>,
    /// By the dataset that the file is named after, dataset and configuration.
    of_configs: HashMap<Member, Tree>,
    /// The datasets that files are named after which sessions share.
    shared: HashSet<String>,
    /// Files of these, and folders that they may be in, of which not all was read.
    unread: Vec<FileError>,
}

impl Groups {
    /// Those of these entries, scored by a metric, or by that of their rows.
    pub fn read(
        root: &Path,
        entries: &[Arc<Entry>],
        metric: Option<&str>,
        errors: &mut Vec<FileError>,
        progress: &Progress,
    ) -> Result<Self> {
        let grouping = Grouping { metric, by_result: false };
        let mut groups = Self::default();
        if entries.iter().all(|entry| entry.kind == Kind::Run) {
            return Ok(groups);
        }
        let (wanted, hidden) = wanted_files(root, entries, &mut groups.unread)?;
        folders::add_errors(errors, groups.unread.iter().cloned());
        let lists: Vec<&[String]> = wanted.iter().map(|(_, files)| &files[..]).collect();
        for ((of, _), unit) in wanted.iter().zip(units(root, &lists, &hidden, grouping, true, progress)?) {
            folders::add_errors(errors, unit.errors.iter().cloned());
            if of.is_none() {
                groups.unread.extend(unit.errors.iter().cloned());
            }
            let said = unit.entry.as_deref().map(row_entry::results).transpose()?;
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

    /// What a manifest came to of which no row was read: nothing, or that is unknown.
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

    pub(crate) fn of(&self, entry: &Entry) -> Result<Vec<Tree>> {
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

fn with(group: &Tree, run_id: &str, own: Vec<(Tree, Tree)>) -> Tree {
    let Tree::Map(mut entries) = group.clone() else { return Tree::Null };
    entries.push(("run_id".into(), run_id.into()));
    entries.extend(own);
    complete(entries)
}
