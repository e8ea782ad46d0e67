//! Hashes many messages at once: deals them out to the lanes of the kernels and pads them at their ends.
//!
//! The kernels advance messages side by side, but only by equally many whole blocks. Messages have any
//! length, come in pieces of any length, and there may be more of them than lanes. So the messages queue up
//! for the lanes, the longest first: those of about one length then run together, and no long one is left to
//! run alone at the end.

use super::kernel;
use std::cmp::Reverse;
use std::hint::black_box;
use std::ops::Range;

/// An algorithm of the MD family: blocks of 64 octets, and the length in bits at the end of the padding.
pub(super) trait Kernel {
    /// What one block hands to the next.
    type State: Copy;
    /// The digest in octets.
    type Output: Copy;
    /// The state before the first block.
    const INITIAL: Self::State;
    /// Whether the length in the padding has its highest octet first.
    const BIG_ENDIAN_LENGTH: bool;
    /// How many messages at once make the most of this CPU; at most [`kernel::MAX_WIDTH`].
    fn width() -> usize;
    /// Compresses the blocks of `inputs[i]` into `states[i]`; all inputs are equally many whole blocks.
    fn compress(states: &mut [Self::State], inputs: &[&[u8]]);
    /// The digest that a last state stands for.
    fn output(state: Self::State) -> Self::Output;
}

/// MD5, RFC 1321.
pub(super) struct Md5;

impl Kernel for Md5 {
    type State = [u32; 4];
    type Output = [u8; 16];
    #[allow(clippy::unreadable_literal, reason = "as the standard has it")]
    const INITIAL: [u32; 4] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
    const BIG_ENDIAN_LENGTH: bool = false;

    fn width() -> usize {
        kernel::md5_width()
    }

    fn compress(states: &mut [[u32; 4]], inputs: &[&[u8]]) {
        kernel::md5(states, inputs);
    }

    fn output(state: [u32; 4]) -> [u8; 16] {
        let mut output = [0; 16];
        output.as_chunks_mut().0.copy_from_slice(&state.map(u32::to_le_bytes));
        output
    }
}

/// SHA-256, FIPS 180-4.
pub(super) struct Sha256;

impl Kernel for Sha256 {
    type State = [u32; 8];
    type Output = [u8; 32];
    #[allow(clippy::unreadable_literal, reason = "as the standard has it")]
    const INITIAL: [u32; 8] =
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    const BIG_ENDIAN_LENGTH: bool = true;

    fn width() -> usize {
        kernel::sha256_width()
    }

    fn compress(states: &mut [[u32; 8]], inputs: &[&[u8]]) {
        kernel::sha256(states, inputs);
    }

    fn output(state: [u32; 8]) -> [u8; 32] {
        let mut output = [0; 32];
        output.as_chunks_mut().0.copy_from_slice(&state.map(u32::to_be_bytes));
        output
    }
}

/// A message being hashed: the state so far, and the octets that wait for the rest of their block.
pub(super) struct Stream<K: Kernel> {
    state: K::State,
    length: u64,
    block: [u8; 64],
}

impl<K: Kernel> Stream<K> {
    /// A message of which nothing has been fed yet.
    pub(super) fn new() -> Self {
        Self { state: K::INITIAL, length: 0, block: [0; 64] }
    }

    fn waiting(&self) -> &[u8] {
        &self.block[..(self.length % 64) as usize]
    }
}

