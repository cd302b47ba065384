//! The rows of a workspace that fit a filter, with their keys, file by file and row group by row group.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use rayon::prelude::*;

use super::facts::Facts;
use super::filter::{Filter, Known, Predicate, fitting};
use super::keys::{Key, Keys, Ranks, Sort, Splitters, of_place, ordered_as};
use super::listed::{Failed, Listed, all_of, all_with, read_journal};
use super::source::Source;
use super::window::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::files::FileError;
use crate::footer::TailReader;
use crate::journal::Journal;
use crate::progress::Progress;
use crate::rows::Type;
use crate::scan;
use crate::summary::columns::Texts;
use crate::types;

/// So many splitters are chosen of a column of texts, about.
const SPLITTERS: usize = 65_536;
/// Of so many row groups at most.
const SAMPLED: usize = 32;

/// What is known of the files of one query, kept between pages.
#[derive(Clone, Default)]
struct Shape {
    facts: Arc<HashMap<String, (Listed, Arc<Facts>)>>,
    /// By what they divide, each with the number of its choice.
    splitters: HashMap<String, (Arc<Splitters>, u64)>,
    used: u64,
}

impl Shape {
    fn keep(&mut self, name: String, chosen: (Arc<Splitters>, u64)) {
        if self.splitters.len() >= KEPT_SPLITTERS {
            // The shortest name is that of the whole order.
            let shortest = self.splitters.keys().min_by_key(|name| name.len()).cloned();
            self.splitters.retain(|name, _| Some(name) == shortest.as_ref());
        }
        self.splitters.insert(name, chosen);
    }
}

/// Sets of splitters that are kept of a query: each takes a few megabytes at most.
const KEPT_SPLITTERS: usize = 4;

/// How often splitters were chosen.
static CHOICES: AtomicU64 = AtomicU64::new(0);

/// Queries whose shapes are kept.
const KEPT_SHAPES: usize = 4;

static SHAPES: Mutex<Option<HashMap<String, Shape>>> = Mutex::new(None);

/// Looks at what is known of a query, and forgets the one that was asked longest ago.
fn with_shape<T>(query: &str, work: impl FnOnce(&mut Shape) -> T) -> Option<T> {
    // A fork may have left the lock taken for good: then nothing is kept.
    let mut guard = SHAPES.try_lock().ok()?;
    let shapes = guard.get_or_insert_default();
    let now = shapes.values().map(|shape| shape.used).max().unwrap_or(0) + 1;
    if !shapes.contains_key(query) && shapes.len() >= KEPT_SHAPES {
        let oldest = shapes.iter().min_by_key(|(_, shape)| shape.used).map(|(query, _)| query.clone());
        oldest.and_then(|query| shapes.remove(&query));
    }
    let shape = shapes.entry(query.to_owned()).or_default();
    shape.used = now;
    Some(work(shape))
}

/// What rows are ordered by: keys of one column, of the rows that have certain keys of others.
#[derive(Clone, Debug)]
pub struct Levels {
    /// Keys of which rows must have this one.
    pub pins: Vec<(Keys, Key)>,
    /// The keys that order.
    pub keys: Keys,
    /// A name for all this.
    pub name: String,
}

/// The rows that fit, in their order.
pub struct Order<'a> {
    /// The files.
    pub files: &'a [Listed],
    /// What rows must have.
    pub filter: &'a Filter,
    /// A name for root, filter and sort.
    pub query: String,
    /// What orders.
    pub levels: Levels,
    /// Files that can hold a row that fits, by their place.
    pub usable: Vec<usize>,
    /// What is damaged in files whose other rows count.
    pub damage: Vec<FileError>,
    /// How much is held in memory.
    pub limits: Limits,
    progress: &'a Progress,
}

