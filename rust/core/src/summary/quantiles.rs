//! Quantiles: exact up to [`EXACT`] values, beyond that a compacting sketch.
//!
//! The sketch is the one of Manku, Rajagopalan and Lindsay (SIGMOD 1998) in the form of Karnin, Lang
//! and Liberty (FOCS 2016) with equal buffers: a full buffer is sorted and every other value moves up
//! with twice the weight. One compaction at level h moves a rank by at most 2^h, and there are at
//! most n / (2048 * 2^h) of them, so the rank error is below levels / 2048: 0.63 % at 10 million
//! values, always, not only with some probability. Alternating which half moves up makes it far
//! smaller in practice. Many values at once are sorted in blocks of 2048 * 2^3, and every eighth moves up three levels
//! together, which moves a rank by less than 2^3, in place of what three levels would.

/// Up to so many values nothing is dropped.
pub const EXACT: usize = 2048;
/// A sketch is compacted to no fewer values: below, ranks would be wrong by more than 1 %.
const LEAST: usize = 256;
/// So many values at once skip [`BLOCK_LEVELS`] levels.
const BLOCK: usize = EXACT << BLOCK_LEVELS;
const BLOCK_LEVELS: usize = 3;

/// Values at doubling weights, as integers of the same order ([`key_of`]), which are sorted several times faster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    pub(super) count: u64,
    /// Level h holds values of weight 2^h.
    pub(super) levels: Vec<Vec<i64>>,
    /// Bit h: which of the two middle ones moves up the next time that something moves up to level h + 1.
    pub(super) flips: u64,
    /// What is known of values that were forgotten.
    pub(super) finalized: Option<Finalized>,
}

/// The answer of a sketch whose values were forgotten, so that nothing can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Finalized {
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

    /// Adds finite values; of many at once only every eighth is kept, in place of three compactions.
    pub fn add_slice(&mut self, values: &[f64]) {
        let (blocks, mut rest) = values.as_chunks::<BLOCK>();
        for block in blocks {
            self.count += BLOCK as u64;
            let keys: Vec<i64> = block.iter().map(|&value| key_of(value)).collect();
            self.move_up(&sorted(&keys), 0, BLOCK_LEVELS);
            self.shrink();
        }
        while !rest.is_empty() {
            // One beyond the exact limit, as `add` compacts.
            let own = self.level(0);
            let (now, later) = rest.split_at((EXACT + 1).saturating_sub(own.len()).min(rest.len()));
            own.extend(now.iter().map(|&value| key_of(value)));
            self.count += now.len() as u64;
            rest = later;
            self.shrink();
        }
    }

    /// Keeps the answers and forgets the values, which take most of the space of a summary.
    pub fn finalize(&mut self) {
        *self = Self::together(&[self]);
    }

    /// What several sketches say together, finalized.
    pub fn together(parts: &[&Self]) -> Self {
        let parts: Vec<&Self> = parts.iter().copied().filter(|part| part.count > 0).collect();
        let count = parts.iter().map(|part| part.count).fold(0, u64::saturating_add);
        let finalized = match parts[..] {
            [only] => Finalized { quartiles: only.quartiles(), is_exact: only.is_exact() },
            _ if parts.iter().any(|part| part.finalized.is_some()) => Finalized::default(),
            _ => {
                let is_exact = count <= EXACT as u64 && parts.iter().all(|part| part.is_exact());
                Finalized { quartiles: quartiles_of(&parts, is_exact), is_exact }
            }
        };
        Self { count, finalized: Some(finalized), ..Self::default() }
    }

    /// Adds what another sketch holds; the quartiles of finalized ones are not known together.
    pub fn merge(&mut self, other: &Self) {
        if self.finalized.is_some() || other.finalized.is_some() {
            self.finalized = if self.count == 0 { other.finalized } else { Some(Finalized::default()) };
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
        if self.finalized.is_some() {
            self.finalized = Some(Finalized::default());
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
        if let Some(finalized) = &self.finalized {
            return finalized.is_exact;
        }
        self.levels.iter().skip(1).all(Vec::is_empty)
    }

    /// The quartiles q25, q50 and q75, interpolated linearly while exact; `None` without values.
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        self.finalized.map_or_else(|| quartiles_of(&[self], self.is_exact()), |finalized| finalized.quartiles)
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
        let keys = sorted(&self.levels[level]);
        let offset = self.move_up(&keys, level, 1);
        // Of an odd count one value stays behind: the largest or, the other time, the smallest.
        let rest = match offset {
            _ if keys.len().is_multiple_of(2) => None,
            0 => keys.last(),
            _ => keys.first(),
        };
        self.levels[level].clear();
        self.levels[level].extend(rest);
    }

    /// Of each 2^`levels` keys in order, one next to their middle moves up from `level`; returns its place among them.
    fn move_up(&mut self, sorted: &[i64], level: usize, levels: usize) -> usize {
        let (step, flip) = (1 << levels, level + levels - 1);
        let offset = step / 2 - 1 + (self.flips >> flip & 1) as usize;
        self.flips ^= 1 << flip;
        self.level(level + levels).extend(sorted.chunks_exact(step).map(|keys| keys[offset]));
        offset
    }
}

