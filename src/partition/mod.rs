//! Dividing a dataset's members into parts, such as training and test sets, and drawing samples from it.
//!
//! Owns the choice of who goes where, and the counts that tell how well it came out. It is a pure function of
//! the members' ids, strata and groups, the sizes and the seed: it reads no files, and gives the same answer
//! on every machine, in every version of dbag, for members in any order. It makes no datasets.
//!
//! The algorithm, well enough for another program to follow it, is in `docs/format.md` ("Partition, algorithm 1"). All
//! arithmetic but the reading of fractions is in whole numbers. Members, groups and strata are taken in the order of
//! their ranks (hashes of seed and name), so that a dataset that has grown, divided with the same seed, keeps nearly
//! all members where they were.

mod error;
mod groups;
mod numpy;
mod rank;
mod report;
mod run;
mod sizes;
mod strata;

#[cfg(test)]
mod tests;

pub use error::PartitionError;
pub use report::{PartCount, Report, StratumCount};

/// A member to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its record id.
    pub id: &'a str,
    /// The value that divisions are stratified by.
    pub stratum: Option<&'a str>,
    /// The value whose members stay together.
    pub group: Option<&'a str>,
}

/// How large a part is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// So many members, at least 1.
    Count(u64),
    /// This fraction of all members that are divided, above 0 and at most 1, to nine decimals.
    Fraction(f64),
    /// What the other parts leave.
    Rest,
}

/// A part that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PartSpec {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: Size,
}

/// What to do with members that lack the value to stratify or group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Refuse to divide.
    Error,
    /// Leave them out, before sizes are worked out.
    Drop,
    /// Take them in: as one more stratum, or each as a group of its own.
    Include,
}

/// How members are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// By rank, as `docs/format.md` says.
    #[default]
    Ranked,
    /// As deriva-ml does without strata: the members *in the order given* are shuffled by numpy's
    /// `default_rng(seed).shuffle`, and cut in the order of the parts. Its order of parts is Training,
    /// Testing, Validation. Fractions are rounded each for itself, halves to even, as Python does; the rest
    /// is the rest.
    DerivaMl,
}

/// A division to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitPlan {
    parts: Vec<PartSpec>,
    seed: u64,
    strata: Option<Missing>,
    groups: Option<Missing>,
    method: Method,
}

impl Method {
    /// What to record beside the seed, so that the division can be made again.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ranked => "dbag partition 1",
            Self::DerivaMl => "deriva-ml",
        }
    }
}

impl SplitPlan {
    /// A plan for these parts, in this order; neither stratified nor grouped.
    ///
    /// Fails on sizes that are wrong whatever the members: a name given twice, a size of 0, a fraction or a
    /// sum of fractions above 1, two parts that take the rest.
    pub fn new(parts: Vec<PartSpec>, seed: u64) -> Result<Self, PartitionError> {
        sizes::check(&parts)?;
        Ok(Self { parts, seed, strata: None, groups: None, method: Method::default() })
    }

    /// Gives each part its share of each stratum.
    #[must_use]
    pub fn stratified(self, missing: Missing) -> Self {
        Self { strata: Some(missing), ..self }
    }

    /// Keeps each group whole.
    #[must_use]
    pub fn grouped(self, missing: Missing) -> Self {
        Self { groups: Some(missing), ..self }
    }

    /// Draws in another way.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Divides the members.
    ///
    /// Fails where a member is given twice or lacks a value it must have, where the parts ask for more
    /// members than there are, and where a part would be empty.
    pub fn divide(&self, items: &[Item]) -> Result<Partition, PartitionError> {
        run::divide(self, items)
    }
}

/// Draws one part of `size` from the members, by strata or groups if these are given. The part's index is 0.
///
/// The sample is the first part of a division, so a larger plain sample with the same seed contains the
/// smaller.
pub fn subsample(
    items: &[Item],
    size: Size,
    seed: u64,
    strata: Option<Missing>,
    groups: Option<Missing>,
) -> Result<Partition, PartitionError> {
    let mut plan = SplitPlan::new(vec![PartSpec { name: "sample".to_owned(), size }], seed)?;
    (plan.strata, plan.groups) = (strata, groups);
    plan.divide(items)
}

/// A division that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// For each member, in the order given, the index of its part; `None` if it is in none.
    pub parts: Vec<Option<usize>>,
    /// How it came out.
    pub report: Report,
}
