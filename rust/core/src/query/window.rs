//! A bounded piece of an order, and any place in the order by such pieces.
//!
//! A window holds the first rows of an order from some key on, as places with keys. It is kept, and where
//! files were added, changed or removed only these are read again. Rows of one key are ordered by reading
//! their ids; where there are too many for that, they are an order of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::cursor::Cursor;
use super::entry::{Entry, Tie};
use super::groups::Groups;
use super::keys::{Key, after, of_place};
use super::listed::{Failed, Listed};
use super::order::{Levels, Order};
use super::take::ties;
use crate::types::schema::Type;

/// Windows that are kept.
const KEPT: usize = 12;
/// Bins of a histogram.
const BINS: u128 = 65_536;

/// The rows from a key on, up to a place where there is room no more.
#[derive(Clone, Debug, Default)]
struct Window {
    lower: Key,
    /// What is not there any more, and all after it; `None` where all is there.
    end: Option<Key>,
    /// What is known of each file, by name.
    counts: HashMap<String, FileCounts>,
    sum: Counts,
    /// Where it is the first: rows by key, if there are few keys.
    groups: Option<Groups>,
    /// In the order of their keys.
    entries: Vec<Entry>,
}

/// Rows of a file.
#[derive(Clone, Debug)]
struct FileCounts {
    /// As it was read.
    listed: Listed,
    /// Its place then.
    place: u32,
    counts: Counts,
    /// By key, in the first window of all rows that fit.
    groups: Option<Groups>,
}

/// Rows of smaller keys than a window's first, with that key, and in all.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    below: u64,
    equal: u64,
    total: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.below += other.below;
        self.equal += other.equal;
        self.total += other.total;
    }
}

impl Window {
    /// The place after its last row.
    fn until(&self) -> u64 {
        self.sum.below + if self.is_one_key() { self.sum.equal } else { self.entries.len() as u64 }
    }

    /// Whether its first key has more rows than there is room for.
    fn is_one_key(&self) -> bool {
        self.end == Some(self.lower)
    }

    fn contains(&self, place: u64) -> bool {
        place >= self.sum.below && (place < self.until() || self.end.is_none())
    }

    /// Where the window after it begins.
    fn next(&self) -> Option<Key> {
        self.end.map(|end| if self.is_one_key() { after(end) } else { end })
    }

    /// The window of one key that has more rows than `ties`, where it is known how many have it.
    fn one_key(&self, key: Key, ties: u64) -> Option<Self> {
        self.groups.as_ref().filter(|groups| groups.around(key).1 > ties)?;
        let mut window = Self { lower: key, end: Some(key), ..Self::default() };
        for (name, file) in &self.counts {
            let (below, equal) = file.groups.as_ref()?.around(key);
            let counts = Counts { below, equal, total: file.counts.total };
            window.sum.add(counts);
            window.counts.insert(name.clone(), FileCounts { counts, groups: None, ..file.clone() });
        }
        Some(window)
    }

    /// Its files that have rows of one key.
    fn files_of(&self, key: Key) -> Vec<usize> {
        let has_rows = |file: &&FileCounts| file.counts.equal > 0;
        let mut files: Vec<usize> = if self.is_one_key() {
            self.counts.values().filter(has_rows).map(|file| file.place as usize).collect()
        } else {
            self.entries[self.group(key)].iter().map(|entry| entry.file as usize).collect()
        };
        files.sort_unstable();
        files.dedup();
        files
    }

    fn group(&self, key: Key) -> std::ops::Range<usize> {
        let start = self.entries.partition_point(|entry| entry.key < key);
        start..self.entries.partition_point(|entry| entry.key <= key)
    }
}

type Kept = HashMap<(String, String, Key), (Arc<Window>, u64)>;

static WINDOWS: Mutex<Option<Kept>> = Mutex::new(None);

/// The first rows that were offered, with the keys before some end.
struct Collector {
    entries: Vec<Entry>,
    end: Option<Key>,
}

