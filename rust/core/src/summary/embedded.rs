//! Summaries in the footers of Parquet files: when they are trusted and how they are written.
//!
//! Two keys, both ASCII: `n4a_summary` for people and other programs, `n4a_sketch` with all that is
//! needed to merge. A seal at the end of the sketch proves that the footer is as it was written, so that a
//! file which another tool edited or rewrote is found out.

use base64_simd::STANDARD as BASE64;
use twox_hash::XxHash3_64;

use super::names::STORED;
use super::score_stats::ScoreStats;
use super::sketch_reader::SketchReader;
use super::sketch_writer::MINOR;
use super::{Accumulator, Datasets, merged, report};
use crate::base::clock;
use crate::base::codec::ByteWriter;
use crate::base::error::{Error, ErrorKind, Result, corrupt};
use crate::base::metrics::{self, Direction};
use crate::base::value::Value;
use crate::footer::{Footer, digest};

/// The key of the summary.
pub const SUMMARY_KEY: &str = "n4a_summary";
/// The key of the sketch.
pub const SKETCH_KEY: &str = "n4a_sketch";
/// Both.
pub const KEYS: [&str; 2] = [SUMMARY_KEY, SKETCH_KEY];
/// Largest size of both values together.
const LIMIT: usize = 256 * 1024;
/// Largest size of the summary's text, which leaves as much to the sketch.
const TEXT_LIMIT: usize = 128 * 1024;
const MAGIC: &[u8; 4] = b"N4AK";
const MAJOR: u8 = 1;
const CHECKSUM: usize = 8;

/// What a footer says of its rows.
pub enum Embedded {
    /// A summary that belongs to these rows.
    Trusted(Sketch),
    /// None that can be trusted, and why.
    Untrusted(String),
    /// One that a newer version of this package wrote: not to be overwritten.
    Newer(String),
}

/// Reads the summary from the bytes of a footer, which are parsed only where their seal is not right.
///
/// Fails as [`read`] does, and where the footer cannot be parsed.
pub fn read_bytes(footer: &[u8]) -> Result<Embedded> {
    match digest::verified(footer)
        .filter(|sketch| !sketch.is_empty())
        .and_then(|sketch| BASE64.decode_to_vec(sketch).ok())
    {
        Some(bytes) => read_sketch(bytes, true),
        None => read(&Footer::parse(footer)?),
    }
}

/// Reads the summary of a footer.
///
/// Fails with [`ErrorKind::Metric`] where the footer ranks a metric in another direction than the
/// table: that is for the user to settle.
pub fn read(footer: &Footer<'_>) -> Result<Embedded> {
    let untrusted = |reason: &str| Ok(Embedded::Untrusted(reason.to_owned()));
    let sketch = match (footer.get(SUMMARY_KEY), footer.get(SKETCH_KEY)) {
        (None, None) => return untrusted("no summary in the footer"),
        (Some(_), None) => return untrusted("a summary without a sketch, as version 1.0 wrote it"),
        (None, Some(_)) => return untrusted("a sketch without its summary"),
        (Some(_), Some(sketch)) => digest::text_of(sketch),
    };
    let Ok(bytes) = BASE64.decode_to_vec(sketch) else { return untrusted("the sketch is not base64") };
    read_sketch(bytes, digest::verified(footer.bytes) == Some(sketch.as_bytes()))
}

fn read_sketch(bytes: Vec<u8>, is_sealed: bool) -> Result<Embedded> {
    let untrusted = |reason: &str| Ok(Embedded::Untrusted(reason.to_owned()));
    // A seal is the checksum of more.
    let opened = if is_sealed { open_checked(&bytes) } else { open(&bytes) };
    let mut reader = match opened {
        Ok(Opened::Known(reader)) => reader,
        Ok(Opened::Newer(version)) => {
            return Ok(Embedded::Newer(format!(
                "the sketch has version {version}, newer than {MAJOR}.{MINOR}"
            )));
        }
        Err(error) => return untrusted(&error.message),
    };
    if !is_sealed {
        return untrusted("the file was rewritten, or its summary edited, after the summary was made");
    }
    let Ok(metrics) = read_metrics(&mut reader) else {
        return untrusted("the sketch has no readable header");
    };
    match metrics.iter().find(|(metric, stored)| disagrees(metric, *stored)) {
        None => {
            let (state, minor) = (bytes.len() - CHECKSUM - reader.bytes.left(), reader.minor());
            let sketch = Sketch { bytes, state, minor };
            if sketch.hides_overflow() {
                return untrusted("scores from 2^960 on, of whose means its version tells nothing");
            }
            Ok(Embedded::Trusted(sketch))
        }
        Some((metric, Direction::Unknown)) => {
            untrusted(&format!("metric {metric:?} was unknown when the summary was made"))
        }
        Some((metric, stored)) => Err(Error::new(
            ErrorKind::Metric,
            format!(
                "metric {metric:?} is stored as '{}' and the table says '{}'; rebuild the summaries where the \
                 table is right, else rename the metric",
                stored.name(),
                metrics::direction(metric).name()
            ),
        )),
    }
}

