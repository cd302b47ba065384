//! The JSON text `scores` as a struct: a partition each, of numbers by metric.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, NullArray, RecordBatch, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};
use rayon::prelude::*;

use super::file_snapshot::{FileSnapshot, Files, read_journal};
use super::page::attempts;
use super::source::Source;
use crate::base::clock::now_ns;
use crate::base::codec::ByteWriter;
use crate::base::error::{ErrorKind, Result, corrupt};
use crate::base::progress::Progress;
use crate::fs::cache_file;
use crate::fs::stat::Identity;
use crate::segment::live_set::Open;
use crate::summary::json_scores::{PARTS, READ, ScorePath, numbers_in, paths_in};
use crate::types::columns::Texts;
use crate::types::rows;

const CACHE: &str = "score-names.bin";
const MAGIC: &[u8; 4] = b"N4AM";
/// The layout of what is cached; another is ignored.
const LAYOUT: u64 = 1;
/// Rows that one thread looks at, one after another.
const RUN: usize = 4096;
/// The order of the struct's fields, by their places in [`PARTS`].
const ORDER: [usize; 3] = [2, 0, 1];

/// Which numbers the rows of a file have.
#[derive(Clone)]
struct FileNames {
    identity: Identity,
    read_at: i64,
    names: BTreeSet<ScorePath>,
}

type Known = HashMap<String, FileNames>;

/// Which numbers rows of a workspace have in `scores`; files that cannot be read are left out.
///
/// The texts of files that were not looked at since they changed are read.
pub fn names(root: &Path, open: Open, progress: &Progress) -> Result<BTreeSet<ScorePath>> {
    attempts(root, open, |Files { files, .. }| {
        let known =
            cache_file::read_any(root, CACHE).and_then(|bytes| decode(&bytes).ok()).unwrap_or_default();
        let read_at = now_ns();
        let read = files.par_iter().with_max_len(1).map(|file| {
            progress.check()?;
            let of_file = known.get(&file.name).filter(|_| !file.is_journal());
            if let Some(names) =
                of_file.filter(|it| it.identity == file.identity && it.identity.settled_at(it.read_at))
            {
                return Ok((names.clone(), false));
            }
            let names = names_of(file, progress).or_else(|error| match error.kind {
                ErrorKind::Interrupted => Err(error),
                _ => Ok(BTreeSet::new()),
            })?;
            Ok((FileNames { identity: file.identity, read_at, names }, true))
        });
        let read = read.collect::<Result<Vec<_>>>().map_err(|error| (None, error))?;
        if read.iter().zip(&files).any(|((_, is_new), file)| *is_new && !file.is_journal()) {
            let settled = files
                .iter()
                .zip(&read)
                .filter(|(file, (names, _))| !file.is_journal() && names.identity.settled_at(names.read_at));
            store(root, settled.map(|(file, (names, _))| (file.name.as_str(), names)).collect());
        }
        Ok(read.into_iter().flat_map(|(file, _)| file.names).collect())
    })
}

/// Which numbers the rows of a batch have.
pub fn names_in(batch: &RecordBatch) -> Result<BTreeSet<ScorePath>> {
    let texts = Texts::of(batch, READ[0])?;
    let runs = (0..batch.num_rows().div_ceil(RUN)).into_par_iter().map(|run| {
        let (mut names, mut last) = (BTreeSet::new(), "");
        for row in run * RUN..batch.num_rows().min((run + 1) * RUN) {
            if let Some(text) = texts.get(row).filter(|text| *text != last) {
                names.extend(paths_in(text));
                last = text;
            }
        }
        names
    });
    Ok(runs.reduce(BTreeSet::new, |mut one, mut other| {
        one.append(&mut other);
        one
    }))
}

fn names_of(file: &FileSnapshot, progress: &Progress) -> Result<BTreeSet<ScorePath>> {
    let mut names = BTreeSet::new();
    let mut add = |batch: &RecordBatch| {
        progress.check()?;
        names.append(&mut names_in(batch)?);
        Ok(())
    };
    if file.is_journal() {
        read_journal(file, &mut |_, batch| add(batch))?;
        return Ok(names);
    }
    let source = Source::open(&file.path, file.identity)?;
    for group in 0..source.groups() {
        source.read_group(group, &READ[..1], &mut add)?;
    }
    Ok(names)
}

