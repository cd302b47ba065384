//! The rows of a workspace that fit a filter, with their keys, file by file and row group by row group.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use rayon::prelude::*;

use super::entry::Limits;
use super::file_snapshot::{FileFailure, FileSnapshot, collect_results, collect_results_of, read_journal};
use super::filter::{ColumnBounds, Filter, Predicate, fitting};
use super::keys::{Key, Keys, PLACES, Ranks, Sort, ordered_as};
use super::origins::PlaceOrder;
use super::pruning::Pruning;
use super::score_column::ScoreColumn;
use super::score_columns::ScoreColumns;
use super::score_names;
use super::source::Source;
use super::splitters::Splitters;
use crate::base::error::{Error, ErrorKind, FileError, Result};
use crate::base::metrics::{self, Direction};
use crate::base::progress::Progress;
use crate::footer::TailReader;
use crate::reading::scan;
use crate::segment::journal::Journal;
use crate::types;
use crate::types::schema::Type;

/// What is known of the files of one query, kept between pages.
#[derive(Clone, Default)]
pub(super) struct Shape {
    pruning: Arc<HashMap<String, (FileSnapshot, Arc<Pruning>)>>,
    /// By what they divide, each with the number of its choice.
    pub splitters: HashMap<String, (Arc<Splitters>, u64)>,
    used: u64,
}

impl Shape {
    pub fn cache(&mut self, name: String, chosen: (Arc<Splitters>, u64)) {
        if self.splitters.len() >= MOST_SPLITTERS {
            // The shortest name is that of the whole order.
            let shortest = self.splitters.keys().min_by_key(|name| name.len()).cloned();
            self.splitters.retain(|name, _| Some(name) == shortest.as_ref());
        }
        self.splitters.insert(name, chosen);
    }
}

/// Sets of splitters that are kept of a query: each takes a few megabytes at most.
const MOST_SPLITTERS: usize = 4;

/// How often splitters were chosen.
pub(super) static CHOICES: AtomicU64 = AtomicU64::new(0);

/// Queries whose shapes are kept.
const MOST_SHAPES: usize = 4;

static SHAPES: Mutex<Option<HashMap<String, Shape>>> = Mutex::new(None);

/// Looks at what is known of a query, and forgets the one that was asked longest ago.
pub(super) fn with_shape<T>(query: &str, work: impl FnOnce(&mut Shape) -> T) -> Option<T> {
    // A fork may have left the lock taken for good: then nothing is kept.
    let mut guard = SHAPES.try_lock().ok()?;
    let shapes = guard.get_or_insert_default();
    let now = shapes.values().map(|shape| shape.used).max().unwrap_or(0) + 1;
    if !shapes.contains_key(query) && shapes.len() >= MOST_SHAPES {
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
    /// Where places order: theirs.
    pub places: Arc<PlaceOrder>,
    /// A name for all this.
    pub name: String,
    /// The files that have such rows.
    pub files: Arc<Vec<usize>>,
    /// How many such rows there were when they were last counted; `None` of all rows that fit.
    pub total: Option<u64>,
}

/// The rows that fit, in their order.
pub struct Order<'a> {
    /// The files.
    pub files: &'a [FileSnapshot],
    /// What rows must have.
    pub filter: &'a Filter,
    /// A name for root, filter and sort.
    pub query: String,
    /// What orders.
    pub levels: Levels,
    /// What is damaged in files whose other rows are live.
    pub damage: Vec<FileError>,
    /// How much is held in memory.
    pub limits: Limits,
    /// Columns made of `scores`.
    pub(super) scores: ScoreColumns,
    progress: &'a Progress,
}