impl<'a> Order<'a> {
    /// Looks what the files hold.
    pub fn of(
        query: String,
        files: &'a [Listed],
        filter: &'a Filter,
        sort: &Sort,
        progress: &'a Progress,
    ) -> Result<Self, Failed> {
        let known = with_shape(&query, |shape| Arc::clone(&shape.facts)).unwrap_or_default();
        let needs_metrics = sort.is_best_first() && filter.value("metric").is_none();
        let facts: Vec<Result<Arc<Facts>>> = files
            .par_iter()
            .map_init(TailReader::default, |tails, file| {
                progress.check()?;
                let kept = known.get(&file.name).filter(|(listed, _)| file.is_still(listed));
                match kept {
                    Some((_, facts)) => Ok(Arc::clone(facts)),
                    None => Facts::of(file, filter, &sort.column, needs_metrics, tails).map(Arc::new),
                }
            })
            .collect();
        let facts = all_of(facts)?;
        let known = files
            .iter()
            .zip(&facts)
            .map(|(file, facts)| (file.name.clone(), (file.clone(), Arc::clone(facts))));
        let known = Arc::new(known.collect());
        with_shape(&query, |shape| shape.facts = known);
        let fitting = || facts.iter().filter(|facts| facts.can_fit);
        let answer = types::answer_type(&sort.column, fitting().flat_map(|facts| &facts.types));
        let kind = ordered_as(&sort.column, &answer)?;
        let ranks = sort.is_best_first().then(|| match filter.value("metric") {
            Some(metric) => Ranks::of(&BTreeSet::from([metric.to_owned()]), sort.direction),
            None => Ranks::of(
                &fitting().flat_map(|facts| facts.metrics.iter().cloned()).collect(),
                sort.direction,
            ),
        });
        let keys = Keys {
            column: sort.column.clone(),
            kind,
            answer,
            descending: sort.descending.unwrap_or(false),
            ranks,
            splitters: Arc::default(),
        };
        let name = format!("{} {:?}", keys.answer, keys.ranks);
        let usable = (0..files.len()).filter(|&file| facts[file].can_fit).collect();
        let damage = facts.iter().filter_map(|facts| facts.damage.clone()).collect();
        let levels = Levels { pins: Vec::new(), keys, name };
        let mut order =
            Self { files, filter, query, levels, usable, damage, limits: Limits::default(), progress };
        if kind == Type::Text {
            let levels = order.levels.clone();
            order.levels = order.split(levels)?;
        }
        Ok(order)
    }

    /// The order among the rows of one key.
    pub fn within(&self, levels: &Levels, key: Key) -> Result<Levels, Failed> {
        let keys = &levels.keys;
        let mut pins = levels.pins.clone();
        pins.push((keys.clone(), key));
        let columns: Vec<&str> = pins.iter().map(|(keys, _)| keys.column.as_str()).collect();
        let keys = if keys.is_exact(key) { Keys::after(&columns) } else { keys.clone() };
        let levels = Levels { pins, keys, name: format!("{} {}:{}", levels.name, key.0, key.1) };
        if levels.keys.are_places() { Ok(levels) } else { self.split(levels) }
    }

    /// Chooses splitters for the texts that order.
    fn split(&self, mut levels: Levels) -> Result<Levels, Failed> {
        let known = with_shape(&self.query, |shape| shape.splitters.get(&levels.name).cloned()).flatten();
        let (splitters, number) = match known {
            Some(known) => known,
            None => {
                let chosen = (Arc::new(self.splitters(&levels)?), CHOICES.fetch_add(1, Ordering::Relaxed));
                with_shape(&self.query, |shape| shape.keep(levels.name.clone(), chosen.clone()));
                chosen
            }
        };
        levels.keys.splitters = splitters;
        // Keys mean nothing to whoever has other splitters.
        levels.name = format!("{} #{number}", levels.name);
        Ok(levels)
    }

