//! The one rule for columns: which types can be stored, in which type a column of many files is answered,
//! which file is an error, and which values do not convert.
//!
//! Every reader asks here, so that a column has the same type and the same values in all answers.

mod answer;
mod cast;
pub mod columns;
mod conform;
mod convert;
mod exact;
mod extension_types;
mod nesting;
mod ranges;
mod reached;
pub mod row_digest;
pub mod rows;
pub mod schema;
mod storable;
mod text;

pub use answer::{accepts, check, common, reads_as, shown};
pub use conform::{Lost, all_names, answer_schema, answer_type, conform};
pub use convert::{Converted, convert, known_column};
pub use extension_types::by_meaning;
pub use nesting::DEEPEST;
pub use ranges::{allowed, is_duration, is_time};
pub use storable::{canonical, store};
