//! The kernels in x86-64's own instructions: MD5 and SHA-256 in the lanes of AVX2 and AVX-512 vectors, SHA-256 in
//! interleaved chains of SHA-NI. Callers have made sure that the CPU has what they call for.

use std::array::from_fn;

/// RFC 1321: the constants of the steps.
const MD5_K: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

/// RFC 1321: how far the steps of each round rotate, in turn.
const MD5_SHIFT: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// FIPS 180-4: the constants of the rounds.
const SHA256_K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// Writes `body` out for each `i` from 0 to 15. The compiler at times leaves loops of this size rolled
/// and keeps in memory what `i` indexes: two chains of SHA-NI made 2.3 GB/s so, and make 3.6 unrolled.
macro_rules! unrolled {
    ($i:ident $body:block) => { unrolled!($i $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
    ($i:ident $body:block $($value:literal)*) => { $({ let $i: usize = $value; $body })* };
}

/// Functions for CPUs with `$features`, in which the intrinsics for these are safe to call; of vectors
/// where no type is given. Loops over blocks must do without closures that take or return vectors:
/// `array::map` and its like lack the features and so are not inlined.
macro_rules! functions {
    ($features:literal $(fn $name:ident($($x:ident $(: $t:ty)?),*) $(-> $r:ty)? $body:block)*) => { $(
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn $name($($x: vector_or!($($t)?)),*) -> vector_or!($($r)?) $body
    )* };
}
#[rustfmt::skip]
macro_rules! vector_or { () => { Vector }; ($type:ty) => { $type }; }

/// The two kernels in the terms of `Vector` and the functions on it that are in scope.
macro_rules! kernels {
    ($features:literal) => {
        const LANES: usize = size_of::<Vector>() / 4;

        /// Lanes beyond the last repeat it, and what becomes of them is dropped.
        #[target_feature(enable = $features)]
        pub(crate) fn md5(states: &mut [[u32; 4]], inputs: &[&[u8]]) {
            let blocks = blocks(inputs);
            let mut state = gathered(states);
            for n in 0..blocks[0].len() {
                let words = transposed(from_fn(|lane| &blocks[lane][n]));
                let next = md5_round::<0>(state, &words);
                let next = md5_round::<1>(next, &words);
                let next = md5_round::<2>(next, &words);
                let next = md5_round::<3>(next, &words);
                for (word, next) in state.iter_mut().zip(next) {
                    *word = add(*word, next);
                }
            }
            scatter(state, states);
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn md5_round<const ROUND: usize>(state: [Vector; 4], words: &[Vector; 16]) -> [Vector; 4] {
            let [mut a, mut b, mut c, mut d] = state;
            unrolled!(i {
                let (word, mixed) = match ROUND {
                    0 => (i, choice(b, c, d)),
                    1 => ((5 * i + 1) % 16, choice(d, b, c)),
                    2 => ((3 * i + 5) % 16, parity(b, c, d)),
                    _ => (7 * i % 16, md5_i(b, c, d)),
                };
                // Pinned, as the compiler reorders sums and would put one more addition between the
                // logic, which waits for the step before, and the rotation: 4.7 GB/s in 8 lanes, not 5.5.
                let early = pinned(add(a, add(words[word], splat(MD5_K[16 * ROUND + i]))));
                let rotated = rotate(add(early, mixed), MD5_SHIFT[ROUND][i % 4]);
                (a, b, c, d) = (d, add(b, rotated), b, c);
            });
            [a, b, c, d]
        }

        /// Lanes beyond the last repeat it, and what becomes of them is dropped.
        #[target_feature(enable = $features)]
        pub(crate) fn sha256(states: &mut [[u32; 8]], inputs: &[&[u8]]) {
            let blocks = blocks(inputs);
            let mut state = gathered(states);
            for n in 0..blocks[0].len() {
                let mut words = transposed(from_fn(|lane| &blocks[lane][n]));
                for word in &mut words {
                    *word = swapped(*word);
                }
                let (k, _) = SHA256_K.as_chunks();
                let mut next = sha256_rounds(state, &words, &k[0]);
                for k in &k[1..] {
                    words = sha256_schedule(words);
                    next = sha256_rounds(next, &words, k);
                }
                for (word, next) in state.iter_mut().zip(next) {
                    *word = add(*word, next);
                }
            }
            scatter(state, states);
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn sha256_rounds(state: [Vector; 8], words: &[Vector; 16], k: &[u32; 16]) -> [Vector; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
            unrolled!(i {
                let sum = parity(rotate(e, 32 - 6), rotate(e, 32 - 11), rotate(e, 32 - 25));
                let first = add(add(add(h, add(words[i], splat(k[i]))), choice(e, f, g)), sum);
                let sum = parity(rotate(a, 32 - 2), rotate(a, 32 - 13), rotate(a, 32 - 22));
                let second = add(sum, majority(a, b, c));
                (a, b, c, d, e, f, g, h) = (add(first, second), a, b, c, add(d, first), e, f, g);
            });
            [a, b, c, d, e, f, g, h]
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn sha256_schedule(mut words: [Vector; 16]) -> [Vector; 16] {
            unrolled!(i {
                let (w1, w14) = (words[(i + 1) % 16], words[(i + 14) % 16]);
                let first = parity(rotate(w1, 32 - 7), rotate(w1, 32 - 18), shift(w1, 3));
                let second = parity(rotate(w14, 32 - 17), rotate(w14, 32 - 19), shift(w14, 10));
                words[i] = add(add(words[i], first), add(words[(i + 9) % 16], second));
            });
            words
        }

        fn blocks<'a>(inputs: &[&'a [u8]]) -> [&'a [[u8; 64]]; LANES] {
            from_fn(|lane| inputs[lane.min(inputs.len() - 1)].as_chunks().0)
        }

        fn gathered<const N: usize>(states: &[[u32; N]]) -> [Vector; N] {
            from_fn(|word| {
                let lanes = from_fn(|lane| states[lane.min(states.len() - 1)][word]);
                // SAFETY: both are as many octets, and any octets are a vector.
                unsafe { transmute::<[u32; LANES], Vector>(lanes) }
            })
        }

        fn scatter<const N: usize>(vectors: [Vector; N], states: &mut [[u32; N]]) {
            for (word, vector) in vectors.into_iter().enumerate() {
                // SAFETY: both are as many octets, and any octets are integers.
                let lanes = unsafe { transmute::<Vector, [u32; LANES]>(vector) };
                for (state, lane) in states.iter_mut().zip(lanes) {
                    state[word] = lane;
                }
            }
        }

        /// Word `i` of every lane's block as vector `i`. To load whole blocks and transpose them in
        /// registers is far cheaper than to gather words.
        #[inline]
        #[target_feature(enable = $features)]
        fn transposed(blocks: [&[u8; 64]; LANES]) -> [Vector; 16] {
            let mut words = [splat(0); 16];
            let (parts, _) = words.as_chunks_mut::<LANES>();
            for (lane, block) in blocks.into_iter().enumerate() {
                // SAFETY: both are as many octets, and any octets are vectors.
                let block = unsafe { transmute::<[u8; 64], [Vector; 16 / LANES]>(*block) };
                for (rows, part) in parts.iter_mut().zip(block) {
                    rows[lane] = part;
                }
            }
            for rows in parts {
                for rows in rows.as_chunks_mut().0 {
                    let [a, b, c, d] = *rows;
                    let (ab, cd) = (low_words(a, b), low_words(c, d));
                    let (more_ab, more_cd) = (high_words(a, b), high_words(c, d));
                    *rows = [
                        low_pairs(ab, cd),
                        high_pairs(ab, cd),
                        low_pairs(more_ab, more_cd),
                        high_pairs(more_ab, more_cd),
                    ];
                }
                *rows = quarters_exchanged(*rows);
            }
            words
        }
    };
}

/// Sixteen lanes. The numbers of the ternary logic are truth tables.
pub(super) mod zmm {
    use super::{MD5_K, MD5_SHIFT, SHA256_K, from_fn};
    use std::arch::{asm, x86_64::*};
    use std::mem::transmute;

    type Vector = __m512i;
    kernels!("avx512f,avx512bw");
    functions! { "avx512f,avx512bw"
        fn splat(x: u32) { _mm512_set1_epi32(x.cast_signed()) }
        fn add(x, y) { _mm512_add_epi32(x, y) }
        fn rotate(x, left: u32) { _mm512_rolv_epi32(x, splat(left)) }
        fn shift(x, right: u32) { _mm512_srlv_epi32(x, splat(right)) }
        fn choice(x, y, z) { _mm512_ternarylogic_epi32::<0xca>(x, y, z) }
        fn parity(x, y, z) { _mm512_ternarylogic_epi32::<0x96>(x, y, z) }
        fn majority(x, y, z) { _mm512_ternarylogic_epi32::<0xe8>(x, y, z) }
        fn md5_i(x, y, z) { _mm512_ternarylogic_epi32::<0x39>(x, y, z) }
        fn swapped(x) {
            _mm512_shuffle_epi8(x, _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203))
        }
        fn low_words(x, y) { _mm512_unpacklo_epi32(x, y) }
        fn high_words(x, y) { _mm512_unpackhi_epi32(x, y) }
        fn low_pairs(x, y) { _mm512_unpacklo_epi64(x, y) }
        fn high_pairs(x, y) { _mm512_unpackhi_epi64(x, y) }
        fn evens(x, y) { _mm512_shuffle_i32x4::<0x88>(x, y) }
        fn odds(x, y) { _mm512_shuffle_i32x4::<0xdd>(x, y) }
        fn quarters_exchanged(x: [Vector; 16]) -> [Vector; 16] {
            let mut y = x;
            for i in 0..4 {
                let even = evens(x[i], x[i + 4]);
                let odd = odds(x[i], x[i + 4]);
                let more_even = evens(x[i + 8], x[i + 12]);
                let more_odd = odds(x[i + 8], x[i + 12]);
                y[i] = evens(even, more_even);
                y[i + 4] = evens(odd, more_odd);
                y[i + 8] = odds(even, more_even);
                y[i + 12] = odds(odd, more_odd);
            }
            y
        }
        fn pinned(x) {
            let y;
            // SAFETY: there is no instruction in it, and `y` is `x`.
            unsafe { asm!("/* {0} */", inout(zmm_reg) x => y, options(pure, nomem, nostack)) };
            y
        }
    }
}

/// Eight lanes.
pub(super) mod avx2 {
    use super::{MD5_K, MD5_SHIFT, SHA256_K, from_fn};
    use std::arch::{asm, x86_64::*};
    use std::mem::transmute;

    type Vector = __m256i;
    kernels!("avx2");
    functions! { "avx2"
        fn splat(x: u32) { _mm256_set1_epi32(x.cast_signed()) }
        fn add(x, y) { _mm256_add_epi32(x, y) }
        fn rotate(x, left: u32) {
            _mm256_or_si256(_mm256_sllv_epi32(x, splat(left)), shift(x, 32 - left))
        }
        fn shift(x, right: u32) { _mm256_srlv_epi32(x, splat(right)) }
        fn choice(x, y, z) { _mm256_or_si256(_mm256_and_si256(x, y), _mm256_andnot_si256(x, z)) }
        fn parity(x, y, z) { _mm256_xor_si256(x, _mm256_xor_si256(y, z)) }
        fn majority(x, y, z) {
            _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
        }
        fn md5_i(x, y, z) {
            _mm256_xor_si256(y, _mm256_or_si256(x, _mm256_xor_si256(z, splat(u32::MAX))))
        }
        fn swapped(x) {
            let order = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
            _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order))
        }
        fn low_words(x, y) { _mm256_unpacklo_epi32(x, y) }
        fn high_words(x, y) { _mm256_unpackhi_epi32(x, y) }
        fn low_pairs(x, y) { _mm256_unpacklo_epi64(x, y) }
        fn high_pairs(x, y) { _mm256_unpackhi_epi64(x, y) }
        fn quarters_exchanged(x: [Vector; 8]) -> [Vector; 8] {
            let mut y = x;
            for i in 0..4 {
                y[i] = _mm256_permute2x128_si256::<0x20>(x[i], x[i + 4]);
                y[i + 4] = _mm256_permute2x128_si256::<0x31>(x[i], x[i + 4]);
            }
            y
        }
        fn pinned(x) {
            let y;
            // SAFETY: there is no instruction in it, and `y` is `x`.
            unsafe { asm!("/* {0} */", inout(ymm_reg) x => y, options(pure, nomem, nostack)) };
            y
        }
    }
}

