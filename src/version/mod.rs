//! Version numbers, labels, requirements, the rule of the bump, and references such as `digits@1.0.0`.
//!
//! Owns the forms of labels and names; it knows nothing of what a version holds.

mod bump;
mod label;
pub mod lock;
mod number;
mod reference;
mod requirement;

pub use bump::{Bump, BumpFacts, propose};
pub use label::Label;
pub use number::{DatasetVersion, PreRelease};
pub use reference::{DatasetName, VersionRef};
pub use requirement::{Requirement, VersionRange};

/// A label, name, requirement or reference that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not semver.
    #[error("{0:?} is not a version; versions look like 1.0.0 or 1.1.0-rc.1")]
    BadVersion(String),
    /// Neither a version nor a development label.
    #[error("{0:?} is not a label; labels look like 1.0.0, 1.1.0-rc.1 or 1.0.0.post1.dev3")]
    BadLabel(String),
    /// Not a series of pre-releases.
    #[error("{0:?} is no kind of pre-release; those are alpha, beta and rc")]
    BadPreRelease(String),
    /// Not a dataset's name.
    #[error(
        "{0:?} can't name a dataset: names are at most 100 letters, digits, '_', '-' and '.', and start with a letter"
    )]
    BadName(String),
    /// Not `NAME@VERSION`.
    #[error("{0:?} is not a reference to a version; references look like digits@1.0.0")]
    BadReference(String),
    /// Not `NAME@REQUIREMENT`.
    #[error("{0:?} is not a requirement; requirements look like digits@^1.2, digits@1.0.0 or digits@latest")]
    BadRequirement(String),
    /// Not a range of versions.
    #[error(
        "{0:?} says no versions; write an exact one (1.2.0), latest, or what may vary: ^1.2, ~1.2.3, >=1, <2, 1.*"
    )]
    BadRange(String),
    /// Development labels name no release.
    #[error("{0} is the label of a dataset under way, not of a release, and no requirement matches it")]
    DevLabel(Label),
}
