//! Parquet footers: one open, one read, and only what is asked is decoded.

pub mod bounds;
pub mod digest;
pub mod keys;
pub mod layout;
pub mod page_header;
mod parse;
mod splice;
mod tail;
pub mod thrift;

pub use parse::Footer;
pub use splice::{Published, encode, splice};
pub use tail::{MAGIC, Tail, TailReader};
