//! Pinning a bag by its path or by its name: its files stay in the cache.

use std::path::{Path, PathBuf};

use super::OpenError;
use crate::bag::{Algorithm, Bag, BagError, BagFile, Digest, Level, Limits, Progress};
use crate::cache::{Cache, KnownBag, KnownState, Pin};

/// Pins the bag at a path, or the one that is known by this name (`digits@1.0.0`): its payload files stay in the
/// cache, those too that come into it later.
pub fn pin_bag(
    cache: &Cache,
    which: &str,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Pin, OpenError> {
    let path = if Path::new(which).exists() { PathBuf::from(which) } else { known_by_name(cache, which)? };
    let bag = Bag::open_for(&path, Level::Full, limits, progress)?;
    let about = KnownBag::of(&bag, KnownState::Whole, 0, 0)?;
    let digests = bag.payload().filter_map(|file| names_an_object(file));
    Ok(cache.pin(about.reference().as_deref(), &about.path, digests)?)
}

/// The digest by which the cache finds a file.
fn names_an_object(file: BagFile<'_>) -> Option<Digest> {
    let digests = file.digests();
    let by = |algorithm| digests.iter().find(|digest| digest.algorithm() == algorithm).copied();
    by(Algorithm::Sha256).or_else(|| by(Algorithm::Md5))
}

fn known_by_name(cache: &Cache, name: &str) -> Result<PathBuf, OpenError> {
    let is_named =
        |bag: &KnownBag| !bag.is_gone() && bag.reference().is_some_and(|reference| reference == name);
    let mut found = cache.bags()?.into_iter().filter(is_named);
    match (found.next(), found.next()) {
        (Some(bag), None) => Ok(bag.path),
        (Some(one), Some(other)) => {
            Err(OpenError::TwoBags { name: name.to_owned(), one: one.path, other: other.path })
        }
        (None, _) => Err(BagError::NotFound(name.into()).into()),
    }
}
