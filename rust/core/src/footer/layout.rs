//! Where the column chunks, bloom filters and page indexes of a file lie, as its footer says.
//!
//! Field numbers: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use std::ops::Range;

use super::bounds::{Bounds, Statistics};
use super::parse::{FIELD_CREATED_BY, FIELD_KEY_VALUES, FIELD_ROW_GROUPS, FIELD_SCHEMA, Footer};
use super::thrift::{BINARY, Fault, LIST, Reader, STRUCT, each_field};
use crate::base::error::{Result, corrupt};

use twox_hash::XxHash3_64;

/// The key of the Arrow schema, which says what the columns of Parquet mean.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// A column that holds values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The name of the top-level column that it is part of.
    pub column: Box<str>,
    /// Its physical type, as Parquet numbers them.
    pub physical: i64,
    /// Bytes of a value where all have as many, else 0.
    pub width: u64,
    /// Highest definition level.
    pub max_definition: u32,
    /// Highest repetition level: 0 where a row has one value.
    pub max_repetition: u32,
}

/// Some bytes of a file.
pub type Extent = Range<u64>;

/// A column chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Its pages.
    pub pages: Extent,
    /// Its compression, as Parquet numbers codecs.
    pub codec: i64,
    /// Values, nulls among them.
    pub num_values: u64,
    /// Bytes of its pages before they were compressed, their headers among them.
    pub uncompressed: u64,
    /// Bytes of its texts, where its writer counted them.
    pub text_bytes: Option<u64>,
    /// Its bloom filter.
    pub bloom_filter: Option<Extent>,
    /// Its column index and its offset index.
    indexes: [Option<Extent>; 2],
}

/// A row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its rows.
    pub rows: u64,
    /// Its chunks, one for each leaf.
    pub chunks: Vec<Chunk>,
}

/// What a footer says of the bytes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The columns that hold values, in order.
    pub leaves: Vec<Leaf>,
    /// The row groups, in order.
    pub groups: Vec<Group>,
    /// What is known of the numbers of each leaf.
    pub bounds: Vec<Bounds>,
}

impl Layout {
    /// The bytes that hold the page indexes; none where there is no page index.
    pub fn page_index(&self) -> Extent {
        let indexes = self.groups.iter().flat_map(|group| &group.chunks).flat_map(|chunk| &chunk.indexes);
        indexes
            .flatten()
            .cloned()
            .reduce(|all, one| all.start.min(one.start)..all.end.max(one.end))
            .unwrap_or_default()
    }
}

impl Footer<'_> {
    /// Where everything lies; an error where the footer contradicts itself: in the types of columns, in the
    /// number of rows, or in places that no file has.
    pub fn layout(&self) -> Result<Layout> {
        let read = self.read_layout().map_err(|fault| corrupt(format!("the footer is damaged: {fault}")))?;
        read.map_err(|contradiction| corrupt(format!("the footer contradicts itself: {contradiction}")))
    }

    /// Compares the types in the schema with those of the column chunks, and the number of rows with
    /// those of the row groups.
    pub fn check(&self) -> Result<()> {
        self.layout().map(drop)
    }

    /// A hash of all that tells readers what the bytes before the footer mean: its fields but for the keys and
    /// the name of the writer, and the Arrow schema.
    pub fn layout_hash(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let told =
            self.fields.iter().filter(|field| ![FIELD_KEY_VALUES, FIELD_CREATED_BY].contains(&field.id));
        for field in told {
            bytes.extend_from_slice(&field.id.to_le_bytes());
            bytes.extend_from_slice(field.bytes);
        }
        bytes.extend_from_slice(self.get(ARROW_SCHEMA).unwrap_or_default().as_bytes());
        XxHash3_64::oneshot(&bytes)
    }

    fn read_layout(&self) -> Result<Result<Layout, String>, Fault> {
        let leaves = self.field(FIELD_SCHEMA).map(read_leaves).transpose()?.unwrap_or_default();
        let bounds = vec![Bounds::Nulls; leaves.len()];
        let mut layout = Layout { leaves, groups: Vec::new(), bounds };
        let Some(row_groups) = self.field(FIELD_ROW_GROUPS) else { return Ok(Ok(layout)) };
        let mut rows = 0_u64;
        let mut reader = Reader::new(row_groups);
        for number in 0..reader.list()?.0 {
            let (group_rows, stored) = read_group(&mut reader)?;
            let types = stored.iter().filter_map(|chunk| chunk.physical);
            if stored.len() != layout.leaves.len()
                || !types.eq(layout.leaves.iter().map(|leaf| leaf.physical))
            {
                return Ok(Err("the types of its columns are not those of its schema".to_owned()));
            }
            let Ok(group_rows) = u64::try_from(group_rows) else {
                return Ok(Err(format!("row group {number} has {group_rows} rows")));
            };
            let mut chunks = Vec::with_capacity(stored.len());
            for ((leaf, bounds), stored) in layout.leaves.iter().zip(&mut layout.bounds).zip(stored) {
                *bounds = bounds.and(stored.statistics.bounds(stored.num_values));
                match stored.placed() {
                    Some(chunk) => chunks.push(chunk),
                    None => {
                        let column = &leaf.column;
                        let message = format!(
                            "column {column:?} in row group {number} has a size or a place that no file has"
                        );
                        return Ok(Err(message));
                    }
                }
            }
            rows = rows.saturating_add(group_rows);
            layout.groups.push(Group { rows: group_rows, chunks });
        }
        if rows != self.num_rows {
            let announced = self.num_rows;
            return Ok(Err(format!("it announces {announced} rows and its row groups hold {rows}")));
        }
        Ok(Ok(layout))
    }
}

