//! Which values of an array nested in another belong to a row: not those under a null list, struct or map, and not
//! those that no list reaches.

use arrow_array::{Array, FixedSizeListArray, OffsetSizeTrait};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer};

/// Values that lists or maps reach whose rows are `live`; `None` where they reach all.
pub fn listed<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: usize,
    live: Option<&NullBuffer>,
) -> Option<NullBuffer> {
    let ends = || offsets.windows(2).map(|ends| (ends[0].as_usize(), ends[1].as_usize()));
    let is_all = offsets[0].as_usize() == 0 && offsets[offsets.len() - 1].as_usize() == values;
    if is_all && live.is_none_or(|live| live.null_count() == 0) {
        return None;
    }
    Some(of_rows(ends(), values, live))
}

/// Values that lists of one length reach whose rows are `live`; `None` where they reach all.
pub fn fixed(list: &FixedSizeListArray, live: Option<&NullBuffer>) -> Option<NullBuffer> {
    let length = usize::try_from(list.value_length()).unwrap_or_default();
    let values = list.values().len();
    if values == list.len() * length && live.is_none_or(|live| live.null_count() == 0) {
        return None;
    }
    Some(of_rows((0..list.len()).map(|row| (row * length, (row + 1) * length)), values, live))
}

fn of_rows(
    ends: impl Iterator<Item = (usize, usize)>,
    values: usize,
    live: Option<&NullBuffer>,
) -> NullBuffer {
    let mut reached = BooleanBufferBuilder::new(values);
    for (row, (from, to)) in ends.enumerate() {
        if live.is_none_or(|live| live.is_valid(row)) {
            // Rows lie one after the other.
            reached.append_n(from.saturating_sub(reached.len()), false);
            reached.append_n(to.saturating_sub(reached.len()), true);
        }
    }
    reached.append_n(values.saturating_sub(reached.len()), false);
    NullBuffer::new(reached.finish())
}
