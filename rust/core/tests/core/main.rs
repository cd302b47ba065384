//! The tests of the engine, linked once: all but those that change something of their whole process.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

mod accumulator;
mod atomic;
mod cache;
mod codec;
mod collect;
mod corpus;
mod distinct;
mod embedded;
mod footer;
mod hash;
mod index;
mod journal;
mod layers;
mod lock;
mod moments;
mod names;
mod pages;
mod panics;
mod quantiles;
mod rows;
mod segments;
mod stat_snapshot;
mod thrift;
mod topk;
mod value;
mod value_sizes;
