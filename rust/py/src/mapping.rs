//! Rows as mappings, on their way into an accumulator.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use n4w_core::base::clock::parse_time;
use n4w_core::summary::topk::TEXTS;
use n4w_core::summary::{Accumulator, Row};
use n4w_core::types::columns::{COLUMNS, SCORES};
use n4w_core::write::mappings::Cell;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyType};

use crate::cells::{cell_of, number_of, time_of};
use crate::dict::{self, Elsewhere, Shape, is_less};
use crate::gate::to_py;

/// What is known of rows that were added, so that more of their kind are added faster.
#[derive(Default)]
pub struct Known {
    shape: Shape<{ COLUMNS.len() }>,
    /// So many more rows of other shapes are looked up: to learn one takes longer than to do without it once.
    patience: usize,
    times: Option<Times>,
}

/// How many rows are looked up before another shape is learned.
const PATIENCE: usize = 8;

/// The accumulator, whatever became of who had it last.
pub fn lock(state: &Mutex<Accumulator>) -> MutexGuard<'_, Accumulator> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a row: as the one before it was added, if it is like that.
///
/// Under the accumulator's lock runs no code of Python, which might come back here; a thread that does not get the lock of what is
/// known does without.
pub fn add(row: &Bound<'_, PyDict>, state: &Mutex<Accumulator>, known: &Mutex<Known>) -> PyResult<()> {
    let added = match known.try_lock() {
        Ok(mut known) => with_critical_section(row, || known.add_plain(row, || lock(state))),
        Err(_) => Err(Unlike::Value),
    };
    added.or_else(|unlike| add_looked_up(row, unlike, state, known))
}

/// Adds any row, by looking up its values, and remembers what it is like.
#[cold]
fn add_looked_up(
    row: &Bound<'_, PyDict>,
    unlike: Unlike,
    state: &Mutex<Accumulator>,
    known: &Mutex<Known>,
) -> PyResult<()> {
    let values = values_of(row)?;
    let [val, test, train, _, names @ .., created_at, branch_id, branch_name] = &values;
    let [names @ .., _, metric, task_type] = names;
    let scores = [
        number(val.as_ref(), SCORES[0])?,
        number(test.as_ref(), SCORES[1])?,
        number(train.as_ref(), SCORES[2])?,
    ];
    let mut texts: [Option<Cow<'_, str>>; TEXTS.len()] = Default::default();
    for ((text, value), key) in texts[1..].iter_mut().zip(names).zip(&TEXTS[1..]) {
        *text = text_of(value.as_ref(), key)?;
    }
    let text_at = |value, place: usize| text_of(value, COLUMNS[place]);
    let [metric, task_type] = [text_at(metric.as_ref(), 11)?, text_at(task_type.as_ref(), 12)?];
    let [branch_id, branch_name] = [text_at(branch_id.as_ref(), 14)?, text_at(branch_name.as_ref(), 15)?];
    let time = created_at.as_ref().map(time).transpose()?.flatten();
    let mut summed = Row {
        scores,
        texts: texts.each_ref().map(Option::as_deref),
        metric: metric.as_deref(),
        task_type: task_type.as_deref(),
        branch_id: branch_id.as_deref(),
        branch_name: branch_name.as_deref(),
        created_at: time,
    };
    if !lock(state).add_unranked(&summed) {
        let [id, preprocessings] = RANKED_ONLY.map(|place| value_of(row, place));
        let [id, preprocessings] = [id?, preprocessings?];
        let id = text_of(id.as_ref(), COLUMNS[RANKED_ONLY[0]])?;
        let preprocessings = text_of(preprocessings.as_ref(), COLUMNS[RANKED_ONLY[1]])?;
        (summed.texts[0], summed.texts[7]) = (id.as_deref(), preprocessings.as_deref());
        lock(state).add(&summed);
    }
    if let Ok(mut known) = known.try_lock() {
        if matches!(unlike, Unlike::Keys) {
            if known.patience > 0 {
                known.patience -= 1;
            } else if let Some(shape) = with_critical_section(row, || Shape::of(row, &COLUMNS)) {
                known.shape = shape;
                known.patience = PATIENCE;
            }
        }
        if let (Some(created_at), Some(micros)) = (&created_at, time)
            && !known.times.as_ref().is_some_and(|times| times.are_like(created_at))
            && let Some(times) = Times::of(created_at, micros)
        {
            known.times = Some(times);
        }
    }
    Ok(())
}

/// What keeps a row from being added as the one before it was.
enum Unlike {
    /// The keys are elsewhere, or others.
    Keys,
    /// A value is not plain.
    Value,
}

impl From<Elsewhere> for Unlike {
    fn from(_: Elsewhere) -> Self {
        Self::Keys
    }
}

impl Known {
    /// Adds a row whose keys are where those of another row were, if all its values are plain: exact strings,
    /// floats, datetimes, None; folds and branches may be integers.
    #[inline]
    fn add_plain<'a>(
        &mut self,
        row: &Bound<'_, PyDict>,
        accumulator: impl Fn() -> MutexGuard<'a, Accumulator>,
    ) -> Result<(), Unlike> {
        if !self.shape.may_be_of(row) {
            return Err(Unlike::Keys);
        }
        // SAFETY: the time is owned before its zone may run code of Python, and the others are asked for after
        // that. With them only such is done that runs none: not even their types are asked.
        #[allow(unsafe_code, reason = "values that are not owned")]
        let value = |column| unsafe { self.shape.value(row, column) };

        let (mut text_time, mut extreme) = (None, None);
        if let Some(time) = value(CREATED_AT)? {
            match dict::text(time) {
                Some(text) => text_time = Some(parse_time(text).ok_or(Unlike::Value)?),
                None => extreme = self.times.as_ref().ok_or(Unlike::Value)?.extreme(time.to_owned())?,
            }
        }
        let mut values = [None; COUNTED.len()];
        for (found, place) in values.iter_mut().zip(COUNTED) {
            *found = value(place)?;
        }
        let [val, test, train, names @ .., branch_id, branch_name] = values;
        let [run, dataset, model, config, fold, partition, metric, task_type] = names;
        let [fold, branch_id] = [plain_name(fold)?, plain_name(branch_id)?];
        let mut counted = Row {
            scores: [plain_number(val)?, plain_number(test)?, plain_number(train)?],
            texts: [
                None,
                plain_text(run)?,
                plain_text(dataset)?,
                plain_text(model)?,
                plain_text(config)?,
                fold.as_deref(),
                plain_text(partition)?,
                None,
            ],
            metric: plain_text(metric)?,
            task_type: plain_text(task_type)?,
            branch_id: branch_id.as_deref(),
            branch_name: plain_text(branch_name)?,
            created_at: text_time.or(extreme.as_ref().map(|extreme| extreme.1)),
        };
        if !accumulator().add_unranked(&counted) {
            let [id, preprocessings] = RANKED_ONLY.map(value);
            (counted.texts[0], counted.texts[7]) = (plain_text(id?)?, plain_text(preprocessings?)?);
            accumulator().add(&counted);
        }
        if let (Some(times), Some((time, _))) = (&mut self.times, extreme) {
            times.widen(time);
        }
        Ok(())
    }
}

