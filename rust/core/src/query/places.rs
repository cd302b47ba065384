//! Any place of an order: rows from there on, and the place after a cursor.

use super::cursor::Cursor;
use super::entry::{Entry, Tie};
use super::file_snapshot::FileFailure;
use super::keys::Key;
use super::order::{Levels, Order};
use super::take::ties;
use super::window::Window;
use crate::types::schema::Type;

impl Order<'_> {
    /// How many rows fit.
    pub fn total(&self) -> Result<u64, FileFailure> {
        Ok(self.window(&self.levels, (0, 0))?.sum.total)
    }

    /// Rows from a place on, in their order.
    pub fn rows(&self, place: u64, limit: usize) -> Result<Vec<Entry>, FileFailure> {
        let mut rows = Vec::new();
        self.rows_within(&self.levels, place, limit, &mut rows)?;
        Ok(rows)
    }

    /// The place after the row that a cursor names, whether or not it is there.
    pub fn place_after(&self, cursor: &Cursor) -> Result<u64, FileFailure> {
        self.place_within(&self.levels, cursor)
    }

    fn rows_within(
        &self,
        levels: &Levels,
        mut place: u64,
        limit: usize,
        rows: &mut Vec<Entry>,
    ) -> Result<(), FileFailure> {
        let until = rows.len().saturating_add(limit);
        while rows.len() < until {
            let window = self.window_at(levels, place)?;
            if place >= window.sum.total {
                break;
            }
            let before = rows.len();
            let wanted = until - before;
            let start = (place - window.sum.below) as usize;
            let key = window.entries.get(start).map_or(window.lower, |entry| entry.key);
            let group = window.group(key);
            if window.is_one_key() || group.len() > self.limits.ties {
                let inner = self.inner(levels, &window, key)?;
                self.rows_within(&inner, (start - group.start) as u64, wanted, rows)?;
                rows[before..].iter_mut().for_each(|row| row.key = key);
            } else {
                // As many whole groups as the page touches, but none that is an order of its own.
                let mut end = group.end;
                while end - start < wanted && end < window.entries.len() {
                    let next = window.group(window.entries[end].key);
                    if next.len() > self.limits.ties {
                        break;
                    }
                    end = next.end;
                }
                let mut touched = window.entries[group.start..end].to_vec();
                self.untie(levels, &mut touched)?;
                rows.extend(touched.into_iter().skip(start - group.start).take(wanted));
            }
            if rows.len() == before {
                break;
            }
            place += (rows.len() - before) as u64;
        }
        Ok(())
    }

    /// The order among the rows of one key of a window.
    fn inner(&self, levels: &Levels, window: &Window, key: Key) -> Result<Levels, FileFailure> {
        let total = if window.is_one_key() { window.sum.equal } else { window.group(key).len() as u64 };
        self.within(levels, key, total, window.files_of(key))
    }

    /// Orders rows of equal keys by their ids.
    fn untie(&self, levels: &Levels, entries: &mut [Entry]) -> Result<(), FileFailure> {
        let tied: Vec<Entry> = entries
            .chunk_by(|one, two| one.key == two.key)
            .filter(|group| group.len() > 1)
            .flatten()
            .copied()
            .collect();
        if tied.is_empty() {
            return Ok(());
        }
        let mut ties = ties(self.files, &tied, text_of(levels))?.into_iter();
        for group in entries.chunk_by_mut(|one, two| one.key == two.key).filter(|group| group.len() > 1) {
            let mut pairs: Vec<(Tie, Entry)> =
                ties.by_ref().zip(group.iter().copied()).take(group.len()).collect();
            pairs.sort_unstable_by(|(one, _), (two, _)| one.cmp(two, levels_descend(levels)));
            group.iter_mut().zip(pairs).for_each(|(entry, (_, sorted))| *entry = sorted);
        }
        Ok(())
    }

    fn place_within(&self, levels: &Levels, cursor: &Cursor) -> Result<u64, FileFailure> {
        let key = if levels.keys.are_places() {
            levels.places.key_of(&cursor.tie.stem, cursor.tie.row)
        } else {
            cursor.key(&levels.keys)
        };
        let cached =
            self.cached(levels, |window| window.lower <= key && window.end.is_none_or(|end| key < end));
        let window = match cached {
            Some(window) => self.fresh(levels, &window)?,
            None => self.window(levels, key)?,
        };
        let window = if window.end.is_some_and(|end| key >= end && key != window.lower) {
            self.window(levels, key)?
        } else {
            window
        };
        let group = window.group(key);
        let before = window.sum.below + group.start as u64;
        if window.is_one_key() || group.len() > self.limits.ties {
            let inner = self.inner(levels, &window, key)?;
            return Ok(before + self.place_within(&inner, cursor)?);
        }
        let entries = &window.entries[group];
        let ties = ties(self.files, entries, text_of(levels))?;
        let is_after = |tie: &&Tie| tie.cmp(&cursor.tie, levels_descend(levels)).is_le();
        Ok(before + ties.iter().filter(is_after).count() as u64)
    }
}

/// The column of texts that orders before ids do.
fn text_of(levels: &Levels) -> Option<&str> {
    let first = levels.pins.first().map_or(&levels.keys, |(keys, _)| keys);
    (first.kind == Type::Text).then_some(first.column.as_str())
}

fn levels_descend(levels: &Levels) -> bool {
    levels.pins.first().map_or(&levels.keys, |(keys, _)| keys).descending
}
