//! Where rows were written: by which writer, and at which place among its rows. Both stay as segments are merged, so
//! that a cursor leads on from the same row.

use std::collections::HashMap;

use super::file_snapshot::{FileFailure, FileSnapshot, collect_results_of};
use super::keys::Key;
use super::source::Source;
use crate::base::error::Result;
use crate::base::file_names::{Name, SUFFIX};
use crate::footer::keys::REPLACES_KEY;
use crate::segment::merged;

/// Where the rows of one file were written.
pub struct Origins {
    /// The places of first rows, each with the stem of the segment that they and those that follow were written as.
    parts: Vec<(u32, String)>,
}

impl Origins {
    /// Those of a listed file: its own, or, of a compaction, those that it merged. Rows that an earlier version merged
    /// without telling whose they are count as those of the first of their writers.
    pub fn of(file: &FileSnapshot) -> Result<Self> {
        let mut parts = Vec::new();
        if let Some((folder, own)) = file.stem().rsplit_once('/')
            && let Some(name) = Name::of(&format!("{own}{SUFFIX}"))
            && name.is_compaction()
            && !file.is_journal()
        {
            let source = Source::open(&file.path, file.identity)?;
            let replaced = source.key(REPLACES_KEY).and_then(merged::from_json).unwrap_or_default();
            for unit in merged::units(&name, None, &replaced) {
                let Some((writer, _)) = unit.writers.into_iter().min_by(|one, two| one.0.cmp(&two.0)) else {
                    continue;
                };
                let writer = Name { run_id: name.run_id.clone(), writer };
                if let Ok(first) = u32::try_from(unit.rows.start)
                    && !unit.rows.is_empty()
                {
                    parts.push((first, format!("{folder}/{writer}")));
                }
            }
            parts.sort_unstable();
        }
        if parts.first().is_none_or(|(first, _)| *first > 0) {
            parts.insert(0, (0, file.stem().to_owned()));
        }
        Ok(Self { parts })
    }

    /// The stem of the segment that a row was written as, and its place there.
    pub fn at(&self, row: u32) -> (&str, u32) {
        part_of(&self.parts, row).map_or(("", row), |(first, stem)| (stem.as_str(), row - first))
    }
}

/// The part that a row lies in: of those whose first row does not come after it, the last.
fn part_of<T>(parts: &[(u32, T)], row: u32) -> Option<&(u32, T)> {
    parts[..parts.partition_point(|(first, _)| *first <= row)].last()
}

/// The order of the rows of some files by where they were written.
#[derive(Clone, Debug, Default)]
pub struct PlaceOrder {
    /// In order.
    stems: Vec<String>,
    /// The places of first rows, each with the place of their stem.
    of_file: HashMap<usize, Vec<(u32, u32)>>,
}

impl PlaceOrder {
    /// That of these files among those listed.
    pub fn of(files: &[FileSnapshot], chosen: &[usize]) -> Result<Self, FileFailure> {
        let origins = chosen.iter().map(|&file| Origins::of(&files[file])).collect();
        let origins: Vec<Origins> = collect_results_of(chosen, origins)?;
        let mut stems: Vec<String> =
            origins.iter().flat_map(|of| of.parts.iter().map(|(_, stem)| stem.clone())).collect();
        stems.sort_unstable();
        stems.dedup();
        let place = |stem: &String| stems.partition_point(|other| other < stem) as u32;
        let ranked = |of: &Origins| of.parts.iter().map(|(first, stem)| (*first, place(stem))).collect();
        let of_file = chosen.iter().zip(&origins).map(|(&file, of)| (file, ranked(of))).collect();
        Ok(Self { stems, of_file })
    }

    /// The key of a row of a file.
    pub fn key(&self, file: usize, row: u32) -> Key {
        let parts = self.of_file.get(&file).map(Vec::as_slice).unwrap_or_default();
        let (first, stem) = part_of(parts, row).copied().unwrap_or_default();
        of_place(stem, row - first)
    }

    /// The key of a row by where it was written, or would have been among these.
    pub fn key_of(&self, stem: &str, row: u32) -> Key {
        let place = self.stems.partition_point(|other| other.as_str() < stem);
        let is_there = self.stems.get(place).is_some_and(|other| other == stem);
        of_place(place as u32, if is_there { row } else { 0 })
    }
}

fn of_place(stem: u32, row: u32) -> Key {
    (0, u64::from(stem) << 32 | u64::from(row))
}
