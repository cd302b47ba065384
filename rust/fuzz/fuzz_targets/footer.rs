//! A footer from anywhere: parsing, its keys, its seal and the summary in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use n4w_core::footer::Footer;
use n4w_core::summary::embedded::{self, Embedded};
use n4w_core::summary::{merged, report};

fuzz_target!(|bytes: &[u8]| {
    let read = embedded::read_bytes(bytes);
    let Ok(footer) = Footer::parse(bytes) else { return };
    assert_eq!(read.is_ok(), embedded::read(&footer).is_ok());
    for (key, _) in footer.pairs() {
        assert!(footer.get(key).is_none_or(|value| value.len() < bytes.len()));
    }
    footer.schema_fingerprint();
    if let Ok(Embedded::Trusted(sketch)) = embedded::read(&footer)
        && let Ok(datasets) = sketch.datasets()
    {
        report::workspace_summary(&datasets, &merged(datasets.values()), "now").to_json();
    }
});
