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

mod cache;
mod conformance;
mod containers;
mod curation;
mod demo;
mod docs;
mod export;
mod faults;
mod fuzz_corpus;
mod hatrac;
mod hostile;
mod http2;
mod import;
mod interop;
mod kills;
mod machinery;
mod materialize;
mod odd_bags;
mod pack;
mod plan;
mod real_bags;
mod robustness;
#[cfg(feature = "s3")]
mod s3;
mod support;
mod verify;
mod verify_levels;
