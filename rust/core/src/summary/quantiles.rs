//! Quantiles: exact up to [`EXACT`] values, beyond that a compacting sketch.
//!
//! The sketch is the one of Manku, Rajagopalan and Lindsay (SIGMOD 1998) in the form of Karnin, Lang
//! and Liberty (FOCS 2016) with equal buffers: a full buffer is sorted and every other value moves up
//! with twice the weight. One compaction at level h moves a rank by at most 2^h, and there are at
//! most n / (2048 * 2^h) of them, so the rank error is below levels / 2048: 0.63 % at 10 million
//! values, always, not only with some probability. Alternating which half moves up makes it far
//! smaller in practice.

/// Up to so many values nothing is dropped.
pub const EXACT: usize = 2048;

/// A sketch is compacted to no fewer values: below, ranks would be wrong by more than 1 %.
const LEAST: usize = 256;

/// Values at doubling weights, as integers of the same order ([`key_of`]), which are sorted several times faster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    pub(super) count: u64,
    /// Level h holds values of weight 2^h.
    pub(super) levels: Vec<Vec<i64>>,
    /// Bit h: which half the next compaction of level h moves up.
    pub(super) flips: u64,
    /// What is known of values that were forgotten.
    pub(super) closed: Option<Closed>,
}

/// The answer of a sketch whose values were forgotten, so that nothing can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Closed {
    pub(super) quartiles: Option<[f64; 3]>,
    pub(super) is_exact: bool,
}

impl Quantiles {
    /// Adds one finite value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        self.count += 1;
        self.levels[0].push(key_of(value));
        if self.levels[0].len() > EXACT {
            self.shrink();
        }
    }

    /// Adds finite values.
    pub fn add_slice(&mut self, mut values: &[f64]) {
        if values.is_empty() {
            return;
        }
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        self.count += values.len() as u64;
        while !values.is_empty() {
            // One beyond the exact limit, as `add` compacts.
            let room = (EXACT + 1).saturating_sub(self.levels[0].len()).min(values.len());
            let (now, later) = values.split_at(room);
            self.levels[0].extend(now.iter().map(|&value| key_of(value)));
            values = later;
            if self.levels[0].len() > EXACT {
                self.shrink();
            }
        }
    }

    /// Keeps the answers and forgets the values, which take most of the space of a summary.
    pub fn close(&mut self) {
        self.closed = Some(Closed { quartiles: self.quartiles(), is_exact: self.is_exact() });
        self.levels.clear();
    }

    /// Adds what another sketch holds; the quartiles of closed ones are not known together.
    pub fn merge(&mut self, other: &Self) {
        if self.closed.is_some() || other.closed.is_some() {
            self.closed = if self.count == 0 { other.closed } else { Some(Closed::default()) };
            self.levels.clear();
            self.count += other.count;
            return;
        }
        for (level, values) in other.levels.iter().enumerate() {
            self.level(level).extend_from_slice(values);
        }
        self.finish_merge(other.count, other.flips);
    }

    /// The keys of one level; once others were added to it, [`Self::finish_merge`] must follow.
    pub(super) fn level(&mut self, level: usize) -> &mut Vec<i64> {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        &mut self.levels[level]
    }

    /// Takes over the rest of another sketch.
    pub(super) fn finish_merge(&mut self, count: u64, flips: u64) {
        self.count += count;
        if self.closed.is_some() {
            self.closed = Some(Closed::default());
            self.levels.clear();
        }
        self.flips ^= flips;
        self.shrink();
    }

    /// Compacts until at most `limit` values are kept, for a sketch that must be small.
    pub fn compact_to(&mut self, limit: usize) {
        while self.levels.iter().map(Vec::len).sum::<usize>() > limit.max(LEAST) {
            match self.levels.iter().position(|level| level.len() > 1) {
                Some(level) => {
                    self.compact(level);
                    // What moved up may be more than a level can hold.
                    self.shrink();
                }
                None => return,
            }
        }
    }

    /// Whether no value was dropped, so that quantiles are exact.
    pub fn is_exact(&self) -> bool {
        if let Some(closed) = &self.closed {
            return closed.is_exact;
        }
        self.levels.iter().skip(1).all(Vec::is_empty)
    }

    /// The quartiles q25, q50 and q75, interpolated linearly while exact; `None` without values.
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        if let Some(closed) = &self.closed {
            return closed.quartiles;
        }
        let exact = self.is_exact();
        let mut weighted: Vec<(i64, u64)> = Vec::new();
        for (level, keys) in self.levels.iter().enumerate() {
            weighted.extend(sorted(keys).into_iter().map(|key| (key, 1u64 << level)));
        }
        if weighted.is_empty() {
            return None;
        }
        sort_by_key(&mut weighted, |item| item.0);
        let value = |item: (i64, u64)| value_of(item.0);
        Some([0.25, 0.5, 0.75].map(|q| {
            if exact {
                let position = q * (weighted.len() - 1) as f64;
                let (low, high) = (weighted[position.floor() as usize], weighted[position.ceil() as usize]);
                between(value(low), value(high), position.fract())
            } else {
                value(at_rank(&weighted, q))
            }
        }))
    }

    fn shrink(&mut self) {
        let mut level = 0;
        while level < self.levels.len() {
            if self.levels[level].len() > EXACT {
                self.compact(level);
            }
            level += 1;
        }
    }

    fn compact(&mut self, level: usize) {
        if self.levels.len() == level + 1 {
            self.levels.push(Vec::new());
        }
        let (lower, upper) = self.levels.split_at_mut(level + 1);
        let keys = sorted(&lower[level]);
        let offset = (self.flips >> level & 1) as usize;
        self.flips ^= 1 << level;
        upper[0].extend(keys.iter().skip(offset).step_by(2).take(keys.len() / 2));
        // Of an odd count one value stays behind: the largest or, the other time, the smallest.
        let rest = match offset {
            _ if keys.len().is_multiple_of(2) => None,
            0 => keys.last().copied(),
            _ => keys.first().copied(),
        };
        lower[level].clear();
        lower[level].extend(rest);
    }
}