impl Collector {
    fn shrink(&mut self, rows: usize) {
        if self.entries.len() > rows {
            let (_, first_out, _) = self.entries.select_nth_unstable_by_key(rows, |entry| entry.key);
            let end = first_out.key;
            self.end = Some(end);
            self.entries.retain(|entry| entry.key < end);
        }
    }
}

impl Order<'_> {
    /// How many rows fit.
    pub fn total(&self) -> Result<u64, Failed> {
        Ok(self.window(&self.levels, (0, 0))?.sum.total)
    }

    /// Rows from a place on, in their order.
    pub fn rows(&self, place: u64, limit: usize) -> Result<Vec<Entry>, Failed> {
        let mut rows = Vec::new();
        self.rows_within(&self.levels, place, limit, &mut rows)?;
        Ok(rows)
    }

    /// The place after the row that a cursor names, whether or not it is there.
    pub fn place_after(&self, cursor: &Cursor) -> Result<u64, Failed> {
        self.place_within(&self.levels, cursor)
    }

    fn rows_within(
        &self,
        levels: &Levels,
        mut place: u64,
        limit: usize,
        rows: &mut Vec<Entry>,
    ) -> Result<(), Failed> {
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
    fn inner(&self, levels: &Levels, window: &Window, key: Key) -> Result<Levels, Failed> {
        let total = if window.is_one_key() { window.sum.equal } else { window.group(key).len() as u64 };
        self.within(levels, key, total, window.files_of(key))
    }

    /// Orders rows of equal keys by their ids.
    fn untie(&self, levels: &Levels, entries: &mut [Entry]) -> Result<(), Failed> {
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

    fn place_within(&self, levels: &Levels, cursor: &Cursor) -> Result<u64, Failed> {
        let key = if levels.keys.are_places() {
            let file = self.files.partition_point(|file| file.stem() < cursor.tie.stem.as_str());
            let is_there = self.files.get(file).is_some_and(|file| file.stem() == cursor.tie.stem);
            of_place(file, if is_there { cursor.tie.row } else { 0 })
        } else {
            cursor.key(&levels.keys)
        };
        let kept = self.kept(levels, |window| window.lower <= key && window.end.is_none_or(|end| key < end));
        let window = match kept {
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

    /// The window that has a place.
    fn window_at(&self, levels: &Levels, place: u64) -> Result<Arc<Window>, Failed> {
        if let Some(kept) = self.kept(levels, |window| window.contains(place)) {
            let window = self.fresh(levels, &kept)?;
            if window.contains(place) {
                return Ok(window);
            }
        }
        let mut lower = self.aim(levels, place)?;
        loop {
            let window = self.window(levels, lower)?;
            if window.contains(place) || place >= window.sum.total {
                return Ok(window);
            }
            let is_near = place.saturating_sub(window.until()) < self.limits.rows as u64 / 2;
            lower = match window.next() {
                _ if place < window.sum.below => self.seek(levels, place)?,
                None => return Ok(window),
                Some(next) if is_near || window.is_one_key() => next,
                Some(next) => self.seek(levels, place)?.max(next),
            };
        }
    }

    /// A key from which on a window has a place, most likely.
    fn aim(&self, levels: &Levels, place: u64) -> Result<Key, Failed> {
        let rows = self.limits.rows as u64;
        let Some(total) = levels.total else {
            let first = self.window(levels, (0, 0))?;
            let groups = first.groups.as_ref().filter(|_| !first.contains(place));
            let begin = groups.and_then(|groups| groups.begin(place, rows, self.limits.ties as u64));
            return Ok(begin.unwrap_or((0, 0)));
        };
        if levels.keys.are_places() {
            return Ok((0, 0));
        }
        let keys = &levels.keys;
        let Some(at) = keys.near(place, total).filter(|_| total > rows) else { return Ok((0, 0)) };
        if keys.share(at, total).1 > rows / 2 {
            return Ok(at);
        }
        // A sample is right to some thousandths, and pages before and after this one may follow.
        let begin = place.saturating_sub(rows / 3);
        Ok(keys.near(begin, total).filter(|_| begin > 0).unwrap_or((0, 0)))
    }

    /// A key with few rows between it and a place, found by histograms.
    fn seek(&self, levels: &Levels, place: u64) -> Result<Key, Failed> {
        let wide = |key: Key| u128::from(key.0) << 64 | u128::from(key.1);
        let (low, high) = levels.keys.range();
        let (mut low, mut high, mut before) = (wide(low), wide(high), 0u64);
        loop {
            let width = (high - low).div_ceil(BINS).max(1);
            let bins = Mutex::new(vec![0u64; BINS as usize + 1]);
            self.keys(levels, &levels.files, &|_, found| {
                let keys = found.iter().map(|(_, key)| wide(*key)).filter(|key| (low..high).contains(key));
                let found: Vec<usize> = keys.map(|key| ((key - low) / width) as usize).collect();
                let mut bins = bins.lock().unwrap_or_else(PoisonError::into_inner);
                found.into_iter().for_each(|bin| bins[bin] += 1);
            })?;
            let bins = bins.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut found = None;
            for (bin, &count) in bins.iter().enumerate() {
                if before + count > place {
                    found = Some((bin as u128, count));
                    break;
                }
                before += count;
            }
            let Some((bin, count)) = found else { return Ok(((high >> 64) as u32, high as u64)) };
            low += bin * width;
            high = high.min(low + width);
            if count <= self.limits.rows as u64 / 2 || width == 1 {
                return Ok(((low >> 64) as u32, low as u64));
            }
        }
    }

    fn kept(&self, levels: &Levels, fits: impl Fn(&Window) -> bool) -> Option<Arc<Window>> {
        let guard = WINDOWS.try_lock().ok()?;
        let kept = guard.as_ref()?.iter();
        let mut own = kept.filter(|((query, name, _), _)| *query == self.query && *name == levels.name);
        own.find(|(_, (window, _))| fits(window)).map(|(_, (window, _))| Arc::clone(window))
    }

    fn window(&self, levels: &Levels, lower: Key) -> Result<Arc<Window>, Failed> {
        if let Some(window) = self.kept(levels, |window| window.lower == lower) {
            return self.fresh(levels, &window);
        }
        if levels.total.is_none() && lower > (0, 0) {
            let first = self.window(levels, (0, 0))?;
            if let Some(window) = first.one_key(lower, self.limits.ties as u64) {
                let window = Arc::new(window);
                self.keep(levels, &window);
                return Ok(window);
            }
        }
        self.build(levels, Window { lower, end: self.end_of(levels, lower), ..Window::default() })
    }

    /// Where a window ends that begins at a key, most likely: rows beyond need not be collected.
    fn end_of(&self, levels: &Levels, lower: Key) -> Option<Key> {
        let total = levels.total.filter(|_| levels.keys.kind == Type::Text && !levels.keys.are_places())?;
        let (before, own) = levels.keys.share(lower, total);
        let end = before + own + self.limits.rows as u64;
        levels.keys.near(end, total).filter(|key| end < total && *key > lower)
    }

    /// A window as the files are now.
    fn fresh(&self, levels: &Levels, window: &Arc<Window>) -> Result<Arc<Window>, Failed> {
        let is_same = |&file: &usize| {
            let known = window.counts.get(&self.files[file].name);
            known
                .is_some_and(|known| self.files[file].is_still(&known.listed) && known.place as usize == file)
        };
        if window.counts.len() == levels.files.len() && levels.files.iter().all(is_same) {
            self.keep(levels, window);
            return Ok(Arc::clone(window));
        }
        if levels.keys.are_places() {
            return self.build(levels, Window { lower: window.lower, ..Window::default() });
        }
        // Entries name their files by the place in an earlier listing.
        let mut moved = HashMap::new();
        let mut kept = Window { lower: window.lower, end: window.end, ..Window::default() };
        for &file in levels.files.iter() {
            let listed = &self.files[file];
            if let Some(known) =
                window.counts.get(&listed.name).filter(|known| listed.is_still(&known.listed))
            {
                moved.insert(known.place, file as u32);
                kept.counts.insert(listed.name.clone(), FileCounts { place: file as u32, ..known.clone() });
            }
        }
        let entries = window.entries.iter();
        kept.entries
            .extend(entries.filter_map(|entry| Some(Entry { file: *moved.get(&entry.file)?, ..*entry })));
        if window.end.is_some() && kept.entries.len() < window.entries.len() / 2 {
            kept = Window { lower: window.lower, ..Window::default() };
        }
        self.build(levels, kept)
    }

    /// Adds the rows of the files that a window does not know.
    fn build(&self, levels: &Levels, mut window: Window) -> Result<Arc<Window>, Failed> {
        let unknown: Vec<usize> = levels
            .files
            .iter()
            .copied()
            .filter(|&file| !window.counts.contains_key(&self.files[file].name))
            .collect();
        let lower = window.lower;
        let has_groups = levels.total.is_none() && lower == (0, 0);
        let state = (
            Collector { entries: std::mem::take(&mut window.entries), end: window.end },
            vec![(Counts::default(), has_groups.then(Groups::default)); self.files.len()],
        );
        let state = Mutex::new(state);
        let keys = if has_groups { levels.keys.clone() } else { levels.keys.between(lower, window.end) };
        let near = Levels { keys, ..levels.clone() };
        self.keys(&near, &unknown, &|file, found| {
            let mut counts = Counts { total: found.len() as u64, ..Counts::default() };
            for (_, key) in found {
                counts.below += u64::from(*key < lower);
                counts.equal += u64::from(*key == lower);
            }
            let (end, groups) = {
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                (state.0.end, state.1[file].1.as_ref().is_some_and(Groups::are_known))
            };
            let groups = groups.then(|| Groups::of(found));
            let entry = |&(row, key): &(u32, Key)| Entry { key, file: file as u32, row };
            let fits = |entry: &Entry| entry.key >= lower && end.is_none_or(|end| entry.key < end);
            let entries: Vec<Entry> = found.iter().map(entry).filter(fits).collect();
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.1[file].0.add(counts);
            if let (Some(sum), Some(groups)) = (&mut state.1[file].1, groups) {
                sum.add(groups);
            }
            let end = state.0.end;
            state.0.entries.extend(entries.into_iter().filter(|entry| end.is_none_or(|end| entry.key < end)));
            if state.0.entries.len() > 2 * self.limits.rows {
                state.0.shrink(self.limits.rows);
            }
        })?;
        let (mut collector, mut counts) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        collector.shrink(self.limits.rows);
        collector.entries.sort_unstable();
        collector.entries.shrink_to_fit();
        for file in unknown {
            let (listed, (counts, groups)) = (self.files[file].clone(), std::mem::take(&mut counts[file]));
            let known = FileCounts { listed, place: file as u32, counts, groups };
            window.counts.insert(known.listed.name.clone(), known);
        }
        let mut sum = Counts::default();
        window.counts.values().for_each(|file| sum.add(file.counts));
        let mut groups = None;
        if has_groups {
            let of_files = window.counts.values().filter_map(|file| file.groups.as_ref());
            groups = Some(Groups::sum(of_files)).filter(Groups::are_known);
            if groups.is_none() {
                window.counts.values_mut().for_each(|file| file.groups = Some(Groups::unknown()));
            }
        }
        let window =
            Arc::new(Window { entries: collector.entries, end: collector.end, sum, groups, ..window });
        self.keep(levels, &window);
        Ok(window)
    }

    fn keep(&self, levels: &Levels, window: &Arc<Window>) {
        // A fork may have left the lock taken for good: then nothing is kept.
        let Ok(mut guard) = WINDOWS.try_lock() else { return };
        let kept = guard.get_or_insert_default();
        let now = kept.values().map(|(_, used)| *used).max().unwrap_or(0) + 1;
        kept.insert((self.query.clone(), levels.name.clone(), window.lower), (Arc::clone(window), now));
        if kept.len() > KEPT {
            let oldest = kept.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
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
