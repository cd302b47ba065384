//! Arrow batches as bytes and back: the payloads of journals.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::SchemaRef;

use crate::base::error::{Error, ErrorKind, Result, corrupt, guarded};

/// A batch as an Arrow IPC stream of its own, compressed with LZ4.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME));
    let write = |options| {
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.into_inner()
    };
    options.and_then(write).map_err(|error| {
        Error::new(ErrorKind::Argument, format!("the rows cannot be written as Arrow IPC: {error}"))
    })
}

/// The batches of an Arrow IPC stream.
pub fn decode(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    guarded("the Arrow batch", || {
        let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?;
        reader.map(|batch| batch.map_err(unreadable)).collect()
    })
}

/// Bytes of the buffers of an Arrow IPC stream once they are decompressed; those of damaged ones are not counted.
pub fn decoded_bytes(bytes: &[u8]) -> usize {
    let (mut left, mut total) = (bytes, 0_usize);
    while let Some((message, body, rest)) = next_message(left) {
        let buffers = message.header_as_record_batch().and_then(|batch| batch.buffers());
        for buffer in buffers.iter().flatten() {
            let start = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
            let announced =
                body.get(start..).and_then(|bytes| bytes.first_chunk()).copied().map(i64::from_le_bytes);
            // A buffer that compression would not shorten says -1 and follows as it is.
            let length = announced.filter(|length| *length >= 0).unwrap_or(buffer.length());
            total = total.saturating_add(usize::try_from(length).unwrap_or(0));
        }
        left = rest;
    }
    total
}

/// The next message of a stream, its body, and what follows.
fn next_message(bytes: &[u8]) -> Option<(arrow_ipc::Message<'_>, &[u8], &[u8])> {
    let (marks, rest) = bytes.split_first_chunk::<8>()?;
    let length = i32::from_le_bytes([marks[4], marks[5], marks[6], marks[7]]);
    let (message, rest) =
        rest.split_at_checked(usize::try_from(length).ok().filter(|length| *length > 0)?)?;
    let message = arrow_ipc::root_as_message(message).ok()?;
    let (body, rest) = rest.split_at_checked(usize::try_from(message.bodyLength()).ok()?)?;
    Some((message, body, rest))
}

/// One column of the batches of an Arrow IPC stream, which need not have it.
pub fn decode_column(bytes: &[u8], column: &str) -> Result<Vec<RecordBatch>> {
    guarded("the Arrow batch", || {
        let schema = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?.schema();
        let Ok(place) = schema.index_of(column) else { return Ok(Vec::new()) };
        let reader = StreamReader::try_new(Cursor::new(bytes), Some(vec![place])).map_err(unreadable)?;
        reader.map(|batch| batch.map_err(unreadable)).collect()
    })
}

/// The columns of an Arrow IPC stream.
pub fn schema_of(bytes: &[u8]) -> Result<SchemaRef> {
    guarded("the Arrow batch", || {
        StreamReader::try_new(Cursor::new(bytes), None).map(|reader| reader.schema()).map_err(unreadable)
    })
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    corrupt(format!("cannot read the Arrow batch: {error}"))
}