/// The keys in order.
///
/// The train, val and test rows of a fold carry the same scores, so that values mostly come in threes: to
/// sort each of them once is then enough.
fn sorted(keys: &[i64]) -> Vec<i64> {
    if 2 * keys.windows(2).filter(|pair| pair[0] == pair[1]).count() >= keys.len() {
        let mut runs: Vec<(i64, u32)> = Vec::with_capacity(keys.len() / 2);
        for &key in keys {
            match runs.last_mut() {
                Some((last, times)) if *last == key => *times += 1,
                _ => runs.push((key, 1)),
            }
        }
        sort_by_key(&mut runs, |run| run.0);
        let mut sorted = Vec::with_capacity(keys.len());
        runs.iter().for_each(|&(key, times)| sorted.extend(std::iter::repeat_n(key, times as usize)));
        return sorted;
    }
    let mut sorted = keys.to_vec();
    sort_by_key(&mut sorted, |&key| key);
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

/// Long parts that are in order already, as lower levels leave them, are merged in linear time.
fn sort_by_key<T: Copy>(items: &mut [T], key: impl Fn(&T) -> i64) {
    if items.windows(2).filter(|pair| key(&pair[1]) < key(&pair[0])).count() < items.len() / 128 {
        items.sort_by_key(key);
    } else if items.len() < 128 {
        items.sort_unstable_by_key(key);
    } else {
        sort_by_leading_bits(items, key);
    }
}

/// Two passes of a radix sort by the leading bits of what tells items apart, the lower digit first; only items that
/// are alike in these are compared. For many items a third faster than to compare all.
fn sort_by_leading_bits<T: Copy>(items: &mut [T], key: impl Fn(&T) -> i64) {
    const MOST: usize = 1 << 11;
    // Counting must not take longer than what is counted.
    let digit = if items.len() < 2 * MOST { 8 } else { MOST.ilog2() };
    let (low, high) =
        items.iter().map(&key).fold((i64::MAX, i64::MIN), |(low, high), key| (low.min(key), high.max(key)));
    let shift = (u64::BITS - (high.wrapping_sub(low) as u64).leading_zeros()).saturating_sub(2 * digit);
    let leading = |item: &T| (key(item).wrapping_sub(low) as u64) >> shift;
    let leading = &leading;
    let digits = [0, digit].map(|low| move |item: &T| (leading(item) >> low) as usize & ((1 << digit) - 1));
    let mut places = [[0u32; MOST]; 2];
    for item in &*items {
        places[0][digits[0](item)] += 1;
        places[1][digits[1](item)] += 1;
    }
    let mut sorted = items.to_vec();
    let mut pass = |from: &[T], to: &mut [T], pass: usize| {
        let mut next = 0;
        places[pass][..1 << digit].iter_mut().for_each(|place| next += std::mem::replace(place, next));
        for &item in from {
            let place = &mut places[pass][digits[pass](&item)];
            to[*place as usize] = item;
            *place += 1;
        }
    };
    pass(items, &mut sorted, 0);
    pass(&sorted, items, 1);
    for alike in items.chunk_by_mut(|a, b| leading(a) == leading(b)).filter(|alike| alike.len() > 1) {
        alike.sort_unstable_by_key(&key);
    }
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

/// The quartiles of what all parts hold.
fn quartiles_of(parts: &[&Quantiles], is_exact: bool) -> Option<[f64; 3]> {
    const QUARTILES: [f64; 3] = [0.25, 0.5, 0.75];
    let levels = parts.iter().flat_map(|part| part.levels.iter().enumerate());
    if is_exact {
        let mut keys: Vec<i64> = levels.flat_map(|(_, keys)| keys).copied().collect();
        sort_by_key(&mut keys, |&key| key);
        let last = keys.len().checked_sub(1)? as f64;
        let value = |rank: f64| value_of(keys[rank as usize]);
        let ranks = QUARTILES.map(|q| q * last);
        return Some(ranks.map(|rank| between(value(rank.floor()), value(rank.ceil()), rank.fract())));
    }
    let ranks = Ranks::of(levels.flat_map(|(level, keys)| keys.iter().map(move |&key| (key, 1 << level))))?;
    let last = ranks.last() as f64;
    Some(ranks.keys_at(QUARTILES.map(|q| (q * last) as u64)).map(value_of))
}

/// Keys, each with the number of values that it stands for, in ranges by the leading bits of what tells them apart:
/// the key at a rank is looked for in the range that it lies in.
struct Ranks<K> {
    keys: K,
    lowest: i64,
    shift: u32,
    /// How many values lie below each range, and last how many there are.
    below: Vec<u64>,
}

impl<K: Iterator<Item = (i64, u64)> + Clone> Ranks<K> {
    fn of(keys: K) -> Option<Self> {
        let widened = |(low, high, count): (i64, i64, usize), (key, _): (i64, u64)| {
            (key.min(low), key.max(high), count + 1)
        };
        let (lowest, highest, count) = keys.clone().fold((i64::MAX, i64::MIN, 0), widened);
        let bits = count.checked_ilog2()?.min(11);
        let span = highest.wrapping_sub(lowest) as u64;
        let shift = (u64::BITS - span.leading_zeros()).saturating_sub(bits);
        let mut below = vec![0u64; (span >> shift) as usize + 2];
        let ranks = Self { keys, lowest, shift, below: Vec::new() };
        // Sketches that no writer made may announce more than can be counted.
        ranks.keys.clone().for_each(|(key, values)| {
            let above = &mut below[ranks.range(key) + 1];
            *above = values.saturating_add(*above);
        });
        let mut total = 0u64;
        for below in &mut below {
            total = total.saturating_add(*below);
            *below = total;
        }
        Some(Self { below, ..ranks })
    }

    fn range(&self, key: i64) -> usize {
        (key.wrapping_sub(self.lowest) as u64 >> self.shift) as usize
    }

    /// The highest rank; the lowest is 0.
    fn last(&self) -> u64 {
        self.below.last().map_or(0, |values| values - 1)
    }

    fn keys_at<const N: usize>(&self, wanted: [u64; N]) -> [i64; N] {
        let range =
            |rank| self.below.partition_point(|&below| below <= rank).clamp(1, self.below.len() - 1) - 1;
        let ranges = wanted.map(range);
        if self.shift == 0 {
            return ranges.map(|range| self.lowest.wrapping_add(range as i64));
        }
        let mut within: [Vec<(i64, u64)>; N] = std::array::from_fn(|_| Vec::new());
        self.keys.clone().for_each(|(key, values)| {
            let own = self.range(key);
            for (keys, _) in within.iter_mut().zip(ranges).filter(|&(_, range)| range == own) {
                keys.push((key, values));
            }
        });
        // Such a range is narrower than all were together.
        std::array::from_fn(|at| {
            let rank = wanted[at] - self.below[ranges[at]];
            Ranks::of(within[at].iter().copied()).map_or(self.lowest, |ranks| ranks.keys_at([rank])[0])
        })
    }
}
