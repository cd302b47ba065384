//! Which segments of a run can be merged: those whose columns have equal types, or whole numbers and floats that
//! are exactly one another.

use std::path::Path;

use arrow_schema::{DataType, SchemaRef};

use crate::base::error::{Error, Result};
use crate::base::file_names::Name;
use crate::decode::batches;
use crate::fs::platform;
use crate::types::{self, Converted, schema};

/// A segment that stays apart from others of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The segment.
    pub name: Name,
    /// The first column that has another type there.
    pub column: String,
    /// Its type there.
    pub kind: DataType,
    /// Its type in the segments that were merged.
    pub merged: DataType,
}

/// Segments that can be merged, with the columns of all of them.
#[derive(Debug, Default)]
pub struct Group {
    /// In the order of their names.
    pub members: Vec<Name>,
    /// Extra columns, each in its type and whether all values of it are exactly floats.
    columns: Vec<(String, DataType, bool)>,
}

/// Divides the segments of one run in a folder, each into the first group that it fits; what is in another group
/// than the first stays apart from that.
pub fn groups(folder: &Path, inputs: Vec<Name>) -> Result<(Vec<Group>, Vec<Apart>)> {
    let (mut groups, mut apart) = (Vec::<Group>::new(), Vec::new());
    for name in inputs {
        let path = folder.join(name.sealed());
        let schema = batches::schema_of(&path)?;
        let mut columns = Vec::new();
        for field in schema::extras(&schema) {
            let kind = types::shown(field.data_type());
            // Only beside another type it matters which values there are.
            let is_doubtful =
                kind == DataType::Int64 && groups.iter().any(|group| group.has_other(field.name(), &kind));
            let is_exact = !is_doubtful || is_exact(&path, &schema, field.name())?;
            columns.push((field.name().clone(), kind, is_exact));
        }
        if let Some(first) = groups.first()
            && let Some((column, kind, merged)) = first.conflict(folder, &columns)?
        {
            apart.push(Apart { name: name.clone(), column, kind, merged });
        }
        let mut place = None;
        for (number, group) in groups.iter().enumerate() {
            if group.conflict(folder, &columns)?.is_none() {
                place = Some(number);
                break;
            }
        }
        let group = match place {
            Some(number) => &mut groups[number],
            None => {
                groups.push(Group::default());
                let last = groups.len() - 1;
                &mut groups[last]
            }
        };
        group.add(name, columns);
    }
    Ok((groups, apart))
}

impl Group {
    fn column(&self, name: &str) -> Option<&(String, DataType, bool)> {
        self.columns.iter().find(|(column, ..)| column == name)
    }

    fn has_other(&self, name: &str, kind: &DataType) -> bool {
        self.column(name).is_some_and(|(_, known, _)| known != kind)
    }

    /// The first column of a segment that does not fit, with its type there and here.
    fn conflict(
        &self,
        folder: &Path,
        columns: &[(String, DataType, bool)],
    ) -> Result<Option<(String, DataType, DataType)>> {
        for (name, kind, is_exact) in columns {
            let Some((_, known, _)) = self.column(name).filter(|(_, known, _)| known != kind) else {
                continue;
            };
            let fits = match (known, kind) {
                (DataType::Float64, DataType::Int64) => *is_exact,
                (DataType::Int64, DataType::Float64) => self.is_exact(folder, name)?,
                _ => false,
            };
            if !fits {
                return Ok(Some((name.clone(), kind.clone(), known.clone())));
            }
        }
        Ok(None)
    }

    /// Whether all values that the members have of a column are exactly floats.
    fn is_exact(&self, folder: &Path, column: &str) -> Result<bool> {
        for name in &self.members {
            let path = folder.join(name.sealed());
            if !is_exact(&path, &batches::schema_of(&path)?, column)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, name: Name, columns: Vec<(String, DataType, bool)>) {
        self.members.push(name);
        for (column, kind, is_exact) in columns {
            match self.columns.iter_mut().find(|(known, ..)| *known == column) {
                Some((_, known, _)) if *known == kind => {}
                Some((_, known, _)) => *known = DataType::Float64,
                None => self.columns.push((column, kind, is_exact)),
            }
        }
    }
}

/// Whether all values of a segment's column are exactly floats.
fn is_exact(path: &Path, schema: &SchemaRef, column: &str) -> Result<bool> {
    if schema.field_with_name(column).is_err() {
        return Ok(true);
    }
    let file = platform::open(path).map_err(|error| Error::io(path, error))?;
    let mut failed = 0;
    batches::read_batches(path, file, Some(&[column]), &mut |batches| {
        for array in batches.iter().filter_map(|batch| batch.column_by_name(column)) {
            let Converted { failed: here, .. } = types::convert(array, &DataType::Float64)?;
            failed += here;
        }
        Ok(())
    })?;
    Ok(failed == 0)
}