/// Parquet's numbers for how often a value comes in its parent.
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;
/// Deepest nesting of the schema's groups: decoders call themselves for each. What is stored has two for a level of
/// lists, at most 60 levels, and that of the schema.
const DEEPEST: usize = 200;
const NESTED: Fault =
    "its schema nests groups deeper than 200 levels; write the values of that column as text";

/// A group of the schema whose children are being read.
struct Parent {
    left: u64,
    column: Option<Box<str>>,
    max_definition: u32,
    max_repetition: u32,
}

/// The columns that hold values, in order.
fn read_leaves(schema: &[u8]) -> Result<Vec<Leaf>, Fault> {
    let mut reader = Reader::new(schema);
    let mut leaves = Vec::new();
    let mut parents: Vec<Parent> = Vec::new();
    for _ in 0..reader.list()?.0 {
        let (mut physical, mut length, mut repetition, mut children) = (None, 0, 0, 0);
        let mut name: &[u8] = &[];
        each_field(&mut reader, |reader, id, kind| {
            match (id, kind) {
                (1, 4..=6) => physical = Some(reader.int()?),
                (2, 4..=6) => length = reader.int()?,
                (3, 4..=6) => repetition = reader.int()?,
                (4, BINARY) => name = reader.binary()?,
                (5, 4..=6) => children = reader.int()?,
                _ => reader.skip(kind)?,
            }
            Ok(())
        })?;
        while parents.last().is_some_and(|parent| parent.left == 0) {
            parents.pop();
        }
        let mut own =
            Parent { left: children.max(0) as u64, column: None, max_definition: 0, max_repetition: 0 };
        if let Some(parent) = parents.last_mut() {
            parent.left -= 1;
            own.column = Some(parent.column.clone().unwrap_or_else(|| String::from_utf8_lossy(name).into()));
            own.max_definition =
                parent.max_definition + u32::from([OPTIONAL, REPEATED].contains(&repetition));
            own.max_repetition = parent.max_repetition + u32::from(repetition == REPEATED);
        }
        match physical {
            Some(physical) if children == 0 => leaves.push(Leaf {
                column: own.column.unwrap_or_default(),
                physical,
                width: width_of(physical, length),
                max_definition: own.max_definition,
                max_repetition: own.max_repetition,
            }),
            _ if parents.len() >= DEEPEST => return Err(NESTED),
            _ => parents.push(own),
        }
    }
    Ok(leaves)
}

/// Bytes of a value of a physical type; booleans have one at most.
fn width_of(physical: i64, length: i64) -> u64 {
    match physical {
        0 => 1,
        1 | 4 => 4,
        2 | 5 => 8,
        3 => 12,
        7 => u64::try_from(length).unwrap_or(0),
        _ => 0,
    }
}

