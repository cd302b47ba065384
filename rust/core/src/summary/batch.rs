//! Adding Arrow batches, a column at a time and in parallel.

use std::borrow::Cow;

use arrow_array::{BooleanArray, RecordBatch};
use rayon::prelude::*;

use super::accumulator::Accumulator;
use super::datasets::{Datasets, in_halves, merge_datasets};
use super::group::Group;
use super::names::{Count, Names, ScoreTotals};
use super::score_stats::ScoreStats;
use super::topk::{Ranked, TEXTS};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::metrics::Direction;
use crate::types::columns::{Codes, NULL, Numbers, SCORES, Texts, time_range};

/// So many rows are summarised as one piece; pieces are merged in order, so that the number of
/// threads never changes an answer.
const PIECE: usize = 65_536;

/// Adds batches to a summary, in parallel within the current thread pool.
pub fn add_batches(into: &mut Accumulator, batches: &[RecordBatch]) -> Result<()> {
    let pieces: Vec<RecordBatch> = batches.iter().flat_map(pieces).collect();
    let top_k = into.top_k();
    let one = |piece: &[RecordBatch]| {
        piece.first().map_or_else(|| Ok(Accumulator::new(top_k)), |piece| of_piece(piece, top_k))
    };
    let added: Result<Accumulator> = in_halves(&pieces, 1, &one, &|left, right| {
        let mut both = left?;
        both.merge(&right?);
        Ok(both)
    });
    into.merge(&added?);
    Ok(())
}

fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..batch.num_rows()).step_by(PIECE).map(|start| batch.slice(start, PIECE.min(batch.num_rows() - start)))
}

/// Summarises batches by the dataset that their rows name; rows without one belong to `unnamed`.
pub fn split_by_dataset(batches: &[RecordBatch], unnamed: &str) -> Result<Datasets> {
    let pieces: Vec<RecordBatch> = batches.iter().flat_map(pieces).collect();
    let parts: Vec<Result<Datasets>> =
        pieces.par_iter().map(|piece| piece_by_dataset(piece, unnamed)).collect();
    let mut datasets = Datasets::new();
    for part in parts {
        merge_datasets(&mut datasets, part?);
    }
    Ok(datasets)
}

fn piece_by_dataset(piece: &RecordBatch, unnamed: &str) -> Result<Datasets> {
    let column = Texts::of(piece, "dataset_name")?;
    let codes = column.codes(0..piece.num_rows());
    let has_null = codes.codes.is_empty() || codes.codes.contains(&NULL);
    let present: Vec<u32> = (0..codes.names.len() as u32)
        .filter(|code| codes.codes.contains(code))
        .chain(has_null.then_some(NULL))
        .collect();
    let mut datasets = Datasets::new();
    for &code in &present {
        let part = if present.len() == 1 {
            of_piece(piece, super::accumulator::TOP_K)?
        } else {
            let mask: BooleanArray = codes.codes.iter().map(|&row| Some(row == code)).collect();
            let rows = arrow_select::filter::filter_record_batch(piece, &mask)
                .map_err(|error| Error::new(ErrorKind::Corrupt, error.to_string()))?;
            of_piece(&rows, super::accumulator::TOP_K)?
        };
        let name = codes.name(code).unwrap_or(unnamed).to_owned();
        merge_datasets(&mut datasets, Datasets::from([(name, part)]));
    }
    Ok(datasets)
}

