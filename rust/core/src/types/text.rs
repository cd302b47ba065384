//! The text of any value, for columns whose types have nothing else in common: scalars as people write
//! them, nested values as strict JSON, bytes as base64.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float16Type, Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, StringArray, make_array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, DurationFormat, FormatOptions};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use crate::base::value::Value;

/// A column as texts; null where a value is.
pub fn texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let flat = array.logical_nulls();
    let is_null = |row: usize| flat.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let values = values(array)?;
    let text = |(row, value): (usize, Value)| match value {
        _ if is_null(row) => None,
        Value::Null => None,
        Value::Text(text) => Some(text),
        Value::Float(number) => Some(number.to_string()),
        other => Some(other.to_json()),
    };
    Ok(values.into_iter().enumerate().map(text).collect())
}

/// A column as JSON values; NaN and infinities are texts.
fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let floats = |values: &mut dyn Iterator<Item = Option<f64>>| -> Vec<Value> {
        values.map(|value| value.map_or(Value::Null, |value| number(value, array.data_type()))).collect()
    };
    Ok(match array.data_type() {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        DataType::Float16 => {
            floats(&mut array.as_primitive::<Float16Type>().iter().map(|value| value.map(f64::from)))
        }
        DataType::Float32 => {
            floats(&mut array.as_primitive::<Float32Type>().iter().map(|value| value.map(f64::from)))
        }
        DataType::Float64 => floats(&mut array.as_primitive::<Float64Type>().iter()),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let wide = cast(array, &DataType::Int64)?;
            wide.as_primitive::<arrow_array::types::Int64Type>().iter().map(Value::from).collect()
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let wide = cast(array, &DataType::UInt64)?;
            let wide = wide.as_primitive::<arrow_array::types::UInt64Type>();
            wide.iter().map(|value| value.map_or(Value::Null, Value::Int)).collect()
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8)?;
            texts.as_string::<i32>().iter().map(Value::from).collect()
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let bytes = cast(array, &DataType::Binary)?;
            let encode = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
            bytes
                .as_binary::<i32>()
                .iter()
                .map(|value| value.map_or(Value::Null, |value| Value::Text(encode(value))))
                .collect()
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            let text = |row: usize| {
                let day = days.is_valid(row).then(|| days.value_as_date(row)).flatten();
                day.map(|day| day.to_string())
            };
            (0..days.len()).map(|row| text(row).map_or(Value::Null, Value::Text)).collect()
        }
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Nanosecond => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let end = if zone.is_some() { "+00:00" } else { "" };
            let text =
                |micros: i64| crate::base::clock::format_time(micros).map(|text| text.replace("+00:00", end));
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            micros.iter().map(|value| value.and_then(text).map_or(Value::Null, Value::Text)).collect()
        }
        // Arrow's formatter knows zones by their offsets only; the instant is that of UTC whatever the zone.
        DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) if **zone != *"+00:00" => {
            let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()));
            values(&make_array(array.to_data().into_builder().data_type(kind).build()?))?
        }
        DataType::Dictionary(_, values) => self::values(&cast(array, values)?)?,
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Map(..)
        | DataType::Struct(_) => nested(array)?,
        _ => {
            let options = FormatOptions::new()
                .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
                .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f%:z"))
                .with_duration_format(DurationFormat::ISO8601);
            let formatter = ArrayFormatter::try_new(array, &options)?;
            // What cannot be written is an error here, and would be its message as a text otherwise.
            let text = |row: usize| formatter.value(row).try_to_string().map_or(Value::Null, Value::Text);
            (0..array.len()).map(|row| if array.is_valid(row) { text(row) } else { Value::Null }).collect()
        }
    })
}

/// A column of lists, maps or structs as JSON values.
fn nested(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let lists = |values: &ArrayRef, ranges: &mut dyn Iterator<Item = Option<(usize, usize)>>| {
        let inner = self::values(values)?;
        Ok::<_, ArrowError>(
            ranges
                .map(|range| range.map_or(Value::Null, |(from, to)| Value::List(inner[from..to].to_vec())))
                .collect(),
        )
    };
    let at = |row: usize, from: usize, to: usize| array.is_valid(row).then_some((from, to));
    Ok(match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets().windows(2).enumerate();
            let ranges = offsets.map(|(row, ends)| at(row, ends[0] as usize, ends[1] as usize));
            lists(list.values(), &mut ranges.collect::<Vec<_>>().into_iter())?
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let offsets = list.value_offsets().windows(2).enumerate();
            let ranges = offsets.map(|(row, ends)| at(row, ends[0] as usize, ends[1] as usize));
            lists(list.values(), &mut ranges.collect::<Vec<_>>().into_iter())?
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or_default();
            let ranges = (0..array.len()).map(|row| at(row, row * length, (row + 1) * length));
            lists(array.as_fixed_size_list().values(), &mut ranges.collect::<Vec<_>>().into_iter())?
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let [keys, of_keys] = [map.keys(), map.values()].map(self::values);
            let pairs: Vec<Value> = keys?
                .into_iter()
                .zip(of_keys?)
                .map(|(key, value)| Value::map([("key", key), ("value", value)]))
                .collect();
            let offsets = map.value_offsets().windows(2).enumerate();
            let ranges = offsets.map(|(row, ends)| at(row, ends[0] as usize, ends[1] as usize));
            ranges
                .map(|range| range.map_or(Value::Null, |(from, to)| Value::List(pairs[from..to].to_vec())))
                .collect()
        }
        DataType::Struct(fields) => {
            let mut columns = Vec::with_capacity(fields.len());
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                columns.push((field.name().clone(), self::values(column)?.into_iter()));
            }
            let row = |row: usize| {
                let entries: Vec<_> = columns
                    .iter_mut()
                    .filter_map(|(name, values)| Some((name.clone().into(), values.next()?)))
                    .collect();
                if array.is_valid(row) { Value::Map(entries) } else { Value::Null }
            };
            (0..array.len()).map(row).collect()
        }
        other => return Err(ArrowError::SchemaError(format!("{other} is not nested"))),
    })
}

fn number(value: f64, kind: &DataType) -> Value {
    if value.is_nan() {
        Value::from("NaN")
    } else if value.is_infinite() {
        Value::from(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if *kind == DataType::Float32 {
        Value::Float(shortest(value))
    } else {
        Value::Float(value)
    }
}

/// The double whose digits are those of a 32-bit float: 0.1, not 0.10000000149.
fn shortest(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}
