//! The rows of a workspace that fit a filter, with their keys, file by file and row group by row group.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use rayon::prelude::*;

use super::filter::{Filter, Known, Predicate, fitting};
use super::keys::{Key, Keys, Ranks, Sort, Splitters, common_type, of_place};
use super::source::{Source, open_same};
use super::window::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileError, Open};
use crate::footer::TailReader;
use crate::journal::Journal;
use crate::platform::{self, Identity};
use crate::progress::Progress;
use crate::rows::Type;
use crate::summary::columns::Texts;
use crate::summary::embedded::{self, Embedded};
use crate::{ipc, live, scan, segments};

/// So many splitters are chosen of a column of texts, about.
const SPLITTERS: usize = 65_536;

/// What failed, and of which file of those listed, if of one.
#[derive(Debug)]
pub struct Failed {
    /// The file, by its place.
    pub file: Option<usize>,
    /// Why.
    pub error: Error,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { file: None, error }
    }
}

/// One listed file.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Relative to the workspace.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// When it was listed; the size of a journal is that of what counts in it.
    pub identity: Identity,
    /// Before it was listed, ns since 1970.
    pub seen_at: i64,
}

impl Listed {
    /// Its name without what tells an open segment from a sealed one.
    pub fn stem(&self) -> &str {
        let name = self.name.strip_suffix(crate::journal::SUFFIX).unwrap_or(&self.name);
        name.strip_suffix(files::SUFFIX).unwrap_or(name)
    }

    /// Whether it is an open segment.
    pub fn is_journal(&self) -> bool {
        segments::is_journal(&self.name)
    }

    /// Whether what was read of `other` is what this file holds.
    pub fn is_still(&self, other: &Self) -> bool {
        // The last frame of a journal ends it: what was appended since shows in its size.
        self.identity == other.identity && (self.is_journal() || self.identity.settled_at(other.seen_at))
    }
}

/// The prediction files of a workspace at one moment.
pub struct Files {
    /// In the order of their stems.
    pub files: Vec<Listed>,
    /// Those that cannot be used.
    pub errors: Vec<FileError>,
}

impl Files {
    /// Lists them; those in `bad` are left out. One that vanishes meanwhile is an error, or one of the errors.
    pub fn list(root: &Path, open: Open, bad: &BTreeMap<String, FileError>, report_vanished: bool) -> Result<Self> {
        let seen_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as i64);
        let listing = files::list(root, open)?;
        let mut errors = listing.errors;
        errors.extend(bad.values().cloned());
        let identities: Vec<_> = listing.files.par_iter().with_min_len(64).map(|name| identity(root, name)).collect();
        let mut files = Vec::with_capacity(listing.files.len());
        for (name, identity) in listing.files.into_iter().zip(identities) {
            match identity {
                _ if bad.contains_key(&name) => {}
                Ok(identity) => {
                    files.push(Listed { path: files::path_of(root, &name), name, identity, seen_at });
                }
                Err(error) if FileError::is_vanished(&error) && !report_vanished => return Err(error),
                Err(error) => errors.push(FileError::new(&name, &error)),
            }
        }
        files.sort_unstable_by(|one, two| one.stem().cmp(two.stem()));
        Ok(Self { files, errors })
    }
}

fn identity(root: &Path, name: &str) -> Result<Identity> {
    let path = files::path_of(root, name);
    if segments::is_journal(name) {
        let journal = Journal::open(&path)?;
        let metadata = journal.file.metadata().map_err(|error| Error::io(&path, error))?;
        return Ok(Identity { size: journal.limit(), mtime_ns: 0, ctime_ns: 0, ..platform::identity(&metadata) });
    }
    std::fs::metadata(&path).map(|metadata| platform::identity(&metadata)).map_err(|error| Error::io(&path, error))
}

/// What must be known of a file before its rows are ordered.
#[derive(Clone, Debug)]
struct Facts {
    /// Whether its summary leaves it possible that a row fits.
    can_fit: bool,
    /// The types of the column that orders.
    types: Vec<DataType>,
    /// Its metrics, where the order needs them.
    metrics: BTreeSet<String>,
    /// What is damaged in it, after the rows that count.
    damage: Option<FileError>,
}

/// What is known of the files of one query, kept between pages.
#[derive(Clone, Default)]
struct Shape {
    facts: Arc<HashMap<String, (Listed, Arc<Facts>)>>,
    splitters: HashMap<String, Arc<Splitters>>,
    used: u64,
}

/// Queries whose shapes are kept.
const KEPT_SHAPES: usize = 16;

static SHAPES: Mutex<Option<HashMap<String, Shape>>> = Mutex::new(None);

