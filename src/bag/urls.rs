//! The URLs of a `fetch.txt`. There may be millions, most of them with a beginning in common, so what a URL shares with
//! the first of its block is kept once.

use std::fmt;

/// A block's first URL is kept whole.
const BLOCK: usize = 64;

/// URLs by number.
#[derive(Default)]
pub(super) struct Urls {
    /// What each does not share, end to end.
    text: String,
    ends: Vec<u32>,
    /// Octets that each shares with the first of its block.
    shared: Vec<u8>,
}

/// A URL of `fetch.txt`, as written there: in two pieces, for the sake of memory.
#[derive(Clone, Copy)]
pub struct FetchUrl<'b> {
    start: &'b str,
    rest: &'b str,
}

impl Urls {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds one; false where there are 4 GiB of them already.
    pub(super) fn push(&mut self, url: &str) -> bool {
        let shared = match self.len() % BLOCK {
            0 => 0,
            _ => common(self.rest(self.len() / BLOCK * BLOCK), url),
        };
        let rest = &url[usize::from(shared)..];
        let Ok(end) = u32::try_from(self.text.len() + rest.len()) else { return false };
        self.text.push_str(rest);
        self.ends.push(end);
        self.shared.push(shared);
        true
    }

    /// The URL of a number below `len`.
    pub(super) fn get(&self, index: usize) -> FetchUrl<'_> {
        let first = self.rest(index / BLOCK * BLOCK);
        FetchUrl { start: &first[..usize::from(self.shared[index])], rest: self.rest(index) }
    }

    fn rest(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }
}

/// How many octets two texts begin with alike, in whole characters, at most 255.
fn common(one: &str, other: &str) -> u8 {
    let alike = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let whole =
        (0..=alike.min(255)).rev().find(|at| one.is_char_boundary(*at) && other.is_char_boundary(*at));
    whole.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

impl fmt::Display for FetchUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start)?;
        f.write_str(self.rest)
    }
}

impl fmt::Debug for FetchUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_pushed_is_there(urls in proptest::collection::vec("(http://h/(aé|aè|b){0,3}.{0,3}|x{250,260}.?)", 0..200)) {
            let mut kept = Urls::default();
            for url in &urls {
                prop_assert!(kept.push(url));
            }
            prop_assert_eq!(kept.len(), urls.len());
            for (index, url) in urls.iter().enumerate() {
                prop_assert_eq!(&kept.get(index).to_string(), url);
            }
        }
    }
}
