//! What the tests of every source share.

pub(crate) mod conformance;