/// A trusted sketch, not yet decoded.
pub struct Sketch {
    bytes: Vec<u8>,
    /// Where the states begin.
    state: usize,
    /// Its minor version.
    minor: u8,
}

impl Sketch {
    /// Adds what the sketch says to what is known; after an error `into` holds a part.
    pub fn merge_into(&self, into: &mut Datasets) -> Result<()> {
        merge_states(self.states(), into)
    }

    fn states(&self) -> SketchReader<'_> {
        SketchReader::new(&self.bytes[self.state..self.bytes.len() - CHECKSUM]).of_version(self.minor)
    }

    /// Whether it may show means of values that have none: its version did not tell, and there are such values.
    ///
    /// A sketch that cannot be decoded fails when its datasets are asked for.
    fn hides_overflow(&self) -> bool {
        if self.states().tells_overflow() {
            return false;
        }
        let Ok(datasets) = self.datasets() else { return false };
        let mut groups = datasets.values().flat_map(Accumulator::groups);
        groups.any(|(_, group)| {
            let mut moments = group.scores().iter().map(ScoreStats::moments);
            group.scores()[0].moments().has_overflow()
                || moments.any(|it| it.count() > 1 && !it.has_overflow() && it.std().is_none())
        })
    }

    /// The name and the encoded state of its dataset, where it has just one and is not compressed.
    pub fn only_dataset(&self) -> Option<(&str, SketchReader<'_>)> {
        let mut reader = self.states();
        let is_plain = reader.bytes.byte().ok()? == 0 && reader.bytes.int().ok()? == 1;
        if is_plain { reader.dataset().ok() } else { None }
    }

    /// What the sketch says.
    pub fn datasets(&self) -> Result<Datasets> {
        let mut datasets = Datasets::new();
        self.merge_into(&mut datasets)?;
        Ok(datasets)
    }
}

/// What a sketch says before its states: which metrics it ranks, and how.
fn read_metrics<'a>(reader: &mut SketchReader<'a>) -> Result<Vec<(&'a str, Direction)>> {
    let count = reader.bytes.count(2)?;
    (0..count).map(|_| Ok((reader.bytes.text()?, reader.direction()?))).collect()
}

fn write_metrics(writer: &mut ByteWriter, datasets: &Datasets) {
    let groups: Vec<_> = datasets.values().flat_map(Accumulator::groups).collect();
    writer.int(groups.len() as u64);
    for (metric, group) in groups {
        writer.text(metric);
        writer.direction(group.direction());
    }
}

fn disagrees(metric: &str, stored: Direction) -> bool {
    let table = metrics::direction(metric);
    table != Direction::Unknown && table != stored
}

/// Whether a metric is ranked otherwise than the table says.
///
/// A metric that only another process registered is no disagreement.
pub fn table_disagrees(datasets: &Datasets) -> bool {
    datasets
        .values()
        .flat_map(Accumulator::groups)
        .any(|(metric, group)| disagrees(metric, group.direction()))
}

/// The keys for a file with this footer and these rows; writing the footer fills in its digest.
///
/// The text shows fewer names and predictions where it would grow beyond its share; the sketch keeps
/// the 1,024 most frequent names of each facet, is compressed where it has to be, and compacts only
/// after that. Fails where the footer has other rows than were counted.
pub fn write(datasets: &Datasets, footer: &Footer<'_>) -> Result<[(&'static str, String); 2]> {
    let rows: u64 = datasets.values().map(Accumulator::rows).sum();
    if rows != footer.num_rows {
        return Err(corrupt(format!("the summary counts {rows} rows and the footer {}", footer.num_rows)));
    }
    let generated_at = clock::now();
    let does_not_fit = || {
        Error::new(
            ErrorKind::Argument,
            "the summary does not fit into 256 KiB of footer: too many metrics or too long names; the file stays \
             without one",
        )
    };
    let limit = |datasets: &mut Datasets, names, values| {
        datasets.values_mut().for_each(|accumulator| accumulator.limit(names, values));
    };
    let text_of = |datasets: &Datasets, shown| brief_summary_of(datasets, &generated_at, shown).to_json();
    let mut small = datasets.clone();
    limit(&mut small, STORED, usize::MAX);
    let mut summary = text_of(&small, report::SHOWN);
    if summary.len() > TEXT_LIMIT {
        let mut fewer = small.clone();
        let texts = [(256, report::SHOWN), (64, report::SHOWN), (16, 3), (4, 1), (1, 1)];
        let mut texts = texts.iter().map(|&(names, shown)| {
            limit(&mut fewer, names, usize::MAX);
            text_of(&fewer, shown)
        });
        summary = texts.find(|text| text.len() <= TEXT_LIMIT).ok_or_else(does_not_fit)?;
    }
    let sketches =
        [(STORED, 4096), (STORED, 2048), (STORED, 1024), (256, 512), (64, 256), (16, 256), (4, 256)];
    for (names, values) in sketches {
        limit(&mut small, names, values);
        for is_packed in [false, true] {
            let mut writer = begin();
            write_metrics(&mut writer, &small);
            write_states(&mut writer, &small, is_packed)?;
            let sketch = digest::reserve(&BASE64.encode_to_string(finish(writer)));
            if summary.len() + sketch.len() <= LIMIT {
                return Ok([(SUMMARY_KEY, summary), (SKETCH_KEY, sketch)]);
            }
        }
    }
    Err(does_not_fit())
}

