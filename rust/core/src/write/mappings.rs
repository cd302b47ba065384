//! Rows as mappings, which become columns one by one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, DurationMicrosecondBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field};

use super::first_seen::FirstSeen;
use crate::base::clock::parse_time;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::names::float_name;
use crate::types;
use crate::types::rows::{batch_of, check_name, common};
use crate::types::schema::{COLUMNS, Type, extras, known, unfit, whole};

/// One value of a mapping.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// µs since 1970, UTC.
    Time(i64),
    /// µs between two times.
    Duration(i64),
}

/// A mapping on its way into a writer.
pub(super) type Cells<'a> = [(Cow<'a, str>, Cell<'a>)];

impl Cell<'_> {
    /// The type of a column that has no other reason for one.
    fn natural_type(&self) -> Option<Type> {
        match self {
            Self::Null => None,
            Self::Bool(_) => Some(Type::Bool),
            Self::Int(_) => Some(Type::Int),
            Self::Float(_) => Some(Type::Float),
            Self::Text(_) => Some(Type::Text),
            Self::Time(_) => Some(Type::Time),
            Self::Duration(_) => Some(Type::Duration),
        }
    }

    /// The value as a column of texts holds it.
    pub fn as_text(self, column: &str) -> Result<Self> {
        let found = self.natural_type().map_or("null", Type::name);
        self.fit(Type::Text).ok_or_else(|| unfit(column, Type::Text, found))
    }

    /// The value as a column of this type holds it, where nothing is lost.
    fn fit(self, kind: Type) -> Option<Self> {
        Some(match (kind, self) {
            (_, Self::Null) => Self::Null,
            // Beyond 2^53 a float next to a whole number may be another one.
            (Type::Float, Self::Int(value)) => Self::Float(exact(value)?),
            (Type::Int, Self::Float(value)) if value.is_nan() => Self::Null,
            (Type::Int, Self::Float(value)) => Self::Int(whole(value)?),
            (Type::Text, Self::Int(value)) => Self::Text(value.to_string().into()),
            (Type::Text, Self::Float(value)) => {
                float_name(value).map_or(Self::Null, |text| Self::Text(text.into()))
            }
            (Type::Text, Self::Bool(value)) => Self::Text(value.to_string().into()),
            (Type::Text, Self::Time(value)) => Self::Text(crate::base::clock::format_time(value)?.into()),
            (Type::Time, Self::Text(text)) => Self::Time(parse_time(&text)?),
            (kind, cell) if cell.natural_type() == Some(kind) => cell,
            _ => return None,
        })
    }
}

/// Whether a column has whole numbers that no float is.
fn is_inexact(batch: &RecordBatch, column: &str) -> bool {
    let whole = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<Int64Type>());
    whole.is_some_and(|whole| whole.iter().flatten().any(|value| exact(value).is_none()))
}

/// The float that is just this whole number.
fn exact(value: i64) -> Option<f64> {
    Some(value as f64).filter(|float| *float as i128 == i128::from(value))
}

enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Duration(DurationMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Bool => Self::Bool(BooleanBuilder::new()),
            Type::Int => Self::Int(Int64Builder::new()),
            Type::Float => Self::Float(Float64Builder::new()),
            Type::Text => Self::Text(StringBuilder::new()),
            Type::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Type::Duration => Self::Duration(DurationMicrosecondBuilder::new()),
        }
    }

    /// Appends a value that fits, null for one that does not, which [`Table::push`] has excluded.
    fn append(&mut self, cell: Option<&Cell<'_>>) {
        match (self, cell) {
            (Self::Bool(builder), Some(Cell::Bool(value))) => builder.append_value(*value),
            (Self::Bool(builder), _) => builder.append_null(),
            (Self::Int(builder), Some(Cell::Int(value))) => builder.append_value(*value),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Float(builder), Some(Cell::Float(value))) => builder.append_value(*value),
            (Self::Float(builder), _) => builder.append_null(),
            (Self::Text(builder), Some(Cell::Text(value))) => builder.append_value(value),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Time(builder), Some(Cell::Time(value))) => builder.append_value(*value),
            (Self::Time(builder), _) => builder.append_null(),
            (Self::Duration(builder), Some(Cell::Duration(value))) => builder.append_value(*value),
            (Self::Duration(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(builder) => ArrayBuilder::finish(builder),
            Self::Int(builder) => ArrayBuilder::finish(builder),
            Self::Float(builder) => ArrayBuilder::finish(builder),
            Self::Text(builder) => ArrayBuilder::finish(builder),
            Self::Time(builder) => ArrayBuilder::finish(builder),
            Self::Duration(builder) => ArrayBuilder::finish(builder),
        }
    }
}

struct Column {
    kind: Type,
    values: Builder,
    rows: usize,
}

/// Mappings that wait to be written, as columns.
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    places: HashMap<String, usize>,
    /// Extra columns of batches with types that mappings have no values of.
    foreign: HashMap<String, DataType>,
    /// Extra columns of whole numbers that no column of floats can hold.
    inexact: HashSet<String>,
    /// What the rows had for the first time.
    pub(super) seen: FirstSeen,
    rows: usize,
    bytes: usize,
}

impl Default for Table {
    fn default() -> Self {
        let mut table = Self {
            names: Vec::new(),
            columns: Vec::new(),
            places: HashMap::new(),
            foreign: HashMap::new(),
            inexact: HashSet::new(),
            seen: FirstSeen::default(),
            rows: 0,
            bytes: 0,
        };
        for (name, kind) in COLUMNS {
            table.add_column(name, kind);
        }
        table
    }
}