/// Feeds `inputs[i]` to `streams[i]`. The inputs may have any lengths; only blocks that lie across two inputs
/// are copied, so pieces of whole blocks go to the kernels as they are.
///
/// # Panics
///
/// If there are not as many streams as inputs.
pub(super) fn update<K: Kernel>(streams: &mut [Stream<K>], inputs: &[&[u8]]) {
    assert_eq!(streams.len(), inputs.len(), "as many streams as inputs");
    let mut completed = Vec::new();
    let mut rests = Vec::with_capacity(inputs.len());
    for (index, (stream, input)) in streams.iter_mut().zip(inputs).enumerate() {
        let waiting = stream.waiting().len();
        let missing = (64 - waiting) % 64;
        let (head, rest) = input.split_at(missing.min(input.len()));
        stream.block[waiting..waiting + head.len()].copy_from_slice(head);
        stream.length += input.len() as u64;
        if missing > 0 && head.len() == missing {
            completed.push(index);
        }
        rests.push(rest);
    }

    let mut states: Vec<_> = streams.iter().map(|stream| stream.state).collect();
    run::<K>(&mut states, completed.into_iter().map(|i| Job::of_blocks(i, &streams[i].block)));
    run::<K>(&mut states, longest_first(&rests).map(|i| Job::of_blocks(i, rests[i])));

    for ((stream, state), rest) in streams.iter_mut().zip(states).zip(rests) {
        let (_, end) = rest.as_chunks::<64>();
        stream.block[..end.len()].copy_from_slice(end);
        stream.state = state;
    }
}

/// Pads and ends the messages and returns their digests; the streams are as new afterwards.
pub(super) fn finish<K: Kernel>(streams: &mut [Stream<K>]) -> Vec<K::Output> {
    let mut states: Vec<_> = streams.iter().map(|stream| stream.state).collect();
    let ends = streams.iter().enumerate().map(|(i, stream)| (i, stream.waiting(), stream.length));
    run::<K>(&mut states, ends.map(|(i, waiting, length)| Job::of_end::<K>(i, waiting, length)));
    streams.fill_with(Stream::new);
    states.into_iter().map(K::output).collect()
}

/// The digests of whole messages. A lane goes from the body of one right on to its padding and to the next.
pub(super) fn digest_all<K: Kernel>(messages: &[&[u8]]) -> Vec<K::Output> {
    let mut states = vec![K::INITIAL; messages.len()];
    let order = longest_first(messages);
    run::<K>(&mut states, order.map(|i| Job::of_end::<K>(i, messages[i], messages[i].len() as u64)));
    states.into_iter().map(K::output).collect()
}

/// The blocks a lane has yet to compress: first those of `body`, then those of `tail` in `left`.
struct Job<'a> {
    index: usize,
    body: &'a [u8],
    tail: [u8; 128],
    left: Range<usize>,
}

impl<'a> Job<'a> {
    /// The whole blocks of `octets`.
    fn of_blocks(index: usize, octets: &'a [u8]) -> Self {
        Self { index, body: octets.as_chunks::<64>().0.as_flattened(), tail: [0; 128], left: 0..0 }
    }

    /// The last `octets` of a message of `length`, and its padding.
    fn of_end<K: Kernel>(index: usize, octets: &'a [u8], length: u64) -> Self {
        touch(octets);
        let mut job = Self::of_blocks(index, octets);
        let (_, rest) = octets.as_chunks::<64>();
        job.tail[..rest.len()].copy_from_slice(rest);
        job.tail[rest.len()] = 0x80;
        job.left = 0..(rest.len() + 1 + 8).next_multiple_of(64);
        // Both algorithms take the length modulo 2^64 bits.
        let bits = length.wrapping_mul(8);
        let bits = if K::BIG_ENDIAN_LENGTH { bits.to_be_bytes() } else { bits.to_le_bytes() };
        job.tail[job.left.end - 8..job.left.end].copy_from_slice(&bits);
        job
    }

    /// What lies in one piece next; empty at the end only.
    fn next(&self) -> &[u8] {
        if self.body.is_empty() { &self.tail[self.left.clone()] } else { self.body }
    }

    fn skip(&mut self, octets: usize) {
        if self.body.is_empty() {
            self.left.start += octets;
        } else {
            self.body = &self.body[octets..];
        }
    }
}

/// Reads one octet of each of the first cache lines. Lanes that step through their messages together wait for
/// memory line by line, where this fetches many lines at once: from main memory, messages of 1,000 octets go
/// 1.5 times as fast.
fn touch(octets: &[u8]) {
    black_box(octets.iter().step_by(64).take(32).fold(0, |sum, octet| sum ^ octet));
}

