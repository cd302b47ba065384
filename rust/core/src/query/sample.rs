//! Splitters of an order: texts of some rows of every part of the files, and how many rows lie between them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::file_snapshot::FileFailure;
use super::order::{CHOICES, Levels, Order, Seen, Slice, Unit, with_shape};
use super::splitters::Splitters;
use crate::types::columns::Texts;

/// Of so many row groups at most some rows are read.
const UNITS: usize = 256;
/// And of so many where a page cannot be read alone.
const WHOLE_UNITS: usize = 32;
/// Rows of a data page: fewer are not read faster.
const PAGE: u64 = 1_024;

impl Order<'_> {
    /// Chooses splitters for the texts that order.
    pub(super) fn split(&self, mut levels: Levels) -> Result<Levels, FileFailure> {
        let known = with_shape(&self.query, |shape| shape.splitters.get(&levels.name).cloned()).flatten();
        let (splitters, number) = match known {
            Some(known) => known,
            None => {
                let chosen = (Arc::new(self.sample(&levels)?), CHOICES.fetch_add(1, Ordering::Relaxed));
                with_shape(&self.query, |shape| shape.cache(levels.name.clone(), chosen.clone()));
                chosen
            }
        };
        levels.keys.splitters = splitters;
        // Keys mean nothing with other splitters.
        levels.name = format!("{} #{number}", levels.name);
        Ok(levels)
    }

    fn sample(&self, levels: &Levels) -> Result<Splitters, FileFailure> {
        let units = self.units(&levels.files)?;
        let rows: u64 = units.iter().map(Unit::rows).sum();
        let can_read_pages =
            units.iter().step_by(units.len().div_ceil(WHOLE_UNITS).max(1)).all(Unit::can_read_pages);
        let most = if can_read_pages { UNITS } else { WHOLE_UNITS };
        let apart = units.len().div_ceil(most).max(1);
        let units: Vec<Unit> = units.into_iter().step_by(apart).collect();
        // More where few of the rows belong to the order.
        let wanted = match levels.total {
            Some(total) => self.limits.sample as u64 * rows.checked_div(total.max(1)).unwrap_or(1).max(1),
            None => self.limits.sample as u64,
        };
        let each = wanted.div_ceil(units.len().max(1) as u64).max(1);
        let slices: Vec<Slice> =
            units.into_iter().enumerate().map(|(number, unit)| slice(unit, number, each)).collect();
        let splitters = self.sample_of(levels, &slices)?;
        if splitters.is_empty() && levels.total.is_some_and(|total| total > 0) {
            // One at least is needed, or an order would be divided into itself.
            let slices: Vec<Slice> = self.units(&levels.files)?.into_iter().map(Slice::whole).collect();
            return self.sample_of(levels, &slices);
        }
        Ok(splitters)
    }

    fn sample_of(&self, levels: &Levels, slices: &[Slice]) -> Result<Splitters, FileFailure> {
        let most = 2 * self.limits.sample / slices.len().max(1) + 1;
        let column = levels.keys.column.as_str();
        let found = Mutex::new((BTreeMap::new(), 0));
        self.visit(slices, levels, &|Seen { slice, batch, rows, .. }| {
            let batch = &*levels.keys.converted(batch)?;
            let all = Texts::of(batch, column)?;
            let rows: Vec<u32> = rows.collect();
            let apart = rows.len().div_ceil(most).max(1);
            let weight = slice.weight() * apart as u64;
            let (mut texts, mut nulls) = (BTreeMap::<&str, u64>::new(), 0);
            for text in rows.iter().step_by(apart).map(|&row| all.get(row as usize)) {
                match text {
                    Some(text) => *texts.entry(text).or_default() += weight,
                    None => nulls += weight,
                }
            }
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.1 += nulls;
            for (text, weight) in texts {
                match found.0.get_mut(text) {
                    Some(sum) => *sum += weight,
                    None => drop(found.0.insert(text.to_owned(), weight)),
                }
            }
            Ok(())
        })?;
        let (texts, nulls) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Splitters::of(texts, nulls))
    }
}

/// About so many rows of a unit, somewhere in it.
fn slice(unit: Unit, number: usize, rows: u64) -> Slice {
    let all = unit.rows();
    if unit.source.is_none() || all <= rows.saturating_mul(2) {
        return Slice::whole(unit);
    }
    let rows = if rows < PAGE / 4 { rows } else { rows.next_multiple_of(PAGE).min(all) };
    // Not at the same place in each: what a writer repeats would be missed.
    let place = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
    let start = place % (all - rows + 1);
    let start = if rows < PAGE { start } else { start - start % PAGE };
    Slice { unit, rows: Some(start as usize..(start + rows) as usize) }
}
