//! Values that a type of Arrow can hold and its readers cannot: times outside of the years 1 to 9999, times
//! of day beyond a day, durations beyond what Python knows.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, PrimitiveArray,
    StructArray, make_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, TimeUnit};

use super::reached;

/// Days since 1970 of 0001-01-01 and 9999-12-31.
const DAYS: RangeInclusive<i64> = -719_162..=2_932_896;
const DAY_S: i64 = 86_400;
/// Whole days of Python's longest `timedelta`.
const LONGEST: i64 = 999_999_999;

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The numbers of a type that mean something to every reader; `None` where all do.
pub fn allowed(kind: &DataType) -> Option<RangeInclusive<i64>> {
    // Where days in such ticks are more than an integer holds, all of them are allowed, the last one as well.
    let ticks = |days: i64, unit: TimeUnit| i128::from(days) * i128::from(DAY_S * per_second(unit));
    let within = |first: i128, last: i128| {
        let clamped = |tick: i128| tick.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        clamped(first)..=clamped(last)
    };
    let times = |unit: TimeUnit, first: i64, beyond: i64| within(ticks(first, unit), ticks(beyond, unit) - 1);
    match kind {
        DataType::Date32 => Some(DAYS),
        DataType::Date64 => Some(times(TimeUnit::Millisecond, *DAYS.start(), *DAYS.end() + 1)),
        DataType::Timestamp(unit, _) => Some(times(*unit, *DAYS.start(), *DAYS.end() + 1)),
        DataType::Time32(unit) | DataType::Time64(unit) => Some(times(*unit, 0, 1)),
        DataType::Duration(unit) => Some(within(ticks(-LONGEST, *unit), ticks(LONGEST, *unit))),
        _ => None,
    }
}

/// Calls `$with` with the Arrow type of a type that has allowed numbers.
macro_rules! dispatch {
    ($kind:expr, $with:ident, $otherwise:expr) => {
        match $kind {
            DataType::Date32 => $with!(Date32Type),
            DataType::Date64 => $with!(Date64Type),
            DataType::Timestamp(TimeUnit::Second, _) => $with!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $with!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $with!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $with!(TimestampNanosecondType),
            DataType::Time32(TimeUnit::Second) => $with!(Time32SecondType),
            DataType::Time32(_) => $with!(Time32MillisecondType),
            DataType::Time64(TimeUnit::Microsecond) => $with!(Time64MicrosecondType),
            DataType::Time64(_) => $with!(Time64NanosecondType),
            DataType::Duration(TimeUnit::Second) => $with!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $with!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $with!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $with!(DurationNanosecondType),
            _ => $otherwise,
        }
    };
}

/// Whether µs since 1970 are a time that readers know.
pub fn is_time(micros: i64) -> bool {
    allowed(&DataType::Timestamp(TimeUnit::Microsecond, None)).is_some_and(|range| range.contains(&micros))
}

/// Whether µs are a duration that readers know.
pub fn is_duration(micros: i64) -> bool {
    allowed(&DataType::Duration(TimeUnit::Microsecond)).is_some_and(|range| range.contains(&micros))
}

/// What a type allows of the values that it can hold, for messages.
fn expected(kind: &DataType) -> &'static str {
    match kind {
        DataType::Time32(_) | DataType::Time64(_) => "times of day from 00:00 to before 24:00",
        DataType::Duration(_) => "durations from -999,999,999 to 999,999,999 days",
        _ => "times within the years 1 to 9999",
    }
}

/// A column in which values that no reader knows are null, nested ones included.
pub struct Within {
    /// The column, of its own type but for dictionaries that held such values, and fields that may be null now.
    pub array: ArrayRef,
    /// How many such values it had.
    pub outside: usize,
    /// What the first such value is and should have been.
    pub what: Option<String>,
}

/// A column in which values that no reader knows are null. A map that has one as a key is null itself; what no row
/// reaches is no value.
pub fn within(array: ArrayRef) -> Result<Within, ArrowError> {
    let mut found = Found::default();
    let changed = found.walk(&array, None)?;
    let Found { outside, what } = found;
    Ok(Within { array: changed.unwrap_or(array), outside, what })
}

/// Whether a value of a type, or one nested in it, may be one that no reader knows.
fn is_limited(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_limited(values),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => is_limited(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| is_limited(field.data_type())),
        kind => allowed(kind).is_some(),
    }
}

/// What was found on the way through a column.
#[derive(Default)]
struct Found {
    outside: usize,
    what: Option<String>,
}

