//! What a compaction takes of its inputs, and what its footer says of them.

use std::ops::Range;
use std::path::Path;

use crate::base::error::Result;
use crate::base::file_names::Name;
use crate::base::progress::Progress;
use crate::segment::checkpoints::Checkpoints;
use crate::segment::file_results::Said;
use crate::segment::hidden_rows::{Hidden, Part};
use crate::segment::live_rules;
use crate::segment::merged::{self, Merged, Replaced, Unit};

/// The inputs of one compaction, in their order.
pub struct Plan {
    units: Vec<Vec<Unit>>,
    replaced: Vec<Replaced>,
    checkpoints: Vec<Checkpoints>,
    /// The rows of an input that another one has as well: they are the beginning of that one's.
    pub left_out: Vec<Option<Hidden>>,
}

impl Plan {
    /// Reads what the inputs say, and takes out those that went apart from others and cannot be divided.
    pub fn of(root: &Path, folder: &str, inputs: &mut Vec<Name>, progress: &Progress) -> Result<Self> {
        let mut plan =
            Self { units: Vec::new(), replaced: Vec::new(), checkpoints: Vec::new(), left_out: Vec::new() };
        for name in inputs.iter() {
            progress.check()?;
            let said = Said::read(root, &format!("predictions/{folder}/{}", name.sealed()), name)?;
            let replaced = said.replaced();
            plan.units.push(merged::units(name, said.sealed().as_ref(), &replaced));
            plan.replaced.push(replaced);
            plan.checkpoints.push(said.checkpoints(&name.writer));
        }
        let mut live = live_rules::longest(inputs, &plan.units, &plan.replaced);
        while let Some(apart) = live.iter().position(Option::is_none) {
            inputs.remove(apart);
            plan.units.remove(apart);
            plan.replaced.remove(apart);
            plan.checkpoints.remove(apart);
            live = live_rules::longest(inputs, &plan.units, &plan.replaced);
        }
        for (units, is_live) in plan.units.iter_mut().zip(live) {
            let is_live = is_live.unwrap_or_default();
            let hidden = units.iter().zip(&is_live).filter(|(_, is_live)| !**is_live);
            let parts = hidden.map(|(unit, _)| Part { rows: unit.rows.clone(), results: None }).collect();
            plan.left_out.push(Hidden::of(parts));
            let mut is_live = is_live.into_iter();
            units.retain(|_| is_live.next().unwrap_or(true));
        }
        Ok(plan)
    }

    /// What the footer says where each input's rows begin at a place and all end at the last one.
    pub fn about(self, inputs: &[Name], starts: &[u64], end: u64) -> (Replaced, Checkpoints) {
        let (mut replaced, mut checkpoints) = (Replaced::new(), Checkpoints::new());
        let ends = starts.iter().skip(1).copied().chain([end]);
        let places = inputs.iter().zip(starts).zip(ends).zip(&self.left_out);
        let said = self.replaced.iter().zip(self.checkpoints);
        for (((((name, start), end), left_out), units), (of_input, mut said)) in
            places.zip(&self.units).zip(said)
        {
            for writer in of_input.keys().chain([&name.writer]).filter(|it| Name::is_of_compaction(it)) {
                replaced.insert(writer.clone(), Merged::default());
            }
            for unit in units {
                let rows = placed(&unit.rows, left_out.as_ref(), *start..end);
                for (writer, sealed) in &unit.writers {
                    let merged = Merged { sealed: sealed.clone(), rows: Some(rows.clone()) };
                    replaced.insert(writer.clone(), merged);
                    if let Some(own) = said.remove(writer) {
                        checkpoints.insert(writer.clone(), own);
                    }
                }
            }
        }
        (replaced, checkpoints)
    }
}

/// Where the rows of a unit lie in the output, in which its input has some rows.
fn placed(rows: &Range<u64>, left_out: Option<&Hidden>, output: Range<u64>) -> Range<u64> {
    let parts = left_out.map(Hidden::parts).unwrap_or_default().iter();
    let before: u64 =
        parts.filter(|part| part.rows.start < rows.start).map(|part| part.rows.end - part.rows.start).sum();
    let place = |row: u64| output.start.saturating_add(row - before.min(row)).min(output.end);
    place(rows.start)..place(rows.end)
}
