//! Prediction files that no run and no manifest claims.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::sessions::blank;
use crate::base::content::blake3_hex;
use crate::base::error::FileError;
use crate::base::file_names::{self, Name, SUFFIX};
use crate::base::names::slug;
use crate::catalogue::entry::{Entry, Kind};
use crate::fs::folders;
use crate::reading::files;
use crate::yaml::tree::Tree;

/// An entry for each run whose folder is missing, and one for each file of nirs4all 0.6 whose dataset has no
/// manifest. Nothing is opened.
pub fn list(
    root: &Path,
    is_run: &dyn Fn(&str) -> bool,
    datasets: &HashSet<&str>,
    errors: &mut Vec<FileError>,
) -> Vec<Entry> {
    let trash = folders::trashed(root, errors);
    let mut segments = BTreeMap::<String, Vec<String>>::new();
    let mut others = Vec::new();
    for folder in files::prediction_folders(root, errors) {
        for file in files::names_of_predictions(root, &folder, errors) {
            if !file_names::is_of_predictions(&file) {
                continue;
            }
            let path = || format!("predictions/{folder}/{file}");
            match Name::of(&file).map(|name| name.run_id) {
                Some(run) if is_run(&run) || trash.contains(&run) => {}
                Some(run) => segments.entry(run).or_default().push(path()),
                None => others.push(path()),
            }
        }
    }
    let is_claimed =
        |file: &String| file.strip_suffix(SUFFIX).is_none_or(|dataset| datasets.contains(dataset));
    others.extend(files::list_old(root, errors).into_iter().filter(|name| !is_claimed(name)));
    let segments = segments.into_iter().map(|(run, files)| entry(&run, &run, None, files));
    let others = others.into_iter().map(|path| {
        let name = path.rsplit('/').next().unwrap_or(&path);
        let dataset = name.strip_suffix(SUFFIX).unwrap_or(name).to_owned();
        let id = format!("files_{}_{}", slug(&dataset), blake3_hex(path.as_bytes(), 12));
        // Deeper files of nirs4all 0.6 are of datasets with slashes in their names.
        let whole =
            path.strip_suffix(SUFFIX).filter(|_| !path.starts_with("predictions/")).unwrap_or(&dataset);
        entry(&id, &dataset, Some(whole), vec![path.clone()])
    });
    segments.chain(others).collect()
}

fn entry(id: &str, name: &str, dataset: Option<&str>, files: Vec<String>) -> Entry {
    let datasets = dataset.into_iter().map(super::sessions::dataset).collect();
    let files = ("files".into(), files.into_iter().map(Tree::from).collect());
    let mut entries = blank(Kind::Files, id, name, "", Tree::Null, Tree::List(Vec::new()), datasets);
    entries.push(("n_configs".into(), Tree::Null));
    entries.push(("n_failed".into(), Tree::Null));
    entries.push(files);
    Entry::new(Kind::Files, id, Tree::Map(entries))
}
