//! The whole state of a summary as bytes, little-endian. Byte for byte in docs/format.md.

use super::Datasets;
use super::accumulator::{Accumulator, Group, Ranking, ScoreStats};
use super::distinct::{Distinct, MAX_RANK, REGISTERS};
use super::moments::Moments;
use super::names::{Count, Names, Tally};
use super::topk::Ranked;
use crate::error::{Result, corrupt};
use crate::metrics::Direction;

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
}

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

    /// A dataset each, with its name.
    pub fn datasets(&mut self, datasets: &Datasets) {
        self.int(datasets.len() as u64);
        for (name, accumulator) in datasets {
            self.text(name);
            self.accumulator(accumulator);
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
            let moments = &stats.moments;
            self.int(moments.count);
            [moments.origin, moments.mean, moments.m2].into_iter().for_each(|value| self.f64(value));
            let quantiles = &stats.quantiles;
            self.int(quantiles.count);
            self.u64(quantiles.flips);
            self.int(quantiles.levels.len() as u64);
            for level in &quantiles.levels {
                self.int(level.len() as u64);
                level.iter().for_each(|&value| self.f64(value));
            }
        }
        for names in [&group.models, &group.runs, &group.configs] {
            self.names(names, |out, tally| {
                out.int(tally.rows);
                out.int(tally.scores);
                out.f64(tally.sum);
                out.f64(tally.lost);
                out.maybe(tally.best, Self::f64);
            });
        }
        let ranking = &group.ranking;
        self.bytes.push(u8::from(ranking.has_val_rows) | u8::from(ranking.has_val_scores) << 1);
        let mut best = Self::default();
        for ranked in ranking.top.sorted() {
            ranked.scores.into_iter().for_each(|score| best.maybe(score, Self::f64));
            best.int(ranked.texts.len() as u64);
            best.bytes.extend_from_slice(&ranked.texts);
        }
        self.int(best.bytes.len() as u64);
        self.bytes.extend_from_slice(&best.bytes);
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
        Self { rest: bytes }
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
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| corrupt("the sketch ends inside a value"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A varint.
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
    fn rows(&mut self) -> Result<u64> {
        let rows = self.int()?;
        if rows > MOST_ROWS { Err(corrupt("the sketch counts more rows than can be")) } else { Ok(rows) }
    }

    /// A varint that counts items of at least `size` bytes each, which must be there.
    pub fn count(&mut self, size: usize) -> Result<usize> {
        let count = self.int()?;
        if count > (self.rest.len() / size) as u64 {
            return Err(corrupt("the sketch announces more than it holds"));
        }
        Ok(count as usize)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Length and UTF-8.
    pub fn text(&mut self) -> Result<&'a str> {
        let length = self.count(1)?;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| corrupt("the sketch has a text that is not UTF-8"))
    }

    fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(corrupt("the sketch has a flag that is neither 0 nor 1")),
        }
    }

    /// Adds what [`Writer::datasets`] wrote to what is known of the same datasets.
    ///
    /// Nothing is built that is not kept: names that are known and predictions that do not rank cost
    /// no memory. After an error `into` holds a part.
    pub fn merge_datasets(&mut self, into: &mut Datasets) -> Result<()> {
        for _ in 0..self.count(2)? {
            let name = self.text()?;
            match into.get_mut(name) {
                Some(known) => self.merge_accumulator(known)?,
                None => drop(into.insert(name.to_owned(), self.accumulator()?)),
            }
        }
        Ok(())
    }

    /// What [`Writer::accumulator`] wrote.
    pub fn accumulator(&mut self) -> Result<Accumulator> {
        let top_k = self.clone().int()?;
        let top_k = usize::try_from(top_k).map_err(|_| corrupt("the sketch has a top_k out of range"))?;
        let mut accumulator = Accumulator::new(top_k);
        self.merge_accumulator(&mut accumulator)?;
        Ok(accumulator)
    }

    fn merge_accumulator(&mut self, into: &mut Accumulator) -> Result<()> {
        self.int()?; // its top_k; that of `into` holds
        for names in [&mut into.datasets, &mut into.task_types, &mut into.partitions, &mut into.folds] {
            self.merge_names(names, Direction::Unknown, Self::rows)?;
        }
        for set in into.distinct.all_mut() {
            self.merge_distinct(set)?;
        }
        into.add_date(self.maybe(|reader| Ok((reader.u64()? as i64, reader.u64()? as i64)))?);
        for _ in 0..self.count(2)? {
            let metric = self.text()?;
            let direction = self.direction()?;
            self.merge_group(into.group_of(metric, direction))?;
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

    fn merge_group(&mut self, into: &mut Group) -> Result<()> {
        into.rows += self.rows()?;
        for stats in &mut into.scores {
            self.merge_stats(stats)?;
        }
        for names in [&mut into.models, &mut into.runs, &mut into.configs] {
            self.merge_names(names, into.direction, |reader| {
                Ok(Tally {
                    rows: reader.rows()?,
                    scores: reader.rows()?,
                    sum: reader.f64()?,
                    lost: reader.f64()?,
                    best: reader.maybe(Self::f64)?,
                })
            })?;
        }
        let flags = self.byte()?;
        let length = self.count(1)?;
        let best = Reader::new(self.bytes(length)?);
        best.merge_ranking(&mut into.ranking, into.direction, flags)
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
        while !self.is_at_end() {
            let mut scores = [None; 3];
            for score in &mut scores {
                *score = self.maybe(Self::f64)?;
            }
            let length = self.count(1)?;
            let texts = self.bytes(length)?;
            let goodness = scores[into.score()].and_then(|score| direction.goodness(score));
            let Some(goodness) = goodness.filter(|_| Ranked::is_packed(texts)) else {
                return Err(corrupt("the sketch has a ranked prediction that cannot be ranked"));
            };
            if !into.top.admits(goodness) {
                break;
            }
            into.top.offer(Ranked { goodness, scores, texts: texts.into() });
        }
        Ok(())
    }

    fn merge_stats(&mut self, into: &mut ScoreStats) -> Result<()> {
        into.nulls += self.rows()?;
        into.nans += self.rows()?;
        into.infs += self.rows()?;
        if let Some((low, high)) = self.maybe(|reader| Ok((reader.f64()?, reader.f64()?)))? {
            into.widen(low, high);
        }
        into.moments.merge(&Moments {
            count: self.rows()?,
            origin: self.f64()?,
            mean: self.f64()?,
            m2: self.f64()?,
        });
        let (count, flips) = (self.rows()?, self.u64()?);
        let levels = self.count(1)?;
        if levels > MOST_LEVELS {
            return Err(corrupt("the sketch has more levels than rows can fill"));
        }
        for level in 0..levels {
            let count = self.count(8)?;
            let (values, _) = self.bytes(count * 8)?.as_chunks();
            into.quantiles.extend_level(level, values.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        }
        into.quantiles.finish_merge(count, flips);
        Ok(())
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
