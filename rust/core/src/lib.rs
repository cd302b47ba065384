//! The engine of nirs4all-workspace, without Python.
//!
//! A listing of this folder shows its layers; `tests/core/layers.rs` has their order and checks it. From
//! bottom to top: [`base`] and [`fs`] know names and files, not what is in them; [`yaml`], [`types`] and
//! [`footer`] know formats; [`summary`] accumulates and merges what rows say; [`decode`] checks what a
//! Parquet decoder is given; [`hash`] and [`index`] find files by their content; [`segment`] has what one
//! writer leaves and which of it is live; [`mod@write`] makes that; [`reading`] answers for whole folders,
//! [`query`] for rows in order, [`catalogue`] for runs; [`upkeep`] repairs, compacts and verifies.

pub mod base;
pub mod catalogue;
pub mod decode;
pub mod footer;
pub mod fs;
pub mod hash;
pub mod index;
pub mod query;
pub mod reading;
pub mod segment;
pub mod summary;
pub mod types;
pub mod upkeep;
pub mod write;
pub mod yaml;

pub use base::error::{Error, ErrorKind, Result};
