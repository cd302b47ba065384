//! Values that a type of Arrow can hold and its readers cannot: times outside of the years 1 to 9999, times
//! of day beyond a day, durations beyond what Python knows, decimals with more digits than they say.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float64Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, PrimitiveArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, TimeUnit};

/// Days since 1970 of 0001-01-01 and 9999-12-31.
const DAYS: RangeInclusive<i64> = -719_162..=2_932_896;
const DAY_S: i64 = 86_400;
/// Days of Python's longest `timedelta`.
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
fn allowed(kind: &DataType) -> Option<RangeInclusive<i64>> {
    let times = |unit: TimeUnit, first: i64, beyond: i64| {
        let ticks = per_second(unit);
        first.saturating_mul(DAY_S).saturating_mul(ticks)
            ..=beyond.saturating_mul(DAY_S).saturating_mul(ticks).saturating_sub(1)
    };
    match kind {
        DataType::Date32 => Some(DAYS),
        DataType::Date64 => Some(times(TimeUnit::Millisecond, *DAYS.start(), *DAYS.end() + 1)),
        DataType::Timestamp(unit, _) => Some(times(*unit, *DAYS.start(), *DAYS.end() + 1)),
        DataType::Time32(unit) | DataType::Time64(unit) => Some(times(*unit, 0, 1)),
        DataType::Duration(unit) => Some(times(*unit, -LONGEST, LONGEST)),
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

fn outside<T: ArrowPrimitiveType>(array: &ArrayRef, allowed: &RangeInclusive<i64>) -> usize
where
    T::Native: Into<i64>,
{
    array.as_primitive::<T>().iter().flatten().filter(|&value| !allowed.contains(&value.into())).count()
}

fn without<T: ArrowPrimitiveType>(array: &ArrayRef, allowed: &RangeInclusive<i64>) -> ArrayRef
where
    T::Native: Into<i64>,
{
    let array = array.as_primitive::<T>();
    let kept: PrimitiveArray<T> =
        array.iter().map(|value| value.filter(|&value| allowed.contains(&value.into()))).collect();
    Arc::new(kept.with_data_type(array.data_type().clone()))
}

/// Whether µs since 1970 are a time that readers know.
pub fn is_time(micros: i64) -> bool {
    allowed(&DataType::Timestamp(TimeUnit::Microsecond, None)).is_some_and(|range| range.contains(&micros))
}

/// Whether µs are a duration that readers know.
pub fn is_duration(micros: i64) -> bool {
    allowed(&DataType::Duration(TimeUnit::Microsecond)).is_some_and(|range| range.contains(&micros))
}

/// Fails where a value, nested ones included, is outside of what readers know; says what it is.
pub fn check(array: &ArrayRef) -> Result<(), String> {
    let kind = array.data_type();
    if let Some(allowed) = allowed(kind) {
        macro_rules! count {
            ($type:ty) => {
                outside::<$type>(array, &allowed)
            };
        }
        if dispatch!(kind, count, 0) > 0 {
            return Err(match kind {
                DataType::Time32(_) | DataType::Time64(_) => "times of day outside of a day".to_owned(),
                DataType::Duration(_) => format!("durations beyond {LONGEST} days"),
                _ => "times outside of the years 1 to 9999".to_owned(),
            });
        }
    }
    let digits = |error: arrow_schema::ArrowError| format!("decimals beyond their precision ({error})");
    match kind {
        DataType::Decimal32(precision, _) => {
            array.as_primitive::<Decimal32Type>().validate_decimal_precision(*precision).map_err(digits)
        }
        DataType::Decimal64(precision, _) => {
            array.as_primitive::<Decimal64Type>().validate_decimal_precision(*precision).map_err(digits)
        }
        DataType::Decimal128(precision, _) => {
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision).map_err(digits)
        }
        DataType::Dictionary(..) => check(array.as_any_dictionary().values()),
        DataType::List(_) => check(array.as_list::<i32>().values()),
        DataType::LargeList(_) => check(array.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => check(array.as_fixed_size_list().values()),
        DataType::Map(..) => {
            let map = array.as_map();
            // Python's dicts, which answers are made of, have a key once.
            let told_apart = told_apart(map.keys()).map_err(|error| error.to_string())?;
            let keys = super::text::texts(&told_apart).map_err(|error| error.to_string())?;
            for ends in map.value_offsets().windows(2) {
                let mut seen = std::collections::HashSet::new();
                if !(ends[0]..ends[1]).all(|place| seen.insert(keys.value(place as usize))) {
                    let what = "maps with a key twice, as dicts have keys";
                    return Err(format!("{what} (0.0 is -0.0, and times are told apart by whole µs)"));
                }
            }
            map.entries().columns().iter().try_for_each(check)
        }
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(check),
        _ => Ok(()),
    }
}

/// Keys as Python tells them apart: without the sign of zero, times of ns in µs, downwards, durations towards zero.
fn told_apart(keys: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let micros = |whole: fn(i64) -> i64, kind: DataType| {
        let nanos = cast(keys, &DataType::Int64)?;
        let micros: Int64Array = nanos.as_primitive::<Int64Type>().unary(whole);
        cast(&micros, &kind)
    };
    let downwards = |nanos: i64| nanos.div_euclid(1_000);
    match keys.data_type() {
        DataType::Dictionary(_, values) => told_apart(&cast(keys, values)?),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let wide = cast(keys, &DataType::Float64)?;
            let unsigned: Float64Array = wide.as_primitive::<Float64Type>().unary(|value| value + 0.0);
            Ok(Arc::new(unsigned))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            micros(downwards, DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Time64(TimeUnit::Nanosecond) => micros(downwards, DataType::Time64(TimeUnit::Microsecond)),
        DataType::Duration(TimeUnit::Nanosecond) => {
            micros(|nanos| nanos / 1_000, DataType::Duration(TimeUnit::Microsecond))
        }
        _ => Ok(Arc::clone(keys)),
    }
}

/// A flat column in which values that no reader knows are null, and how many these are.
pub fn within(array: ArrayRef) -> (ArrayRef, usize) {
    let kind = array.data_type().clone();
    let Some(allowed) = allowed(&kind) else { return (array, 0) };
    macro_rules! count {
        ($type:ty) => {
            outside::<$type>(&array, &allowed)
        };
    }
    macro_rules! replace {
        ($type:ty) => {
            without::<$type>(&array, &allowed)
        };
    }
    match dispatch!(&kind, count, 0) {
        0 => (array, 0),
        count => (dispatch!(&kind, replace, array), count),
    }
}
