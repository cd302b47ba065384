//! What the frames of a journal hold: rows, and results that were checkpointed.

use std::path::Path;

use super::journal::{Journal, Kind, Position, Reading};
use super::{ipc, stored_result};
use crate::base::error::{Error, Result};

/// Hands out the rows of a journal; says where they end and what was given up, and what is damaged.
///
/// An incomplete last frame is the end of the data: its writer may be about to finish it.
pub fn rows(
    journal: &Journal,
    from: Position,
    take: &mut dyn FnMut(&[arrow_array::RecordBatch]) -> Result<()>,
) -> Result<(Reading, Option<Error>)> {
    let reading = journal.read(from, &mut |kind, payload| match kind {
        Kind::Rows => take(&ipc::decode(payload)?),
        Kind::Arrays | Kind::Checkpoint => Ok(()),
    })?;
    let damage = journal.damage(&reading);
    Ok((reading, damage))
}

/// The results that were checkpointed in a journal, as texts, and what is damaged in it.
pub fn results(path: &Path) -> Result<(Vec<String>, Option<Error>)> {
    let mut found = Vec::new();
    let journal = Journal::open(path)?;
    let mut frames = journal.frames(journal.begin());
    while let Some((kind, _)) = frames.advance()? {
        // One without an id is reported by recover and verify.
        if kind == Kind::Checkpoint
            && let Ok(checkpoint) = stored_result::read(frames.payload())
        {
            found.push((checkpoint, frames.has_lost()));
        }
    }
    let damage = journal.damage(&frames.finish());
    let (complete, _) = stored_result::take_incomplete(&journal, found)?;
    Ok((complete.into_iter().map(|checkpoint| checkpoint.text).collect(), damage))
}
