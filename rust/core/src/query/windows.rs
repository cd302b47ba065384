//! A bounded piece of an order, and any place in the order by such pieces.
//!
//! A window holds the first rows of an order from some key on, as places with keys. It is cached, and where
//! files were added, changed or removed only these are read again. Rows of one key are ordered by reading
//! their ids; where there are too many for that, they are an order of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::entry::Entry;
use super::file_snapshot::FileFailure;
use super::groups::Groups;
use super::keys::Key;
use super::order::{Levels, Order};
use super::window::{Collector, Counts, FileCounts, Window};
use crate::types::schema::Type;

/// Windows that are cached.
const MOST_WINDOWS: usize = 12;
/// Bins of a histogram.
const BINS: u128 = 65_536;

type WindowCache = HashMap<(String, String, Key), (Arc<Window>, u64)>;

static WINDOWS: Mutex<Option<WindowCache>> = Mutex::new(None);

impl Order<'_> {
    /// The window that has a place.
    pub(super) fn window_at(&self, levels: &Levels, place: u64) -> Result<Arc<Window>, FileFailure> {
        if let Some(cached) = self.cached(levels, |window| window.contains(place)) {
            let window = self.fresh(levels, &cached)?;
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
    fn aim(&self, levels: &Levels, place: u64) -> Result<Key, FileFailure> {
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
    fn seek(&self, levels: &Levels, place: u64) -> Result<Key, FileFailure> {
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

    pub(super) fn cached(&self, levels: &Levels, fits: impl Fn(&Window) -> bool) -> Option<Arc<Window>> {
        let guard = WINDOWS.try_lock().ok()?;
        let cached = guard.as_ref()?.iter();
        let mut own = cached.filter(|((query, name, _), _)| *query == self.query && *name == levels.name);
        own.find(|(_, (window, _))| fits(window)).map(|(_, (window, _))| Arc::clone(window))
    }

    pub(super) fn window(&self, levels: &Levels, lower: Key) -> Result<Arc<Window>, FileFailure> {
        if let Some(window) = self.cached(levels, |window| window.lower == lower) {
            return self.fresh(levels, &window);
        }
        if levels.total.is_none() && lower > (0, 0) {
            let first = self.window(levels, (0, 0))?;
            if let Some(window) = first.one_key(lower, self.limits.ties as u64) {
                let window = Arc::new(window);
                self.cache(levels, &window);
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
    pub(super) fn fresh(&self, levels: &Levels, window: &Arc<Window>) -> Result<Arc<Window>, FileFailure> {
        let is_same = |&file: &usize| {
            let known = window.counts.get(&self.files[file].name);
            known.is_some_and(|known| {
                self.files[file].is_unchanged(&known.listed) && known.place as usize == file
            })
        };
        if window.counts.len() == levels.files.len() && levels.files.iter().all(is_same) {
            self.cache(levels, window);
            return Ok(Arc::clone(window));
        }
        if levels.keys.are_places() {
            return self.build(levels, Window { lower: window.lower, ..Window::default() });
        }
        // Entries name their files by the place in an earlier listing.
        let mut moved = HashMap::new();
        let mut cached = Window { lower: window.lower, end: window.end, ..Window::default() };
        for &file in levels.files.iter() {
            let listed = &self.files[file];
            if let Some(known) =
                window.counts.get(&listed.name).filter(|known| listed.is_unchanged(&known.listed))
            {
                moved.insert(known.place, file as u32);
                cached.counts.insert(listed.name.clone(), FileCounts { place: file as u32, ..known.clone() });
            }
        }
        let entries = window.entries.iter();
        cached
            .entries
            .extend(entries.filter_map(|entry| Some(Entry { file: *moved.get(&entry.file)?, ..*entry })));
        if window.end.is_some() && cached.entries.len() < window.entries.len() / 2 {
            cached = Window { lower: window.lower, ..Window::default() };
        }
        self.build(levels, cached)
    }

    /// Adds the rows of the files that a window does not know.
    fn build(&self, levels: &Levels, mut window: Window) -> Result<Arc<Window>, FileFailure> {
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
        self.cache(levels, &window);
        Ok(window)
    }

    fn cache(&self, levels: &Levels, window: &Arc<Window>) {
        // A fork may have left the lock taken for good: then nothing is cached.
        let Ok(mut guard) = WINDOWS.try_lock() else { return };
        let cached = guard.get_or_insert_default();
        let now = cached.values().map(|(_, used)| *used).max().unwrap_or(0) + 1;
        cached.insert((self.query.clone(), levels.name.clone(), window.lower), (Arc::clone(window), now));
        if cached.len() > MOST_WINDOWS {
            let oldest = cached.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| cached.remove(&oldest));
        }
    }
}
