//! The rule of the bump: which number a release raises, told from what has changed.
//!
//! **Major**: what a reader of the last version relied upon is gone or has another form: a table or column removed or
//! retyped, rows or members removed, a nested dataset taken out or raised by a major number. **Minor**: there is more:
//! rows, members, columns, tables, features, nested datasets. **Patch**: the same, put right: values, descriptions, types.

/// Which number a release raises; the greater, the more it means for its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// A correction.
    Patch,
    /// An addition: members, columns, tables.
    Minor,
    /// A change that breaks consumers: columns or rows removed, meanings changed.
    Major,
}

impl Bump {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }
}

/// What has changed, as far as it bears upon the bump: how many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BumpFacts {
    pub tables_removed: u64,
    pub columns_removed: u64,
    pub columns_retyped: u64,
    /// Rows that are there no more, other than members.
    pub rows_removed: u64,
    pub members_removed: u64,
    pub nested_removed: u64,
    /// Nested datasets that were raised by a major number since; the same for `nested_minor` and `nested_patch`.
    pub nested_major: u64,
    pub tables_added: u64,
    pub columns_added: u64,
    pub features_added: u64,
    /// Rows that are new, other than members.
    pub rows_added: u64,
    pub members_added: u64,
    pub nested_added: u64,
    pub nested_minor: u64,
    /// Rows, members among them, that have other values.
    pub rows_changed: u64,
    pub descriptions_changed: u64,
    /// Types given to the dataset, or taken from it.
    pub types_changed: u64,
    pub nested_patch: u64,
}

impl BumpFacts {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each fact with the bump that it calls for, and how it is told of one and of several.
    fn each(&self) -> [(Bump, u64, &'static str, &'static str); 18] {
        use Bump::{Major, Minor, Patch};
        [
            (Major, self.tables_removed, "table removed", "tables removed"),
            (Major, self.columns_removed, "column removed", "columns removed"),
            (Major, self.columns_retyped, "column retyped", "columns retyped"),
            (Major, self.rows_removed, "row removed", "rows removed"),
            (Major, self.members_removed, "member removed", "members removed"),
            (Major, self.nested_removed, "nested dataset taken out", "nested datasets taken out"),
            (Major, self.nested_major, "nested dataset with a new major", "nested datasets with a new major"),
            (Minor, self.tables_added, "table added", "tables added"),
            (Minor, self.columns_added, "column added", "columns added"),
            (Minor, self.features_added, "feature added", "features added"),
            (Minor, self.rows_added, "row added", "rows added"),
            (Minor, self.members_added, "member added", "members added"),
            (Minor, self.nested_added, "dataset nested", "datasets nested"),
            (Minor, self.nested_minor, "nested dataset with a new minor", "nested datasets with a new minor"),
            (Patch, self.rows_changed, "row changed", "rows changed"),
            (Patch, self.descriptions_changed, "description changed", "descriptions changed"),
            (Patch, self.types_changed, "type given or taken", "types given or taken"),
            (Patch, self.nested_patch, "nested dataset corrected", "nested datasets corrected"),
        ]
    }
}

/// The bump that the facts call for, and those of them that do: `12 members added`. Where there are none, a patch without
/// a reason.
#[must_use]
pub fn propose(facts: &BumpFacts) -> (Bump, Vec<String>) {
    let there: Vec<_> = facts.each().into_iter().filter(|(_, number, ..)| *number > 0).collect();
    let bump = there.iter().map(|(bump, ..)| *bump).max().unwrap_or(Bump::Patch);
    let reasons = there.into_iter().filter(|(its, ..)| *its == bump).map(|(_, number, one, several)| {
        if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
    });
    (bump, reasons.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_fact_decides_and_is_the_reason() {
        let added = BumpFacts { members_added: 12, rows_changed: 3, ..BumpFacts::default() };
        assert_eq!(propose(&added), (Bump::Minor, vec!["12 members added".to_owned()]));
        let removed = BumpFacts { members_removed: 1, columns_retyped: 2, ..added };
        let reasons = vec!["2 columns retyped".to_owned(), "1 member removed".to_owned()];
        assert_eq!(propose(&removed), (Bump::Major, reasons));
        let put_right = BumpFacts { rows_changed: 1, descriptions_changed: 1, ..BumpFacts::default() };
        assert_eq!(propose(&put_right).0, Bump::Patch);
    }

    #[test]
    fn nothing_is_a_patch_without_a_reason() {
        assert!(BumpFacts::default().is_empty());
        assert_eq!(propose(&BumpFacts::default()), (Bump::Patch, Vec::new()));
    }

    #[test]
    fn nested_datasets_raise_what_they_were_raised_by() {
        let facts = |major, minor, patch| BumpFacts {
            nested_major: major,
            nested_minor: minor,
            nested_patch: patch,
            ..BumpFacts::default()
        };
        assert_eq!(propose(&facts(1, 2, 3)).0, Bump::Major);
        assert_eq!(propose(&facts(0, 2, 3)).0, Bump::Minor);
        assert_eq!(propose(&facts(0, 0, 3)).0, Bump::Patch);
    }
}
