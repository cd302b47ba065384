//! Values that a type of Arrow can hold and that contradict it: decimals of more digits than they say, maps with a
//! key twice.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, DecimalType, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, MapArray, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::{reached, text};

/// Fails where a value, nested ones included, contradicts its type; says what it is. What no row reaches is no value.
pub fn check(array: &ArrayRef) -> Result<(), String> {
    of(array, None)
}

fn of(array: &ArrayRef, live: Option<&NullBuffer>) -> Result<(), String> {
    let live = NullBuffer::union(live, array.nulls());
    let live = live.as_ref();
    match array.data_type() {
        DataType::Decimal32(precision, _) => digits::<Decimal32Type>(array, *precision, live),
        DataType::Decimal64(precision, _) => digits::<Decimal64Type>(array, *precision, live),
        DataType::Decimal128(precision, _) => digits::<Decimal128Type>(array, *precision, live),
        DataType::Dictionary(_, values) if !values.is_string() => {
            of(&cast(array, values).map_err(|error| error.to_string())?, live)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            of(list.values(), reached::listed(list.offsets(), list.values().len(), live).as_ref())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            of(list.values(), reached::listed(list.offsets(), list.values().len(), live).as_ref())
        }
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            of(list.values(), reached::fixed(list, live).as_ref())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            keys(map, live)?;
            let reached = reached::listed(map.offsets(), map.entries().len(), live);
            map.entries().columns().iter().try_for_each(|column| of(column, reached.as_ref()))
        }
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(|column| of(column, live)),
        _ => Ok(()),
    }
}

fn digits<T: DecimalType>(array: &ArrayRef, precision: u8, live: Option<&NullBuffer>) -> Result<(), String> {
    let values = array.as_primitive::<T>().values().clone();
    PrimitiveArray::<T>::new(values, live.cloned())
        .with_data_type(array.data_type().clone())
        .validate_decimal_precision(precision)
        .map_err(|error| format!("decimals beyond their precision ({error})"))
}

/// Python's dicts, which answers are made of, have a key once.
fn keys(map: &MapArray, live: Option<&NullBuffer>) -> Result<(), String> {
    let told_apart = told_apart(map.keys()).map_err(|error| error.to_string())?;
    let keys = text::texts(&told_apart).map_err(|error| error.to_string())?;
    for (row, ends) in map.value_offsets().windows(2).enumerate() {
        let mut seen = HashSet::new();
        let is_once = |place: i32| seen.insert(keys.value(place as usize));
        if live.is_none_or(|live| live.is_valid(row)) && !(ends[0]..ends[1]).all(is_once) {
            let what = "maps with a key twice, as dicts have keys";
            return Err(format!("{what} (0.0 is -0.0, and times are told apart by whole µs)"));
        }
    }
    Ok(())
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
