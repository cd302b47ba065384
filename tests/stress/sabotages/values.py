"""Sabotages of what values, types and statistics become."""

from sabotages.patch import Sabotage

SABOTAGES = {
    "store values that no reader knows": Sabotage(
        "rust/core/src/types/storable.rs",
        "    what.map_or(Ok(()), |what| Err(refuse(&what)))?;",
        "    let _ = what;",
        "property/test_column_types.py::test_what_has_no_place_is_refused_and_the_writer_goes_on",
    ),
    "round whole numbers to floats in answers": Sabotage(
        "rust/core/src/types/convert.rs",
        "Some(value as f64).filter(|float| *float as i128 == value)",
        "Some(value as f64)",
        "property/test_column_types.py::test_columns_of_two_types_are_answered_alike",
    ),
    "take a column of any type for a known one": Sabotage(
        "rust/core/src/types/answer.rs",
        "            && !accepts(kind, field.data_type())",
        "            && !accepts(kind, field.data_type())\n            && false",
        "property/test_column_types.py::test_a_known_column_of_another_type_is_one_error_in_every_answer",
    ),
    "forget the mask of an array": Sabotage(
        "python/nirs4all_workspace/values/arrays.py",
        "        numbers[mask] = np.nan\n",
        "        pass\n",
        "unit/test_values.py::test_what_is_masked_or_null_in_an_array_is_nan",
    ),
    "take any whole number for a float": Sabotage(
        "python/nirs4all_workspace/values/arrays.py",
        "    return all(int(number) == whole for whole, number in pairs)",
        "    return True or all(int(number) == whole for whole, number in pairs)",
        "unit/test_values.py::test_arrays_that_would_lose_their_meaning_are_refused",
    ),
    "take durations of NumPy for whole numbers": Sabotage(
        "python/nirs4all_workspace/values/scalars.py",
        "    if isinstance(value, numpy.datetime64 | numpy.timedelta64):\n        return None if",
        "    if isinstance(value, numpy.datetime64):\n        return None if",
        "unit/test_values.py::test_values_of_extra_columns",
    ),
    "take arrays whatever their byte order": Sabotage(
        "rust/py/src/cells.rs",
        'buffer.dimensions() > 0 && buffer.format().to_bytes() == b"d";',
        "buffer.dimensions() > 0;",
        "unit/test_values.py::test_arrays_of_any_dtype_order_and_stride",
    ),
    "take extension types for what they are stored as": Sabotage(
        "rust/core/src/types/extension_types.rs",
        "    if !has_extension(field) {",
        "    if !has_extension(field) || true {",
        "unit/test_values_of_frames.py::test_extension_types_by_their_meaning",
    ),
    "read null arrays as they come": Sabotage(
        "rust/py/src/stream.rs",
        "        set_buffers(&nulls, 0);\n",
        "",
        "unit/test_values_of_frames.py::test_null_columns_of_any_library",
    ),
    "forget an overflow when names are merged": Sabotage(
        "rust/core/src/summary/names.rs",
        "        self.has_overflow |= other.has_overflow;\n",
        "",
        "property/test_overflow.py::test_any_order_and_split",
    ),
    "square large deviations as they are": Sabotage(
        "rust/core/src/summary/moments.rs",
        "if self.largest < LARGE { 1.0 } else { UNIT }",
        "if self.largest < f64::INFINITY { 1.0 } else { UNIT }",
        "property/test_overflow.py::test_any_order_and_split",
    ),
    "trust old summaries of scores without a mean": Sabotage(
        "rust/core/src/summary/embedded.rs",
        "            if sketch.hides_overflow() {",
        "            if false && sketch.hides_overflow() {",
        "compat/test_old_means.py::test_an_old_summary_of_scores_without_a_mean_is_counted_again",
    ),
    "store the partial sum of scores without a mean": Sabotage(
        "rust/core/src/summary/sketch_writer.rs",
        "if totals.has_overflow { [f64::INFINITY, 0.0] }",
        "if false { [f64::INFINITY, 0.0] }",
        "compat/test_old_means.py::test_what_older_readers_find_in_a_new_summary_is_no_mean",
    ),
    "take 0.0 and -0.0 for two keys": Sabotage(
        "rust/core/src/types/exact.rs",
        "unary(|value| value + 0.0)",
        "unary(|value| value)",
        "unit/test_values_of_frames.py::test_maps_with_keys_that_dicts_do_not_tell_apart",
    ),
    "round whole scores of batches": Sabotage(
        "rust/core/src/types/rows.rs",
        "if kind == Type::Float && is_whole {",
        "if kind == Type::Float && is_whole && false {",
        "unit/test_values_of_frames.py::test_whole_scores_of_batches_that_no_float_is",
    ),
    "lose the offset of nested times": Sabotage(
        "python/nirs4all_workspace/values/scalars.py",
        'if isinstance(value, datetime) and value.tzinfo is not None and hasattr(value, "to_datetime64"):',
        "if False:",
        "unit/test_values.py::test_missing_values_and_offsets_within_values",
    ),
}