    fn splitters(&self, levels: &Levels) -> Result<Splitters, Failed> {
        let mut units = self.units(&self.usable)?;
        // Any texts will do: those of some row groups tell what those of the others are like.
        let apart = units.len().div_ceil(SAMPLED);
        units = units.into_iter().step_by(apart.max(1)).collect();
        let each = (SPLITTERS / units.len().max(1)).max(16);
        let column = levels.keys.column.as_str();
        let texts = Mutex::new(BTreeSet::new());
        self.visit(&units, levels, &|Seen { batch, rows, .. }| {
            let batch = &*levels.keys.converted(batch)?;
            let all = Texts::of(batch, column)?;
            let mut found = BTreeSet::new();
            if let Texts::Dictionary { keys, values, .. } = &all {
                let mut used = vec![false; values.len()];
                rows.for_each(|row| {
                    if let Some(used) = keys.get(row as usize).and_then(|&key| used.get_mut(key)) {
                        *used = true;
                    }
                });
                let used: Vec<usize> = (0..values.len()).filter(|&value| used[value]).collect();
                found.extend(
                    used.iter().step_by(used.len() / each + 1).filter_map(|&value| values.get(value)),
                );
            } else {
                let rows: Vec<u32> = rows.collect();
                found.extend(
                    rows.iter().step_by(rows.len() / each + 1).filter_map(|&row| all.get(row as usize)),
                );
            }
            let mut texts = texts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            found.into_iter().for_each(|text| {
                if !texts.contains(text) {
                    texts.insert(text.to_owned());
                }
            });
            Ok(())
        })?;
        let texts = texts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Splitters::of(texts))
    }

    /// Hands out the rows of some files that fit, with their keys, a few thousand of one file at a time.
    pub fn keys(&self, levels: &Levels, files: &[usize], take: &TakeKeys<'_>) -> Result<(), Failed> {
        let units = self.units(files)?;
        self.visit(&units, levels, &|Seen { file, first, batch, metric, mut rows }| {
            let mut found = Vec::with_capacity(rows.size_hint().0);
            if levels.keys.are_places() {
                found.extend(rows.map(|row| (first + row, of_place(file, first + row))));
            } else {
                levels
                    .keys
                    .of_rows(batch, metric, &mut rows, &mut |row, key| found.push((first + row, key)))?;
            }
            take(file, &found);
            Ok(())
        })
    }

    fn units(&self, files: &[usize]) -> Result<Vec<Unit>, Failed> {
        let units: Vec<Result<Vec<Unit>>> = files
            .par_iter()
            .map(|&file| {
                let listed = &self.files[file];
                if listed.is_journal() {
                    return Ok(vec![Unit { file, source: None, group: 0 }]);
                }
                let source = Source::open(&listed.path, listed.identity)?;
                Ok((0..source.groups())
                    .map(|group| Unit { file, source: Some(Arc::clone(&source)), group })
                    .collect())
            })
            .collect();
        Ok(all_with(files, units)?.into_iter().flatten().collect())
    }

    fn visit(&self, units: &[Unit], levels: &Levels, visitor: &Visitor<'_>) -> Result<(), Failed> {
        let predicates = self.filter.predicates();
        let done: Vec<Result<()>> = units
            .par_iter()
            .with_max_len(1)
            .map(|unit| {
                self.progress.check()?;
                let listed = &self.files[unit.file];
                self.visit_unit(unit, listed, levels, &predicates, visitor)
                    .map_err(|error| error.at(&listed.path))
            })
            .collect();
        let files: Vec<usize> = units.iter().map(|unit| unit.file).collect();
        all_with(&files, done).map(drop)
    }

    fn visit_unit(
        &self,
        unit: &Unit,
        listed: &Listed,
        levels: &Levels,
        predicates: &[Predicate<'_>],
        visitor: &Visitor<'_>,
    ) -> Result<()> {
        let Some(source) = &unit.source else {
            let unnamed = Journal::open(&listed.path)?.header.dataset_name;
            let damage = read_journal(listed, &mut |first, batch| {
                let rows = listed.live(batch, first, fitting(predicates, batch, &unnamed)?)?;
                let pinned = pinned(batch, &Known::Nothing, rows, levels)?;
                let rows = Rows::of(batch, pinned.as_deref());
                visitor(Seen { file: unit.file, first, batch, metric: &Known::Nothing, rows })
            });
            // Its facts have the damage.
            return damage.map(drop);
        };
        let unnamed = scan::dataset_of(&listed.path);
        let known = |column: &str| source.known(unit.group, column);
        let mut open = Vec::with_capacity(predicates.len());
        for predicate in predicates {
            match predicate.decided_by(&known, &unnamed) {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => open.push(*predicate),
            }
        }
        let metric = source.known(unit.group, "metric");
        let mut columns: BTreeSet<&str> = open.iter().flat_map(Predicate::columns).collect();
        let keys = levels.pins.iter().map(|(keys, _)| keys).chain([&levels.keys]);
        columns.extend(keys.flat_map(Keys::columns).filter(|column| {
            *column != "metric" || levels.keys.column == "metric" || !matches!(metric, Known::Always(_))
        }));
        columns.extend(listed.tells_live());
        let columns: Vec<&str> = columns.into_iter().collect();
        let mut first = u32::try_from(source.starts[unit.group])
            .map_err(|_| Error::new(ErrorKind::Schema, "a file of more than 4 billion rows"))?;
        source.read_group(unit.group, &columns, &mut |batch| {
            self.progress.check()?;
            let live = listed.live(batch, first, fitting(&open, batch, &unnamed)?)?;
            let pinned = pinned(batch, &metric, live, levels)?;
            let rows = Rows::of(batch, pinned.as_deref());
            visitor(Seen { file: unit.file, first, batch, metric: &metric, rows })?;
            first += batch.num_rows() as u32;
            Ok(())
        })
    }
}

