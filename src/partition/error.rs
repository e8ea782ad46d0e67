//! Why a division was refused.

/// Sizes that can't be had, or members that can't be divided as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// Nothing to divide into.
    #[error("no parts are asked for")]
    NoParts,
    /// A part without a name.
    #[error("a part has an empty name")]
    NoName,
    /// Two parts of one name.
    #[error("two parts are named {0:?}")]
    RepeatedName(String),
    /// A count of 0.
    #[error("part {0:?} would be empty: its size is 0")]
    NoSize(String),
    /// A fraction that is not above 0 and at most 1.
    #[error("part {part:?} can't have the fraction {fraction} of the members: fractions lie between 0 and 1")]
    BadFraction {
        /// The part.
        part: String,
        /// What was asked.
        fraction: f64,
    },
    /// Fractions that come to more than the whole.
    #[error("the parts' fractions add up to {0}, which is above 1")]
    FractionsAboveOne(f64),
    /// Two parts that take what is left.
    #[error("parts {0:?} and {1:?} both ask for the rest: one part can have it")]
    TwoRests(String, String),
    /// No members at all, or all dropped.
    #[error("there are no members to divide")]
    NoMembers,
    /// More members than this version handles (2^32 - 1).
    #[error("{0} members are too many to divide: the limit is 4294967295")]
    TooManyMembers(usize),
    /// Parts that together ask for more than there is.
    #[error("the parts ask for {asked} members, and there are {members}")]
    TooFewMembers {
        /// What the parts come to.
        asked: u64,
        /// What there is.
        members: u64,
    },
    /// A part whose share rounds to nothing.
    #[error("part {part:?} would be empty: its share of {members} members rounds to 0")]
    EmptyPart {
        /// The part.
        part: String,
        /// The members that are divided.
        members: u64,
    },
    /// Fewer groups than parts.
    #[error("{groups} groups can't fill {parts} parts: a group stays whole")]
    TooFewGroups {
        /// The groups that there are.
        groups: u64,
        /// The parts that need one.
        parts: u64,
    },
    /// Members without a stratum, where that is an error.
    #[error("{count} members have no value to stratify by, such as {example}")]
    MissingStratum {
        /// The first of them by record id.
        example: String,
        /// How many there are.
        count: u64,
    },
    /// Members without a group, where that is an error.
    #[error("{count} members have no value to group by, such as {example}")]
    MissingGroup {
        /// The first of them by record id.
        example: String,
        /// How many there are.
        count: u64,
    },
    /// One record id twice.
    #[error("member {0} is given twice")]
    RepeatedMember(String),
    /// A way to draw that knows neither strata nor groups.
    #[error("the draw of deriva-ml can be neither stratified nor grouped")]
    PlainOnly,
}
