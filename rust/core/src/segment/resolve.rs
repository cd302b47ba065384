//! What lies in a folder of `predictions`: which files belong together, and which of them are live.
//!
//! A writer's journal is live until a sealed segment covers it; what a compaction replaced is not live beside it;
//! nothing of a run in the trash is live.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::file_results::Memory;
use super::live_rules::Run;
use super::live_set::{LiveSet, Open};
use crate::base::file_names::{JOURNAL_SUFFIX, Name, is_journal, split};

/// Judges the journals and prediction files of one folder of `predictions`; `names` has nothing else.
pub fn resolve_live(folder: &Path, names: Vec<String>) -> LiveSet {
    let root = folder.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    resolve_live_with(folder, names, Open::Live, Some(&Memory::none(root)))
}

/// Which files are live, without looking at results: of most files nothing is read.
pub fn resolve_live_files(folder: &Path, names: Vec<String>) -> LiveSet {
    resolve_live_with(folder, names, Open::Live, None)
}

/// Which files and rows are live, with what is known of the files, and without journals where they are left out.
pub fn resolve_live_with(folder: &Path, names: Vec<String>, open: Open, memory: Option<&Memory>) -> LiveSet {
    let mut live_set = LiveSet::default();
    let busy = busy_runs(names.iter().map(String::as_str));
    if busy.is_empty() {
        live_set.files = names;
        return live_set;
    }
    let mut runs = BTreeMap::<String, (Vec<(String, Name)>, Vec<(String, Name)>)>::new();
    for file in names {
        match Name::of(&file).filter(|name| busy.contains(&name.run_id)) {
            None => live_set.files.push(file),
            Some(name) => {
                let (sealed, journals) = runs.entry(name.run_id.clone()).or_default();
                if is_journal(&file) { journals.push((file, name)) } else { sealed.push((file, name)) }
            }
        }
    }
    let base = folder.file_name().unwrap_or_default().to_string_lossy();
    let relative = format!("predictions/{base}");
    for (sealed, journals) in runs.into_values() {
        if let Some(run) = Run::of(folder, &relative, memory, sealed, journals, &mut live_set) {
            run.resolve(open, &mut live_set);
        }
    }
    live_set
}

/// Whether the files of these names in one folder may have hidden rows.
pub fn may_hide<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    !busy_runs(names).is_empty()
}

/// The runs of which something must be read: those of several writers, or with a journal or a compaction.
fn busy_runs<'a>(names: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut runs: Vec<(&str, bool)> = names
        .filter_map(|file| {
            let (run_id, writer) = split(file)?;
            Some((run_id, file.ends_with(JOURNAL_SUFFIX) || Name::is_of_compaction(writer)))
        })
        .collect();
    runs.sort_unstable();
    let one = runs.iter().filter(|(_, is_busy)| *is_busy);
    let several = runs.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[0]);
    one.chain(several).map(|(run_id, _)| (*run_id).to_owned()).collect()
}