impl Found {
    /// The array without such values, of which those are counted that `live` rows reach; `None` where it has none.
    fn walk(&mut self, array: &ArrayRef, live: Option<&NullBuffer>) -> Result<Option<ArrayRef>, ArrowError> {
        let kind = array.data_type();
        if !is_limited(kind) {
            return Ok(None);
        }
        let live = NullBuffer::union(live, array.nulls());
        let live = live.as_ref();
        if let Some(allowed) = allowed(kind) {
            macro_rules! flat {
                ($type:ty) => {
                    self.flat::<$type>(array, &allowed, live)
                };
            }
            return Ok(dispatch!(kind, flat, None));
        }
        Ok(match kind {
            DataType::Dictionary(_, values) => {
                let entries = Self::default().walk(array.as_any_dictionary().values(), None)?;
                // Rows count, not what their dictionary holds.
                if entries.is_none() { None } else { self.walk(&cast(array, values)?, live)? }
            }
            DataType::List(field) => self.list(array.as_list::<i32>(), field, live)?,
            DataType::LargeList(field) => self.list(array.as_list::<i64>(), field, live)?,
            DataType::FixedSizeList(field, length) => {
                let list = array.as_fixed_size_list();
                let Some(values) = self.walk(list.values(), reached::fixed(list, live).as_ref())? else {
                    return Ok(None);
                };
                let field = field_of(field, &values);
                Some(Arc::new(FixedSizeListArray::try_new(field, *length, values, list.nulls().cloned())?))
            }
            DataType::Map(_, is_sorted) => self.map(array.as_map(), *is_sorted, live)?,
            DataType::Struct(fields) => {
                let rows = array.as_struct();
                let mut is_changed = false;
                let (mut kinds, mut columns) =
                    (Vec::with_capacity(fields.len()), Vec::with_capacity(fields.len()));
                for (field, column) in fields.iter().zip(rows.columns()) {
                    let changed = self.walk(column, live)?;
                    is_changed |= changed.is_some();
                    let column = changed.unwrap_or_else(|| Arc::clone(column));
                    kinds.push(field_of(field, &column));
                    columns.push(column);
                }
                let nulls = rows.nulls().cloned();
                if is_changed {
                    Some(Arc::new(StructArray::try_new(kinds.into(), columns, nulls)?))
                } else {
                    None
                }
            }
            _ => None,
        })
    }

    fn flat<T: ArrowPrimitiveType>(
        &mut self,
        array: &ArrayRef,
        allowed: &RangeInclusive<i64>,
        live: Option<&NullBuffer>,
    ) -> Option<ArrayRef>
    where
        T::Native: Into<i64>,
    {
        let (kind, array) = (array.data_type(), array.as_primitive::<T>());
        let values = array.values();
        if values.iter().all(|&value| allowed.contains(&value.into())) {
            return None;
        }
        let is_known = BooleanBuffer::collect_bool(values.len(), |row| allowed.contains(&values[row].into()));
        let is_live = |row: usize| live.is_none_or(|live| live.is_valid(row));
        let outside = (0..values.len()).filter(|&row| !is_known.value(row) && is_live(row)).count();
        if outside > 0 {
            self.outside += outside;
            self.what.get_or_insert_with(|| format!("values of type {kind} that are no {}", expected(kind)));
        }
        // What lies under a null is looked at by some kernels.
        let kept = values
            .iter()
            .map(|&value| if allowed.contains(&value.into()) { value } else { T::default_value() });
        let nulls = NullBuffer::union(array.nulls(), Some(&NullBuffer::new(is_known)));
        let kept = PrimitiveArray::<T>::new(kept.collect(), nulls).with_data_type(kind.clone());
        Some(Arc::new(kept))
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        list: &GenericListArray<O>,
        field: &FieldRef,
        live: Option<&NullBuffer>,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        let reached = reached::listed(list.offsets(), list.values().len(), live);
        let Some(values) = self.walk(list.values(), reached.as_ref())? else { return Ok(None) };
        let (field, offsets, nulls) =
            (field_of(field, &values), list.offsets().clone(), list.nulls().cloned());
        Ok(Some(Arc::new(GenericListArray::<O>::try_new(field, offsets, values, nulls)?)))
    }

    fn map(
        &mut self,
        map: &MapArray,
        is_sorted: bool,
        live: Option<&NullBuffer>,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        let reached = reached::listed(map.offsets(), map.entries().len(), live);
        let keys = self.walk(map.keys(), reached.as_ref())?;
        let values = self.walk(map.values(), reached.as_ref())?;
        if keys.is_none() && values.is_none() {
            return Ok(None);
        }
        let mut nulls = map.nulls().cloned();
        let keys = match keys {
            None => Arc::clone(map.keys()),
            Some(keys) => {
                let offsets = map.value_offsets();
                let is_whole = |row: usize| {
                    (offsets[row] as usize..offsets[row + 1] as usize).all(|entry| keys.is_valid(entry))
                };
                let whole = NullBuffer::new(BooleanBuffer::collect_bool(map.len(), is_whole));
                nulls = NullBuffer::union(nulls.as_ref(), Some(&whole));
                make_array(keys.to_data().into_builder().nulls(None).build()?)
            }
        };
        let values = values.unwrap_or_else(|| Arc::clone(map.values()));
        let fields = map.entries().fields();
        let pair = vec![field_of(&fields[0], &keys), field_of(&fields[1], &values)];
        let entries = StructArray::try_new(pair.into(), vec![keys, values], None)?;
        let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let map = MapArray::try_new(field, map.offsets().clone(), entries, nulls, is_sorted)?;
        Ok(Some(Arc::new(map)))
    }
}

/// A field for what came of its values.
fn field_of(field: &FieldRef, values: &ArrayRef) -> FieldRef {
    let is_nullable = field.is_nullable() || values.null_count() > 0;
    let field = Field::clone(field).with_data_type(values.data_type().clone());
    Arc::new(field.with_nullable(is_nullable))
}
