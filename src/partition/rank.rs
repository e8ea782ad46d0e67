//! Ranks: what stands for chance. A rank depends on the seed and on a name, and on nothing else.

use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"dbag partition 1\n";

/// What a rank is of, so that a member and a stratum of one name get unlike ranks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A member, by its record id.
    Member,
    /// A group, by its value.
    Group,
    /// A stratum, by its value.
    Stratum,
    /// The stratum of the members that have no value; its name is empty.
    Missing,
}

/// The first 16 octets of the digest, as a number with the highest octet first.
pub(super) fn rank(seed: u64, kind: Kind, name: &str) -> u128 {
    let kind = match kind {
        Kind::Member => b'm',
        Kind::Group => b'g',
        Kind::Stratum => b's',
        Kind::Missing => b'n',
    };
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(seed.to_le_bytes())
        .chain_update([kind])
        .chain_update(name)
        .finalize();
    digest.iter().take(16).fold(0, |number, octet| number << 8 | u128::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_fixed_for_ever() {
        assert_eq!(format!("{:032x}", rank(42, Kind::Member, "1-ABCD")), "f3a97aecb597863c7215c3ca5c0043ab");
        assert_eq!(format!("{:032x}", rank(42, Kind::Group, "1-ABCD")), "08b2ca32c3867d73a9ed162336a06800");
        assert_eq!(format!("{:032x}", rank(43, Kind::Stratum, "ja")), "a647dfb680b921dfac2a9d3c25ca7ee8");
        assert_eq!(format!("{:032x}", rank(0, Kind::Missing, "")), "2ab20ea49130a635b048e72c640c9855");
    }
}