/// Eight lanes, where AVX-512VL rotates in one instruction and knows any logic of three operands.
pub(super) mod ymm {
    use super::avx2::{
        add, high_pairs, high_words, low_pairs, low_words, pinned, quarters_exchanged, shift, splat, swapped,
    };
    use super::{MD5_K, MD5_SHIFT, SHA256_K, from_fn};
    use std::arch::x86_64::*;
    use std::mem::transmute;

    type Vector = __m256i;
    kernels!("avx512f,avx512vl");
    functions! { "avx512f,avx512vl"
        fn rotate(x, left: u32) { _mm256_rolv_epi32(x, splat(left)) }
        fn choice(x, y, z) { _mm256_ternarylogic_epi32::<0xca>(x, y, z) }
        fn parity(x, y, z) { _mm256_ternarylogic_epi32::<0x96>(x, y, z) }
        fn majority(x, y, z) { _mm256_ternarylogic_epi32::<0xe8>(x, y, z) }
        fn md5_i(x, y, z) { _mm256_ternarylogic_epi32::<0x39>(x, y, z) }
    }
}

/// Interleaved chains. SHA-NI takes the state as two vectors, named by their words from the highest down.
pub(super) mod sha_ni {
    use super::{SHA256_K, from_fn};
    use std::arch::x86_64::*;
    use std::mem::transmute;

