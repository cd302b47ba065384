//! The arrays of predictions: what was true, what was predicted, and for which samples.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, LargeListArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::base::error::{Error, ErrorKind, Result};
use crate::types::columns::Texts;

/// The keys of a mapping that hold arrays, each with the column that refers to it and the type that
/// the array is stored under.
pub const ROLES: [(&str, &str, &str); 5] = [
    ("y_true", "y_true_id", "y_true"),
    ("y_pred", "y_pred_id", "y_pred"),
    ("y_proba", "y_proba_id", "y_proba"),
    ("sample_indices", "sample_indices_id", "indices"),
    ("weights", "weights_id", "weights"),
];

/// Columns that refer to arrays as well where rows have them, of the types `X` and `spectra`; only ids of this format
/// count there, since a table may have columns of these names for something else.
pub const EXTRA_REFERENCES: [&str; 2] = ["X_id", "spectra_id"];

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Row by row.
    pub data: Vec<f64>,
    /// Length of each dimension.
    pub shape: Vec<usize>,
}

impl Values {
    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        size_of::<f64>() * self.data.len()
    }

    /// BLAKE3 of the shape and the values: the number of dimensions and each length as u64, then each
    /// value as f64, little-endian.
    pub fn hash(&self) -> blake3::Hash {
        let mut bytes = Vec::with_capacity(8 * (1 + self.shape.len() + self.data.len()));
        bytes.extend_from_slice(&(self.shape.len() as u64).to_le_bytes());
        self.shape.iter().for_each(|length| bytes.extend_from_slice(&(*length as u64).to_le_bytes()));
        self.data.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        blake3::hash(&bytes)
    }
}

/// The id of an array with this hash.
pub fn id_of(hash: &blake3::Hash) -> String {
    format!("array_{}", &hash.to_hex()[..24])
}

/// Whether a text is the id of an array in this format.
pub fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("array_").unwrap_or_default();
    digits.len() == 24 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The arrays of batches with the columns of [`schema`], each with its type; a shape that is none, or not of
/// so many values, counts as one dimension.
pub fn of_batches(batches: &[RecordBatch]) -> Result<Vec<(Values, String)>> {
    let mut found = Vec::new();
    for batch in batches {
        let lists = lists_of(batch)?;
        let (shapes, types) = (Texts::of(batch, "array_shape")?, Texts::of(batch, "array_type")?);
        for row in 0..batch.num_rows() {
            let values = lists.value(row);
            let Some(values) = values.as_primitive_opt::<Float64Type>().filter(|it| it.null_count() == 0)
            else {
                let message = "column \"array_data\" must be lists of 64-bit floats without nulls";
                return Err(Error::new(ErrorKind::Type, message));
            };
            let data = values.values().to_vec();
            let shape: Option<Vec<usize>> = shapes.get(row).and_then(|text| serde_json::from_str(text).ok());
            let fits = |shape: &Vec<usize>| {
                let size = shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length));
                size == Some(data.len())
            };
            let shape = shape.filter(fits).unwrap_or_else(|| vec![data.len()]);
            found.push((Values { data, shape }, types.get(row).unwrap_or_default().to_owned()));
        }
    }
    Ok(found)
}

fn lists_of(batch: &RecordBatch) -> Result<LargeListArray> {
    let column = batch.column_by_name("array_data");
    if let Some(lists) = column.and_then(|column| column.as_list_opt::<i64>()) {
        return Ok(lists.clone());
    }
    let message = "a table of arrays needs a column \"array_data\" of large lists";
    Err(Error::new(ErrorKind::Type, message))
}

/// The columns of files of arrays, as nirs4all 0.6 has them.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("array_id", DataType::Utf8, false),
        Field::new(
            "array_data",
            DataType::List(Arc::new(Field::new("item", DataType::Float64, true))),
            false,
        ),
        Field::new("array_hash", DataType::Utf8, false),
        Field::new("array_size", DataType::Int64, false),
        Field::new("array_shape", DataType::Utf8, false),
        Field::new("array_type", DataType::Utf8, false),
    ]))
}

/// Arrays that wait to be written.
#[derive(Default)]
pub struct Waiting {
    ids: StringBuilder,
    data: ListBuilder<Float64Builder>,
    hashes: StringBuilder,
    sizes: Int64Builder,
    shapes: StringBuilder,
    types: StringBuilder,
    count: usize,
    bytes: usize,
}

impl Waiting {
    /// Adds an array under the type of its role.
    pub fn push(&mut self, hash: &blake3::Hash, values: &Values, array_type: &str) {
        self.ids.append_value(id_of(hash));
        self.data.values().append_slice(&values.data);
        self.data.append(true);
        self.hashes.append_value(format!("blake3:{}", hash.to_hex()));
        self.sizes.append_value(values.data.len() as i64);
        self.shapes.append_value(format!("{:?}", values.shape));
        self.types.append_value(array_type);
        self.count += 1;
        self.bytes += 8 * values.data.len() + 128;
    }

    /// How many bytes wait, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all arrays out.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.count == 0 {
            return Ok(None);
        }
        (self.count, self.bytes) = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ids.finish()),
            Arc::new(self.data.finish()),
            Arc::new(self.hashes.finish()),
            Arc::new(self.sizes.finish()),
            Arc::new(self.shapes.finish()),
            Arc::new(self.types.finish()),
        ];
        RecordBatch::try_new(schema(), columns)
            .map(Some)
            .map_err(|error| Error::new(ErrorKind::Argument, error.to_string()))
    }
}
