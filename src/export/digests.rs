//! Which manifests a bag can have: those of the algorithms that know every payload file.

use super::assets::{Asset, AssetColumns};
use super::bytes::Bytes;
use super::{ExportError, ExportOptions};
use crate::bag::{Algorithm, Digest, MultiHasher, NoProgress, hash_reader};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, VersionSelection};
use crate::model::Table;

/// MD5 for Deriva's tools, SHA-256 for everyone.
const BOTH: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];
/// Assets that are named where there are too many to name.
const NAMED: usize = 10;

/// The algorithms of which every asset of a version has a digest.
pub(super) fn algorithms(
    catalog: &Catalog,
    selection: &VersionSelection,
    options: &ExportOptions,
) -> Result<Vec<Algorithm>, ExportError> {
    let mut lacking: [Vec<String>; 2] = Default::default();
    let mut counts = [0_u64; 2];
    for part in &selection.tables {
        let Some(columns) = AssetColumns::of(&part.table).filter(|_| may_lack(&part.table)) else { continue };
        catalog.for_each_cells(part, |row| {
            let Some(asset) = columns.asset(row)? else { return Ok(()) };
            for (at, algorithm) in BOTH.into_iter().enumerate() {
                let has = asset.digests().iter().any(|digest| digest.algorithm() == algorithm);
                if !has && !(options.hash_missing && is_known(catalog, &asset)?) {
                    counts[at] += 1;
                    if lacking[at].len() < NAMED {
                        lacking[at].push(format!("{} {} has no {algorithm}", asset.table, asset.rid));
                    }
                }
            }
            Ok::<_, ExportError>(())
        })?;
    }
    let listed: Vec<Algorithm> = BOTH
        .into_iter()
        .zip(counts)
        .filter(|(_, lacking)| *lacking == 0)
        .map(|(algorithm, _)| algorithm)
        .collect();
    if listed.is_empty() {
        let [md5, sha256] = lacking;
        let assets = md5.into_iter().take(NAMED / 2).chain(sha256.into_iter().take(NAMED / 2)).collect();
        return Err(ExportError::MixedDigests { assets, md5: counts[0], sha256: counts[1] });
    }
    Ok(listed)
}

/// Whether a row of an asset table may lack a digest.
fn may_lack(table: &Table) -> bool {
    ["MD5", "SHA256"].iter().any(|name| table.column(name).is_none_or(|column| column.nullok))
}

/// Whether the workspace has the bytes, and so every digest.
fn is_known(catalog: &Catalog, asset: &Asset) -> Result<bool, ExportError> {
    Ok(super::bytes::sha256_of(catalog, asset)?.is_some())
}

/// The digests of an asset by these algorithms: those of its row, the others of its bytes.
pub(super) fn complete(
    catalog: &Catalog,
    objects: &ObjectStore,
    asset: &Asset,
    algorithms: &[Algorithm],
) -> Result<Vec<Digest>, ExportError> {
    let known = asset.digests();
    let of = |algorithm: &Algorithm| known.iter().find(|digest| digest.algorithm() == *algorithm).copied();
    if let Some(digests) = algorithms.iter().map(of).collect::<Option<Vec<_>>>() {
        return Ok(digests);
    }
    let Some(bytes) = Bytes::find(catalog, objects, asset)? else {
        return Err(asset.bad("a digest of its bytes is not known, and they are not here".into()));
    };
    let mut file = fs_err::File::open(&bytes.path)?;
    let (length, digests) = hash_reader(&mut file, algorithms, &mut vec![0; 1 << 18], &NoProgress)?;
    let is_right = length == asset.length
        && digests.iter().all(|digest| of(&digest.algorithm()).is_none_or(|known| known == *digest));
    if is_right { Ok(digests) } else { Err(bytes.wrong(asset)) }
}

/// SHA-256 of a file's octets.
pub(super) fn sha256_of_file(file: &mut std::fs::File) -> Result<Digest, ExportError> {
    let mut buffer = vec![0; 1 << 20];
    let (_, digests) = hash_reader(file, &[Algorithm::Sha256], &mut buffer, &NoProgress)?;
    let none = || MultiHasher::new(&[Algorithm::Sha256]).finish();
    Ok(digests.first().copied().unwrap_or_else(|| none()[0]))
}