/// Forgets a query's splitters and facts, and of others what has not been used for long.
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
                    None => facts_of(file, filter, &sort.column, needs_metrics, tails).map(Arc::new),
                }
            })
            .collect();
        let facts = all_of(facts)?;
        let known = files.iter().zip(&facts).map(|(file, facts)| {
            (file.name.clone(), (file.clone(), Arc::clone(facts)))
        });
        let known = Arc::new(known.collect());
        with_shape(&query, |shape| shape.facts = known);
        let fitting = || facts.iter().filter(|facts| facts.can_fit);
        let kind = common_type(&sort.column, fitting().flat_map(|facts| facts.types.iter().cloned()))?;
        let ranks = sort.is_best_first().then(|| match filter.value("metric") {
            Some(metric) => Ranks::of(&BTreeSet::from([metric.to_owned()]), sort.direction),
            None => Ranks::of(&fitting().flat_map(|facts| facts.metrics.iter().cloned()).collect(), sort.direction),
        });
        let keys = Keys {
            column: sort.column.clone(),
            kind,
            descending: sort.descending.unwrap_or(false),
            ranks,
            splitters: Arc::default(),
        };
        let name = format!("{kind:?} {:?}", keys.ranks);
        let usable = (0..files.len()).filter(|&file| facts[file].can_fit).collect();
        let damage = facts.iter().filter_map(|facts| facts.damage.clone()).collect();
        let levels = Levels { pins: Vec::new(), keys, name };
        let mut order = Self { files, filter, query, levels, usable, damage, limits: Limits::default(), progress };
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
        levels.keys.splitters = match known {
            Some(splitters) => splitters,
            None => {
                let splitters = Arc::new(self.splitters(&levels)?);
                with_shape(&self.query, |shape| shape.splitters.insert(levels.name.clone(), Arc::clone(&splitters)));
                splitters
            }
        };
        Ok(levels)
    }

    fn splitters(&self, levels: &Levels) -> Result<Splitters, Failed> {
        let units = self.units(&self.usable)?;
        let each = (SPLITTERS / units.len().max(1)).max(16);
        let column = levels.keys.column.as_str();
        let texts = Mutex::new(BTreeSet::new());
        self.visit(units, levels, &mut || |_: usize, _: u32, batch: &RecordBatch, _: &Known, rows: Rows<'_>| {
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
                found.extend(used.iter().step_by(used.len() / each + 1).filter_map(|&value| values.get(value)));
            } else {
                let rows: Vec<u32> = rows.collect();
                found.extend(rows.iter().step_by(rows.len() / each + 1).filter_map(|&row| all.get(row as usize)));
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
        Ok(Splitters { texts: texts.into_iter().collect() })
    }

    /// Hands out the rows of some files that fit, with their keys, a few thousand of one file at a time.
    pub fn keys(
        &self,
        levels: &Levels,
        files: &[usize],
        take: &(dyn Fn(usize, &[(u32, Key)]) + Sync),
    ) -> Result<(), Failed> {
        let units = self.units(files)?;
        self.visit(units, levels, &mut || |file: usize, first: u32, batch: &RecordBatch, metric: &Known, mut rows: Rows<'_>| {
            let mut found = Vec::with_capacity(rows.size_hint().0);
            if levels.keys.are_places() {
                found.extend(rows.map(|row| (first + row, of_place(file, first + row))));
            } else {
                levels.keys.of_rows(batch, metric, &mut rows, &mut |row, key| found.push((first + row, key)))?;
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
                Ok((0..source.groups()).map(|group| Unit { file, source: Some(Arc::clone(&source)), group }).collect())
            })
            .collect();
        Ok(all_with(files, units)?.into_iter().flatten().collect())
    }

    fn visit<V>(&self, units: Vec<Unit>, levels: &Levels, make: &mut dyn FnMut() -> V) -> Result<(), Failed>
    where
        V: Fn(usize, u32, &RecordBatch, &Known, Rows<'_>) -> Result<()> + Sync,
    {
        let visitor = make();
        let predicates = self.filter.predicates();
        let done: Vec<Result<()>> = units
            .par_iter()
            .with_max_len(1)
            .map(|unit| {
                self.progress.check()?;
                let listed = &self.files[unit.file];
                self.visit_unit(unit, listed, levels, &predicates, &visitor).map_err(|error| error.at(&listed.path))
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
        visitor: &dyn Fn(usize, u32, &RecordBatch, &Known, Rows<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(source) = &unit.source else {
            let unnamed = Journal::open(&listed.path)?.header.dataset_name;
            return read_journal(listed, &mut |first, batch| {
                let pinned = pinned(batch, &Known::Nothing, fitting(predicates, batch, &unnamed)?, levels)?;
                visitor(unit.file, first, batch, &Known::Nothing, Rows::of(batch, pinned.as_deref()))
            });
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
        let columns: Vec<&str> = columns.into_iter().collect();
        let mut first = u32::try_from(source.starts[unit.group])
            .map_err(|_| Error::new(ErrorKind::Schema, "a file of more than 4 billion rows"))?;
        source.read_group(unit.group, &columns, &mut |batch| {
            self.progress.check()?;
            let pinned = pinned(batch, &metric, fitting(&open, batch, &unnamed)?, levels)?;
            visitor(unit.file, first, batch, &metric, Rows::of(batch, pinned.as_deref()))?;
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

/// What is read at a time: a row group of a file, or a whole journal.
struct Unit {
    file: usize,
    source: Option<Arc<Source>>,
    group: usize,
}

/// Those of the rows that have the keys they must have.
fn pinned(batch: &RecordBatch, metric: &Known, rows: Option<Vec<u32>>, levels: &Levels) -> Result<Option<Vec<u32>>> {
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

/// Hands out the batches of a journal, each with the place of its first row; says what is damaged after them.
pub fn read_journal(
    listed: &Listed,
    take: &mut dyn FnMut(u32, &RecordBatch) -> Result<()>,
) -> Result<()> {
    read_journal_and_damage(listed, take).map(drop)
}

fn read_journal_and_damage(
    listed: &Listed,
    take: &mut dyn FnMut(u32, &RecordBatch) -> Result<()>,
) -> Result<Option<Error>> {
    let journal = Journal::open(&listed.path)?;
    let mut first = 0;
    let (_, damage) = live::rows(&journal, journal.begin(), &mut |batches| {
        for batch in batches {
            take(first, batch)?;
            first += batch.num_rows() as u32;
        }
        Ok(())
    })?;
    Ok(damage)
}

fn facts_of(
    listed: &Listed,
    filter: &Filter,
    column: &str,
    needs_metrics: bool,
    tails: &mut TailReader,
) -> Result<Facts> {
    let mut facts = Facts { can_fit: true, types: Vec::new(), metrics: BTreeSet::new(), damage: None };
    let type_in = |schema: &SchemaRef| schema.field_with_name(column).map(|field| field.data_type().clone()).ok();
    if listed.is_journal() {
        let damage = read_journal_and_damage(listed, &mut |_, batch| {
            facts.types.extend(type_in(&batch.schema()));
            if needs_metrics {
                facts.metrics.extend(metrics_of(batch)?);
            }
            Ok(())
        })?;
        facts.types.dedup();
        facts.damage = damage.map(|error| FileError::new(&listed.name, &error));
        return Ok(facts);
    }
    let mut names = None;
    if needs_metrics || !filter.is_empty() {
        let file = open_same(&listed.path, listed.identity)?;
        let tail = tails.read_file(&file).map_err(|error| error.at(&listed.path))?;
        let embedded = embedded::read_bytes(tail.bytes()).map_err(|error| error.at(&listed.path))?;
        if let Embedded::Trusted(sketch) = embedded {
            let datasets = sketch.datasets().map_err(|error| error.at(&listed.path))?;
            facts.can_fit = filter.can_be_in(&datasets);
            if !facts.can_fit {
                return Ok(facts);
            }
            let groups = datasets.values().flat_map(|dataset| dataset.groups());
            names = Some(groups.map(|(metric, _)| metric.to_owned()).collect());
        }
    }
    let source = Source::open(&listed.path, listed.identity)?;
    facts.types.extend(type_in(source.schema()));
    if needs_metrics {
        facts.metrics = match names {
            Some(names) => names,
            None => metrics_in(&source)?,
        };
    }
    Ok(facts)
}

fn metrics_in(source: &Source) -> Result<BTreeSet<String>> {
    let mut metrics = BTreeSet::new();
    for group in 0..source.groups() {
        match source.known(group, "metric") {
            Known::Always(metric) => metrics.extend(metric),
            _ => source.read_group(group, &["metric"], &mut |batch| {
                metrics.extend(metrics_of(batch)?);
                Ok(())
            })?,
        }
    }
    Ok(metrics)
}

fn metrics_of(batch: &RecordBatch) -> Result<Vec<String>> {
    let texts = Texts::of(batch, "metric")?;
    Ok(texts.codes(0..batch.num_rows()).names.into_iter().map(str::to_owned).collect())
}

/// The columns of a listed file.
pub fn schemas_of(listed: &Listed) -> Result<Vec<SchemaRef>> {
    if !listed.is_journal() {
        return Ok(vec![Source::open(&listed.path, listed.identity)?.schema().clone()]);
    }
    let journal = Journal::open(&listed.path)?;
    let mut schemas: Vec<SchemaRef> = Vec::new();
    journal.read(journal.begin(), &mut |kind, payload| {
        if kind == crate::journal::Kind::Rows {
            let schema = ipc::schema_of(payload)?;
            if !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
        Ok(())
    })?;
    Ok(schemas)
}

/// All results of all files in their order, or the first that failed; interruption before all else.
pub fn all_of<T>(results: Vec<Result<T>>) -> Result<Vec<T>, Failed> {
    let files: Vec<usize> = (0..results.len()).collect();
    all_with(&files, results)
}

/// The same where each result is of the file beside it.
pub fn all_with<T>(files: &[usize], results: Vec<Result<T>>) -> Result<Vec<T>, Failed> {
    let ends_all = |error: &Error| error.kind == ErrorKind::Interrupted || FileError::is_vanished(error);
    let mut good = Vec::with_capacity(results.len());
    let mut first = None;
    for (&file, result) in files.iter().zip(results) {
        match result {
            Ok(result) => good.push(result),
            Err(error) if ends_all(&error) => return Err(Failed { file: Some(file), error }),
            Err(error) => {
                first.get_or_insert(Failed { file: Some(file), error });
            }
        }
    }
    first.map_or(Ok(good), Err)
}
