//! Column chunks in memory, each checked before a decoder sees it.

use parquet::arrow::ProjectionMask;
use parquet::file::metadata::RowGroupMetaData;

use super::chunk_checks::FileChecks;
use super::chunks::Chunks;
use crate::base::error::{Result, unreadable};

/// A column chunk is read as a whole up to this length.
const LOADED_BYTES: u64 = 16 << 20;

impl Chunks {
    /// Reads the column chunks of a row group that are asked for, but for very long ones, and checks all of
    /// them.
    pub fn load(
        &mut self,
        number: usize,
        group: &RowGroupMetaData,
        mask: &ProjectionMask,
        checks: &FileChecks,
    ) -> Result<()> {
        for (leaf, column) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf))
        {
            let (start, length) = column.byte_range();
            if length > LOADED_BYTES {
                checks.check(&self.file, &[(number, leaf)])?;
                continue;
            }
            let bytes = self.fetch(start, length as usize).map_err(unreadable)?;
            if *checks.pages((number, leaf)) == (start..start + length) {
                checks.check_bytes(number, leaf, &bytes)?;
            } else {
                checks.check(&self.file, &[(number, leaf)])?;
            }
            self.loaded.push((start, bytes));
        }
        Ok(())
    }

    /// Checks the column chunks of a row group that are asked for.
    pub fn check(&self, number: usize, mask: &ProjectionMask, checks: &FileChecks) -> Result<()> {
        let asked = (0..checks.leaves()).filter(|leaf| mask.leaf_included(*leaf));
        checks.check(&self.file, &asked.map(|leaf| (number, leaf)).collect::<Vec<_>>())
    }
}
