//! A set of octet ranges: which parts of a file are there.

use std::ops::Range;

/// Half-open ranges, sorted, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// The ranges in any order, as a file says them; `None` where one is empty or backward.
    pub(crate) fn parse(ranges: &[(u64, u64)]) -> Option<Self> {
        let mut set = Self::default();
        for &(start, end) in ranges {
            if start >= end {
                return None;
            }
            set.add(start..end);
        }
        Some(set)
    }

    /// Adds a range, which may lie over others.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|known| known.end < range.start);
        let last = self.0.partition_point(|known| known.start <= range.end);
        let merged = self.0[first..last]
            .iter()
            .fold(range, |merged, known| merged.start.min(known.start)..merged.end.max(known.end));
        self.0.splice(first..last, [merged]);
    }

    /// The end of the range around `at`; `at` itself where there is none.
    pub(crate) fn end_from(&self, at: u64) -> u64 {
        let index = self.0.partition_point(|known| known.end <= at);
        self.0.get(index).filter(|known| known.start <= at).map_or(at, |known| known.end)
    }

    /// The first range at or after `at` that is not in the set, no further than `limit`; `None` where there is none.
    pub(crate) fn hole_from(&self, at: u64, limit: u64) -> Option<Range<u64>> {
        let start = self.end_from(at);
        let index = self.0.partition_point(|known| known.end <= start);
        let end = self.0.get(index).map_or(limit, |known| known.start.min(limit));
        (start < end).then_some(start..end)
    }

    /// Octets in the set.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_its_octets(ranges in prop::collection::vec((0_u64..60, 0_u64..20), 0..12)) {
            let mut set = RangeSet::default();
            let mut octets = [false; 100];
            for (start, length) in ranges {
                set.add(start..start + length);
                (start..start + length).for_each(|at| octets[usize::try_from(at).unwrap()] = true);
            }
            let there = |at: u64| octets[usize::try_from(at).unwrap()];
            prop_assert_eq!(set.total(), octets.iter().filter(|octet| **octet).count() as u64);
            prop_assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            for at in 0..99 {
                let end = (at..100).find(|at| !there(*at)).unwrap_or(100);
                prop_assert_eq!(set.end_from(at), end);
                let hole = (at..90).find(|at| !there(*at)).map(|start| {
                    start..(start..90).find(|at| there(*at)).unwrap_or(90)
                });
                prop_assert_eq!(set.hole_from(at, 90), hole);
            }
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        assert_eq!(RangeSet::parse(&[(0, 4), (4, 6)]).map(|set| set.total()), Some(6));
        assert_eq!(RangeSet::parse(&[(4, 4)]), None);
        assert_eq!(RangeSet::parse(&[(5, 4)]), None);
    }
}
