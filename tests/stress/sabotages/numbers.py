"""Sabotages of numbers in `scores`, and of which rows are equal."""

from sabotages.patch import Sabotage

_AVERAGES = (
    "unit/test_scores_of_rows.py::test_rows_of_no_single_fold_have_no_validation_score_of_other_metrics"
)

SABOTAGES = {
    "take the weighted average of folds for validation": Sabotage(
        "rust/core/src/summary/json_scores.rs",
        "const NO_SINGLE_FOLD: [&str; 3] = [AVG, W_AVG, FINAL];",
        "const NO_SINGLE_FOLD: [&str; 3] = [AVG, AVG, FINAL];",
        _AVERAGES,
    ),
    "believe an average by any metric": Sabotage(
        "rust/core/src/summary/json_scores.rs",
        "            || metric == Some(self.metric.as_str())",
        "            || metric.is_some()",
        _AVERAGES,
    ),
    "give all batches the numbers of the first rows": Sabotage(
        "rust/core/src/query/score_columns.rs",
        "values.slice(first as usize, batch.num_rows())",
        "values.slice(0, batch.num_rows())",
        "unit/test_scores_of_rows.py::test_a_page_is_sorted_by_a_number",
    ),
    "keep numbers of a file that changed": Sabotage(
        "rust/core/src/query/score_tables.rs",
        "let is_same = scores.identity == file.identity",
        "let is_same = (scores.identity == file.identity || true)",
        "unit/test_scores_of_rows.py::test_answers_do_not_depend_on_the_cache",
    ),
    "tell equal numbers by their value": Sabotage(
        "rust/core/src/query/equal_rows.rs",
        "out.maybe(numbers.get(row), |out, number| out.u64(number.to_bits()));",
        "out.maybe(numbers.get(row), |out, number| out.u64((number + 0.0).to_bits()));",
        "unit/test_equal_rows.py::test_minus_zero_and_nan_are_told_by_their_bits",
    ),
    "rank by footers that lack equal rows": Sabotage(
        "rust/core/src/query/top.rs",
        "if !are_all_there || !are_different(",
        "if !are_different(",
        "unit/test_equal_rows.py::test_a_row_beyond_those_that_footers_have_counts",
    ),
    "stop counting equal rows once k are there": Sabotage(
        "rust/core/src/query/ranked_rows.rs",
        "if is_full && (equal.is_none() || entry.key != last) {",
        "if is_full {",
        "unit/test_equal_rows.py::test_many_ties_are_counted_to_the_end",
    ),
    "leave the text of scores out of what is equal": Sabotage(
        "rust/core/src/query/ranked_rows.rs",
        "Some(_) if !with_texts => return Ok(None),",
        "",
        "unit/test_equal_rows.py::test_rows_that_differ_in_one_thing_are_two",
    ),
    "leave metadata a text": Sabotage(
        "python/nirs4all_workspace/values/json_columns.py",
        'JSON_COLUMNS = ("scores", "best_params", "metadata")',
        'JSON_COLUMNS = ("scores", "best_params")',
        "unit/test_scores_of_rows.py::test_records_have_json_parsed",
    ),
}
