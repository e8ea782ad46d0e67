//! Record ids in Deriva's form: groups of four symbols of Crockford's base 32, joined by `-`.

use std::fmt;

/// The alphabet: no I, L, O, U.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A record id. Opaque: only equality means anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(String);

impl Rid {
    /// Parses groups of symbols joined by `-`: 1 to 4 in the first group, 4 in each other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut groups = text.split('-');
        let symbols = |group: &str| group.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        let first = groups.next().is_some_and(|group| (1..=4).contains(&group.len()) && symbols(group));
        (first && groups.all(|group| group.len() == 4 && symbols(group))).then(|| Self(text.to_owned()))
    }

    /// Whether it was given by a dbag and not by a server: its last symbol is odd.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let last = self.0.bytes().last();
        last.and_then(|last| ALPHABET.iter().position(|symbol| *symbol == last)).is_some_and(|at| at % 2 == 1)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What keeps one catalog's local ids apart from another's: the first group of every id made there.
/// The last symbol of an id made here is odd, and a server only gives even ones, so the two never meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RidPrefix(String);

impl RidPrefix {
    /// A prefix from 20 random bits.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        // The first symbol is not 0, so that the group keeps its four symbols.
        let value = (bits & 0xF_FFFF).max(1 << 15);
        Self(base32(u64::from(value)))
    }

    /// Parses a stored prefix.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 4 && Rid::parse(text).is_some()).then(|| Self(text.to_owned()))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The counter that an id belongs to, if this prefix begins it: the inverse of [`RidPrefix::rid`].
    #[must_use]
    pub fn counter(&self, rid: &Rid) -> Option<u64> {
        let digits = rid.as_str().strip_prefix(&self.0)?.strip_prefix('-')?;
        let mut value: u64 = 0;
        for symbol in digits.bytes().filter(|symbol| *symbol != b'-') {
            let digit = ALPHABET.iter().position(|known| *known == symbol)?;
            value = value.checked_mul(32)?.checked_add(digit as u64)?;
        }
        (value % 2 == 1).then_some(value / 2)
    }

    /// The id that belongs to a counter: one more group of symbols for each 20 bits of it.
    #[must_use]
    pub fn rid(&self, counter: u64) -> Rid {
        let mut text = String::new();
        self.write(counter, &mut text);
        Rid(text)
    }

    /// The same in place of what a text holds, so that ids by the million cost no allocation.
    pub fn write(&self, counter: u64, text: &mut String) {
        let number = counter * 2 + 1;
        let bits = u64::BITS - number.leading_zeros();
        let symbols = bits.div_ceil(20) * 4;
        text.clear();
        text.push_str(&self.0);
        for place in (0..symbols).rev() {
            if place % 4 == 3 {
                text.push('-');
            }
            // Beyond the number's 64 bits there are only zeros.
            let digit = number.checked_shr(5 * place).unwrap_or(0) % 32;
            text.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]));
        }
    }
}

/// A number in base 32 without leading zeros.
pub(super) fn base32(mut value: u64) -> String {
    let mut symbols = Vec::new();
    loop {
        symbols.push(char::from(ALPHABET[(value % 32) as usize]));
        value /= 32;
        if value == 0 {
            return symbols.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let prefix = RidPrefix::from_bits(0x12345);
        assert_eq!(prefix.rid(0).to_string(), "28T5-0001");
        assert_eq!(prefix.rid(1).to_string(), "28T5-0003");
        assert_eq!(prefix.rid(1 << 19).to_string(), "28T5-0001-0001");
        assert_eq!(RidPrefix::from_bits(0).as_str(), "1000");
        for good in ["1", "3QG", "2-7K8W", "33Q-RW00-8AH2"] {
            assert!(Rid::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-", "12345", "2-7K8", "2-7k8w", "2-7K8W-", "../x"] {
            assert!(Rid::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_are_well_formed_odd_and_distinct(bits: u32, a in 0u64..1 << 40, b in 0u64..1 << 40) {
            let prefix = RidPrefix::from_bits(bits);
            let rid = prefix.rid(a);
            prop_assert!(Rid::parse(rid.as_str()).is_some());
            let last = rid.as_str().bytes().last().unwrap();
            prop_assert!(ALPHABET.iter().position(|&s| s == last).unwrap() % 2 == 1);
            prop_assert_eq!(a == b, rid == prefix.rid(b));
            prop_assert_eq!(prefix.counter(&rid), Some(a));
        }
    }
}
