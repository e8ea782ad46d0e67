//! Dividing a dataset's members into parts, such as training and test sets, and drawing samples from it.
//!
//! Owns the choice of who goes where, and the counts that tell how well it came out. It is a pure function of
//! the members' ids, strata and groups, the sizes and the seed: it reads no files, and gives the same answer
//! on every machine, in every version of dbag, for members in any order. It makes no datasets.
//!
//! # The algorithm, number 1
//!
//! Another program can follow it; all arithmetic but the reading of fractions is in whole numbers.
//!
//! **Ranks.** The rank of a name is the first 16 octets, as a number with the highest octet first, of the
//! SHA-256 over `dbag partition 1` and a line feed, the seed (8 octets, lowest first), one letter, and the
//! name in UTF-8. The letter is `m` for a member's id, `g` for a group's value, `s` for a stratum's, and `n`
//! with an empty name for the stratum of the members without one. "By rank" is the lowest first; equal ranks
//! go by name.
//!
//! **Columns and sizes.** The columns are the parts as listed and then "no part". A fraction becomes whole
//! billionths (the product in IEEE double precision, halves away from zero). If the fractions' sum differs
//! from 10^9 by no more than their number, that sum is the whole `w`, else `w` is 10^9. A part of fraction
//! `f` has the quota `f * n / w`, where `n` is the number of members; a part of a count has that; the part
//! that takes the rest, or "no part" if there is none, has what is left of `n`. Quotas are rounded down, and
//! the units left go one each to the columns with the largest remainders, the earlier first.
//!
//! **Plain.** The members by rank; each column in turn takes as many as its size.
//!
//! **Stratified.** Stratum `s` with `a` members and column `c` of size `b` have the exact share `a * b / n`.
//! Each share is rounded to one of its two neighbours so that the strata and the columns both come out
//! exactly: take the strata by rank; round their shares down; add each remainder to what its column is owed;
//! give the units left in the stratum to those of the columns with a remainder here that are owed the most
//! (the earlier first), which are then owed 1 less. In the end some columns may be owed 1 or more and others
//! less than 0. While there are such: a unit of a stratum can move from a column where its share was rounded
//! up to one where it was rounded down and has a remainder. Search breadth first, from the columns owed less
//! than 0 in order, trying columns in order and for each the first stratum (by rank) with such a move; the
//! first column taken from the queue that is owed more than 0 ends a chain; make its moves. Then in each
//! stratum, the members by rank, each column in turn takes its share.
//!
//! **Grouped.** Without strata, all members are one stratum. A member without a group, if included, is a
//! group of its own with the member's rank. The groups are taken the largest first, those of one size by
//! rank. First, a group goes to the column where the place `floor(h * n / 2^64)` lies, with `h` the higher
//! half of its rank, and the columns laid out on 0 to `n` by size. Then the sum of squared deviations is
//! lowered: that of the columns' sizes, plus for each stratum `floor(n / a)` times that of its shares as
//! rounded above. "No part" takes no groups if its size is 0. A group that is the only one of a part stays
//! there.
//! 1. Each part, in order, without a group gets the one whose move costs least, the first such.
//! 2. Each group, in order, moves to the column where the sum is least (the earlier), if that lowers the sum;
//!    and so again until none moves, at most 16 times.
//! 3. With at most 2000 groups: of all exchanges of two groups, the one that lowers the sum the most is made
//!    (the first by the place of the earlier group, then of the other); at most 24 times.
//!
//! # Why ranks
//!
//! A shuffle deals all cards anew when one is added. A rank stays, so a later version of a dataset, divided
//! with the same seed, fractions and order of parts, keeps nearly all members where they were. Only those
//! whose ranks lie next to a cut move: about the square root of the number added. With counts in place of
//! fractions, the cuts move more, and so do up to about as many members as were added. Grouped, the moves
//! that even out the sizes come on top: a few groups, which is much where groups are few and large. What must
//! not change at all, such as a published test set, should be kept, and only the new members be divided and
//! added to the old parts.

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
    /// By rank, as the module says.
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
