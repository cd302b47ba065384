//! How long values are: what is too long to be stored, and where rows must be cut so that the texts of a piece
//! have 32-bit offsets.

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryViewType, ByteViewType, StringViewType};
use arrow_array::{Array, GenericByteViewArray, OffsetSizeTrait, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

use crate::base::error::{Error, ErrorKind, Result};

/// Longest value that is stored: a text, a cell with all that is nested in it, an array of a row.
pub const VALUE_BYTES: usize = 64 << 20;
/// Bytes of a batch that is converted as a whole.
const BATCH_BYTES: usize = 1 << 30;
/// Bytes of a frame of a journal, about, unless one row has more.
const FRAME_BYTES: usize = 64 << 20;

/// Refuses a value that is longer than what is stored.
pub fn check_value(column: &str, bytes: usize) -> Result<()> {
    if bytes <= VALUE_BYTES {
        return Ok(());
    }
    let message = format!(
        "column {column:?} has a value of {bytes} bytes, more than the limit of {VALUE_BYTES}; store it as an \
         artifact or a file of its own"
    );
    Err(Error::new(ErrorKind::Argument, message))
}

/// Refuses a batch with a value that is longer than what is stored.
pub fn check_batch(batch: &RecordBatch) -> Result<()> {
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        // A column that is no longer has no such value.
        if array.get_array_memory_size() > VALUE_BYTES && bytes_of(array, 0, array.len()) > VALUE_BYTES {
            (0..array.len()).try_for_each(|row| check_value(field.name(), bytes_of(array, row, 1)))?;
        }
    }
    Ok(())
}

/// A batch in pieces of which each can be converted as a whole.
pub fn pieces_to_convert(batch: &RecordBatch) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    let is_small = batch.get_array_memory_size() <= BATCH_BYTES
        && !batch.columns().iter().any(|array| repeats(array.data_type()));
    if is_small {
        pieces.push(batch.clone());
    } else {
        cut(batch, BATCH_BYTES, &mut pieces);
    }
    pieces
}

/// Rows in pieces of which each is a frame of a journal.
pub fn pieces_to_store(batch: RecordBatch) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    if bytes_of_rows(&batch, 0, batch.num_rows()) <= FRAME_BYTES {
        pieces.push(batch);
    } else {
        cut(&batch, FRAME_BYTES, &mut pieces);
    }
    pieces
}

/// Whether the values of a type are written more often than they are in memory.
fn repeats(kind: &DataType) -> bool {
    matches!(kind, DataType::Dictionary(..) | DataType::Utf8View | DataType::BinaryView)
}

fn cut(batch: &RecordBatch, most: usize, pieces: &mut Vec<RecordBatch>) {
    let mut start = 0;
    while start < batch.num_rows() {
        let length = rows_within(batch, start, batch.num_rows() - start, most).max(1);
        pieces.push(batch.slice(start, length));
        start += length;
    }
}

/// How many of the `length` rows from `start` on have no more than `most` bytes.
pub fn rows_within(batch: &RecordBatch, start: usize, length: usize, most: usize) -> usize {
    if bytes_of_rows(batch, start, length) <= most {
        return length;
    }
    let (mut low, mut high) = (0, length);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if bytes_of_rows(batch, start, middle) <= most {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The bytes of some rows.
pub fn bytes_of_rows(batch: &RecordBatch, start: usize, length: usize) -> usize {
    batch.columns().iter().map(|array| bytes_of(array, start, length)).fold(0, usize::saturating_add)
}

/// The bytes of some values, each counted as often as it is there, without what says where they lie.
pub fn bytes_of(array: &dyn Array, start: usize, length: usize) -> usize {
    let end = start + length;
    if length == 0 {
        return 0;
    }
    match array.data_type() {
        DataType::Utf8 => between(array.as_string::<i32>().offsets(), start, end),
        DataType::LargeUtf8 => between(array.as_string::<i64>().offsets(), start, end),
        DataType::Binary => between(array.as_binary::<i32>().offsets(), start, end),
        DataType::LargeBinary => between(array.as_binary::<i64>().offsets(), start, end),
        DataType::Utf8View => of_views::<StringViewType>(array.as_string_view(), start, end),
        DataType::BinaryView => of_views::<BinaryViewType>(array.as_binary_view(), start, end),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            if values.is_empty() {
                return 0;
            }
            let keys = dictionary.keys().slice(start, length);
            let lengths: Vec<usize> = (0..values.len()).map(|value| bytes_of(values, value, 1)).collect();
            let whole = array.slice(start, length);
            let places = whole.as_any_dictionary().normalized_keys();
            let each = places.into_iter().enumerate().filter(|(row, _)| keys.is_valid(*row));
            each.map(|(_, place)| lengths[place]).fold(0, usize::saturating_add)
        }
        DataType::List(_) => {
            of_list(array.as_list::<i32>().offsets(), array.as_list::<i32>().values(), start, end)
        }
        DataType::LargeList(_) => {
            of_list(array.as_list::<i64>().offsets(), array.as_list::<i64>().values(), start, end)
        }
        DataType::Map(..) => of_list(array.as_map().offsets(), array.as_map().entries(), start, end),
        DataType::FixedSizeList(_, width) => {
            let (lists, width) = (array.as_fixed_size_list(), usize::try_from(*width).unwrap_or(0));
            let first = lists.value_offset_at(start);
            bytes_of(lists.values(), first, width * length)
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|child| bytes_of(child, start, length)).sum()
        }
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0).saturating_mul(length),
        DataType::Boolean => length.div_ceil(8),
        other => other.primitive_width().unwrap_or(0).saturating_mul(length),
    }
}

fn between<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, start: usize, end: usize) -> usize {
    offsets[end].as_usize() - offsets[start].as_usize()
}

fn of_list<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &dyn Array,
    start: usize,
    end: usize,
) -> usize {
    bytes_of(values, offsets[start].as_usize(), between(offsets, start, end))
        .saturating_add(4 * (end - start))
}

fn of_views<T: ByteViewType>(views: &GenericByteViewArray<T>, start: usize, end: usize) -> usize {
    // The lowest half of a view is its length; that of a null says nothing.
    let length = |row: usize| if views.is_valid(row) { views.views()[row] as u32 as usize } else { 0 };
    (start..end).map(length).sum()
}
