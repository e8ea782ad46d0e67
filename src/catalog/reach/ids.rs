//! Record ids, and other values that rows are joined by, as numbers: a million of them fit into a few megabytes.

use std::collections::HashMap;

use hashbrown::HashSet;

/// The alphabet of record ids, in the order of their text.
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Symbols that fit into a number.
const MOST: usize = 12;
/// Marks the number of a text that is no record id.
const OTHER: u64 = 0xf << 60;

/// A value as a number of its [`Ids`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::catalog) struct Id(u64);

/// Values without order.
pub(in crate::catalog) type IdSet = HashSet<Id>;

/// Numbers of texts: a record id's is its symbols, any other text has a number by its turn.
#[derive(Debug, Default)]
pub(in crate::catalog) struct Ids {
    others: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u64>,
}

impl Ids {
    /// The number of a text, given now if it has none yet.
    pub(in crate::catalog) fn id(&mut self, text: &str) -> Id {
        if let Some(packed) = pack(text) {
            return Id(packed);
        }
        if let Some(number) = self.numbers.get(text) {
            return Id(OTHER | number);
        }
        let number = self.others.len() as u64;
        self.others.push(text.into());
        self.numbers.insert(text.into(), number);
        Id(OTHER | number)
    }

    /// The number of a text that was seen before, or is a record id's.
    pub(in crate::catalog) fn find(&self, text: &str) -> Option<Id> {
        let other = || self.numbers.get(text).map(|number| OTHER | number);
        pack(text).or_else(other).map(Id)
    }

    /// The text of a number of these.
    pub(in crate::catalog) fn text(&self, id: Id) -> String {
        if id.0 & OTHER == OTHER {
            let at = usize::try_from(id.0 & !OTHER).unwrap_or(usize::MAX);
            return self.others.get(at).map(ToString::to_string).unwrap_or_default();
        }
        unpack(id.0)
    }
}

/// How many symbols, in the upper four bits, and each in five bits; `None` for what is not in the one form of its symbols: groups of
/// four from the right.
fn pack(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let groups = bytes.len() / 5;
    let count = bytes.len().checked_sub(groups)?;
    if count == 0 || count > MOST {
        return None;
    }
    let mut packed = 0;
    for (at, byte) in bytes.iter().enumerate() {
        // From the right, every fifth octet is a `-`.
        if (bytes.len() - at).is_multiple_of(5) {
            if *byte != b'-' || at == 0 {
                return None;
            }
            continue;
        }
        packed = packed << 5 | u64::from(value(*byte)?);
    }
    Some((count as u64) << 60 | packed)
}

fn value(symbol: u8) -> Option<u8> {
    const VALUES: [u8; 256] = {
        let mut values = [u8::MAX; 256];
        let mut at = 0;
        while at < 32 {
            #[allow(clippy::cast_possible_truncation)] // At most 31.
            let value = at as u8;
            values[SYMBOLS[at] as usize] = value;
            at += 1;
        }
        values
    };
    Some(VALUES[usize::from(symbol)]).filter(|value| *value != u8::MAX)
}

fn unpack(packed: u64) -> String {
    let count = usize::try_from(packed >> 60).unwrap_or(0);
    let mut text = String::with_capacity(count + count / 4);
    for at in (0..count).rev() {
        let symbol = usize::try_from(packed >> (5 * at) & 31).unwrap_or(0);
        text.push(char::from(SYMBOLS[symbol]));
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back(texts in proptest::collection::vec("([0-9A-Z]{0,4}(-[0-9A-Z]{1,4}){0,3}|.{0,6})", 1..50)) {
            let mut ids = Ids::default();
            let numbers: Vec<Id> = texts.iter().map(|text| ids.id(text)).collect();
            for (text, id) in texts.iter().zip(&numbers) {
                prop_assert_eq!(&ids.text(*id), text);
                prop_assert_eq!(ids.find(text), Some(*id));
            }
            let distinct = texts.iter().collect::<std::collections::BTreeSet<_>>().len();
            prop_assert_eq!(numbers.iter().collect::<std::collections::BTreeSet<_>>().len(), distinct);
        }
    }

    #[test]
    fn record_ids_take_no_room() {
        let mut ids = Ids::default();
        for rid in ["7WXY-0001", "1-AB12", "2", "ABCD-EFGH-JKMN"] {
            assert_eq!(unpack(pack(rid).unwrap()), rid);
            ids.id(rid);
        }
        assert!(ids.others.is_empty());
        for other in
            ["", "-", "7WXY-", "7WXY0-0001", "I-ABCD", "ABCDE", "1-2-3", "ABCD-EFGH-JKMN-PQRS", "7wxy-0001"]
        {
            assert_eq!(pack(other), None, "{other}");
        }
    }
}
