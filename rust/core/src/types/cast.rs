//! Arrow's own cast, with times that keep their instant.

use arrow_array::{Array, ArrayRef, make_array};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{ArrowError, DataType};

use crate::base::error::Result;

/// What Arrow's own cast makes of values; a time keeps its instant whatever its zone was called.
///
/// Where `safe`, a value that does not convert is null, else an error.
pub(crate) fn recast(array: &ArrayRef, to: &DataType, safe: bool) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe, ..CastOptions::default() };
    match (array.data_type(), to) {
        (DataType::Dictionary(_, values), _) => recast(&cast(array, values)?, to, safe),
        (DataType::Timestamp(unit, from), DataType::Timestamp(_, zone)) if from != zone => {
            let kind = DataType::Timestamp(*unit, zone.clone());
            let times = make_array(array.to_data().into_builder().data_type(kind).build()?);
            cast_with_options(&times, to, &options)
        }
        (DataType::Date32, DataType::Timestamp(unit, Some(_))) => {
            let midnight = cast_with_options(array, &DataType::Timestamp(*unit, None), &options)?;
            recast(&midnight, to, safe)
        }
        _ => cast_with_options(array, to, &options),
    }
}
