//! The first rows in the order of a score, as a ranking shows them.

use std::path::Path;

use super::entry::Entry;
use super::equal_rows::{self, Configurations, EqualRows};
use super::file_snapshot::{FileFailure, Files};
use super::filter::Filter;
use super::keys::{Key, Sort};
use super::order::Order;
use super::page::Unread;
use super::score_column::ScoreColumn;
use super::score_columns::take_with_scores;
use crate::base::error::{Error, FileError};
use crate::base::metrics::Direction;
use crate::base::progress::Progress;
use crate::summary::json_scores::ScorePath;
use crate::summary::topk::{Ranked, TEXTS};
use crate::types::columns::{Numbers, SCORES, Texts};

/// Rows that are read at a time where equal ones are looked for, at first and at most.
const CHUNK: (usize, usize) = (128, 16_384);

/// By what rows are ranked.
#[derive(Clone, Copy)]
pub(super) struct RankedBy<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Which scores are better.
    pub direction: Direction,
    /// The score column, by its place in [`SCORES`].
    pub score: usize,
    /// Whether rows of other metrics rank by what they have in `scores`.
    pub by_scores: bool,
    /// How many.
    pub k: usize,
    /// Where equal rows are one: what tells configurations of results.
    pub distinct: Option<&'a Configurations<'a>>,
}

/// One entry of a ranking.
pub struct Best {
    /// The row.
    pub ranked: Ranked,
    /// How many rows it stands for.
    pub n_equal: u64,
}

/// Rows, best first.
#[derive(Default)]
pub(super) struct RankedRows {
    pub best: Vec<Best>,
    /// Files whose rows were looked at.
    pub files_read: usize,
    /// Files that could not be used.
    pub errors: Vec<FileError>,
}

impl RankedBy<'_> {
    /// The column that orders.
    pub fn column(&self) -> String {
        self.column_of(self.score)
    }

    fn column_of(&self, score: usize) -> String {
        let path = ScorePath { part: score, metric: self.metric.to_owned() };
        if self.by_scores { ScoreColumn::ranking(&path) } else { SCORES[score].to_owned() }
    }

    /// The first rows that fit.
    pub fn rank(
        &self,
        root: &Path,
        filter: &Filter,
        files: Files,
        progress: &Progress,
    ) -> Result<RankedRows, Unread> {
        let Files { files, errors, .. } = files;
        let read = || {
            let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
            let sort = Sort { column: self.column(), descending: None, direction: Some(self.direction) };
            let name = format!("{} {filter:?} {sort:?}", root.display());
            let order = Order::of(&root, name, &files, filter, &sort, progress)?;
            let best = match self.best(&order, false)? {
                Some(best) => best,
                None => self.best(&order, true)?.unwrap_or_default(),
            };
            let errors = errors.iter().chain(&order.damage).cloned().collect();
            Ok(RankedRows { best, files_read: order.levels.files.len(), errors })
        };
        read().map_err(|failed: FileFailure| failed.named(&files))
    }

    /// The best rows; `None` where some may be equal, and the texts of their scores, which are most of the bytes of
    /// a row, were not looked at.
    fn best(&self, order: &Order<'_>, with_texts: bool) -> Result<Option<Vec<Best>>, FileFailure> {
        if self.k == 0 {
            return Ok(Some(Vec::new()));
        }
        let mut equal = self.distinct.map(EqualRows::new);
        let (mut best, mut last, mut place) = (Vec::<Best>::new(), Key::default(), 0);
        let mut chunk =
            if equal.is_some() { CHUNK.0.max(self.k.saturating_mul(2)).min(CHUNK.1) } else { self.k };
        loop {
            let mut entries = order.rows(place, chunk)?;
            place += entries.len() as u64;
            let mut is_end = entries.len() < chunk;
            let ranks = order.levels.keys.ranks.as_ref();
            let with_scores =
                entries.iter().take_while(|entry| ranks.is_some_and(|ranks| ranks.has_scores(entry.key.0)));
            let ranked = with_scores.count();
            is_end |= ranked < entries.len();
            entries.truncate(ranked);
            let (rows, equals) = self.read(order, &entries, with_texts)?;
            for (at, (entry, ranked)) in entries.iter().zip(rows).enumerate() {
                let is_full = best.len() == self.k;
                if is_full && (equal.is_none() || entry.key != last) {
                    return Ok(Some(best));
                }
                let free = (!is_full).then_some(best.len());
                let known = match &mut equal {
                    Some(equal) => equal.find(&equals[at], free)?,
                    None => None,
                };
                match known {
                    Some(_) if !with_texts => return Ok(None),
                    Some(place) => best[place].n_equal += 1,
                    None if is_full => {}
                    None => {
                        best.push(Best { ranked, n_equal: 1 });
                        last = entry.key;
                    }
                }
            }
            if is_end {
                return Ok(Some(best));
            }
            chunk = (chunk * 2).min(CHUNK.1);
        }
    }

    fn read(
        &self,
        order: &Order<'_>,
        entries: &[Entry],
        with_texts: bool,
    ) -> Result<(Vec<Ranked>, Vec<equal_rows::Row>), FileFailure> {
        let by: Vec<String> = (0..SCORES.len()).map(|score| self.column_of(score)).collect();
        let mut names: Vec<String> = TEXTS.iter().chain(&SCORES).map(|&name| name.to_owned()).collect();
        names.extend(by.iter().filter(|_| self.by_scores).cloned());
        if self.distinct.is_some() {
            let is_read = |name: &&&str| !TEXTS.contains(name) && (with_texts || **name != "scores");
            names.extend(equal_rows::READ.iter().filter(is_read).map(|&name| name.to_owned()));
        }
        let rows = take_with_scores(order.files, entries, &names, &order.scores)?.rows;
        let files: Vec<_> = entries.iter().map(|entry| &order.files[entry.file as usize]).collect();
        let equal = if self.distinct.is_some() { equal_rows::rows_of(&rows, &files)? } else { Vec::new() };
        let scores = by.iter().map(|name| Numbers::of(&rows, name)).collect::<Result<Vec<_>, Error>>()?;
        let texts = TEXTS.iter().map(|name| Texts::of(&rows, name)).collect::<Result<Vec<_>, Error>>()?;
        let ranked = (0..rows.num_rows()).map(|row| {
            let of_row = [0, 1, 2].map(|score: usize| scores[score].get(row));
            let goodness = of_row[self.score].and_then(|score| self.direction.goodness(score));
            Ranked::new(
                goodness.unwrap_or(f64::NEG_INFINITY),
                of_row,
                texts.iter().map(|texts| texts.get(row)),
            )
        });
        Ok((ranked.collect(), equal))
    }
}
