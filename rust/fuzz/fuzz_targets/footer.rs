//! A footer from anywhere: parsing, its keys, its digest and the summary in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use n4w_core::footer::Footer;
use n4w_core::summary::embedded::{self, Embedded, KEYS};
use n4w_core::summary::report;

fuzz_target!(|bytes: &[u8]| {
    let Ok(footer) = Footer::parse(bytes) else { return };
    for (key, _) in footer.pairs() {
        assert!(footer.get(key).is_none_or(|value| value.len() < bytes.len()));
    }
    footer.schema_fingerprint();
    assert_eq!(footer.digest(&KEYS), Footer::parse(bytes).map_or(0, |again| again.digest(&KEYS)));
    if let Ok(Embedded::Trusted(sketch)) = embedded::read(&footer)
        && let Ok(datasets) = sketch.datasets()
    {
        report::workspace_summary(&datasets, "now").to_json();
    }
});
