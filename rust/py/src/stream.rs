//! Tables of other libraries, through the Arrow `PyCapsule` interface; what cannot be read is refused by its column.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use n4w_core::{Error, ErrorKind};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// The batches of a table, batch or data frame.
pub struct Stream {
    schema: SchemaRef,
    source: Source,
}

enum Source {
    Stream(FFI_ArrowArrayStream),
    Array(Option<FFI_ArrowArray>),
}

impl Stream {
    /// Begins to read what has `__arrow_c_stream__` or `__arrow_c_array__`; `taker` is who asks, for the error.
    pub fn of(table: &Bound<'_, PyAny>, taker: &str) -> PyResult<Self> {
        let py = table.py();
        if table.hasattr(intern!(py, "__arrow_c_stream__"))? {
            let capsule = table.call_method0(intern!(py, "__arrow_c_stream__"))?;
            let pointer = pointer_in::<FFI_ArrowArrayStream>(&capsule, c"arrow_array_stream")?;
            // SAFETY: the capsule holds a stream, which is moved out of it, as consumers do.
            #[allow(unsafe_code, reason = "the Arrow C stream interface")]
            let mut stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer) };
            let schema = schema_of(&mut stream)?;
            return Ok(Self { schema: read_schema(&schema, taker)?, source: Source::Stream(stream) });
        }
        if table.hasattr(intern!(py, "__arrow_c_array__"))? {
            let capsules = table.call_method0(intern!(py, "__arrow_c_array__"))?;
            let capsules = capsules.cast::<PyTuple>()?;
            let schema = pointer_in::<FFI_ArrowSchema>(&capsules.get_item(0)?, c"arrow_schema")?;
            let array = pointer_in::<FFI_ArrowArray>(&capsules.get_item(1)?, c"arrow_array")?;
            // SAFETY: the capsules hold a schema and an array, which are moved out of them, as consumers do.
            #[allow(unsafe_code, reason = "the Arrow C data interface")]
            let (schema, array) =
                unsafe { (FFI_ArrowSchema::from_raw(schema), FFI_ArrowArray::from_raw(array)) };
            return Ok(Self { schema: read_schema(&schema, taker)?, source: Source::Array(Some(array)) });
        }
        Err(PyTypeError::new_err(format!(
            "{taker} takes an Arrow table, batch or data frame (with __arrow_c_stream__ or __arrow_c_array__), not {}",
            table.get_type().name()?
        )))
    }

    fn next_array(&mut self) -> n4w_core::Result<Option<FFI_ArrowArray>> {
        let stream = match &mut self.source {
            Source::Array(array) => return Ok(array.take()),
            Source::Stream(stream) => stream,
        };
        let mut array = FFI_ArrowArray::empty();
        let failed = |text: String| {
            Error::new(ErrorKind::Argument, format!("the stream of batches broke off: {text}"))
        };
        let next = stream.get_next().ok_or_else(|| failed("it was released".to_owned()))?;
        // SAFETY: the stream was not released, and both live until the call returns.
        #[allow(unsafe_code, reason = "the Arrow C stream interface")]
        let code = unsafe { next(&raw mut *stream, &raw mut array) };
        if code != 0 {
            return Err(failed(last_error(stream, code)));
        }
        Ok(Some(array).filter(|array| !array.is_released()))
    }

    fn batch_of(&self, array: FFI_ArrowArray) -> n4w_core::Result<RecordBatch> {
        let failed = |error| Error::new(ErrorKind::Argument, format!("a batch cannot be read: {error}"));
        let kind = DataType::Struct(self.schema.fields().clone());
        let mut nulls = Vec::new();
        find_nulls(&kind, (&raw const array).cast_mut().cast(), &mut nulls);
        // Polars gives null arrays a buffer, which no array of that type has.
        set_buffers(&nulls, 0);
        // SAFETY: the producer promises that the array is of the type that its schema says.
        #[allow(unsafe_code, reason = "the Arrow C data interface")]
        let data = unsafe { from_ffi_and_data_type(array, kind) }.map_err(failed)?;
        set_buffers(&nulls, 1);
        let rows = StructArray::from(data);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let (_, columns, _) = rows.into_parts();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(failed)
    }
}

