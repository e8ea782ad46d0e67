//! What has changed in a dataset, as far as it bears upon the number of its next release.

use super::super::CatalogError;
use super::{NestedDataset, View};
use crate::model::Rid;
use crate::version::{Bump, BumpFacts};

impl View<'_> {
    /// What has changed since transaction `since`; `children` are the datasets nested in it now, with the versions that they
    /// are released as with it.
    pub(super) fn bump_facts(
        &self,
        dataset: &Rid,
        since: i64,
        children: &[NestedDataset],
    ) -> Result<BumpFacts, CatalogError> {
        let diff = self.diff_since(dataset, since)?;
        let mut facts = BumpFacts {
            nested_added: 0,
            nested_removed: 0,
            nested_major: 0,
            nested_minor: 0,
            nested_patch: 0,
            ..diff.facts()
        };
        let mut then = self.nested_versions(dataset, since)?;
        for child in children {
            let raised = match (then.remove(&child.rid), &child.version) {
                (None, _) => {
                    facts.nested_added += 1;
                    continue;
                }
                (Some(Some(then)), Some(now)) => then.raised_to(now),
                (Some(None), Some(_)) => Some(Bump::Minor),
                (Some(_), None) => None,
            };
            facts.nested_major += u64::from(raised == Some(Bump::Major));
            facts.nested_minor += u64::from(raised == Some(Bump::Minor));
            facts.nested_patch += u64::from(raised == Some(Bump::Patch));
        }
        facts.nested_removed = then.len() as u64;
        Ok(facts)
    }
}
