//! Predictions in order: what is asked ([`filter`]), the best of them ([`top`]), any page of them
//! ([`page`]), one of them ([`find`]).
//!
//! Rows are read from [`source`]s, ordered by [`keys`] (those of texts by [`splitters`]) and kept in
//! windows of their order.

pub mod cursor;
mod damage_mark;
pub mod entry;
pub mod equal_rows;
pub mod file_snapshot;
pub mod filter;
pub mod find;
mod groups;
mod handles;
pub mod keys;
pub mod order;
pub mod origins;
pub mod page;
mod places;
pub mod pruning;
pub mod ranked_rows;
mod sample;
pub mod scan_plan;
mod score_column;
mod score_columns;
mod score_names;
pub mod score_struct;
mod score_tables;
pub mod source;
pub mod splitters;
pub mod take;
pub mod top;
mod window;
mod windows;
