//! MD5 and SHA-256 over many independent messages at once, on one core.
//!
//! A single message leaves most of a core idle: every step of MD5 waits for the step before it, and so
//! does every SHA-NI instruction. Independent messages do not wait for each other. MD5 therefore runs one
//! message in each 32-bit lane of a vector; SHA-256 interleaves the SHA-NI chains of up to four messages,
//! and takes to vector lanes only on a CPU without SHA-NI. This is the one module with `unsafe`. It holds no
//! raw pointer: only calls into code for CPU features that were detected before, reinterpreted integers,
//! and an empty piece of assembly.
#![allow(unsafe_code)]

/// The most messages any kernel advances at once.
pub(super) const MAX_WIDTH: usize = 16;

/// How many messages at once make the most of this CPU for MD5; at most [`MAX_WIDTH`].
pub(super) fn md5_width() -> usize {
    md5_path(MAX_WIDTH).width()
}

/// How many messages at once make the most of this CPU for SHA-256; at most [`MAX_WIDTH`].
pub(super) fn sha256_width() -> usize {
    sha256_path(MAX_WIDTH).width()
}

/// Compresses the whole 64-octet blocks of `inputs[i]` into the MD5 state `states[i]`.
///
/// # Panics
///
/// If there are not as many states as inputs, or the inputs are not all of one length, a multiple of 64.
pub(super) fn md5(states: &mut [[u32; 4]], inputs: &[&[u8]]) {
    md5_by(md5_path(states.len()), states, inputs);
}

/// Compresses the whole 64-octet blocks of `inputs[i]` into the SHA-256 state `states[i]`.
///
/// # Panics
///
/// If there are not as many states as inputs, or the inputs are not all of one length, a multiple of 64.
pub(super) fn sha256(states: &mut [[u32; 8]], inputs: &[&[u8]]) {
    sha256_by(sha256_path(states.len()), states, inputs);
}

/// The ways to compress, by what the CPU must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// One message after another, by the `md-5` and `sha2` crates (of which the latter knows SHA-NI).
    Single,
    /// Eight lanes in AVX2 registers.
    Avx2,
    /// The same with the rotations and the logic of three operands of AVX-512VL.
    Avx512Half,
    /// Sixteen lanes in AVX-512 registers.
    Avx512,
    /// Up to four interleaved chains of SHA-NI instructions; for SHA-256 only.
    ShaNi,
}

