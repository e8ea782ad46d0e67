//! What deriva-ml gets from numpy: `default_rng(seed).shuffle(arange(n))`, and its reading of sizes.
//!
//! After numpy's `SeedSequence`, PCG64 (O'Neill's XSL-RR 128/64) and bounded numbers by masks.

use super::sizes::{filled, taker};
use super::{PartSpec, PartitionError, Size};

/// The numbers 0 to `length - 1` as numpy shuffles them.
pub(super) fn shuffled(seed: u64, length: u32) -> Vec<u32> {
    let mut generator = Pcg64::new(seed);
    let mut numbers: Vec<u32> = (0..length).collect();
    for last in (1..length).rev() {
        numbers.swap(last as usize, generator.up_to(last) as usize);
    }
    numbers
}

/// The sizes of the parts and of what is left out.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the members' number"
)]
pub(super) fn sizes(parts: &[PartSpec], members: u64) -> Result<Vec<u64>, PartitionError> {
    let mut sizes: Vec<u64> = parts
        .iter()
        .map(|part| match part.size {
            Size::Count(count) => count,
            Size::Fraction(fraction) => (members as f64 * fraction).round_ties_even() as u64,
            Size::Rest => 0,
        })
        .collect();
    if members == 0 {
        return Err(PartitionError::NoMembers);
    }
    let asked = sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size));
    let left = members.checked_sub(asked).ok_or(PartitionError::TooFewMembers { asked, members })?;
    sizes.push(0);
    sizes[taker(parts)] = left;
    filled(parts, sizes, members)
}

struct Pcg64 {
    state: u128,
    increment: u128,
    /// The higher half of a 64-bit number whose lower half was used.
    half: Option<u32>,
}

impl Pcg64 {
    fn new(seed: u64) -> Self {
        let [a, b, c, d] = seed_words(seed).map(u128::from);
        let mut generator = Self { state: 0, increment: (c << 64 | d) << 1 | 1, half: None };
        generator.step();
        generator.state = generator.state.wrapping_add(a << 64 | b);
        generator.step();
        generator
    }

    fn step(&mut self) {
        const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    #[expect(clippy::cast_possible_truncation, reason = "halves are meant")]
    fn next(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        let number = folded.rotate_right((self.state >> 122) as u32);
        self.half = Some((number >> 32) as u32);
        number as u32
    }

    /// A number from 0 to `end`, which is above 0: the lowest bits that can hold it, drawn until they are not
    /// above it.
    fn up_to(&mut self, end: u32) -> u32 {
        let mask = u32::MAX >> end.leading_zeros();
        loop {
            let number = self.next() & mask;
            if number <= end {
                return number;
            }
        }
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
#[expect(clippy::cast_possible_truncation, reason = "halves are meant")]
fn seed_words(seed: u64) -> [u64; 4] {
    let mut constant = 0x43b0_d7e5;
    let mut hashed = |value| hash(value, &mut constant, 0x931e_8875);
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(&mut hashed);
    for from in 0..4 {
        for to in (0..4).filter(|&to| to != from) {
            let mixed =
                pool[to].wrapping_mul(0xca01_f9dd).wrapping_sub(hashed(pool[from]).wrapping_mul(0x4973_f715));
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    let mut constant = 0x8b51_f9dd;
    let mut word = |value| u64::from(hash(value, &mut constant, 0x58f3_8ded));
    let [a, b, c, d] = pool;
    [(a, b), (c, d), (a, b), (c, d)].map(|(low, high)| word(low) | word(high) << 32)
}

fn hash(value: u32, constant: &mut u32, multiplier: u32) -> u32 {
    let value = value ^ *constant;
    *constant = constant.wrapping_mul(multiplier);
    let value = value.wrapping_mul(*constant);
    value ^ value >> 16
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn shuffles_are_those_of_numpy() {
        assert_eq!(shuffled(42, 10), [5, 6, 0, 7, 3, 2, 4, 9, 1, 8]);
        assert_eq!(shuffled(0, 7), [2, 4, 3, 6, 5, 0, 1]);
        assert_eq!(shuffled((1 << 40) + 5, 12), [9, 5, 1, 2, 8, 3, 0, 10, 7, 4, 6, 11]);
        assert_eq!(shuffled(u64::MAX, 9), [8, 7, 3, 0, 4, 6, 1, 2, 5]);
        let long: Vec<String> = shuffled(42, 100_003).iter().map(u32::to_string).collect();
        let digest: String =
            Sha256::digest(long.join(",")).iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(digest, "c389d035ed485ba29cabea83edd871b7547a8e9aebf9712f4aa33b7c57b13a74");
        assert_eq!(shuffled(1, 0), [] as [u32; 0]);
        assert_eq!(shuffled(1, 1), [0]);
    }

    #[test]
    fn seeds_are_spread_as_by_numpy() {
        let words = [
            11_465_652_750_463_011_511,
            15_382_171_918_060_459_190,
            9_018_504_550_953_525_431,
            3_703_499_796_004_394_495,
        ];
        assert_eq!(seed_words(42), words);
    }
}
