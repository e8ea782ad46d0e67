//! Where a bag's assets are to be had: each at a URL, or in the bag.

use url::Url;

use super::assets::Asset;
use super::bytes::{Bytes, sha256_of};
use super::{AssetMode, ExportError, ExportOptions};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, Place};
use crate::transport::redacted_text;

/// Where one asset goes.
pub(super) enum Home {
    /// Into the bag.
    Here(Bytes),
    /// It stays at its URL.
    There(String),
}

/// Tells where assets go.
pub(super) struct Homes<'h> {
    catalog: &'h Catalog,
    objects: &'h ObjectStore,
    mode: AssetMode,
    base: Option<Url>,
    /// The place that was chosen.
    place: Option<Place>,
}

impl<'h> Homes<'h> {
    pub(super) fn new(
        catalog: &'h Catalog,
        objects: &'h ObjectStore,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let base = options.base_url.as_deref().map(base_url).transpose()?;
        let place =
            match &options.from {
                None => None,
                Some(called) => {
                    let places = catalog.places()?;
                    let found = places.iter().find(|place| place.is_called(called)).cloned();
                    let names = || places.iter().map(|place| place.location.clone()).collect();
                    Some(found.ok_or_else(|| ExportError::NoSuchPlace {
                        called: called.clone(),
                        places: names(),
                    })?)
                }
            };
        Ok(Self { catalog, objects, mode: options.assets, base, place })
    }

    /// Where an asset goes, or why it can't be had.
    pub(super) fn of(&self, asset: &Asset) -> Result<Home, ExportError> {
        if self.mode != AssetMode::Embed
            && let Some(url) = self.url(asset)?
        {
            return Ok(Home::There(url));
        }
        let Asset { table, rid, filename, .. } = asset.clone();
        if self.mode == AssetMode::Remote {
            return Err(ExportError::NoUrl { table, rid, filename });
        }
        match Bytes::find(self.catalog, self.objects, asset)? {
            Some(bytes) => Ok(Home::Here(bytes)),
            None => Err(ExportError::NeverHere { table, rid, filename }),
        }
    }

    fn url(&self, asset: &Asset) -> Result<Option<String>, ExportError> {
        let sha256 = sha256_of(self.catalog, asset)?;
        if let (Some(base), Some(sha256)) = (&self.base, &sha256) {
            return Ok(Some(format!("{base}{}", ObjectStore::relative(sha256))));
        }
        for digest in sha256.iter().chain(&asset.sha256).chain(&asset.md5) {
            let place = self.place.as_ref().map(|place| place.id);
            if let Some(url) = self.catalog.published_url(&digest.to_string(), place)? {
                return Ok(Some(url));
            }
        }
        let absolute = ["https://", "http://", "s3://"].iter().any(|scheme| asset.url.starts_with(scheme));
        Ok((absolute && self.place.is_none()).then(|| asset.url.clone()))
    }
}

/// The URL below which assets are, ending in `/`.
pub(super) fn base_url(text: &str) -> Result<Url, ExportError> {
    let bad = || ExportError::BadBaseUrl(redacted_text(text));
    let mut url = Url::parse(text).map_err(|_| bad())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.username().is_empty() || url.password().is_some() {
        return Err(bad());
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// What an asset row's `URL` says in a bag: the path of the URL in `fetch.txt`, or of its place in an object store.
pub(super) fn url_cell(asset: &Asset, home: &Home) -> String {
    match home {
        Home::Here(bytes) if asset.sha256.is_some() => format!("/{}", ObjectStore::relative(&bytes.sha256)),
        Home::Here(_) => path_of(&asset.url),
        Home::There(url) => path_of(url),
    }
}

fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    rest.to_owned()
}
