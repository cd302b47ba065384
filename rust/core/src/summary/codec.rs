//! The whole state of a summary as bytes, little-endian. Byte for byte in docs/format.md.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use rayon::prelude::*;

use super::Datasets;
use super::accumulator::{Accumulator, Group, Ranking, ScoreStats};
use super::distinct::{Distinct, MAX_RANK, REGISTERS};
use super::moments::{Moments, overflows};
use super::names::{Count, Names, Tally};
use super::quantiles::{self, Closed, Quantiles, Stored};
use super::topk::{Ranked, TEXTS};
use crate::base::error::{Error, Result, corrupt};
use crate::base::metrics::Direction;
use crate::types::columns::SCORES;

/// No file has more rows than this.
const MOST_ROWS: u64 = 1 << 48;
/// Levels of so many rows.
const MOST_LEVELS: usize = 40;

/// Appends values to bytes.
#[derive(Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

/// Takes values from bytes; every length is checked against what is there.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Whether the values behind quartiles are passed over.
    skips_values: bool,
    /// The minor version of the sketch that it reads.
    minor: u8,
}

/// The minor version of sketches that is written.
pub const MINOR: u8 = 2;
/// From this minor version on a tally tells whether it overflows, and large squares stand at the end of a state.
const TELLS_OVERFLOW: u8 = 2;