/// A key, and how often it follows itself.
type Run = (i64, u32);

/// The keys in order.
///
/// The train, val and test rows of a fold carry the same scores, so that values mostly come in threes: to
/// sort each of them once is then enough.
fn sorted(keys: &[i64]) -> Vec<i64> {
    if 2 * keys.windows(2).filter(|pair| pair[0] == pair[1]).count() >= keys.len() {
        let mut sorted = Vec::with_capacity(keys.len());
        for (key, times) in sorted_runs(keys) {
            sorted.extend(std::iter::repeat_n(key, times as usize));
        }
        return sorted;
    }
    let mut sorted = keys.to_vec();
    sort_keys(&mut sorted);
    sorted
}

/// The values of a level as they are stored: in order, and each once where that is shorter.
pub(super) enum Stored {
    Values(Vec<f64>),
    Runs(Vec<(f64, u32)>),
}

impl Stored {
    pub(super) fn of(level: &[i64]) -> Self {
        let keys = sorted(level);
        if 2 * keys.windows(2).filter(|pair| pair[0] != pair[1]).count() + 2 >= keys.len() {
            return Self::Values(keys.into_iter().map(value_of).collect());
        }
        let runs = keys.chunk_by(|a, b| a == b).map(|run| (value_of(run[0]), run.len() as u32));
        Self::Runs(runs.collect())
    }
}

/// Keys that follow themselves as runs, in order; equal ones may come twice.
fn sorted_runs(keys: &[i64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(keys.len() / 2);
    for &key in keys {
        match runs.last_mut() {
            Some((last, times)) if *last == key => *times += 1,
            _ => runs.push((key, 1)),
        }
    }
    sort_by_key(&mut runs, |run| run.0);
    runs
}

/// Long parts that are in order already, as lower levels leave them, are merged in linear time.
fn sort_by_key<T>(items: &mut [T], key: impl Fn(&T) -> i64) {
    if are_long_parts(items, &key) {
        items.sort_by_key(key);
    } else {
        items.sort_unstable_by_key(key);
    }
}

fn are_long_parts<T>(items: &[T], key: impl Fn(&T) -> i64) -> bool {
    items.windows(2).filter(|pair| key(&pair[1]) < key(&pair[0])).count() < items.len() / 128
}

/// The same of bare keys. Many are put in order by the leading bits of what tells them apart, which takes two thirds of
/// the time that comparing takes; only what these bits leave out of order is compared.
fn sort_keys(keys: &mut [i64]) {
    if keys.len() >= EXACT / 2 && !are_long_parts(keys, |&key| key) {
        sort_by_leading_bits(keys);
    }
    sort_by_key(keys, |&key| key);
}

/// Two passes of a radix sort, the lower digit first.
fn sort_by_leading_bits(keys: &mut [i64]) {
    const DIGIT: u32 = 11;
    const VALUES: usize = 1 << DIGIT;
    let (Some(&low), Some(&high)) = (keys.iter().min(), keys.iter().max()) else { return };
    let above = |key: i64| key.wrapping_sub(low) as u64;
    let shift = (u64::BITS - above(high).leading_zeros()).saturating_sub(2 * DIGIT);
    let digits = [shift, shift + DIGIT].map(|shift| move |key: i64| (above(key) >> shift) as usize % VALUES);
    let mut places = [[0u32; VALUES]; 2];
    for &key in &*keys {
        places[0][digits[0](key)] += 1;
        places[1][digits[1](key)] += 1;
    }
    let mut sorted = vec![0; keys.len()];
    let mut pass = |from: &[i64], to: &mut [i64], pass: usize| {
        let mut next = 0;
        places[pass].iter_mut().for_each(|place| next += std::mem::replace(place, next));
        for &key in from {
            let place = &mut places[pass][digits[pass](key)];
            to[*place as usize] = key;
            *place += 1;
        }
    };
    pass(keys, &mut sorted, 0);
    pass(&sorted, keys, 1);
}

/// An integer of the same order.
pub(super) fn key_of(value: f64) -> i64 {
    flip(value.to_bits() as i64)
}

fn value_of(key: i64) -> f64 {
    f64::from_bits(flip(key) as u64)
}

/// Turns the bits of a float into an integer of the same order, and back.
fn flip(bits: i64) -> i64 {
    bits ^ (bits >> 63) & i64::MAX
}

/// Linear interpolation; of values so far apart that their difference overflows, by weights.
fn between(low: f64, high: f64, part: f64) -> f64 {
    let step = high - low;
    if step.is_finite() { low + step * part } else { low * (1.0 - part) + high * part }
}

fn at_rank(weighted: &[(i64, u64)], q: f64) -> (i64, u64) {
    let total: u64 = weighted.iter().map(|item| item.1).sum();
    let target = q * (total - 1) as f64;
    let mut below = 0u64;
    for &item in weighted {
        below += item.1;
        if below as f64 > target {
            return item;
        }
    }
    weighted[weighted.len() - 1]
}