/// States as they are, or compressed with their length before.
fn write_states(writer: &mut ByteWriter, datasets: &Datasets, is_packed: bool) -> Result<()> {
    writer.bytes.push(u8::from(is_packed));
    if !is_packed {
        writer.datasets(datasets);
        return Ok(());
    }
    let mut states = ByteWriter::default();
    states.datasets(datasets);
    writer.int(states.bytes.len() as u64);
    let packed = zstd::bulk::compress(&states.bytes, zstd::DEFAULT_COMPRESSION_LEVEL)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot compress the sketch: {error}")))?;
    writer.bytes.extend_from_slice(&packed);
    Ok(())
}

/// States of this length were never written: a damaged one must not ask for more memory.
const STATES_LIMIT: usize = 64 * 1024 * 1024;

fn merge_states(mut reader: SketchReader<'_>, into: &mut Datasets) -> Result<()> {
    if reader.bytes.byte()? == 0 {
        return reader.merge_datasets(into);
    }
    let length = usize::try_from(reader.bytes.int()?).ok().filter(|length| *length <= STATES_LIMIT);
    let length = length.ok_or_else(|| corrupt("the sketch announces more than it can hold"))?;
    let left = reader.bytes.left();
    let states = zstd::bulk::decompress(reader.bytes.bytes(left)?, length)
        .map_err(|error| corrupt(format!("the sketch cannot be decompressed: {error}")))?;
    SketchReader::new(&states).of_version(reader.minor()).merge_datasets(into)
}

/// The summary of one file, which nearly always holds one dataset.
pub fn summary_of(datasets: &Datasets, generated_at: &str) -> Value {
    brief_summary_of(datasets, generated_at, report::SHOWN)
}

fn brief_summary_of(datasets: &Datasets, generated_at: &str, shown: usize) -> Value {
    match datasets.iter().next() {
        Some((name, only)) if datasets.len() == 1 => {
            report::brief_summary(only, Some(name), generated_at, shown)
        }
        _ => report::brief_summary(&merged(datasets.values()), None, generated_at, shown),
    }
}

/// The whole state of one summary, versioned and with a checksum.
pub fn to_bytes(accumulator: &Accumulator) -> Vec<u8> {
    let mut writer = begin();
    writer.accumulator(accumulator);
    finish(writer)
}

/// What [`to_bytes`] wrote.
pub fn from_bytes(bytes: &[u8]) -> Result<Accumulator> {
    match open(bytes)? {
        Opened::Known(mut reader) => reader.accumulator(),
        Opened::Newer(version) => Err(Error::new(
            ErrorKind::Version,
            format!("the state has version {version}, newer than {MAJOR}.{MINOR}; update nirs4all-workspace"),
        )),
    }
}

/// The state of a summary as text.
pub fn to_text(accumulator: &Accumulator) -> String {
    BASE64.encode_to_string(to_bytes(accumulator))
}

/// What [`to_text`] wrote.
pub fn from_text(text: &str) -> Result<Accumulator> {
    from_bytes(&BASE64.decode_to_vec(text).map_err(|_| corrupt("the sketch is not base64"))?)
}

fn begin() -> ByteWriter {
    let mut writer = ByteWriter::default();
    writer.bytes.extend_from_slice(MAGIC);
    writer.bytes.extend_from_slice(&[MAJOR, MINOR]);
    writer
}

fn finish(mut writer: ByteWriter) -> Vec<u8> {
    let checksum = XxHash3_64::oneshot(&writer.bytes);
    writer.u64(checksum);
    writer.bytes
}

enum Opened<'a> {
    Known(SketchReader<'a>),
    Newer(String),
}

fn open(bytes: &[u8]) -> Result<Opened<'_>> {
    if let Some((content, checksum)) = bytes.split_last_chunk::<CHECKSUM>()
        && XxHash3_64::oneshot(content) != u64::from_le_bytes(*checksum)
    {
        return Err(corrupt("the sketch's checksum is wrong"));
    }
    open_checked(bytes)
}

/// Opens what is known to be as it was written.
fn open_checked(bytes: &[u8]) -> Result<Opened<'_>> {
    let (content, _) =
        bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| corrupt("the sketch is too short"))?;
    let mut reader = SketchReader::new(content);
    if reader.bytes.bytes(MAGIC.len())? != MAGIC {
        return Err(corrupt("the sketch does not begin with N4AK"));
    }
    let (major, minor) = (reader.bytes.byte()?, reader.bytes.byte()?);
    if major > MAJOR {
        Ok(Opened::Newer(format!("{major}.{minor}")))
    } else {
        Ok(Opened::Known(reader.of_version(minor)))
    }
}