impl Writer {
    /// A varint.
    pub fn int(&mut self, value: u64) {
        crate::footer::thrift::write_varint(&mut self.bytes, value);
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Length and UTF-8.
    pub fn text(&mut self, text: &str) {
        self.int(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Present or not, then the value.
    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A dataset each, with its name and the length of its state; in parallel.
    pub fn datasets(&mut self, datasets: &Datasets) {
        let datasets: Vec<(&String, &Accumulator)> = datasets.iter().collect();
        let state_of = |(name, accumulator): &(&String, &Accumulator)| {
            let mut state = Self::default();
            state.accumulator(accumulator);
            ((*name).clone(), state.bytes)
        };
        let states: Vec<(String, Vec<u8>)> = datasets.par_iter().map(state_of).collect();
        self.bytes.reserve(states.iter().map(|(name, state)| name.len() + state.len() + 16).sum());
        self.int(states.len() as u64);
        for (name, state) in states {
            self.text(&name);
            self.int(state.len() as u64);
            self.bytes.extend_from_slice(&state);
        }
    }

    /// The whole state of a summary.
    pub fn accumulator(&mut self, accumulator: &Accumulator) {
        self.int(accumulator.top_k as u64);
        for names in
            [&accumulator.datasets, &accumulator.task_types, &accumulator.partitions, &accumulator.folds]
        {
            self.names(names, |out, count| out.int(*count));
        }
        for distinct in accumulator.distinct.all() {
            self.distinct(distinct);
        }
        self.maybe(accumulator.dates, |out, (low, high)| {
            out.u64(low as u64);
            out.u64(high as u64);
        });
        self.int(accumulator.groups.len() as u64);
        for (metric, group) in &accumulator.groups {
            self.text(metric);
            self.group(group);
        }
        let scores = accumulator.groups.iter().flat_map(|(_, group)| &group.scores);
        let moments = scores.map(|stats| &stats.moments);
        moments.filter(|moments| moments.has_large_squares()).for_each(|moments| self.f64(moments.m2));
    }

    /// One byte.
    pub fn direction(&mut self, direction: Direction) {
        self.bytes.push(match direction {
            Direction::Unknown => 0,
            Direction::Maximize => 1,
            Direction::Minimize => 2,
            Direction::Zero => 3,
        });
    }

    fn group(&mut self, group: &Group) {
        self.direction(group.direction);
        self.int(group.rows);
        for stats in &group.scores {
            self.int(stats.nulls);
            self.int(stats.nans);
            self.int(stats.infs);
            self.maybe(stats.range, |out, (low, high)| {
                out.f64(low);
                out.f64(high);
            });
            self.int(stats.moments.count);
            stats.moments.stored().into_iter().for_each(|value| self.f64(value));
            let quantiles = &stats.quantiles;
            self.int(quantiles.count);
            self.bytes.push(u8::from(quantiles.closed.is_some()));
            if let Some(closed) = &quantiles.closed {
                self.maybe(closed.quartiles, |out, quartiles| {
                    quartiles.into_iter().for_each(|value| out.f64(value));
                });
                self.bytes.push(u8::from(closed.is_exact));
                continue;
            }
            self.u64(quantiles.flips);
            self.int(quantiles.levels.len() as u64);
            for level in &quantiles.levels {
                match Stored::of(level) {
                    Stored::Values(values) => {
                        self.int(2 * values.len() as u64);
                        values.into_iter().for_each(|value| self.f64(value));
                    }
                    Stored::Runs(runs) => {
                        self.int(2 * runs.len() as u64 + 1);
                        for (value, times) in runs {
                            self.f64(value);
                            self.int(u64::from(times));
                        }
                    }
                }
            }
        }
        for names in [&group.models, &group.runs, &group.configs] {
            self.names(names, |out, tally| {
                out.int(tally.rows);
                out.int(tally.scores);
                // Readers of earlier versions see no mean in what is not finite.
                let [sum, lost] =
                    if tally.has_overflow { [f64::INFINITY, 0.0] } else { [tally.sum, tally.lost] };
                out.f64(sum);
                out.f64(lost);
                out.maybe(tally.best, Self::f64);
            });
        }
        let ranking = &group.ranking;
        self.bytes.push(u8::from(ranking.has_val_rows) | u8::from(ranking.has_val_scores) << 1);
        let mut best = Self::default();
        best.ranked(&ranking.top.sorted());
        self.int(best.bytes.len() as u64);
        self.bytes.extend_from_slice(&best.bytes);
    }

    /// Each text but the ids once, then the predictions.
    fn ranked(&mut self, ranked: &[&Ranked]) {
        let mut numbers = HashMap::<&str, u64, FixedState>::default();
        let (mut texts, mut predictions) = (Self::default(), Self::default());
        for ranked in ranked {
            let given =
                ranked.scores.iter().rev().fold(0, |bits, score| bits << 1 | u8::from(score.is_some()));
            predictions.bytes.push(given);
            ranked.scores.iter().flatten().for_each(|&score| predictions.f64(score));
            let [id, others @ ..] = ranked.texts();
            predictions.maybe(id, Self::text);
            for text in others {
                let next = numbers.len() as u64 + 1;
                let number = text.map_or(0, |text| {
                    *numbers.entry(text).or_insert_with(|| {
                        texts.text(text);
                        next
                    })
                });
                predictions.int(number);
            }
        }
        self.int(texts.bytes.len() as u64);
        self.bytes.extend_from_slice(&texts.bytes);
        self.bytes.extend_from_slice(&predictions.bytes);
    }

    fn names<T: Count>(&mut self, names: &Names<T>, write: impl Fn(&mut Self, &T)) {
        let mut named: Vec<_> = names.named.iter().collect();
        named.sort_unstable_by(|a, b| a.0.cmp(b.0));
        self.int(named.len() as u64);
        for (name, count) in named {
            self.text(name);
            write(self, count);
        }
        self.maybe(names.null.as_ref(), &write);
        self.maybe(names.other.as_ref(), &write);
    }

    fn distinct(&mut self, distinct: &Distinct) {
        match distinct {
            Distinct::Exact(hashes) => {
                let mut hashes: Vec<_> = hashes.iter().copied().collect();
                hashes.sort_unstable();
                self.bytes.push(0);
                self.int(hashes.len() as u64);
                hashes.into_iter().for_each(|hash| self.u64(hash));
            }
            Distinct::Registers(registers) => {
                // Four ranks of six bits in three bytes.
                self.bytes.push(1);
                for ranks in registers.chunks_exact(4) {
                    let packed = ranks.iter().rev().fold(0u32, |packed, &rank| packed << 6 | u32::from(rank));
                    self.bytes.extend_from_slice(&packed.to_le_bytes()[..3]);
                }
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, skips_values: false, minor: MINOR }
    }

    /// For a sketch of this minor version.
    #[must_use]
    pub fn of_version(self, minor: u8) -> Self {
        Self { minor, ..self }
    }

    /// The minor version of the sketch that it reads.
    pub fn minor(&self) -> u8 {
        self.minor
    }

    /// Whether what it reads tells which means there are: else one of values that overflow may seem finite.
    pub fn tells_overflow(&self) -> bool {
        self.minor >= TELLS_OVERFLOW
    }

    /// For who does not ask for quartiles, whose values are most of a sketch: they become unknown.
    #[must_use]
    pub fn without_quartiles(self) -> Self {
        Self { skips_values: true, ..self }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The bytes that are left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A varint.
    #[inline]
    pub fn int(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(corrupt("the sketch has a number without end"))
    }

    /// A number of rows, small enough that thousands of them can be added.
    #[inline]
    fn rows(&mut self) -> Result<u64> {
        let rows = self.int()?;
        if rows > MOST_ROWS { Err(corrupt("the sketch counts more rows than can be")) } else { Ok(rows) }
    }

    /// A varint that counts items of at least `size` bytes each, which must be there.
    #[inline]
    pub fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.int()?;
        if count > (self.rest.len() / size) as u64 {
            return Err(corrupt("the sketch announces more than it holds"));
        }
        Ok(count as usize)
    }

    /// Eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Length and UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str> {
        let length = self.count(1)?;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| corrupt("the sketch has a text that is not UTF-8"))
    }

    #[inline]
    fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    #[inline]
    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(corrupt("the sketch has a flag that is neither 0 nor 1")),
        }
    }

