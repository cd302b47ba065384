//! A writer that takes the place of others: its segment becomes a compaction that has none of their rows.
//!
//! A compaction that says of a writer that it went further than any journal can, and has no rows of it, hides all
//! rows of that writer by the rules that hide what compactions merged, wherever they lie. The files of those writers
//! need not be at hand.

use std::path::Path;

use crate::base::content::blake3_hex;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::file_names::Name;
use crate::decode::batches;
use crate::footer::keys::REPLACES_KEY;
use crate::fs::{atomic, platform};
use crate::segment::file_results::Said;
use crate::segment::merged::{self, Merged, Replaced};
use crate::segment::sealed::Sealed;
use crate::segment::segment_file::SegmentFile;
use crate::segment::{checkpoints, stored_result};
use crate::summary::{Datasets, merge_datasets, split_by_dataset};
use crate::types::rows;

/// The field of a line in a list of results that names the writers whose lines do not count.
const REPLACES: &str = checkpoints::REPLACES;

/// Lets a sealed writer take the place of others in its run and folder of predictions: rows, and results. Gives the
/// compaction that its segment became, relative to the workspace.
///
/// The writer may have no segment, where it wrote nothing: then all that there is of it takes the place of the
/// others. What is interrupted can be done again.
pub fn supersede(
    root: &Path,
    run_id: &str,
    folder: &str,
    writer: &str,
    replaced: &[String],
) -> Result<String> {
    let name = Name { run_id: run_id.to_owned(), writer: writer.to_owned() };
    let is_writer = |writer: &String| {
        let name = Name { run_id: run_id.to_owned(), writer: writer.clone() };
        Name::of(&name.journal()) == Some(name.clone()) && !name.is_compaction()
    };
    if let Some(wrong) = replaced.iter().chain([&name.writer]).find(|writer| !is_writer(writer)) {
        let message = format!("a writer has 12 hexadecimal digits, unlike {wrong:?}");
        return Err(Error::new(ErrorKind::Argument, message));
    }
    if replaced.is_empty() || replaced.contains(&name.writer) {
        let message = "a writer takes the place of one other or more, not of itself";
        return Err(Error::new(ErrorKind::Argument, message));
    }
    mark_results(root, &name, replaced)?;
    let place = root.join("predictions").join(folder);
    let source = place.join(name.sealed());
    let digits = blake3_hex(format!("supersede {} {replaced:?}", name.writer).as_bytes(), 12);
    let output = Name { run_id: run_id.to_owned(), writer: format!("c{digits}") };
    let target = place.join(output.sealed());
    let relative = format!("predictions/{folder}/{}", output.sealed());
    if !source.exists() && target.exists() {
        return Ok(relative);
    }
    let (mut of_all, mut made) = (Replaced::new(), checkpoints::Checkpoints::new());
    let mut summary = Datasets::new();
    let file = if source.exists() {
        let said = Said::read(root, &format!("predictions/{folder}/{}", name.sealed()), &name)?;
        let schema = batches::schema_of(&source)?;
        let open = platform::open(&source).map_err(|error| Error::io(&source, error))?;
        let mut file = SegmentFile::of_rows(&target, schema)?;
        batches::read_batches(&source, open, None, &mut |batches| {
            merge_datasets(&mut summary, split_by_dataset(batches, "")?);
            file.write(batches)
        })?;
        let sealed = said.sealed();
        of_all.insert(name.writer.clone(), Merged { sealed, rows: Some(0..file.rows) });
        made = said.checkpoints(&name.writer);
        file
    } else {
        SegmentFile::of_rows(&target, rows::schema()?)?
    };
    for writer in replaced {
        let rows = Some(file.rows..file.rows);
        of_all.insert(writer.clone(), Merged { sealed: Some(Sealed::superseded()), rows });
    }
    let lists = checkpoints::joined_lists(root, run_id, std::iter::once(&name.writer))?;
    if !lists.is_empty() {
        atomic::replace(&root.join("runs").join(run_id).join(output.results()), lists.as_bytes())?;
    }
    let mut keys = vec![(REPLACES_KEY, merged::to_json(&of_all))];
    keys.extend(checkpoints::key(&made, true));
    file.publish(&keys, Some(&summary))?;
    atomic::remove_if_there(&source)?;
    Ok(relative)
}

/// Has each line of the writer's list name the others; where there is none, one that does nothing else.
fn mark_results(root: &Path, name: &Name, replaced: &[String]) -> Result<()> {
    let path = root.join("runs").join(&name.run_id).join(name.results());
    let text = checkpoints::read_list(&path)?;
    let others = || serde_json::Value::from(replaced.to_vec());
    let mut lines = String::new();
    for line in text.lines() {
        let mut json = stored_result::parse(line).map_err(|error| error.at(&path))?;
        json.insert(REPLACES.to_owned(), others());
        lines.push_str(&serde_json::Value::Object(json).to_string());
        lines.push('\n');
    }
    if lines.is_empty() {
        lines = format!("{}\n", serde_json::json!({ REPLACES: others() }));
    }
    if let Some(folder) = path.parent() {
        atomic::make_folder(folder)?;
    }
    atomic::replace(&path, lines.as_bytes())
}
