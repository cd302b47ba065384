//! States that somebody made up, with a right checksum: no panic, and no memory for lengths that are not there.

#![allow(clippy::unwrap_used, missing_docs, unsafe_code)]

#[path = "core/common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{METRICS, Rng, added, predictions};
use n4w_core::footer::Footer;
use n4w_core::summary::{embedded, report};
use twox_hash::XxHash3_64;

/// The system's allocator, with the largest single request of a thread noted.
struct Noting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every request is passed on as it came.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

fn largest_of(work: impl FnOnce()) -> usize {
    LARGEST.set(0);
    work();
    LARGEST.get()
}

fn sealed(content: &[u8]) -> Vec<u8> {
    [content, &XxHash3_64::oneshot(content).to_le_bytes()].concat()
}

/// A valid state without its checksum.
fn content() -> Vec<u8> {
    let mut bytes = embedded::to_bytes(&added(&predictions(3, 12, &METRICS)));
    bytes.truncate(bytes.len() - 8);
    bytes
}

/// The largest number, and lengths that just fit or just do not.
fn lengths(rest: usize) -> Vec<Vec<u8>> {
    [u64::MAX, 1 << 40, u64::from(u32::MAX), rest as u64, rest as u64 / 2, rest as u64 / 8, 0]
        .into_iter()
        .map(|length| {
            let mut bytes = Vec::new();
            n4w_core::base::codec::write_varint(&mut bytes, length);
            bytes
        })
        .collect()
}

#[test]
fn announced_lengths_take_no_memory() {
    let content = content();
    for at in 6..content.len() {
        for length in lengths(content.len() - at) {
            let crafted = sealed(&[&content[..at], &length, &content[at + 1..]].concat());
            let largest = largest_of(|| drop(embedded::from_bytes(&crafted)));
            assert!(largest <= 100 * crafted.len(), "{largest} bytes for {} at {at}", crafted.len());
        }
    }
}

#[test]
fn announced_lengths_of_a_footer_take_no_memory() {
    let file = common::parquet_of(&predictions(4, 10, &METRICS));
    let bytes = common::footer_of(&file);
    for at in 0..bytes.len() {
        for length in lengths(bytes.len() - at) {
            let crafted = [&bytes[..at], &length, &bytes[at + 1..]].concat();
            let largest = largest_of(|| drop(Footer::parse(&crafted)));
            assert!(largest <= 100 * crafted.len(), "{largest} bytes for {} at {at}", crafted.len());
        }
    }
}

/// Decodes, reports, merges, goes on: what a reader does with a file's state.
fn use_all(crafted: &[u8]) {
    let Ok(state) = embedded::from_bytes(crafted) else { return };
    report::summary(&state, None, "now").to_json();
    let mut whole = added(&predictions(5, 3, &METRICS));
    whole.merge(&state);
    whole.merge(&state);
    report::summary(&whole, None, "now").to_json();
    let again = embedded::from_bytes(&embedded::to_bytes(&state)).unwrap();
    assert_eq!(embedded::to_bytes(&again), embedded::to_bytes(&state));
}

#[track_caller]
fn assert_no_panic(crafted: impl Iterator<Item = (String, Vec<u8>)>) {
    std::panic::set_hook(Box::new(|_| {}));
    let mut panicked = Vec::new();
    for (what, bytes) in crafted {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| use_all(&bytes))) {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            panicked.push(format!("{what}: {message}"));
        }
    }
    let _ = std::panic::take_hook();
    assert!(panicked.is_empty(), "{} of them: {:#?}", panicked.len(), &panicked[..panicked.len().min(20)]);
}

#[test]
fn made_up_numbers_never_panic() {
    let content = content();
    let crafted = (6..content.len()).flat_map(|at| {
        let content = content.clone();
        let lengths = lengths(content.len() - at).into_iter().enumerate();
        lengths.map(move |(which, number)| {
            (
                format!("number {which} at {at}"),
                sealed(&[&content[..at], &number, &content[at + 1..]].concat()),
            )
        })
    });
    assert_no_panic(crafted);
}

#[test]
fn made_up_bytes_never_panic() {
    let content = content();
    let mut rng = Rng(11);
    let crafted = (0..8_000).map(|index| {
        let mut changed = content.clone();
        for _ in 0..=rng.below(4) {
            let at = 6 + rng.below(content.len() - 6);
            changed[at] = match rng.below(3) {
                0 => rng.next() as u8,
                1 => changed[at] ^ (1 << rng.below(8)),
                _ => *rng.pick(&[0, 1, 2, 0x7F, 0x80, 0xFF]),
            };
        }
        (format!("change {index}"), sealed(&changed))
    });
    assert_no_panic(crafted);
}

/// Two values that stand for 2^63 values each.
#[test]
fn made_up_weights_never_panic() {
    let row = common::Prediction { scores: [Some(0.75), None, None], ..Default::default() };
    let bytes = embedded::to_bytes(&added(&[row]));
    let content = &bytes[..bytes.len() - 8];
    let value = 0.75f64.to_le_bytes();
    // Count, not closed, flips, one level, twice its length, its value.
    let quantiles = [&[1, 0][..], &[0; 8], &[1, 2], &value].concat();
    let at = content.windows(quantiles.len()).position(|window| window == quantiles).unwrap();
    let crafted = [&[2, 0][..], &[0; 8], &[64], &[0; 63], &[4], &value, &value].concat();
    let crafted = [&content[..at], &crafted, &content[at + quantiles.len()..]].concat();
    assert_no_panic(std::iter::once(("weights of 2^63".to_owned(), sealed(&crafted))));
}