/// The column `scores` of a batch as a struct of these numbers; null where a text is no JSON object.
pub fn structs_of(batch: &RecordBatch, names: &BTreeSet<ScorePath>) -> Result<RecordBatch> {
    let texts = Texts::of(batch, READ[0])?;
    let names: Vec<&ScorePath> = names.iter().collect();
    let all = batch.num_rows();
    let runs = (0..all.div_ceil(RUN)).into_par_iter().map(|run| {
        let rows = run * RUN..all.min((run + 1) * RUN);
        let mut found = Vec::with_capacity(rows.len());
        let mut last: Option<(&str, Arc<Option<Numbers>>)> = None;
        for row in rows {
            let numbers = match (texts.get(row), &last) {
                (None, _) => Arc::new(None),
                (Some(text), Some((known, numbers))) if *known == text => Arc::clone(numbers),
                (Some(text), _) => {
                    let numbers =
                        Arc::new(numbers_in(text, &names).map(|(parts, values)| Numbers { parts, values }));
                    last = Some((text, Arc::clone(&numbers)));
                    numbers
                }
            };
            found.push(numbers);
        }
        found
    });
    let rows: Vec<Arc<Option<Numbers>>> = runs.flatten_iter().collect();
    let part = |part: usize| -> Result<(Field, ArrayRef)> {
        let of_part: Vec<usize> = (0..names.len()).filter(|&name| names[name].part == part).collect();
        let array: ArrayRef = if of_part.is_empty() {
            Arc::new(NullArray::new(all))
        } else {
            let column = |&name: &usize| -> ArrayRef {
                Arc::new(rows.iter().map(|row| row.as_ref().as_ref()?.values[name]).collect::<Float64Array>())
            };
            let columns: Vec<ArrayRef> = of_part.par_iter().map(column).collect();
            let fields = of_part.iter().map(|&name| Field::new(&names[name].metric, DataType::Float64, true));
            let is_there =
                |row: &Arc<Option<Numbers>>| row.as_ref().as_ref().is_some_and(|row| row.parts[part]);
            struct_of(fields.collect(), columns, rows.iter().map(is_there).collect())?
        };
        Ok((Field::new(PARTS[part], array.data_type().clone(), true), array))
    };
    let parts = ORDER.iter().map(|&place| part(place)).collect::<Result<Vec<_>>>()?;
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = parts.into_iter().unzip();
    let scores = struct_of(fields.into(), arrays, rows.iter().map(|row| row.is_some()).collect())?;
    rows::batch_of(vec![Field::new(READ[0], scores.data_type().clone(), true)], vec![scores])
}

/// The numbers of a row, and which partitions it has.
struct Numbers {
    parts: [bool; 3],
    values: Vec<Option<f64>>,
}

fn struct_of(fields: Fields, arrays: Vec<ArrayRef>, valid: NullBuffer) -> Result<ArrayRef> {
    let array = StructArray::try_new(fields, arrays, Some(valid));
    Ok(Arc::new(array.map_err(|error| corrupt(error.to_string()))?))
}

fn decode(bytes: &[u8]) -> Result<Known> {
    let mut reader = cache_file::checked(bytes)?;
    if reader.bytes(MAGIC.len())? != MAGIC || reader.int()? != LAYOUT || reader.text()? != cache_file::VERSION
    {
        return Err(corrupt("another version"));
    }
    let count = reader.count(40)?;
    let mut files = HashMap::with_capacity(count);
    for _ in 0..count {
        let name = reader.text()?.to_owned();
        let (identity, read_at) = (Identity::decode(&mut reader)?, reader.u64()? as i64);
        let count = reader.count(1)?;
        let names = (0..count).map(|_| ScorePath::parse(reader.text()?)).collect::<Result<_>>()?;
        files.insert(name, FileNames { identity, read_at, names });
    }
    Ok(files)
}

fn store(root: &Path, files: Vec<(&str, &FileNames)>) {
    let mut out = ByteWriter::default();
    out.bytes.extend_from_slice(MAGIC);
    out.int(LAYOUT);
    out.text(cache_file::VERSION);
    out.int(files.len() as u64);
    for (name, file) in files {
        out.text(name);
        file.identity.encode(&mut out);
        out.u64(file.read_at as u64);
        out.int(file.names.len() as u64);
        file.names.iter().for_each(|path| out.text(&path.column()));
    }
    cache_file::write_any(root, CACHE, &cache_file::finish(out));
}