/// The columns of one piece.
struct Piece<'a> {
    numbers: [Numbers<'a>; SCORES.len()],
    texts: [Texts<'a>; TEXTS.len()],
}

fn of_piece(batch: &RecordBatch, top_k: usize) -> Result<Accumulator> {
    let rows = batch.num_rows();
    let mut into = Accumulator::new(top_k);
    if rows == 0 {
        return Ok(into);
    }
    let [val, test, train] = SCORES.map(|column| Numbers::of(batch, column));
    let [id, run, dataset, model, config, fold, partition, preprocessings] =
        TEXTS.map(|column| Texts::of(batch, column));
    let piece = Piece {
        numbers: [val?, test?, train?],
        texts: [id?, run?, dataset?, model?, config?, fold?, partition?, preprocessings?],
    };
    let [_, runs, datasets, models, configs, folds, partitions, _] = &piece.texts;
    let [runs, datasets, models, configs, folds, partitions] =
        [runs, datasets, models, configs, folds, partitions].map(|texts| texts.codes(0..rows));
    let metric_texts = Texts::of(batch, "metric")?;
    let metrics = metric_texts.codes(0..rows);

    count(&mut into.datasets, &datasets, rows);
    count(&mut into.partitions, &partitions, rows);
    count(&mut into.folds, &folds, rows);
    count(&mut into.task_types, &Texts::of(batch, "task_type")?.codes(0..rows), rows);
    for (distinct, codes) in [
        (&mut into.distinct.partitions, &partitions),
        (&mut into.distinct.folds, &folds),
        (&mut into.distinct.configs, &configs),
        (&mut into.distinct.runs, &runs),
    ] {
        codes.names.iter().for_each(|name| distinct.add(name));
    }
    add_branches(&mut into, batch)?;
    into.add_date(time_range(batch, "created_at")?);

    let val_code =
        partitions.names.iter().position(|&name| name == "val").map_or(NULL - 1, |code| code as u32);
    let val_scores = piece.numbers[0].or_nan(rows);
    for (metric, members) in members_by_metric(&metrics, rows) {
        let group = into.group_mut(metric);
        group.rows += members.len() as u64;
        for (stats, numbers) in group.scores.iter_mut().zip(&piece.numbers) {
            add_scores(stats, numbers, &members);
        }
        // A run's rows are counted by run; rows without a run by configuration.
        let [with_run, without_run] =
            [true, false].map(|has| members.only(|row| (runs.at(row) != NULL) == has));
        for (names, codes, members) in [
            (&mut group.models, &models, &members),
            (&mut group.runs, &runs, &with_run),
            (&mut group.configs, &configs, &without_run),
        ] {
            totals(names, group.direction, codes, &val_scores, members);
        }
        rank(group, &piece, &members, |row| partitions.at(row) == val_code);
    }
    Ok(into)
}

/// The rows of one metric: all rows of the piece, or some of them.
enum Members {
    All(usize),
    Some(Vec<u32>),
}

impl Members {
    fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// The row of the piece that is at this place among them.
    fn row(&self, place: usize) -> usize {
        match self {
            Self::All(_) => place,
            Self::Some(rows) => rows[place] as usize,
        }
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|place| self.row(place))
    }

    fn only(&self, mut fits: impl FnMut(usize) -> bool) -> Self {
        match self {
            Self::All(rows) if (0..*rows).all(&mut fits) => Self::All(*rows),
            _ => Self::Some(self.rows().filter(|&row| fits(row)).map(|row| row as u32).collect()),
        }
    }

    /// Their numbers, NaN where there is none.
    fn numbers<'v>(&self, numbers: &'v Numbers<'_>) -> Cow<'v, [f64]> {
        match self {
            Self::All(rows) => numbers.or_nan(*rows),
            Self::Some(_) => self.rows().map(|row| numbers.get(row).unwrap_or(f64::NAN)).collect(),
        }
    }

    /// What a column holds for them; nothing, where there is no column.
    fn of<'v, T: Copy>(&self, column: &'v [T]) -> Cow<'v, [T]> {
        match self {
            Self::All(_) => column.into(),
            Self::Some(rows) => rows.iter().filter_map(|&row| column.get(row as usize)).copied().collect(),
        }
    }
}

fn members_by_metric<'a>(metrics: &Codes<'a>, rows: usize) -> Vec<(&'a str, Members)> {
    // A missing metric and an empty one are the same: none.
    let first = metrics.at(0);
    if metrics.codes.iter().all(|&code| code == first) {
        return vec![(metrics.name(first).unwrap_or_default(), Members::All(rows))];
    }
    let mut members = std::collections::BTreeMap::<&str, Vec<u32>>::new();
    for (row, &code) in metrics.codes.iter().enumerate() {
        members.entry(metrics.name(code).unwrap_or_default()).or_default().push(row as u32);
    }
    members.into_iter().map(|(metric, rows)| (metric, Members::Some(rows))).collect()
}

