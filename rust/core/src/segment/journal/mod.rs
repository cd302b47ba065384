//! Journals: what one writer acknowledges, in frames that prove themselves.
//!
//! A file begins with a header that names its writer and carries a random id. Frames follow, each with
//! a checksum of its head and one of its payload, both seeded with that id: a frame of another file,
//! a stale block or a flipped bit is found out, and costs that frame alone. Its writer alone appends to a
//! journal.

mod append;
mod format;
mod frames;
mod header;
mod position;
mod read;

pub use append::{Appender, corrupt_path, fence, fence_path, is_fenced, keep_corrupt};
pub use format::Kind;
pub use frames::{Coverage, Frames, Lost, Reading};
pub use header::Header;
pub use position::{Cut, End, Position, Stretch};
pub use read::Journal;
