//! How far long work has come, and whether it should stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::error::{Error, ErrorKind, Result};

/// Shared between the threads that work and the one that waits for them.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
    counts_bytes: AtomicBool,
}

impl Progress {
    /// Says how much there is to do.
    pub fn expect(&self, total: usize) {
        self.total.store(total as u64, Relaxed);
    }

    /// Says how many bytes there are to hash; from now on they are the pieces.
    pub fn expect_bytes(&self, total: u64) {
        self.counts_bytes.store(true, Relaxed);
        self.total.store(total, Relaxed);
    }

    /// So many bytes were hashed. They count only where bytes are expected.
    pub fn read(&self, bytes: u64) {
        if self.counts_bytes.load(Relaxed) {
            self.done.fetch_add(bytes, Relaxed);
        }
    }

    /// One piece is done; fails with [`ErrorKind::Interrupted`] where the work should stop.
    pub fn step(&self) -> Result<()> {
        self.done.fetch_add(1, Relaxed);
        self.check()
    }

    /// Fails with [`ErrorKind::Interrupted`] where the work should stop.
    pub fn check(&self) -> Result<()> {
        if self.stop.load(Relaxed) { Err(Error::new(ErrorKind::Interrupted, "interrupted")) } else { Ok(()) }
    }

    /// Asks the work to stop at the next piece.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Pieces done and pieces in all.
    pub fn now(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }
}