/// Takes the jobs into lanes and advances all lanes at once until the first of them ends, again and again.
fn run<'a, K: Kernel>(states: &mut [K::State], mut queue: impl Iterator<Item = Job<'a>>) {
    let width = K::width();
    let mut lanes: Vec<Job> = Vec::with_capacity(width);
    let mut lane_states = Vec::with_capacity(width);
    loop {
        lanes.extend(queue.by_ref().take(width - lanes.len()));
        let Some(step) = lanes.iter().map(|lane| lane.next().len()).min() else { return };
        lane_states.clear();
        lane_states.extend(lanes.iter().map(|lane| states[lane.index]));
        let mut inputs = [&[][..]; kernel::MAX_WIDTH];
        for (input, lane) in inputs.iter_mut().zip(&lanes) {
            *input = &lane.next()[..step];
        }
        K::compress(&mut lane_states, &inputs[..lanes.len()]);
        for (lane, state) in lanes.iter_mut().zip(&lane_states) {
            states[lane.index] = *state;
            lane.skip(step);
        }
        lanes.retain(|lane| !lane.next().is_empty());
    }
}

/// The indices of `inputs` from the longest to the shortest.
fn longest_first(inputs: &[&[u8]]) -> impl Iterator<Item = usize> + use<> {
    let mut order: Vec<_> = (0..inputs.len()).collect();
    order.sort_unstable_by_key(|&i| Reverse(inputs[i].len()));
    order.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference: each message alone, by the ordinary API of the crates.
    fn md5_alone(message: &[u8]) -> [u8; 16] {
        <md5::Md5 as md5::Digest>::digest(message).into()
    }

    fn sha256_alone(message: &[u8]) -> [u8; 32] {
        <sha2::Sha256 as sha2::Digest>::digest(message).into()
    }

    fn octets(length: usize, seed: usize) -> Vec<u8> {
        (seed..seed + length).map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect()
    }

    /// Hashes the messages cut at `cuts` (message by message, cyclically) through streams.
    fn streamed<K: Kernel>(messages: &[&[u8]], cuts: &[usize]) -> Vec<K::Output> {
        let mut streams: Vec<Stream<K>> = messages.iter().map(|_| Stream::new()).collect();
        let mut rests = messages.to_vec();
        let mut cuts = cuts.iter().cycle();
        while rests.iter().any(|rest| !rest.is_empty()) {
            let mut pieces = Vec::new();
            for rest in &mut rests {
                let cut = cuts.next().map_or(rest.len(), |&cut| cut.min(rest.len()));
                pieces.push(rest.split_off(..cut).unwrap());
            }
            update(&mut streams, &pieces);
        }
        let digests = finish(&mut streams);
        assert!(streams.iter().all(|stream| stream.length == 0));
        digests
    }

    fn check(messages: &[&[u8]], cuts: &[usize]) {
        let md5: Vec<_> = messages.iter().map(|message| md5_alone(message)).collect();
        let sha256: Vec<_> = messages.iter().map(|message| sha256_alone(message)).collect();
        assert!(digest_all::<Md5>(messages) == md5);
        assert!(digest_all::<Sha256>(messages) == sha256);
        assert!(streamed::<Md5>(messages, cuts) == md5);
        assert!(streamed::<Sha256>(messages, cuts) == sha256);
    }

    #[test]
    fn no_messages() {
        check(&[], &[]);
    }

    #[test]
    fn every_short_length_alone() {
        for length in 0..=300 {
            check(&[&octets(length, length)], &[length / 2 + 1]);
        }
    }

    #[test]
    fn every_short_length_together() {
        let messages: Vec<_> = (0..=300).map(|length| octets(length, length)).collect();
        let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        for batch in [1, 2, 3, 5, 16, 17, 301] {
            for messages in messages.chunks(batch) {
                check(messages, &[64, 1, 63, 100, 128, 7]);
            }
        }
    }

    #[test]
    fn equal_lengths_together() {
        for length in [0, 55, 56, 63, 64, 65, 119, 120, 128, 1000] {
            let messages: Vec<_> = (0..40).map(|seed| octets(length, seed)).collect();
            let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
            check(&messages, &[64]);
        }
    }

    proptest! {
        #[test]
        fn any_messages_in_any_pieces(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..=40),
            cuts in prop::collection::vec(1..700_usize, 1..60),
        ) {
            let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
            check(&messages, &cuts);
        }
    }
}