    /// Adds what [`Writer::datasets`] wrote to what is known of the same datasets; in parallel.
    ///
    /// Nothing is built that is not kept: names that are known and predictions that do not rank cost
    /// no memory. After an error `into` holds a part.
    pub fn merge_datasets(&mut self, into: &mut Datasets) -> Result<()> {
        let count = self.count(2)?;
        if count == 1 {
            let (name, mut state) = self.dataset()?;
            return state.merge_accumulator(into.entry(name.to_owned()).or_default());
        }
        let mut states = Vec::with_capacity(count);
        for _ in 0..count {
            let (name, state) = self.dataset()?;
            let (name, known) =
                into.remove_entry(name).unwrap_or_else(|| (name.to_owned(), Accumulator::default()));
            states.push((name, known, state));
        }
        let merged: Vec<Result<(String, Accumulator)>> = states
            .into_par_iter()
            .map(|(name, mut known, mut state)| {
                state.merge_accumulator(&mut known)?;
                Ok((name, known))
            })
            .collect();
        for dataset in merged {
            let (name, known) = dataset?;
            into.insert(name, known);
        }
        Ok(())
    }

    /// A dataset's name, and its state.
    pub fn dataset(&mut self) -> Result<(&'a str, Self)> {
        let name = self.text()?;
        let length = self.count(1)?;
        Ok((name, Self::new(self.bytes(length)?).of_version(self.minor)))
    }

    /// What [`Writer::accumulator`] wrote.
    pub fn accumulator(&mut self) -> Result<Accumulator> {
        let top_k = self.clone().int()?;
        let top_k = usize::try_from(top_k).map_err(|_| corrupt("the sketch has a top_k out of range"))?;
        let mut accumulator = Accumulator::new(top_k);
        self.merge_accumulator(&mut accumulator)?;
        Ok(accumulator)
    }