impl<'a> Order<'a> {
    /// Looks what the files hold.
    pub fn of(
        root: &Path,
        query: String,
        files: &'a [FileSnapshot],
        filter: &'a Filter,
        sort: &Sort,
        progress: &'a Progress,
    ) -> Result<Self, FileFailure> {
        let known = with_shape(&query, |shape| Arc::clone(&shape.pruning)).unwrap_or_default();
        let by_scores = ScoreColumn::of(&sort.column).transpose()?;
        let needs_metrics = sort.is_best_first() && by_scores.is_none() && filter.value("metric").is_none();
        let pruning: Vec<Result<Arc<Pruning>>> = files
            .par_iter()
            .map_init(TailReader::default, |tails, file| {
                progress.check()?;
                let cached = known.get(&file.name).filter(|(listed, _)| file.is_unchanged(listed));
                match cached {
                    Some((_, pruning)) => Ok(Arc::clone(pruning)),
                    None => Pruning::of(file, filter, &sort.column, needs_metrics, tails).map(Arc::new),
                }
            })
            .collect();
        let pruning = collect_results(pruning)?;
        let known = files
            .iter()
            .zip(&pruning)
            .map(|(file, pruning)| (file.name.clone(), (file.clone(), Arc::clone(pruning))));
        let known = Arc::new(known.collect());
        with_shape(&query, |shape| shape.pruning = known);
        let fitting = || pruning.iter().filter(|pruning| pruning.may_match);
        let answer = match &by_scores {
            Some(_) => DataType::Float64,
            None => types::answer_type(&sort.column, fitting().flat_map(|pruning| &pruning.types)),
        };
        let kind = ordered_as(&sort.column, &answer)?;
        let ranks = sort.is_best_first().then(|| match (&by_scores, filter.value("metric")) {
            (Some(column), _) => Ranks::of_one(&column.path.metric, sort.direction),
            (None, Some(metric)) => Ranks::of(&BTreeSet::from([metric.to_owned()]), sort.direction),
            (None, None) => Ranks::of(
                &fitting().flat_map(|pruning| pruning.metrics.iter().cloned()).collect(),
                sort.direction,
            ),
        });
        let mut keys = Keys::new(sort.column.clone(), kind, sort.descending.unwrap_or(false), ranks);
        keys.answer = answer;
        let name = format!("{} {:?}", keys.answer, keys.ranks);
        let usable: Arc<Vec<usize>> =
            Arc::new((0..files.len()).filter(|&file| pruning[file].may_match).collect());
        let names = filter.scores.iter().map(|(column, _)| column.as_str()).chain([sort.column.as_str()]);
        let scores = ScoreColumns::of(names, root, files, &usable, progress)?;
        let damage = pruning.iter().filter_map(|pruning| pruning.damage.clone()).collect();
        let (pins, places) = (Vec::new(), Arc::default());
        let levels = Levels { pins, keys, places, name, files: usable, total: None };
        let limits = Limits::default();
        let mut order = Self { files, filter, query, levels, damage, limits, scores, progress };
        if kind == Type::Text {
            let levels = order.levels.clone();
            order.levels = order.split(levels)?;
        }
        Ok(order)
    }

    /// Checks that some row has the numbers of `scores` that are asked for, and that it is known which are better.
    pub fn check_scores(&self, root: &Path, has_direction: bool) -> Result<(), FileFailure> {
        for column in self.scores.columns() {
            score_names::check(root, &column.path, self.files, &self.levels.files, self.progress)?;
        }
        let by_scores = self.scores.get(&self.levels.keys.column).filter(|_| !has_direction);
        match by_scores.filter(|column| metrics::direction(&column.path.metric) == Direction::Unknown) {
            None => Ok(()),
            Some(column) => {
                let metric = &column.path.metric;
                let message = format!(
                    "no direction is known for metric {metric:?}; say which comes first by descending"
                );
                Err(Error::new(ErrorKind::Metric, message).into())
            }
        }
    }

    /// The order among the rows of one key: so many, in these files.
    pub fn within(
        &self,
        levels: &Levels,
        key: Key,
        total: u64,
        files: Vec<usize>,
    ) -> Result<Levels, FileFailure> {
        let keys = &levels.keys;
        let mut pins = levels.pins.clone();
        pins.push((keys.clone(), key));
        let columns: Vec<&str> = pins.iter().map(|(keys, _)| keys.column.as_str()).collect();
        let keys = if keys.is_exact(key) { Keys::after(&columns) } else { keys.clone() };
        let name = format!("{} {}:{}", levels.name, key.0, key.1);
        let places =
            if keys.are_places() { PlaceOrder::of(self.files, &files)? } else { PlaceOrder::default() };
        let (places, files) = (Arc::new(places), Arc::new(files));
        let levels = Levels { pins, keys, places, name, files, total: Some(total) };
        if levels.keys.are_places() { Ok(levels) } else { self.split(levels) }
    }