/// Datetimes of one zone that were counted already: those between them tell nothing new.
struct Times {
    zone: Py<PyAny>,
    low: Py<PyAny>,
    high: Py<PyAny>,
    /// Of one of them, by which the time of others is known.
    first: (Py<PyAny>, i64),
}

impl Times {
    /// A datetime whose zone is plain and always the same time ahead, so that its clock orders instants.
    fn of(time: &Bound<'_, PyAny>, micros: i64) -> Option<Self> {
        static ZONES: [PyOnceLock<Py<PyType>>; 2] = [const { PyOnceLock::new() }; 2];
        let py = time.py();
        let zone = zone_of(time)?;
        let is_plain = zone.get_type().is(ZONES[0].import(py, "datetime", "timezone").ok()?)
            || zone.get_type().is(ZONES[1].import(py, "zoneinfo", "ZoneInfo").ok()?);
        let has_one_offset = || zone.call_method1(intern!(py, "utcoffset"), (py.None(),));
        (is_plain && !has_one_offset().ok()?.is_none()).then(|| Self {
            zone: zone.unbind(),
            low: time.clone().unbind(),
            high: time.clone().unbind(),
            first: (time.clone().unbind(), micros),
        })
    }

    fn are_like(&self, time: &Bound<'_, PyAny>) -> bool {
        zone_of(time).is_some_and(|zone| zone.is(&self.zone))
    }

    /// A datetime and its time, if that is earlier or later than all of them.
    ///
    /// Those of other zones are compared as instants, by what these zones say.
    #[inline]
    fn extreme<'py>(&self, time: Bound<'py, PyAny>) -> Result<Option<(Bound<'py, PyAny>, i64)>, Unlike> {
        let is_less = |one, other| is_less(one, other).ok_or(Unlike::Value);
        let [low, high] = [&self.low, &self.high].map(|known| known.bind(time.py()));
        if is_datetime(&time) && !is_less(&time, low)? && !is_less(high, &time)? {
            return Ok(None);
        }
        if !self.are_like(&time) {
            return Err(Unlike::Value);
        }
        let (first, micros) = &self.first;
        let since = micros_between(&time, first.bind(time.py())).map_err(|_| Unlike::Value)?;
        Ok(Some((time, micros + since)))
    }

    /// Takes note of an extreme that was added.
    fn widen(&mut self, time: Bound<'_, PyAny>) {
        let is_earlier = is_less(&time, self.low.bind(time.py())) == Some(true);
        *if is_earlier { &mut self.low } else { &mut self.high } = time.unbind();
    }
}