    /// Adds what [`Writer::accumulator`] wrote; after an error `into` holds a part.
    pub fn merge_accumulator(&mut self, into: &mut Accumulator) -> Result<()> {
        self.int()?; // its top_k; that of `into` holds
        for names in [&mut into.datasets, &mut into.task_types, &mut into.partitions, &mut into.folds] {
            self.merge_names(names, Direction::Unknown, Self::rows)?;
        }
        for set in into.distinct.all_mut() {
            self.merge_distinct(set)?;
        }
        into.add_date(self.maybe(|reader| Ok((reader.u64()? as i64, reader.u64()? as i64)))?);
        let mut large = Vec::new();
        for _ in 0..self.count(2)? {
            let metric = self.text()?;
            let direction = self.direction()?;
            let columns = self.merge_group(into.group_of(metric, direction))?;
            large.extend((0..SCORES.len()).filter(|column| columns[*column]).map(|column| (metric, column)));
        }
        for (metric, column) in large {
            let squares = if self.tells_overflow() { self.f64()? } else { f64::INFINITY };
            if let Some((_, group)) = into.groups.iter_mut().find(|(name, _)| name == metric) {
                group.scores[column].moments.m2 += squares;
            }
        }
        Ok(())
    }

    /// One byte.
    pub fn direction(&mut self) -> Result<Direction> {
        match self.byte()? {
            0 => Ok(Direction::Unknown),
            1 => Ok(Direction::Maximize),
            2 => Ok(Direction::Minimize),
            3 => Ok(Direction::Zero),
            _ => Err(corrupt("the sketch has an unknown direction")),
        }
    }

    /// Gives for each score whether its squares stand at the end of the state.
    fn merge_group(&mut self, into: &mut Group) -> Result<[bool; SCORES.len()]> {
        into.rows += self.rows()?;
        let mut are_large = [false; SCORES.len()];
        for (stats, is_large) in into.scores.iter_mut().zip(&mut are_large) {
            *is_large = self.merge_stats(stats)?;
        }
        for names in [&mut into.models, &mut into.runs, &mut into.configs] {
            self.merge_names(names, into.direction, |reader| {
                let (rows, scores) = (reader.rows()?, reader.rows()?);
                let (sum, lost, best) = (reader.f64()?, reader.f64()?, reader.maybe(Self::f64)?);
                let has_overflow = !sum.is_finite() || best.is_some_and(overflows);
                Ok(Tally { rows, scores, sum, lost, best, has_overflow })
            })?;
        }
        let flags = self.byte()?;
        let length = self.count(1)?;
        let best = Reader::new(self.bytes(length)?);
        best.merge_ranking(&mut into.ranking, into.direction, flags)?;
        Ok(are_large)
    }

    /// Offers predictions, best first, until one does not rank.
    fn merge_ranking(mut self, into: &mut Ranking, direction: Direction, flags: u8) -> Result<()> {
        let (val_rows, val_scores) = (flags & 1 != 0, flags & 2 != 0);
        into.note(val_rows, val_scores);
        if (into.has_val_rows, into.has_val_scores) != (val_rows, val_scores)
            || direction == Direction::Unknown
        {
            return Ok(());
        }
        let length = self.count(1)?;
        let mut table = Reader::new(self.bytes(length)?);
        let mut texts = Vec::new();
        while !self.is_at_end() {
            let given = self.byte()?;
            let mut scores = [None; 3];
            for (place, score) in scores.iter_mut().enumerate() {
                if given >> place & 1 == 1 {
                    *score = Some(self.f64()?);
                }
            }
            let Some(goodness) = scores[into.score()].and_then(|score| direction.goodness(score)) else {
                return Err(corrupt("the sketch has a ranked prediction that cannot be ranked"));
            };
            if !into.top.admits(goodness) {
                break;
            }
            while !table.is_at_end() {
                texts.push(table.text()?);
            }
            let mut row = [None; TEXTS.len()];
            row[0] = self.maybe(Self::text)?;
            for text in &mut row[1..] {
                let number = self.int()?.checked_sub(1).map(|number| texts.get(number as usize).copied());
                *text = number.map(|text| text.ok_or_else(unknown_text)).transpose()?;
            }
            into.top.offer(Ranked::new(goodness, scores, row.into_iter()));
        }
        Ok(())
    }