/// What a footer says of a column chunk.
#[derive(Default)]
struct Stored {
    physical: Option<i64>,
    codec: i64,
    num_values: i64,
    uncompressed: i64,
    compressed: i64,
    data_pages: i64,
    dictionary: Option<i64>,
    text_bytes: Option<i64>,
    statistics: Statistics,
    /// Place and length of the bloom filter, the column index and the offset index.
    others: [(Option<i64>, Option<i64>); 3],
}

impl Stored {
    /// The column chunk, if its sizes and places are ones that a file can have.
    fn placed(&self) -> Option<Chunk> {
        let unsigned = |number: i64| u64::try_from(number).ok();
        let extent = |start: i64, length: i64| {
            let start = unsigned(start)?;
            Some(start..start.checked_add(unsigned(length)?)?)
        };
        // Some writers say 0 where there is no dictionary.
        let start = match self.dictionary.filter(|place| *place != 0) {
            // Without values there may be no data page to be placed.
            Some(place) if place > self.data_pages && self.num_values > 0 => return None,
            Some(place) => place,
            None => self.data_pages,
        };
        let other = |(place, length): (Option<i64>, Option<i64>)| match (place, length) {
            (Some(place), Some(length)) => extent(place, length).map(Some),
            // Its length stands in its own header, or there is nothing to be read.
            _ => Some(None),
        };
        let [bloom_filter, column_index, offset_index] = self.others;
        Some(Chunk {
            pages: extent(start, self.compressed)?,
            codec: self.codec,
            num_values: unsigned(self.num_values)?,
            uncompressed: unsigned(self.uncompressed)?,
            text_bytes: self.text_bytes.and_then(unsigned),
            bloom_filter: other(bloom_filter)?,
            indexes: [other(column_index)?, other(offset_index)?],
        })
    }
}

/// The rows of a row group, and its column chunks.
fn read_group(reader: &mut Reader<'_>) -> Result<(i64, Vec<Stored>), Fault> {
    let (mut rows, mut chunks) = (0, Vec::new());
    each_field(reader, |reader, id, kind| {
        match (id, kind) {
            (1, LIST) => {
                for _ in 0..reader.list()?.0 {
                    chunks.push(read_chunk(reader)?);
                }
            }
            (3, 4..=6) => rows = reader.int()?,
            _ => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok((rows, chunks))
}

fn read_chunk(reader: &mut Reader<'_>) -> Result<Stored, Fault> {
    let mut chunk = Stored::default();
    each_field(reader, |reader, id, kind| {
        match (id, kind) {
            (3, STRUCT) => read_metadata(reader, &mut chunk)?,
            (4, 4..=6) => chunk.others[2].0 = Some(reader.int()?),
            (5, 4..=6) => chunk.others[2].1 = Some(reader.int()?),
            (6, 4..=6) => chunk.others[1].0 = Some(reader.int()?),
            (7, 4..=6) => chunk.others[1].1 = Some(reader.int()?),
            _ => reader.skip(kind)?,
        }
        Ok(())
    })?;
    Ok(chunk)
}

fn read_metadata(reader: &mut Reader<'_>, chunk: &mut Stored) -> Result<(), Fault> {
    each_field(reader, |reader, id, kind| {
        match (id, kind) {
            (1, 4..=6) => chunk.physical = Some(reader.int()?),
            (4, 4..=6) => chunk.codec = reader.int()?,
            (5, 4..=6) => chunk.num_values = reader.int()?,
            (6, 4..=6) => chunk.uncompressed = reader.int()?,
            (7, 4..=6) => chunk.compressed = reader.int()?,
            (9, 4..=6) => chunk.data_pages = reader.int()?,
            (11, 4..=6) => chunk.dictionary = Some(reader.int()?),
            (12, STRUCT) => chunk.statistics = Statistics::read(reader)?,
            (14, 4..=6) => chunk.others[0].0 = Some(reader.int()?),
            (15, 4..=6) => chunk.others[0].1 = Some(reader.int()?),
            (16, STRUCT) => each_field(reader, |reader, id, kind| {
                match (id, kind) {
                    (1, 4..=6) => chunk.text_bytes = Some(reader.int()?),
                    _ => reader.skip(kind)?,
                }
                Ok(())
            })?,
            _ => reader.skip(kind)?,
        }
        Ok(())
    })
}
