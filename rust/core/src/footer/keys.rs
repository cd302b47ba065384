//! The footer keys by which segments say what they were made from.

/// The footer key that says which journal a segment was sealed from.
pub const JOURNAL_KEY: &str = "n4a_journal";
/// The footer key that lists what a compaction merged.
pub const REPLACES_KEY: &str = "n4a_replaces";
/// The footer key of the results that were checkpointed in a segment.
pub const RESULTS_KEY: &str = "n4a_results";
/// The footer key of the digest where no summary is there to end with it.
pub const DIGEST_KEY: &str = "n4a_digest";