impl Path {
    #[cfg(target_arch = "x86_64")]
    fn available(self) -> bool {
        match self {
            Self::Single => true,
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Avx512Half => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
            Self::ShaNi => is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn available(self) -> bool {
        self == Self::Single
    }

    fn width(self) -> usize {
        match self {
            Self::Single => 1,
            Self::ShaNi => 4,
            Self::Avx2 | Self::Avx512Half => 8,
            Self::Avx512 => 16,
        }
    }
}

/// The fastest way to compress so many messages. A vector takes the same time whether all its lanes count
/// or one; measured, AVX-512VL beats the `md-5` crate even so (0.69 to 0.64 GB/s), AVX2 does from two on.
fn md5_path(lanes: usize) -> Path {
    match lanes {
        9.. if Path::Avx512.available() => Path::Avx512,
        1.. if Path::Avx512Half.available() => Path::Avx512Half,
        2.. if Path::Avx2.available() => Path::Avx2,
        _ => Path::Single,
    }
}

/// The same for SHA-256: two chains of SHA-NI already beat sixteen vector lanes (3.6 to 3.4 GB/s).
fn sha256_path(lanes: usize) -> Path {
    match lanes {
        2.. if Path::ShaNi.available() => Path::ShaNi,
        9.. if Path::Avx512.available() => Path::Avx512,
        2.. if Path::Avx512Half.available() => Path::Avx512Half,
        3.. if Path::Avx2.available() => Path::Avx2,
        _ => Path::Single,
    }
}

fn md5_by(path: Path, states: &mut [[u32; 4]], inputs: &[&[u8]]) {
    in_groups(path, states, inputs, |states, inputs| match path {
        // SAFETY: `in_groups` has asserted that the CPU has what the path needs.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::zmm::md5(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512Half => unsafe { x86::ymm::md5(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::avx2::md5(states, inputs) },
        _ => one_by_one(states, inputs, md5::block_api::compress),
    });
}

fn sha256_by(path: Path, states: &mut [[u32; 8]], inputs: &[&[u8]]) {
    in_groups(path, states, inputs, |states, inputs| match (path, states.len()) {
        // SAFETY: `in_groups` has asserted that the CPU has what the path needs.
        #[cfg(target_arch = "x86_64")]
        (Path::ShaNi, 4) => unsafe { x86::sha_ni::sha256::<4>(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::ShaNi, 3) => unsafe { x86::sha_ni::sha256::<3>(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::ShaNi, 2) => unsafe { x86::sha_ni::sha256::<2>(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx512, _) => unsafe { x86::zmm::sha256(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx512Half, _) => unsafe { x86::ymm::sha256(states, inputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx2, _) => unsafe { x86::avx2::sha256(states, inputs) },
        _ => one_by_one(states, inputs, sha2::block_api::compress256),
    });
}

/// Checks the bounds of the kernels and hands them groups of no more lanes than the path has, as even as can
/// be: five lanes on a path of four go as 3 + 2, for a group of one gains nothing.
fn in_groups<S>(path: Path, states: &mut [S], inputs: &[&[u8]], kernel: impl Fn(&mut [S], &[&[u8]])) {
    assert!(path.available(), "{path:?} is not for this CPU");
    assert_eq!(states.len(), inputs.len(), "as many states as inputs");
    let Some(first) = inputs.first() else { return };
    assert!(first.len().is_multiple_of(64), "whole blocks");
    assert!(inputs.iter().all(|input| input.len() == first.len()), "inputs of one length");
    let groups = states.len().div_ceil(path.width());
    let size = states.len().div_ceil(groups);
    for (states, inputs) in states.chunks_mut(size).zip(inputs.chunks(size)) {
        kernel(states, inputs);
    }
}

fn one_by_one<S>(states: &mut [S], inputs: &[&[u8]], compress: impl Fn(&mut S, &[[u8; 64]])) {
    for (state, input) in states.iter_mut().zip(inputs) {
        compress(state, input.as_chunks().0);
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::many_single_char_names, clippy::unreadable_literal, reason = "as the standards have them")]
#[allow(clippy::wildcard_imports, reason = "intrinsics carry long and unique names")]
mod x86;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::array::from_fn;

    const PATHS: [Path; 5] = [Path::Single, Path::Avx2, Path::Avx512Half, Path::Avx512, Path::ShaNi];

    /// Compresses the first of `inputs` alone into one of `states`, and so on.
    fn alone<S: Copy>(states: &[S], inputs: &[&[u8]], compress: fn(&mut S, &[[u8; 64]])) -> Vec<S> {
        let mut states = states.to_vec();
        for (state, input) in states.iter_mut().zip(inputs) {
            compress(state, input.as_chunks().0);
        }
        states
    }

    /// Checks every path this CPU has, and the choice among them.
    fn check(seed: u32, inputs: &[&[u8]]) {
        let mut word = seed;
        let mut next = || {
            word = word.wrapping_mul(0x9e37_79b9).wrapping_add(1);
            word
        };
        let states: Vec<[u32; 8]> = inputs.iter().map(|_| from_fn(|_| next())).collect();
        let expected = alone(&states, inputs, sha2::block_api::compress256);
        for path in PATHS.into_iter().filter(|path| path.available()) {
            let mut states = states.clone();
            sha256_by(path, &mut states, inputs);
            assert_eq!(states, expected, "{path:?}");
        }
        let mut chosen = states.clone();
        sha256(&mut chosen, inputs);
        assert_eq!(chosen, expected);

        let states: Vec<[u32; 4]> = states.iter().map(|state| from_fn(|word| state[word])).collect();
        let expected = alone(&states, inputs, md5::block_api::compress);
        for path in PATHS.into_iter().filter(|path| path.available()) {
            let mut states = states.clone();
            md5_by(path, &mut states, inputs);
            assert_eq!(states, expected, "{path:?}");
        }
        let mut chosen = states.clone();
        md5(&mut chosen, inputs);
        assert_eq!(chosen, expected);
    }

    #[test]
    fn every_count_of_lanes() {
        let octets: Vec<u8> = (0..8192_u32).map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()[1]).collect();
        for lanes in 0..=33 {
            for blocks in 0..=3 {
                // Odd starts, for nothing may depend on alignment.
                let inputs: Vec<_> = (0..lanes).map(|lane| &octets[lane * 77..][..blocks * 64]).collect();
                check(1, &inputs);
            }
        }
    }

    #[test]
    fn the_paths_of_this_cpu() {
        assert!((1..=MAX_WIDTH).contains(&md5_width()) && (1..=MAX_WIDTH).contains(&sha256_width()));
    }

    #[test]
    #[should_panic(expected = "as many states as inputs")]
    fn more_states_than_inputs() {
        md5(&mut [[0; 4]; 2], &[&[0; 64]]);
    }

    #[test]
    #[should_panic(expected = "inputs of one length")]
    fn inputs_of_different_lengths() {
        sha256(&mut [[0; 8]; 2], &[&[0; 64], &[0; 128]]);
    }

    #[test]
    #[should_panic(expected = "whole blocks")]
    fn part_of_a_block() {
        md5(&mut [[0; 4]; 1], &[&[0; 65]]);
    }

    proptest! {
        #[test]
        fn any_blocks(
            seed: u32,
            blocks in 0..=8_usize,
            octets in prop::collection::vec(any::<[u8; 512]>(), 1..=33),
        ) {
            let inputs: Vec<_> = octets.iter().map(|octets| &octets[..blocks * 64]).collect();
            check(seed, &inputs);
        }
    }
}
