//! The state of a summary from bytes, merged into what is known without being decoded first.

use rayon::prelude::*;

use super::accumulator::Accumulator;
use super::datasets::Datasets;
use super::distinct::{Distinct, MAX_RANK, REGISTERS};
use super::group::Group;
use super::moments::{Moments, overflows};
use super::names::{Count, Names, ScoreTotals};
use super::quantiles::{self, Finalized, Quantiles};
use super::ranking::Ranking;
use super::score_stats::ScoreStats;
use super::sketch_writer::MINOR;
use super::topk::{Ranked, TEXTS};
use crate::base::codec::ByteReader;
use crate::base::error::{Error, Result, corrupt};
use crate::base::metrics::Direction;
use crate::types::columns::SCORES;

/// No file has more rows than this.
const MOST_ROWS: u64 = 1 << 48;
/// Levels of so many rows.
const MOST_LEVELS: usize = 40;
/// From this minor version on totals tell whether they overflow, and large squares stand at the end of a state.
const TELLS_OVERFLOW: u8 = 2;

/// Reads the states of summaries.
#[derive(Clone)]
pub struct SketchReader<'a> {
    /// What is left of it.
    pub(super) bytes: ByteReader<'a>,
    /// Whether the values behind quartiles are passed over.
    skips_values: bool,
    /// The minor version of the sketch that it reads.
    minor: u8,
}