/// The rows of a batch that are looked at.
pub enum Rows<'a> {
    /// All from a place on.
    All(std::ops::Range<u32>),
    /// Some.
    Some(std::slice::Iter<'a, u32>),
}

impl<'a> Rows<'a> {
    fn of(batch: &RecordBatch, rows: Option<&'a [u32]>) -> Self {
        rows.map_or(Self::All(0..batch.num_rows() as u32), |rows| Self::Some(rows.iter()))
    }
}

impl Iterator for Rows<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::All(rows) => rows.next(),
            Self::Some(rows) => rows.next().copied(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::All(rows) => rows.size_hint(),
            Self::Some(rows) => rows.size_hint(),
        }
    }
}

/// Rows of a file that fit, as they are read.
struct Seen<'a> {
    file: usize,
    /// The place of the batch's first row.
    first: u32,
    batch: &'a RecordBatch,
    /// What is known of their metrics.
    metric: &'a Known,
    /// The rows of the batch that fit.
    rows: Rows<'a>,
}

type Visitor<'a> = dyn Fn(Seen<'_>) -> Result<()> + Sync + 'a;

/// Takes rows of a file, each with its key.
pub type TakeKeys<'a> = dyn Fn(usize, &[(u32, Key)]) + Sync + 'a;

/// What is read at a time: a row group of a file, or a whole journal.
struct Unit {
    file: usize,
    source: Option<Arc<Source>>,
    group: usize,
}

/// Those of the rows that have the keys they must have.
fn pinned(
    batch: &RecordBatch,
    metric: &Known,
    rows: Option<Vec<u32>>,
    levels: &Levels,
) -> Result<Option<Vec<u32>>> {
    levels.pins.iter().try_fold(rows, |rows, (keys, pin)| {
        let mut kept = Vec::new();
        keys.of_rows(batch, metric, &mut Rows::of(batch, rows.as_deref()), &mut |row, key| {
            if key == *pin {
                kept.push(row);
            }
        })?;
        Ok(Some(kept))
    })
}
