//! Compaction: the sealed segments of one run on one dataset become one.
//!
//! The output lists what it replaces, so that it is live in their place from the moment it appears; the
//! inputs are removed later, see [`super::recover::sweep`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};

use super::compaction_groups::{self, Apart};
use super::compaction_plan::Plan;
use crate::base::content::blake3_hex;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::file_names::{self, Name};
use crate::base::progress::Progress;
use crate::decode::batches;
use crate::footer::TailReader;
use crate::footer::keys::REPLACES_KEY;
use crate::fs::{atomic, folders, platform};
use crate::reading::collect::summarise_file;
use crate::reading::files;
use crate::segment::segment_file::SegmentFile;
use crate::segment::{checkpoints, merged, resolve};
use crate::summary::{Datasets, merge_datasets, split_by_dataset};
use crate::types::{self, rows};

/// What was merged in one folder.
#[derive(Clone, Debug, Default)]
pub struct Compacted {
    /// The segment that was written, relative to the workspace.
    pub output: String,
    /// The segments that it replaces.
    pub inputs: Vec<String>,
    /// Rows of all of them.
    pub rows: u64,
}

/// The columns of a segment in the types that they are stored in by now.
fn stored(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        Field::new(field.name(), types::answer_type(field.name(), std::iter::once(field.data_type())), true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Merges the sealed segments of a run, in each folder of `predictions` or in the one named.
///
/// The caller makes sure that no process owns the run. A segment whose journal is still there waits for
/// another time: without it the journal would be live again.
pub fn compact(
    root: &Path,
    run_id: &str,
    folder: Option<&str>,
    progress: &Progress,
) -> Result<Vec<Compacted>> {
    let mut done = Vec::new();
    for (name, path) in folders(root, folder) {
        for group in compaction_groups::groups(&path, divided(&path, run_id)?.0)?.0 {
            done.extend(compact_group(root, run_id, &name, group.members, progress)?);
        }
    }
    Ok(done)
}

/// Segments that compaction leaves as they are, each relative to the workspace.
#[derive(Debug, Default)]
pub struct PassedOver {
    /// Those that stay apart from others since a column has another type there.
    pub apart: Vec<(String, Apart)>,
    /// Those whose journals are still there, where there is another one to merge them with.
    pub young: Vec<String>,
}

/// The segments of a run that [`compact`] passes over.
pub fn passed_over(root: &Path, run_id: &str, folder: Option<&str>) -> Result<PassedOver> {
    let mut found = PassedOver::default();
    for (folder, path) in folders(root, folder) {
        let relative = |name: &Name| format!("predictions/{folder}/{}", name.sealed());
        let (ready, young) = divided(&path, run_id)?;
        if ready.len() + young.len() > 1 {
            found.young.extend(young.iter().map(relative));
        }
        let apart = compaction_groups::groups(&path, ready)?.1.into_iter();
        found.apart.extend(apart.map(|apart| (relative(&apart.name), apart)));
    }
    Ok(found)
}

/// The folders of `predictions`, or the one named, each with its path. What cannot be listed is told by
/// [`super::recover::sweep`], which comes first.
fn folders(root: &Path, folder: Option<&str>) -> impl Iterator<Item = (String, PathBuf)> {
    let names = files::prediction_folders(root, &mut Vec::new()).into_iter();
    names.filter(move |name| folder.is_none_or(|folder| folder == name)).map(|name| {
        let path = root.join("predictions").join(&name);
        (name, path)
    })
}

/// The live segments of a run in a folder: those whose journals are gone, and the others. None where the folder
/// cannot be listed, which [`super::recover::sweep`] tells.
fn divided(path: &Path, run_id: &str) -> Result<(Vec<Name>, Vec<Name>)> {
    let names = match folders::names_in(path) {
        Err(error) if error.source.is_some() => return Ok((Vec::new(), Vec::new())),
        names => names?.into_iter().filter(|name| file_names::is_of_predictions(name)).collect(),
    };
    let live_set = resolve::resolve_live_files(path, names);
    let mut errors = live_set.errors.into_iter();
    let is_of_run = |file: &str| Name::of(file).is_some_and(|name| name.run_id == run_id);
    if let Some((_, error)) = errors.find(|(file, _)| !file_names::is_journal(file) && is_of_run(file)) {
        return Err(error);
    }
    let mut names: Vec<Name> = live_set
        .files
        .iter()
        .filter_map(|file| Name::of(file))
        .filter(|name| name.run_id == run_id)
        .collect();
    names.sort();
    Ok(names.into_iter().partition(|name| !live_set.covered.contains(&name.journal())))
}

fn compact_group(
    root: &Path,
    run_id: &str,
    folder: &str,
    mut inputs: Vec<Name>,
    progress: &Progress,
) -> Result<Option<Compacted>> {
    let path = root.join("predictions").join(folder);
    if inputs.len() < 2 {
        return Ok(None);
    }
    let plan = Plan::of(root, folder, &mut inputs, progress)?;
    if inputs.len() < 2 {
        return Ok(None);
    }
    let mut schemas: Vec<SchemaRef> = Vec::new();
    let mut summary = Datasets::new();
    let mut identity = Vec::new();
    let mut tails = TailReader::default();
    for (name, left_out) in inputs.iter().zip(&plan.left_out) {
        progress.check()?;
        let file = path.join(name.sealed());
        schemas.push(stored(&batches::schema_of(&file)?));
        let part = summarise_file(&file, &mut tails)?;
        identity.push((name.writer.clone(), part.identity.size));
        if left_out.is_none() {
            merge_datasets(&mut summary, part.datasets()?.0);
        }
    }
    let schema = rows::unify(&schemas)?;
    let writer = format!("c{}", blake3_hex(format!("{identity:?}").as_bytes(), 12));
    let output = Name { run_id: run_id.to_owned(), writer };
    let target = path.join(output.sealed());
    let mut merged = SegmentFile::of_rows(&target, schema.clone())?;
    let mut starts = Vec::new();
    for (name, left_out) in inputs.iter().zip(&plan.left_out) {
        let file = path.join(name.sealed());
        let open = platform::open(&file).map_err(|error| Error::io(&file, error))?;
        starts.push(merged.rows);
        let mut place = 0;
        batches::read_batches(&file, open, None, &mut |batches| {
            progress.check()?;
            let mut conforming = Vec::with_capacity(batches.len());
            for batch in batches {
                let batch = types::conform(batch, &schema)?.0;
                let first = place;
                place += batch.num_rows() as u64;
                conforming.push(match left_out {
                    Some(left_out) => left_out.filter(&batch, first)?,
                    None => batch,
                });
            }
            if left_out.is_some() {
                merge_datasets(&mut summary, split_by_dataset(&conforming, "")?);
            }
            merged.write(&conforming)
        })?;
    }
    let rows = merged.rows;
    let counted: u64 = summary.values().map(crate::summary::Accumulator::rows).sum();
    if counted != rows {
        let message = format!("the summaries of the segments count {counted} rows and they hold {rows}");
        return Err(Error::new(ErrorKind::Corrupt, message).at(&path));
    }
    let (replaced, checkpoints) = plan.about(&inputs, &starts, rows);
    // Copied into another copy of the run, the rows bring their results along.
    let lists = checkpoints::joined_lists(root, run_id, replaced.keys())?;
    if !lists.is_empty() {
        atomic::replace(&root.join("runs").join(run_id).join(output.results()), lists.as_bytes())?;
    }
    let mut keys = vec![(REPLACES_KEY, merged::to_json(&replaced))];
    keys.extend(checkpoints::key(&checkpoints, true));
    merged.publish(&keys, Some(&summary))?;
    let relative = |name: &Name| format!("predictions/{folder}/{}", name.sealed());
    Ok(Some(Compacted { output: relative(&output), inputs: inputs.iter().map(relative).collect(), rows }))
}