impl Iterator for Stream {
    type Item = n4w_core::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_array() {
            Ok(array) => array.map(|array| self.batch_of(array)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn pointer_in<T>(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut T> {
    Ok(capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?.cast::<T>().as_ptr())
}

fn schema_of(stream: &mut FFI_ArrowArrayStream) -> PyResult<FFI_ArrowSchema> {
    let mut schema = FFI_ArrowSchema::empty();
    let get = stream.get_schema().ok_or_else(|| PyValueError::new_err("the stream was released"))?;
    // SAFETY: the stream was not released, and both live until the call returns.
    #[allow(unsafe_code, reason = "the Arrow C stream interface")]
    let code = unsafe { get(&raw mut *stream, &raw mut schema) };
    if code == 0 { Ok(schema) } else { Err(PyValueError::new_err(last_error(stream, code))) }
}

fn last_error(stream: &mut FFI_ArrowArrayStream, code: i32) -> String {
    let Some(get) = stream.get_last_error() else { return format!("error {code}") };
    // SAFETY: the stream was not released; the text, where there is one, is there until the next call.
    #[allow(unsafe_code, reason = "the Arrow C stream interface")]
    let text = unsafe {
        let text = get(&raw mut *stream);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    text.unwrap_or_else(|| format!("error {code}"))
}

/// The columns of a table; one of a type that is none of Arrow's is refused by its name.
fn read_schema(schema: &FFI_ArrowSchema, taker: &str) -> PyResult<SchemaRef> {
    if schema.format() != "+s" {
        return Err(PyTypeError::new_err(format!(
            "{taker} takes a table with named columns, not a single column; put it into a data frame"
        )));
    }
    let column = |child: &FFI_ArrowSchema| {
        Field::try_from(child).map(Arc::new).map_err(|_| {
            let (name, format) = (child.name().unwrap_or_default(), child.format());
            PyTypeError::new_err(format!(
                "column {name:?} has a type that is none of Arrow's (format {format:?}), which cannot be stored; cast \
                 it, or leave it out"
            ))
        })
    };
    let fields = schema.children().map(column).collect::<PyResult<Vec<FieldRef>>>()?;
    Ok(Arc::new(Schema::new(Fields::from(fields))))
}

/// An array as the Arrow C data interface lays it out.
#[repr(C)]
struct RawArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut RawArray,
    dictionary: *mut RawArray,
    release: *mut c_void,
    private_data: *mut c_void,
}

/// The arrays of type null within one that is not itself of that type, where they have a buffer.
fn find_nulls(kind: &DataType, array: *mut RawArray, found: &mut Vec<*mut RawArray>) {
    let fields: Vec<&DataType> = match kind {
        DataType::Null => {
            // SAFETY: it is part of an array that lives.
            #[allow(unsafe_code, reason = "the Arrow C data interface")]
            if !array.is_null() && unsafe { (*array).n_buffers } == 1 {
                found.push(array);
            }
            return;
        }
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => vec![field.data_type()],
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::Dictionary(_, values) => {
            // SAFETY: as above.
            #[allow(unsafe_code, reason = "the Arrow C data interface")]
            let dictionary = if array.is_null() { ptr::null_mut() } else { unsafe { (*array).dictionary } };
            return find_nulls(values, dictionary, found);
        }
        _ => return,
    };
    for (place, kind) in (0_i64..).zip(fields) {
        // SAFETY: as above; it has as many children as it says.
        #[allow(unsafe_code, reason = "the Arrow C data interface")]
        let child = unsafe {
            if array.is_null() || (*array).n_children <= place {
                return;
            }
            *(*array).children.offset(place as isize)
        };
        find_nulls(kind, child, found);
    }
}

fn set_buffers(arrays: &[*mut RawArray], count: i64) {
    for array in arrays {
        // SAFETY: children lie where their producer put them for as long as what was imported of them lives.
        #[allow(unsafe_code, reason = "the Arrow C data interface")]
        unsafe {
            (**array).n_buffers = count;
        }
    }
}