impl<'a> SketchReader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: ByteReader::new(bytes), skips_values: false, minor: MINOR }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.bytes.is_at_end()
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.rest()
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

    /// Adds what `ByteWriter::datasets` wrote to what is known of the same datasets; in parallel.
    ///
    /// Nothing is built that is not kept: names that are known and predictions that do not rank cost
    /// no memory. After an error `into` holds a part.
    pub fn merge_datasets(&mut self, into: &mut Datasets) -> Result<()> {
        let count = self.bytes.count(2)?;
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
        let name = self.bytes.text()?;
        let length = self.bytes.count(1)?;
        Ok((name, Self::new(self.bytes.bytes(length)?).of_version(self.minor)))
    }

    /// What `ByteWriter::accumulator` wrote.
    pub fn accumulator(&mut self) -> Result<Accumulator> {
        let top_k = self.bytes.clone().int()?;
        let top_k = usize::try_from(top_k).map_err(|_| corrupt("the sketch has a top_k out of range"))?;
        let mut accumulator = Accumulator::new(top_k);
        self.merge_accumulator(&mut accumulator)?;
        Ok(accumulator)
    }

    /// Adds what `ByteWriter::accumulator` wrote; after an error `into` holds a part.
    pub fn merge_accumulator(&mut self, into: &mut Accumulator) -> Result<()> {
        self.bytes.int()?; // its top_k; that of `into` holds
        for names in [&mut into.datasets, &mut into.task_types, &mut into.partitions, &mut into.folds] {
            self.merge_names(names, Direction::Unknown, rows)?;
        }
        for set in into.distinct.all_mut() {
            self.merge_distinct(set)?;
        }
        into.add_date(self.bytes.maybe(|reader| Ok((reader.u64()? as i64, reader.u64()? as i64)))?);
        let mut large = Vec::new();
        for _ in 0..self.bytes.count(2)? {
            let metric = self.bytes.text()?;
            let direction = self.direction()?;
            let columns = self.merge_group(into.group_of(metric, direction))?;
            large.extend((0..SCORES.len()).filter(|column| columns[*column]).map(|column| (metric, column)));
        }
        for (metric, column) in large {
            let squares = if self.tells_overflow() { self.bytes.f64()? } else { f64::INFINITY };
            if let Some((_, group)) = into.groups.iter_mut().find(|(name, _)| name == metric) {
                group.scores[column].moments.m2 += squares;
            }
        }
        Ok(())
    }

    /// One byte.
    pub fn direction(&mut self) -> Result<Direction> {
        match self.bytes.byte()? {
            0 => Ok(Direction::Unknown),
            1 => Ok(Direction::Maximize),
            2 => Ok(Direction::Minimize),
            3 => Ok(Direction::Zero),
            _ => Err(corrupt("the sketch has an unknown direction")),
        }
    }

    /// Gives for each score whether its squares stand at the end of the state.
    fn merge_group(&mut self, into: &mut Group) -> Result<[bool; SCORES.len()]> {
        into.rows += rows(&mut self.bytes)?;
        let mut are_large = [false; SCORES.len()];
        for (stats, is_large) in into.scores.iter_mut().zip(&mut are_large) {
            *is_large = self.merge_stats(stats)?;
        }
        for names in [&mut into.models, &mut into.runs, &mut into.configs] {
            self.merge_names(names, into.direction, |reader| {
                let (rows, scores) = (rows(reader)?, rows(reader)?);
                let (sum, lost, best) = (reader.f64()?, reader.f64()?, reader.maybe(ByteReader::f64)?);
                let has_overflow = !sum.is_finite() || best.is_some_and(overflows);
                Ok(ScoreTotals { rows, scores, sum, lost, best, has_overflow })
            })?;
        }
        let flags = self.bytes.byte()?;
        let length = self.bytes.count(1)?;
        let best = Self::new(self.bytes.bytes(length)?);
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
        let length = self.bytes.count(1)?;
        let mut table = ByteReader::new(self.bytes.bytes(length)?);
        let mut texts = Vec::new();
        while !self.bytes.is_at_end() {
            let given = self.bytes.byte()?;
            let mut scores = [None; 3];
            for (place, score) in scores.iter_mut().enumerate() {
                if given >> place & 1 == 1 {
                    *score = Some(self.bytes.f64()?);
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
            row[0] = self.bytes.maybe(ByteReader::text)?;
            for text in &mut row[1..] {
                let number =
                    self.bytes.int()?.checked_sub(1).map(|number| texts.get(number as usize).copied());
                *text = number.map(|text| text.ok_or_else(unknown_text)).transpose()?;
            }
            into.top.offer(Ranked::new(goodness, scores, row.into_iter()));
        }
        Ok(())
    }

    /// Gives whether its squares stand at the end of the state.
    fn merge_stats(&mut self, into: &mut ScoreStats) -> Result<bool> {
        into.nulls += rows(&mut self.bytes)?;
        into.nans += rows(&mut self.bytes)?;
        into.infs += rows(&mut self.bytes)?;
        let mut largest = 0.0;
        if let Some((low, high)) = self.bytes.maybe(|reader| Ok((reader.f64()?, reader.f64()?)))? {
            into.widen(low, high);
            largest = low.abs().max(high.abs());
        }
        let (count, stored) =
            (rows(&mut self.bytes)?, [self.bytes.f64()?, self.bytes.f64()?, self.bytes.f64()?]);
        let (moments, is_large) = Moments::from_stored(count, stored, largest);
        into.moments.merge(&moments);
        let count = rows(&mut self.bytes)?;
        if let Some(quartiles) = self
            .bytes
            .maybe(|reader| reader.maybe(|reader| Ok([reader.f64()?, reader.f64()?, reader.f64()?])))?
        {
            let finalized = Finalized { quartiles, is_exact: self.bytes.byte()? == 1 };
            into.quantiles.merge(&Quantiles { count, finalized: Some(finalized), ..Quantiles::default() });
            return Ok(is_large);
        }
        let flips = self.bytes.u64()?;
        let levels = self.bytes.count(1)?;
        if levels > MOST_LEVELS {
            return Err(corrupt("the sketch has more levels than rows can fill"));
        }
        for level in 0..levels {
            let mut values = (!self.skips_values).then(|| into.quantiles.level(level));
            let stored = self.bytes.int()?;
            let count = usize::try_from(stored / 2).ok().filter(|count| *count <= quantiles::EXACT);
            let count = count.ok_or_else(too_many_values)?;
            if stored.is_multiple_of(2) {
                let (stored, _) = self.bytes.bytes(count * 8)?.as_chunks();
                if let Some(values) = values {
                    values.extend(stored.iter().map(|bytes| quantiles::key_of(f64::from_le_bytes(*bytes))));
                }
                continue;
            }
            let mut room = quantiles::EXACT as u64;
            for _ in 0..count {
                let (value, times) = (self.bytes.f64()?, self.bytes.int()?);
                room = room.checked_sub(times).ok_or_else(too_many_values)?;
                if let Some(values) = &mut values {
                    values.extend(std::iter::repeat_n(quantiles::key_of(value), times as usize));
                }
            }
        }
        if self.skips_values {
            into.quantiles.merge(&Quantiles {
                count,
                finalized: Some(Finalized::default()),
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
        read: impl Fn(&mut ByteReader<'a>) -> Result<T>,
    ) -> Result<()> {
        for _ in 0..self.bytes.count(2)? {
            let name = self.bytes.text()?;
            into.entry(Some(name)).merge(&read(&mut self.bytes)?, direction);
        }
        for rest in [&mut into.null, &mut into.other] {
            if let Some(count) = self.bytes.maybe(&read)? {
                rest.get_or_insert_default().merge(&count, direction);
            }
        }
        Ok(())
    }

    fn merge_distinct(&mut self, into: &mut Distinct) -> Result<()> {
        match self.bytes.byte()? {
            0 => {
                let count = self.bytes.count(8)?;
                let (hashes, _) = self.bytes.bytes(count * 8)?.as_chunks();
                hashes.iter().for_each(|bytes| into.add_hash(u64::from_le_bytes(*bytes)));
            }
            1 => {
                let packed = self.bytes.bytes(REGISTERS / 4 * 3)?;
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

/// A number of rows, small enough that thousands of them can be added.
#[inline]
fn rows(bytes: &mut ByteReader<'_>) -> Result<u64> {
    let rows = bytes.int()?;
    if rows > MOST_ROWS { Err(corrupt("the sketch counts more rows than can be")) } else { Ok(rows) }
}

fn unknown_text() -> Error {
    corrupt("the sketch has a ranked prediction with a text that it does not hold")
}

fn too_many_values() -> Error {
    corrupt("the sketch has a level of more values than one can hold")
}
