//! Thread pools that belong to one process.
//!
//! A pool does not survive `fork`: its threads exist only in the parent. The pool is therefore kept
//! beside the process id that made it, and a forked child makes its own; the parent's is never
//! dropped there, since joining threads that do not exist would hang.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Error, ErrorKind, Result};

type Pools = HashMap<(u32, usize), Arc<rayon::ThreadPool>>;

static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// The right to make a pool; see [`hold`].
pub(crate) type Held = MutexGuard<'static, Option<Pools>>;

/// Waits until no thread is making a pool and keeps others from it, for a thread that forks: a child whose parent
/// was just making one would wait for that thread for ever.
pub(crate) fn hold() -> Held {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` in a pool of `threads` threads (0: one per core) of this process.
pub fn run<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    Ok(pool(threads)?.install(work))
}

/// Runs `work` in a thread of such a pool, and meanwhile `wait` in this one, with where its answer will be: what it
/// delivers, or its error.
pub fn run_beside<T: Send, W>(
    threads: usize,
    work: impl FnOnce(&(dyn Fn(T) + Sync)) -> Result<()> + Send,
    wait: impl FnOnce(&Receiver<Result<T>>) -> W,
) -> Result<W> {
    let (send, receive) = channel();
    Ok(pool(threads)?.in_place_scope(|scope| {
        scope.spawn(move |_| {
            // The receiver waits for just this, and for one.
            let deliver = |value| drop(send.send(Ok(value)));
            if let Err(error) = work(&deliver) {
                drop(send.send(Err(error)));
            }
        });
        wait(&receive)
    }))
}

fn pool(threads: usize) -> Result<Arc<rayon::ThreadPool>> {
    let key = (std::process::id(), threads);
    let mut guard = hold();
    let pools = guard.get_or_insert_default();
    if let Some(pool) = pools.get(&key) {
        return Ok(Arc::clone(pool));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("n4w-{index}"))
        .build()
        .map(Arc::new)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot start threads: {error}")))?;
    pools.insert(key, Arc::clone(&pool));
    Ok(pool)
}