    /// `N` chains, unrolled side by side.
    #[allow(clippy::needless_range_loop, reason = "each lane has a place in several arrays")]
    #[target_feature(enable = "sha,sse4.1")]
    pub(crate) fn sha256<const N: usize>(states: &mut [[u32; 8]], inputs: &[&[u8]]) {
        let big_endian = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
        let blocks: [&[[u8; 64]]; N] = from_fn(|lane| inputs[lane].as_chunks().0);
        let (mut abef, mut cdgh) = ([_mm_setzero_si128(); N], [_mm_setzero_si128(); N]);
        for lane in 0..N {
            let [a, b, c, d, e, f, g, h] = states[lane].map(u32::cast_signed);
            abef[lane] = _mm_set_epi32(a, b, e, f);
            cdgh[lane] = _mm_set_epi32(c, d, g, h);
        }
        for n in 0..blocks[0].len() {
            let (old_abef, old_cdgh) = (abef, cdgh);
            let mut words = [[_mm_setzero_si128(); 4]; N];
            unrolled!(i {
                let [k0, k1, k2, k3] = SHA256_K.as_chunks().0[i].map(u32::cast_signed);
                for lane in 0..N {
                    let words = &mut words[lane];
                    let four = if i < 4 {
                        let four = blocks[lane][n].as_chunks().0[i];
                        // SAFETY: both are as many octets, and any octets are a vector.
                        _mm_shuffle_epi8(unsafe { transmute::<[u8; 16], __m128i>(four) }, big_endian)
                    } else {
                        let (w0, w1) = (words[i % 4], words[(i + 1) % 4]);
                        let (w2, w3) = (words[(i + 2) % 4], words[(i + 3) % 4]);
                        let w9 = _mm_alignr_epi8::<4>(w3, w2);
                        _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), w9), w3)
                    };
                    words[i % 4] = four;
                    let four = _mm_add_epi32(four, _mm_setr_epi32(k0, k1, k2, k3));
                    cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], four);
                    let two = _mm_shuffle_epi32::<0x0e>(four);
                    abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], two);
                }
            });
            for lane in 0..N {
                abef[lane] = _mm_add_epi32(abef[lane], old_abef[lane]);
                cdgh[lane] = _mm_add_epi32(cdgh[lane], old_cdgh[lane]);
            }
        }
        for lane in 0..N {
            // SAFETY: both are as many octets, and any octets are integers.
            let [[f, e, b, a], [h, g, d, c]] =
                unsafe { transmute::<[__m128i; 2], [[u32; 4]; 2]>([abef[lane], cdgh[lane]]) };
            states[lane] = [a, b, c, d, e, f, g, h];
        }
    }
}
