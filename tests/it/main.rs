//! dbag from outside: its command line, its peers, servers that misbehave, and its documents.
//!
//! One binary, since linking costs more than running.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]
// Tables of cases and small numbers.
#![allow(
    clippy::type_complexity,
    clippy::cast_possible_truncation,
    clippy::case_sensitive_file_extension_comparisons
)]

mod bag_import;
mod cache;
mod care;
mod catalog_life;
mod conformance;
mod containers;
mod curation;
mod damage;
mod datasets;
mod demo;
mod deriva_ml;
mod diff;
mod docs;
mod explain;
mod export;
mod faults;
mod fuzz_corpus;
mod giving_up;
mod hatrac;
mod histories;
mod hostile;
mod http2;
mod import;
mod import_folder;
mod import_rows;
mod interop;
mod kills;
mod lock;
mod machinery;
mod materialize;
mod mirrors;
mod odd_bags;
mod pack;
mod places;
mod plan;
mod progress;
mod purge;
mod real_bags;
mod robustness;
#[cfg(feature = "s3")]
mod s3;
mod sharing;
mod support;
mod verify;
mod verify_levels;
mod versions;
mod writers;