    /// Gives whether its squares stand at the end of the state.
    fn merge_stats(&mut self, into: &mut ScoreStats) -> Result<bool> {
        into.nulls += self.rows()?;
        into.nans += self.rows()?;
        into.infs += self.rows()?;
        let mut largest = 0.0;
        if let Some((low, high)) = self.maybe(|reader| Ok((reader.f64()?, reader.f64()?)))? {
            into.widen(low, high);
            largest = low.abs().max(high.abs());
        }
        let (count, stored) = (self.rows()?, [self.f64()?, self.f64()?, self.f64()?]);
        let (moments, is_large) = Moments::from_stored(count, stored, largest);
        into.moments.merge(&moments);
        let count = self.rows()?;
        if let Some(quartiles) =
            self.maybe(|reader| reader.maybe(|reader| Ok([reader.f64()?, reader.f64()?, reader.f64()?])))?
        {
            let closed = Closed { quartiles, is_exact: self.byte()? == 1 };
            into.quantiles.merge(&Quantiles { count, closed: Some(closed), ..Quantiles::default() });
            return Ok(is_large);
        }
        let flips = self.u64()?;
        let levels = self.count(1)?;
        if levels > MOST_LEVELS {
            return Err(corrupt("the sketch has more levels than rows can fill"));
        }
        for level in 0..levels {
            let mut values = (!self.skips_values).then(|| into.quantiles.level(level));
            let stored = self.int()?;
            let count = usize::try_from(stored / 2).ok().filter(|count| *count <= quantiles::EXACT);
            let count = count.ok_or_else(too_many_values)?;
            if stored.is_multiple_of(2) {
                let (stored, _) = self.bytes(count * 8)?.as_chunks();
                if let Some(values) = values {
                    values.extend(stored.iter().map(|bytes| quantiles::key_of(f64::from_le_bytes(*bytes))));
                }
                continue;
            }
            let mut room = quantiles::EXACT as u64;
            for _ in 0..count {
                let (value, times) = (self.f64()?, self.int()?);
                room = room.checked_sub(times).ok_or_else(too_many_values)?;
                if let Some(values) = &mut values {
                    values.extend(std::iter::repeat_n(quantiles::key_of(value), times as usize));
                }
            }
        }
        if self.skips_values {
            into.quantiles.merge(&Quantiles {
                count,
                closed: Some(Closed::default()),
                ..Quantiles::default()
            });
        } else {
            into.quantiles.finish_merge(count, flips);
        }
        Ok(is_large)
    }

    fn merge_names<T: Count>(
        &mut self,
        into: &mut Names<T>,
        direction: Direction,
        read: impl Fn(&mut Self) -> Result<T>,
    ) -> Result<()> {
        for _ in 0..self.count(2)? {
            let name = self.text()?;
            into.entry(Some(name)).merge(&read(self)?, direction);
        }
        for rest in [&mut into.null, &mut into.other] {
            if let Some(count) = self.maybe(&read)? {
                rest.get_or_insert_default().merge(&count, direction);
            }
        }
        Ok(())
    }

    fn merge_distinct(&mut self, into: &mut Distinct) -> Result<()> {
        match self.byte()? {
            0 => {
                let count = self.count(8)?;
                let (hashes, _) = self.bytes(count * 8)?.as_chunks();
                hashes.iter().for_each(|bytes| into.add_hash(u64::from_le_bytes(*bytes)));
            }
            1 => {
                let packed = self.bytes(REGISTERS / 4 * 3)?;
                let mut registers = Vec::with_capacity(REGISTERS);
                for bytes in packed.chunks_exact(3) {
                    let ranks = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                    registers.extend([0, 6, 12, 18].map(|shift| (ranks >> shift) as u8 & 0x3F));
                }
                if registers.iter().any(|&rank| rank > MAX_RANK) {
                    return Err(corrupt("the sketch has a register out of range"));
                }
                into.merge(&Distinct::Registers(registers.into()));
            }
            _ => return Err(corrupt("the sketch has an unknown kind of distinct count")),
        }
        Ok(())
    }
}

fn unknown_text() -> Error {
    corrupt("the sketch has a ranked prediction with a text that it does not hold")
}

fn too_many_values() -> Error {
    corrupt("the sketch has a level of more values than one can hold")
}
