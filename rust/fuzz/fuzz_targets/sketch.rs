//! A summary's state from anywhere, with its magic, version and checksum put right, so that the fuzzer gets to
//! the decoder and to all that uses what it accepts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use n4w_core::summary::{embedded, report};
use twox_hash::XxHash3_64;

const HEADER: &[u8; 6] = b"N4AK\x01\x01";
const CHECKSUM: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Some(content) = bytes.get(HEADER.len()..bytes.len().saturating_sub(CHECKSUM)) else { return };
    let mut fixed = [HEADER, content].concat();
    let checksum = XxHash3_64::oneshot(&fixed);
    fixed.extend(checksum.to_le_bytes());

    let Ok(mut state) = embedded::from_bytes(&fixed) else { return };
    report::summary(&state, None, "now").to_json();
    let stored = embedded::to_bytes(&state);
    let again = embedded::from_bytes(&stored).expect("what was written is read");
    assert_eq!(embedded::to_bytes(&again), stored);
    state.merge(&again);
    report::summary(&state, None, "now").to_json();
});