    /// Hands out the rows of some files that fit, with their keys, a few thousand of one file at a time.
    pub fn keys(&self, levels: &Levels, files: &[usize], take: &TakeKeys<'_>) -> Result<(), FileFailure> {
        let slices: Vec<Slice> = self.units(files)?.into_iter().map(Slice::whole).collect();
        self.visit(&slices, levels, &|Seen { slice, first, batch, metric, mut rows }| {
            let file = slice.unit.file;
            let mut found = Vec::with_capacity(rows.size_hint().0);
            if levels.keys.are_places() {
                found.extend(rows.map(|row| (first + row, levels.places.key(file, first + row))));
            } else {
                levels
                    .keys
                    .of_rows(batch, metric, &mut rows, &mut |row, key| found.push((first + row, key)))?;
            }
            take(file, &found);
            Ok(())
        })
    }

    pub(super) fn units(&self, files: &[usize]) -> Result<Vec<Unit>, FileFailure> {
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
        Ok(collect_results_of(files, units)?.into_iter().flatten().collect())
    }

    pub(super) fn visit(
        &self,
        slices: &[Slice],
        levels: &Levels,
        visitor: &Visitor<'_>,
    ) -> Result<(), FileFailure> {
        let predicates = self.filter.predicates();
        let done: Vec<Result<()>> = slices
            .par_iter()
            .with_max_len(1)
            .map(|slice| {
                self.progress.check()?;
                let listed = &self.files[slice.unit.file];
                self.visit_slice(slice, listed, levels, &predicates, visitor)
                    .map_err(|error| error.at(&listed.path))
            })
            .collect();
        let files: Vec<usize> = slices.iter().map(|slice| slice.unit.file).collect();
        collect_results_of(&files, done).map(drop)
    }