impl Table {
    /// How many rows wait.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many bytes they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn add_column(&mut self, name: &str, kind: Type) -> usize {
        self.places.insert(name.to_owned(), self.columns.len());
        self.names.push(name.to_owned());
        self.columns.push(Column { kind, values: Builder::new(kind), rows: 0 });
        self.columns.len() - 1
    }

    fn add_extra(&mut self, name: &str, kind: Type) -> usize {
        self.seen.add_column(name.to_owned());
        self.add_column(name, kind)
    }

    /// Whether the extra columns of a batch have the types of earlier rows, and values that fit beside them.
    pub fn check(&self, batch: &RecordBatch) -> Result<()> {
        for field in extras(&batch.schema()) {
            let (name, kind) = (field.name(), field.data_type());
            let place = self.places.get(name).map(|place| self.columns[*place].kind.arrow());
            let Some(earlier) = place.as_ref().or(self.foreign.get(name)) else { continue };
            let is_lossy = match (earlier, kind) {
                (DataType::Int64, DataType::Float64) => self.inexact.contains(name),
                (DataType::Float64, DataType::Int64) => is_inexact(batch, name),
                _ => common(earlier, kind).is_none(),
            };
            if is_lossy {
                let message = format!(
                    "column {name:?} has type {kind} here and {earlier} in earlier rows, and not all values \
                     have a place in both; cast it, or write it under another name"
                );
                return Err(Error::new(ErrorKind::Type, message));
            }
        }
        Ok(())
    }

    /// Takes note of the extra columns of a batch.
    pub fn admit(&mut self, batch: &RecordBatch) {
        for field in extras(&batch.schema()) {
            if is_inexact(batch, field.name()) {
                self.inexact.insert(field.name().clone());
            }
            match Type::of(field.data_type()) {
                Some(_) if self.places.contains_key(field.name()) => {}
                Some(kind) => drop(self.add_extra(field.name(), kind)),
                None => {
                    let earlier = self.foreign.insert(field.name().clone(), field.data_type().clone());
                    if earlier.is_none() {
                        self.seen.add_column(field.name().clone());
                    }
                }
            }
        }
    }

    /// Adds one row: all of it, or nothing where a value does not fit its column.
    ///
    /// An extra column has the type of its first value; whole numbers become floats where
    /// a later one has a fraction.
    pub fn push<'a>(&mut self, row: impl Iterator<Item = (Cow<'a, str>, Cell<'a>)>) -> Result<()> {
        let mut cells = Vec::with_capacity(COLUMNS.len());
        for (name, cell) in row {
            let Some(natural) = cell.natural_type() else { continue };
            let place = self.places.get(&*name).copied();
            if let Some(kind) = self.foreign.get(&*name) {
                let message =
                    format!("column {name:?} has type {kind} in earlier rows, which no mapping can give");
                return Err(Error::new(ErrorKind::Type, message));
            }
            let kind = place.map_or(natural, |place| self.columns[place].kind);
            let is_wider = kind == Type::Int
                && natural == Type::Float
                && known(&name).is_none()
                && !self.inexact.contains(&*name);
            let kind = if is_wider { Type::Float } else { kind };
            if place.is_none() {
                check_name(&name)?;
            }
            let found = match (kind, natural) {
                (Type::Float, Type::Int) => "a whole number that no 64-bit float is",
                (Type::Time, Type::Text) => "a text that is none",
                _ => natural.name(),
            };
            if kind == Type::Int
                && known(&name).is_none()
                && matches!(cell, Cell::Float(value) if value.is_nan())
            {
                return Err(unfit(&name, kind, "NaN, beside whole numbers that no 64-bit float is"));
            }
            if kind == Type::Text && natural != kind && known(&name).is_none() {
                // As a text it would be another value.
                return Err(unfit(&name, kind, found));
            }
            let cell = cell.fit(kind).ok_or_else(|| unfit(&name, kind, found))?;
            if let Cell::Time(micros) = cell
                && !types::is_time(micros)
            {
                return Err(unfit(&name, kind, "one outside of the years 1 to 9999 in UTC"));
            }
            if let Cell::Duration(micros) = cell
                && !types::is_duration(micros)
            {
                return Err(unfit(&name, kind, "one beyond 999,999,999 days"));
            }
            cells.push((name, place, kind, cell));
        }
        for (name, place, kind, cell) in cells {
            let place = place.unwrap_or_else(|| self.add_extra(&name, kind));
            let column = &mut self.columns[place];
            if column.kind != kind {
                column.widen();
            }
            while column.rows < self.rows {
                column.values.append(None);
                column.rows += 1;
            }
            if let Cell::Int(value) = cell
                && exact(value).is_none()
            {
                self.inexact.insert(name.clone().into_owned());
            }
            self.bytes += if let Cell::Text(text) = &cell {
                self.seen.add_value(place, text);
                text.len() + 5
            } else {
                9
            };
            column.values.append(Some(&cell));
            column.rows = self.rows + 1;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes all rows out.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            let kind = column.kind.arrow();
            if column.rows == 0 && known(name).is_none() {
                // An extra column of earlier rows keeps its type and is not written again for nothing.
                continue;
            }
            fields.push(Field::new(name, kind.clone(), true));
            arrays.push(if column.rows == 0 {
                new_null_array(&kind, self.rows)
            } else {
                while column.rows < self.rows {
                    column.values.append(None);
                    column.rows += 1;
                }
                column.rows = 0;
                column.values.finish()
            });
        }
        (self.rows, self.bytes) = (0, 0);
        batch_of(fields, arrays).map(Some)
    }
}

impl Column {
    fn widen(&mut self) {
        let mut floats = Float64Builder::new();
        for value in self.values.finish().as_primitive::<Int64Type>() {
            floats.append_option(value.map(|value| value as f64));
        }
        *self = Self { kind: Type::Float, values: Builder::Float(floats), rows: self.rows };
    }
}
