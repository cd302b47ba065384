//! Mappings and batches on their way to disk: every value in the type of its column, or an error.

#![allow(clippy::unwrap_used, missing_docs)]

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, LargeStringArray, RecordBatch,
    StringViewArray, TimestampMillisecondArray, UInt64Array,
};
use arrow_schema::DataType;
use n4w_core::ErrorKind;
use n4w_core::types::rows::{complete, conform, unify};
use n4w_core::types::schema::COLUMNS;
use n4w_core::write::mappings::{Cell, Table};

fn push(table: &mut Table, row: Vec<(&'static str, Cell<'static>)>) -> n4w_core::Result<()> {
    table.push(row.into_iter().map(|(name, cell)| (Cow::Borrowed(name), cell)))
}

fn text(value: &'static str) -> Cell<'static> {
    Cell::Text(value.into())
}

#[test]
fn mappings_become_columns_with_nulls_where_a_key_is_missing() {
    let mut table = Table::default();
    push(&mut table, vec![("id", text("a")), ("val_score", Cell::Int(2)), ("mine", Cell::Int(1))]).unwrap();
    push(&mut table, vec![("fold_id", Cell::Float(3.0)), ("created_at", text("1970-01-01T00:00:01Z"))])
        .unwrap();
    push(
        &mut table,
        vec![("id", Cell::Null), ("branch_id", Cell::Float(f64::NAN)), ("mine", Cell::Float(0.5))],
    )
    .unwrap();
    assert_eq!(table.rows(), 3);
    let batch = table.take().unwrap().unwrap();
    assert_eq!(batch.num_columns(), COLUMNS.len() + 1);
    let texts =
        |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(texts("id"), [Some("a"), None, None]);
    assert_eq!(texts("fold_id"), [None, Some("3"), None]);
    let floats = |name: &str| {
        batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect::<Vec<_>>()
    };
    assert_eq!(floats("val_score"), [Some(2.0), None, None]);
    // A whole number became a float where a later one has a fraction.
    assert_eq!(floats("mine"), [Some(1.0), None, Some(0.5)]);
    let times = batch.column_by_name("created_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.iter().collect::<Vec<_>>(), [None, Some(1_000_000), None]);
    assert!(table.take().unwrap().is_none());
}

#[test]
fn a_row_that_does_not_fit_leaves_nothing_behind() {
    let mut table = Table::default();
    let wrong: [(&str, Cell<'static>); 6] = [
        ("val_score", text("good")),
        ("val_score", Cell::Bool(true)),
        ("n_samples", Cell::Float(1.5)),
        ("n_samples", Cell::Float(1e300)),
        ("created_at", text("yesterday")),
        ("created_at", Cell::Int(3)),
    ];
    for (column, cell) in wrong {
        let error = push(&mut table, vec![("new", Cell::Int(1)), (column, cell)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Type);
        assert!(error.message.contains(column), "{}", error.message);
    }
    assert!(table.take().unwrap().is_none());
    // The extra column of the refused rows has no type yet.
    push(&mut table, vec![("new", text("x"))]).unwrap();
    let error = push(&mut table, vec![("new", Cell::Int(1))]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Type, "as a text it would be another value");
    assert_eq!(
        push(&mut table, vec![("id", Cell::Time(0)), ("step_idx", text("1"))]).unwrap_err().kind,
        ErrorKind::Type
    );
    assert_eq!(table.take().unwrap().unwrap().num_rows(), 1);
}

#[test]
fn extra_columns_keep_their_type_after_they_were_taken() {
    let mut table = Table::default();
    push(&mut table, vec![("mine", Cell::Int(1))]).unwrap();
    table.take().unwrap();
    push(&mut table, vec![("id", text("b"))]).unwrap();
    assert!(table.take().unwrap().unwrap().column_by_name("mine").is_none());
    assert_eq!(push(&mut table, vec![("mine", text("x"))]).unwrap_err().kind, ErrorKind::Type);
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn batches_of_other_types_are_completed() {
    let given = batch(vec![
        ("extra", Arc::new(Int8Array::from(vec![7, 8])) as ArrayRef),
        ("val_score", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
        ("model_name", Arc::new(LargeStringArray::from(vec!["PLS", "RF"]))),
        ("id", Arc::new(StringViewArray::from(vec!["a", "b"]))),
        ("fold_id", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
        ("n_samples", Arc::new(Float64Array::from(vec![97.0, f64::NAN]))),
        ("step_idx", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("created_at", Arc::new(TimestampMillisecondArray::from(vec![1, 2]))),
    ]);
    let whole = complete(&given).unwrap();
    let names: Vec<_> = whole.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut expected: Vec<_> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.push("extra".to_owned());
    assert_eq!(names, expected);
    let column = |name: &str| whole.column_by_name(name).unwrap();
    assert_eq!(
        column("val_score").as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
        [Some(0.5), None]
    );
    assert_eq!(column("id").as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(column("fold_id").as_string::<i32>().iter().collect::<Vec<_>>(), [Some("1"), None]);
    assert_eq!(column("n_samples").as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(97), None]);
    assert_eq!(
        column("created_at").as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>(),
        [Some(1_000), Some(2_000)]
    );
    assert_eq!(*column("extra").data_type(), DataType::Int8);
    assert_eq!(column("metric").null_count(), 2);
}

#[test]
fn batches_that_lose_something_are_refused() {
    let wrong: [(&str, ArrayRef); 4] = [
        ("val_score", Arc::new(LargeStringArray::from(vec!["0.5"]))),
        ("n_samples", Arc::new(Float64Array::from(vec![0.5]))),
        ("n_samples", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("val_score", Arc::new(BooleanArray::from(vec![true]))),
    ];
    for (column, array) in wrong {
        let error = complete(&batch(vec![(column, array)])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Type);
        assert!(error.message.contains(column), "{}", error.message);
    }
}

#[test]
fn schemas_of_several_batches_become_one() {
    let one = batch(vec![("a", Arc::new(arrow_array::Int64Array::from(vec![1])) as ArrayRef)]);
    let two = batch(vec![
        ("b", Arc::new(Int8Array::from(vec![2])) as ArrayRef),
        ("a", Arc::new(Float64Array::from(vec![0.5]))),
    ]);
    let schema = unify(&[one.schema(), two.schema()]).unwrap();
    let both: Vec<_> = [one, two].iter().map(|batch| conform(batch, &schema).unwrap()).collect();
    let values =
        |batch: &RecordBatch| batch.column_by_name("a").unwrap().as_primitive::<Float64Type>().value(0);
    assert_eq!(both.iter().map(values).collect::<Vec<_>>(), [1.0, 0.5]);
    assert_eq!(both[0].column_by_name("b").unwrap().null_count(), 1);
    let text = batch(vec![("a", Arc::new(LargeStringArray::from(vec!["x"])) as ArrayRef)]);
    assert_eq!(unify(&[both[0].schema(), text.schema()]).unwrap_err().kind, ErrorKind::Schema);
}