    fn visit_slice(
        &self,
        slice: &Slice,
        listed: &FileSnapshot,
        levels: &Levels,
        predicates: &[Predicate<'_>],
        visitor: &Visitor<'_>,
    ) -> Result<()> {
        let group = slice.unit.group;
        let Some(source) = &slice.unit.source else {
            let unnamed = Journal::open(&listed.path)?.header.dataset_name;
            let pins: Vec<_> = levels.pins.iter().collect();
            let metric = ColumnBounds::Nothing;
            let damage = read_journal(listed, &mut |first, batch| {
                let batch = &*self.scores.attach(&self.scores.names(), batch, &metric, listed, first)?;
                let rows = listed.live(batch, first, fitting(predicates, batch, &unnamed)?)?;
                let pinned = pinned(batch, &metric, rows, &pins)?;
                let rows = Rows::of(batch, pinned.as_deref());
                visitor(Seen { slice, first, batch, metric: &metric, rows })
            });
            // What is known of it has the damage.
            return damage.map(drop);
        };
        let unnamed = scan::dataset_of(&listed.path);
        let known = |column: &str| source.known(group, column);
        let mut open = Vec::with_capacity(predicates.len());
        for predicate in predicates {
            match predicate.decided_by(&known, &unnamed) {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => open.push(*predicate),
            }
        }
        let mut pins = Vec::with_capacity(levels.pins.len());
        for pin in &levels.pins {
            match pin.0.decided_by(&known(&pin.0.column), pin.1) {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => pins.push(pin),
            }
        }
        let metric = source.known(group, "metric");
        let is_read = |keys: &Keys, column: &str| {
            column != PLACES
                && (column != "metric"
                    || keys.column == "metric"
                    || !matches!(metric, ColumnBounds::Always(_)))
        };
        let columns_of = |keys| Keys::columns(keys).filter(move |column| is_read(keys, column));
        let mut chosen_by: BTreeSet<&str> = open.iter().flat_map(Predicate::columns).collect();
        chosen_by.extend(pins.iter().flat_map(|(keys, _)| columns_of(keys)));
        chosen_by.extend(listed.tells_live());
        let ordered_by: BTreeSet<&str> = columns_of(&levels.keys).collect();
        let start = u32::try_from(source.starts[group + 1])
            .map_err(|_| Error::new(ErrorKind::Schema, "a file of more than 4 billion rows"))
            .map(|_| source.starts[group] as u32 + slice.rows.as_ref().map_or(0, |rows| rows.start as u32))?;
        let choose = |batch: &RecordBatch, first: u32| {
            self.progress.check()?;
            let live = listed.live(batch, first, fitting(&open, batch, &unnamed)?)?;
            pinned(batch, &metric, live, &pins)
        };
        let read = |names: &BTreeSet<&str>, take: &mut dyn FnMut(&RecordBatch, u32) -> Result<()>| {
            let (columns, mut first) = (self.scores.stored(names, &metric, listed), start);
            source.read_slice(group, slice.rows.clone(), &columns, &mut |batch| {
                take(&*self.scores.attach(names, batch, &metric, listed, first)?, first)?;
                first += batch.num_rows() as u32;
                Ok(())
            })
        };
        if chosen_by.is_empty() || ordered_by.is_subset(&chosen_by) {
            let columns = chosen_by.union(&ordered_by).copied().collect();
            return read(&columns, &mut |batch, first| {
                let chosen = choose(batch, first)?;
                let rows = Rows::of(batch, chosen.as_deref());
                visitor(Seen { slice, first, batch, metric: &metric, rows })
            });
        }
        // What orders is most of the bytes, and is read only where there is a row that fits.
        let mut chosen = Vec::new();
        read(&chosen_by, &mut |batch, first| {
            let begin = first - start;
            match choose(batch, first)? {
                Some(rows) => chosen.extend(rows.into_iter().map(|row| begin + row)),
                None => chosen.extend(begin..begin + batch.num_rows() as u32),
            }
            Ok(())
        })?;
        if chosen.is_empty() {
            return Ok(());
        }
        let mut left = &mut chosen[..];
        read(&ordered_by, &mut |batch, first| {
            let begin = first - start;
            let here = left.partition_point(|row| *row < begin + batch.num_rows() as u32);
            let (now, later) = std::mem::take(&mut left).split_at_mut(here);
            left = later;
            now.iter_mut().for_each(|row| *row -= begin);
            if !now.is_empty() {
                visitor(Seen { slice, first, batch, metric: &metric, rows: Rows::Some(now.iter()) })?;
            }
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
pub(super) struct Seen<'a> {
    /// Of what was read.
    pub slice: &'a Slice,
    /// The place of the batch's first row.
    pub first: u32,
    /// Some columns.
    pub batch: &'a RecordBatch,
    /// What is known of their metrics.
    metric: &'a ColumnBounds,
    /// The rows of the batch that fit.
    pub rows: Rows<'a>,
}

type Visitor<'a> = dyn Fn(Seen<'_>) -> Result<()> + Sync + 'a;

/// Takes rows of a file, each with its key.
pub type TakeKeys<'a> = dyn Fn(usize, &[(u32, Key)]) + Sync + 'a;

/// What is read at a time: a row group of a file, or a whole journal.
pub(super) struct Unit {
    file: usize,
    pub source: Option<Arc<Source>>,
    group: usize,
}

impl Unit {
    /// How many rows it has; of a journal they are not counted.
    pub fn rows(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.starts[self.group + 1] - source.starts[self.group])
    }

    /// Whether a page of it can be read alone.
    pub fn can_read_pages(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.has_pages())
    }
}

/// A unit, or some rows of it.
pub(super) struct Slice {
    pub unit: Unit,
    /// By their places in a row group; `None`: all.
    pub rows: Option<std::ops::Range<usize>>,
}

impl Slice {
    /// All of a unit.
    pub fn whole(unit: Unit) -> Self {
        Self { unit, rows: None }
    }

    /// For how many rows of its unit each of its rows stands.
    pub fn weight(&self) -> u64 {
        self.rows.as_ref().map_or(1, |rows| self.unit.rows() / rows.len().max(1) as u64).max(1)
    }
}

/// Those of the rows that have the keys they must have.
fn pinned(
    batch: &RecordBatch,
    metric: &ColumnBounds,
    rows: Option<Vec<u32>>,
    pins: &[&(Keys, Key)],
) -> Result<Option<Vec<u32>>> {
    pins.iter().try_fold(rows, |rows, (keys, pin)| {
        let mut kept = Vec::new();
        keys.of_rows(batch, metric, &mut Rows::of(batch, rows.as_deref()), &mut |row, key| {
            if key == *pin {
                kept.push(row);
            }
        })?;
        Ok(Some(kept))
    })
}
