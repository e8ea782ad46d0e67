//! What became of the members: counts for people to look at before they train on a part.

/// The counts of a partition. Counts of parts stand in the order of the parts asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Members that were divided: all but the dropped.
    pub members: u64,
    /// Members that went to no part, since the sizes asked for did not come to the whole.
    pub left_out: u64,
    /// Members without a stratum or group, where such are dropped.
    pub dropped: u64,
    /// The parts.
    pub parts: Vec<PartCount>,
    /// The strata by name, that of the members without a value first; empty unless stratified.
    pub strata: Vec<StratumCount>,
    /// The groups, all together; 0 unless grouped.
    pub groups: u64,
    /// The members of the largest group; 0 unless grouped.
    pub largest_group: u64,
    /// The largest difference between a part's members and those asked for; above 0 only when grouped.
    pub deviation: u64,
    /// The largest difference between a part's members of one stratum and its exact share of them, which is
    /// the stratum's members times the size asked for, over all members; below 1 unless grouped.
    pub stratum_deviation: f64,
}

/// A part's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCount {
    /// Its name.
    pub name: String,
    /// The members that were asked for, after rounding.
    pub asked: u64,
    /// The members that it has.
    pub members: u64,
    /// The groups that it has; 0 unless grouped.
    pub groups: u64,
}

/// A stratum's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StratumCount {
    /// Its value; `None` for the members without one.
    pub stratum: Option<String>,
    /// Its members.
    pub members: u64,
    /// Its members in each part.
    pub parts: Vec<u64>,
    /// Whether it has fewer members than there are parts, so that it can't be in all of them.
    pub rare: bool,
}
