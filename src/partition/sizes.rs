//! Sizes: from what was asked to whole numbers of members.

use std::collections::BTreeSet;

use super::{PartSpec, PartitionError, Size};

/// Fractions are counted in these.
const WHOLE: u64 = 1_000_000_000;

/// Refuses sizes that are wrong whatever the members.
pub(super) fn check(parts: &[PartSpec]) -> Result<(), PartitionError> {
    if parts.is_empty() {
        return Err(PartitionError::NoParts);
    }
    let mut names = BTreeSet::new();
    let mut rest: Option<&PartSpec> = None;
    for part in parts {
        if part.name.is_empty() {
            return Err(PartitionError::NoName);
        }
        if !names.insert(&part.name) {
            return Err(PartitionError::RepeatedName(part.name.clone()));
        }
        match part.size {
            Size::Count(0) => return Err(PartitionError::NoSize(part.name.clone())),
            Size::Count(_) => {}
            Size::Fraction(fraction) if billionths(fraction).is_some() => {}
            Size::Fraction(fraction) => {
                return Err(PartitionError::BadFraction { part: part.name.clone(), fraction });
            }
            Size::Rest => {
                if let Some(first) = rest.replace(part) {
                    return Err(PartitionError::TwoRests(first.name.clone(), part.name.clone()));
                }
            }
        }
    }
    let (sum, whole) = whole(parts);
    if sum > whole {
        return Err(PartitionError::FractionsAboveOne(sum as f64 / WHOLE as f64));
    }
    Ok(())
}

/// The number of members of each part, and last of those in no part. They add up to `members`.
pub(super) fn resolve(parts: &[PartSpec], members: u64) -> Result<Vec<u64>, PartitionError> {
    if members == 0 {
        return Err(PartitionError::NoMembers);
    }
    let (_, whole) = whole(parts);
    let (whole, total) = (u128::from(whole), u128::from(members));
    // In units of 1/whole of a member.
    let mut quotas: Vec<u128> = parts
        .iter()
        .map(|part| match part.size {
            Size::Count(count) => u128::from(count) * whole,
            Size::Fraction(fraction) => u128::from(billionths(fraction).unwrap_or(0)) * total,
            Size::Rest => 0,
        })
        .collect();
    let asked: u128 = quotas.iter().sum();
    let Some(left) = (total * whole).checked_sub(asked) else {
        let asked = u64::try_from(asked.div_ceil(whole)).unwrap_or(u64::MAX);
        return Err(PartitionError::TooFewMembers { asked, members });
    };
    quotas.push(0);
    quotas[taker(parts)] = left;
    filled(parts, largest_remainder(&quotas, whole), members)
}

/// The column that gets what the sizes leave: the part that asks for it, or that of no part.
pub(super) fn taker(parts: &[PartSpec]) -> usize {
    parts.iter().position(|part| matches!(part.size, Size::Rest)).unwrap_or(parts.len())
}

/// The sizes, if no part's is 0.
pub(super) fn filled(parts: &[PartSpec], sizes: Vec<u64>, members: u64) -> Result<Vec<u64>, PartitionError> {
    match parts.iter().zip(&sizes).find(|(_, size)| **size == 0) {
        Some((part, _)) => Err(PartitionError::EmptyPart { part: part.name.clone(), members }),
        None => Ok(sizes),
    }
}

/// Rounds `quotas / whole`, which add up to a whole number, to whole numbers of the same sum. Ties go to the
/// earlier.
fn largest_remainder(quotas: &[u128], whole: u128) -> Vec<u64> {
    let mut sizes: Vec<u64> =
        quotas.iter().map(|quota| u64::try_from(quota / whole).unwrap_or(u64::MAX)).collect();
    let mut order: Vec<usize> = (0..quotas.len()).collect();
    order.sort_by_key(|&column| (std::cmp::Reverse(quotas[column] % whole), column));
    let left = quotas.iter().map(|quota| quota % whole).sum::<u128>() / whole;
    for &column in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        sizes[column] += 1;
    }
    sizes
}

/// The sum of the fractions, and what counts as 1: that sum where rounding alone parts the two.
fn whole(parts: &[PartSpec]) -> (u64, u64) {
    let fractions = parts.iter().filter_map(|part| match part.size {
        Size::Fraction(fraction) => billionths(fraction),
        _ => None,
    });
    let (number, sum) = fractions.fold((0, 0), |(number, sum), fraction| (number + 1, sum + fraction));
    (sum, if sum.abs_diff(WHOLE) <= number { sum } else { WHOLE })
}

/// A fraction to nine decimals; `None` unless it is above 0 and at most 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10^9 here")]
fn billionths(fraction: f64) -> Option<u64> {
    let billionths = (fraction * WHOLE as f64).round();
    (fraction <= 1.0 && billionths >= 1.0).then_some(billionths as u64)
}
