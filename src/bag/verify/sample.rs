//! A part of the payload, for when all of it takes too long.

/// A part of the payload, chosen at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many files.
    pub size: SampleSize,
    /// The same seed chooses the same files.
    pub seed: u64,
}

/// How many files a sample has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    /// So many, or all if there are fewer.
    Files(u64),
    /// A hundredth for each 1.0.
    Percent(f64),
}

impl Sample {
    /// Keeps only the chosen ones of `files`.
    pub(super) fn choose<T>(self, files: &mut Vec<T>) {
        let all = files.len();
        let wanted = match self.size {
            SampleSize::Files(count) => usize::try_from(count).unwrap_or(all).min(all),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            SampleSize::Percent(percent) => ((all as f64 * percent / 100.0).ceil() as usize).min(all),
        };
        let mut state = self.seed;
        for index in 0..wanted {
            let left = (all - index) as u64;
            let chosen = index + usize::try_from(split_mix(&mut state) % left).unwrap_or(0);
            files.swap(index, chosen);
        }
        files.truncate(wanted);
    }
}

/// `SplitMix64`: good enough to draw a sample, and the same everywhere.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(size: SampleSize, seed: u64) -> Vec<u32> {
        let mut files: Vec<u32> = (0..1000).collect();
        Sample { size, seed }.choose(&mut files);
        files
    }

    #[test]
    fn as_many_as_asked_for_and_the_same_again() {
        assert_eq!(chosen(SampleSize::Files(10), 1).len(), 10);
        assert_eq!(chosen(SampleSize::Files(5000), 1).len(), 1000);
        assert_eq!(chosen(SampleSize::Percent(0.01), 1).len(), 1);
        assert_eq!(chosen(SampleSize::Percent(50.0), 3), chosen(SampleSize::Percent(50.0), 3));
        assert_ne!(chosen(SampleSize::Files(10), 1), chosen(SampleSize::Files(10), 2));
        // The choice that stays the same from release to release.
        assert_eq!(chosen(SampleSize::Files(3), 7), [487, 727, 212]);
    }

    #[test]
    fn every_file_has_its_chance() {
        let mut seen = std::collections::HashSet::new();
        (0..200).for_each(|seed| seen.extend(chosen(SampleSize::Percent(5.0), seed)));
        assert_eq!(seen.len(), 1000);
    }
}