/// From one datetime to another of the same zone, several times faster than `timestamp` tells either's time.
fn micros_between(time: &Bound<'_, PyAny>, first: &Bound<'_, PyAny>) -> PyResult<i64> {
    let (py, delta) = (time.py(), time.sub(first)?);
    let part = |name| delta.getattr(name)?.extract::<i64>();
    let [days, seconds] = [part(intern!(py, "days"))?, part(intern!(py, "seconds"))?];
    Ok((days * 86_400 + seconds) * 1_000_000 + part(intern!(py, "microseconds"))?)
}

/// The places of `id` and `preprocessings` in [`COLUMNS`], which are looked up for ranked rows alone.
const RANKED_ONLY: [usize; 2] = [3, 10];

/// The place of `created_at`.
const CREATED_AT: usize = 13;

/// The places of all others.
const COUNTED: [usize; 13] = [0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15];

/// The values of a row that are not None, in the order of [`COLUMNS`].
fn values_of<'py>(row: &Bound<'py, PyDict>) -> PyResult<[Option<Bound<'py, PyAny>>; COLUMNS.len()]> {
    let mut values = [const { None }; COLUMNS.len()];
    for (place, value) in values.iter_mut().enumerate().filter(|(place, _)| !RANKED_ONLY.contains(place)) {
        *value = value_of(row, place)?;
    }
    Ok(values)
}

fn value_of<'py>(row: &Bound<'py, PyDict>, place: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
    static KEYS: PyOnceLock<[Py<PyString>; COLUMNS.len()]> = PyOnceLock::new();
    let py = row.py();
    let keys = KEYS.get_or_init(py, || COLUMNS.map(|column| PyString::intern(py, column).unbind()));
    Ok(row.get_item(&keys[place])?.filter(|value| !value.is_none()))
}

fn number(value: Option<&Bound<'_, PyAny>>, key: &str) -> PyResult<Option<f64>> {
    value.map_or(Ok(None), |value| number_of(value, key))
}

/// Text as it is, other values written out as batches and writers write them.
fn text_of<'a>(value: Option<&'a Bound<'_, PyAny>>, key: &str) -> PyResult<Option<Cow<'a, str>>> {
    let Some(value) = value else { return Ok(None) };
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str().map(|text| Some(Cow::Borrowed(text)));
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        // Of any size.
        return Ok(Some(Cow::Owned(value.str()?.to_str()?.to_owned())));
    }
    match cell_of(value, key)?.as_text(key) {
        Ok(Cell::Text(text)) => Ok(Some(text)),
        Ok(_) => Ok(None),
        Err(error) => Err(to_py(value.py(), &error)),
    }
}

/// A float or None.
#[inline]
fn plain_number(value: Option<Borrowed<'_, '_, PyAny>>) -> Result<Option<f64>, Unlike> {
    let Some(value) = value else { return Ok(None) };
    value.cast::<PyFloat>().map(|number| Some(number.value())).map_err(|_| Unlike::Value)
}

/// Text or None.
#[inline]
fn plain_text<'a>(value: Option<Borrowed<'a, '_, PyAny>>) -> Result<Option<&'a str>, Unlike> {
    value.map(|value| dict::text(value).ok_or(Unlike::Value)).transpose()
}

/// Text, an integer or None: what folds and branches are named with.
#[inline]
fn plain_name<'a>(value: Option<Borrowed<'a, '_, PyAny>>) -> Result<Option<Cow<'a, str>>, Unlike> {
    match value {
        Some(value) if value.is_exact_instance_of::<PyInt>() => {
            let number: i64 = value.extract().map_err(|_| Unlike::Value)?;
            Ok(Some(Cow::Owned(number.to_string())))
        }
        value => Ok(plain_text(value)?.map(Cow::Borrowed)),
    }
}

/// Text in ISO-8601, a datetime, or what means one.
fn time(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    // The shorter way for what is an instant, and no time of day somewhere.
    if zone_of(value).is_some() {
        let seconds: f64 = value.call_method0(intern!(value.py(), "timestamp"))?.extract()?;
        // From 1871 to 2068, where a float tells microseconds apart beyond doubt.
        if seconds.abs() < 3.1e9 {
            return Ok(Some((seconds * 1e6).round() as i64));
        }
    }
    time_of(value, COLUMNS[CREATED_AT])
}

/// The zone of what is exactly a datetime and has one.
fn zone_of<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    if !is_datetime(value) {
        return None;
    }
    value.getattr(intern!(value.py(), "tzinfo")).ok().filter(|zone| !zone.is_none())
}

#[inline]
fn is_datetime(value: &Bound<'_, PyAny>) -> bool {
    static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DATETIME
        .import(value.py(), "datetime", "datetime")
        .is_ok_and(|datetime| value.get_type_ptr() == datetime.as_type_ptr())
}
