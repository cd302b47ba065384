//! Whether a footer agrees with itself, where its rows are to be believed.

use super::parse::{FIELD_ROW_GROUPS, FIELD_SCHEMA, Footer};
use super::thrift::{Fault, LIST, Reader, STRUCT};
use crate::error::{Result, corrupt};

impl Footer<'_> {
    /// Compares the types in the schema with those of the column chunks, and the number of rows with
    /// those of the row groups.
    pub fn check(&self) -> Result<()> {
        let found =
            self.contradiction().map_err(|fault| corrupt(format!("the footer is damaged: {fault}")))?;
        found.map_or(Ok(()), |contradiction| {
            Err(corrupt(format!("the footer contradicts itself: {contradiction}")))
        })
    }

    fn contradiction(&self) -> Result<Option<String>, Fault> {
        let types = self.field(FIELD_SCHEMA).map(leaf_types).transpose()?.unwrap_or_default();
        let Some(row_groups) = self.field(FIELD_ROW_GROUPS) else { return Ok(None) };
        let mut rows = 0i64;
        let mut reader = Reader::new(row_groups);
        for _ in 0..reader.list()?.0 {
            let group = RowGroup::read(&mut reader)?;
            if group.types != types {
                return Ok(Some("the types of its columns are not those of its schema".to_owned()));
            }
            rows = rows.saturating_add(group.rows);
        }
        Ok((u64::try_from(rows) != Ok(self.num_rows))
            .then(|| format!("it announces {} rows and its row groups hold {rows}", self.num_rows)))
    }
}

/// The physical types of the columns that hold values, in order.
fn leaf_types(schema: &[u8]) -> Result<Vec<i64>, Fault> {
    let mut reader = Reader::new(schema);
    let mut types = Vec::new();
    for _ in 0..reader.list()?.0 {
        let (mut physical, mut children) = (None, 0);
        each_field(&mut reader, |reader, id, kind| {
            match (id, kind) {
                (1, 4..=6) => physical = Some(reader.int()?),
                (5, 4..=6) => children = reader.int()?,
                _ => reader.skip(kind)?,
            }
            Ok(())
        })?;
        types.extend(physical.filter(|_| children == 0));
    }
    Ok(types)
}

/// What a row group says of itself and its columns.
struct RowGroup {
    rows: i64,
    types: Vec<i64>,
}

impl RowGroup {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut group = Self { rows: 0, types: Vec::new() };
        each_field(reader, |reader, id, kind| {
            match (id, kind) {
                (1, LIST) => {
                    for _ in 0..reader.list()?.0 {
                        group.types.extend(column_type(reader)?);
                    }
                }
                (3, 4..=6) => group.rows = reader.int()?,
                _ => reader.skip(kind)?,
            }
            Ok(())
        })?;
        Ok(group)
    }
}

/// The type in the metadata of a column chunk.
fn column_type(reader: &mut Reader<'_>) -> Result<Option<i64>, Fault> {
    let mut physical = None;
    each_field(reader, |reader, id, kind| match (id, kind) {
        (3, STRUCT) => each_field(reader, |reader, id, kind| {
            if (id, kind) == (1, 5) {
                physical = Some(reader.int()?);
                Ok(())
            } else {
                reader.skip(kind)
            }
        }),
        _ => reader.skip(kind),
    })?;
    Ok(physical)
}

fn each_field<'a>(
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&mut Reader<'a>, i16, u8) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut id = 0;
    loop {
        let (next, kind) = reader.field(id)?;
        if kind == 0 {
            return Ok(());
        }
        id = next;
        take(reader, id, kind)?;
    }
}
