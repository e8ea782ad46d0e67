//! Offline-first `BDBags` and versioned datasets.
pub mod bag;
pub mod model;
pub mod tabular;
pub mod version;