fn count(names: &mut Names<u64>, codes: &Codes<'_>, rows: usize) {
    if codes.codes.is_empty() {
        *names.entry(None) += rows as u64;
        return;
    }
    let mut counts = vec![0u64; codes.names.len() + 1];
    for &code in &codes.codes {
        counts[(code as usize).min(codes.names.len())] += 1;
    }
    for (code, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        *names.entry(codes.name(code as u32)) += count;
    }
}

fn add_branches(into: &mut Accumulator, batch: &RecordBatch) -> Result<()> {
    let rows = batch.num_rows();
    let (ids, names) = (Texts::of(batch, "branch_id")?, Texts::of(batch, "branch_name")?);
    let (ids, names) = (ids.codes(0..rows), names.codes(0..rows));
    if ids.names.is_empty() && names.names.iter().all(|name| name.is_empty()) {
        return Ok(());
    }
    let mut last = (NULL, NULL);
    for row in 0..rows {
        let pair = (ids.at(row), names.at(row));
        if pair != last {
            into.distinct.add_branch(ids.name(pair.0), names.name(pair.1));
            last = pair;
        }
    }
    Ok(())
}

fn add_scores(stats: &mut ScoreStats, numbers: &Numbers<'_>, members: &Members) {
    let mut gathered = Vec::new();
    let dense = match members {
        Members::All(rows) => numbers.dense(0..*rows),
        Members::Some(_) => None,
    };
    let finite = match dense {
        Some(values) if values.iter().all(|value| value.is_finite()) => values,
        _ => {
            members.rows().for_each(|row| match numbers.get(row) {
                None => stats.nulls += 1,
                Some(value) if value.is_finite() => gathered.push(value),
                Some(value) => stats.add_odd(value),
            });
            &gathered
        }
    };
    let Some(&first) = finite.first() else { return };
    let (low, high) =
        finite.iter().fold((first, first), |(low, high), &value| (low.min(value), high.max(value)));
    stats.widen(low, high);
    stats.moments.add_slice(finite);
    stats.quantiles.add_slice(finite);
}

fn totals(
    names: &mut Names<ScoreTotals>,
    direction: Direction,
    codes: &Codes<'_>,
    val_scores: &[f64],
    members: &Members,
) {
    let (codes_of, val_scores) = (members.of(&codes.codes), members.of(val_scores));
    let mut totals_by_name = vec![ScoreTotals::default(); codes.names.len() + 1];
    let mut scores = &*val_scores;
    // The same name most often follows.
    for alike in codes_of.chunk_by(|a, b| a == b) {
        let (theirs, later) = scores.split_at(alike.len());
        totals_by_name[(alike[0] as usize).min(codes.names.len())].add_slice(theirs, direction);
        scores = later;
    }
    // Where there is no column.
    totals_by_name[codes.names.len()].add_slice(scores, direction);
    for (code, totals) in totals_by_name.iter().enumerate().filter(|(_, totals)| totals.rows() > 0) {
        names.entry(codes.name(code as u32)).merge(totals, direction);
    }
}

fn rank(group: &mut Group, piece: &Piece<'_>, members: &Members, is_val: impl Fn(usize) -> bool) {
    /// So many rows are passed over at once where none of them gets in.
    const BLOCK: usize = 64;
    let (ranking, direction) = (&mut group.ranking, group.direction);
    ranking.note(members.rows().any(&is_val), members.rows().any(|row| piece.numbers[0].get(row).is_some()));
    let only_val = ranking.has_val_rows;
    let ranked_by = members.numbers(&piece.numbers[ranking.score()]);
    for (block, scores) in ranked_by.chunks(BLOCK).enumerate() {
        let top = &ranking.top;
        let gets_in = |&score: &f64| direction.goodness(score).is_some_and(|goodness| top.admits(goodness));
        if !scores.iter().fold(false, |any, score| any | gets_in(score)) {
            continue;
        }
        for (place, &score) in scores.iter().enumerate() {
            let row = members.row(block * BLOCK + place);
            if only_val && !is_val(row) {
                continue;
            }
            let goodness = direction.goodness(score).filter(|&goodness| ranking.top.admits(goodness));
            if let Some(goodness) = goodness {
                let scores = piece.numbers.each_ref().map(|numbers| numbers.get(row));
                let texts = piece.texts.iter().map(|texts| texts.get(row));
                ranking.top.offer(Ranked::new(goodness, scores, texts));
            }
        }
    }
}
