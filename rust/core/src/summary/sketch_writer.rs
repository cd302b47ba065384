//! The whole state of a summary as bytes, little-endian. Byte for byte in docs/format.md.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::accumulator::Accumulator;
use super::datasets::Datasets;
use super::distinct::Distinct;
use super::group::Group;
use super::names::{Count, Names};
use super::quantiles::Stored;
use super::topk::Ranked;
use crate::base::codec::ByteWriter;
use crate::base::metrics::Direction;

/// The minor version of sketches that is written.
pub const MINOR: u8 = 2;

impl ByteWriter {
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
            self.bytes.push(u8::from(quantiles.finalized.is_some()));
            if let Some(finalized) = &quantiles.finalized {
                self.maybe(finalized.quartiles, |out, quartiles| {
                    quartiles.into_iter().for_each(|value| out.f64(value));
                });
                self.bytes.push(u8::from(finalized.is_exact));
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
            self.names(names, |out, totals| {
                out.int(totals.rows);
                out.int(totals.scores);
                // Readers of earlier versions see no mean in what is not finite.
                let [sum, lost] =
                    if totals.has_overflow { [f64::INFINITY, 0.0] } else { [totals.sum, totals.lost] };
                out.f64(sum);
                out.f64(lost);
                out.maybe(totals.best, Self::f64);
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
