//! Where the bytes of each asset are to be had by whoever has the bag: at a URL, or in the bag.

use std::borrow::Cow;

use url::Url;

use super::assets::AssetRow;
use super::{AssetMode, ExportError, ExportOptions};
use crate::bag::{Algorithm, Digest, Home};
use crate::cache::ObjectStore;
use crate::catalog::Catalog;
use crate::transport::redacted_text;

/// How assets find their URLs.
pub(super) struct Homes<'c> {
    catalog: &'c Catalog,
    mode: AssetMode,
    /// Ends in `/`.
    base: Option<Url>,
    place: Option<String>,
    /// Whether anything was ever published: a million questions less.
    is_published: bool,
}

/// Where an asset is.
pub(super) enum Found<'h> {
    Embedded,
    /// Below the base URL.
    Below(&'h str),
    At(Cow<'h, str>),
}

impl Found<'_> {
    pub(super) fn home(&self) -> Option<Home<'_>> {
        match self {
            Self::Embedded => None,
            Self::Below(base) => Some(Home::Below(base)),
            Self::At(url) => Some(Home::At(url)),
        }
    }
}

impl<'c> Homes<'c> {
    pub(super) fn new(catalog: &'c Catalog, options: &ExportOptions) -> Result<Self, ExportError> {
        let base = options.base_url.as_deref().map(base_url).transpose()?;
        let places = catalog.publishing_places()?;
        if let Some(place) = &options.from {
            let is_it = |(location, base): &(String, Option<String>)| {
                location == place || base.as_ref() == Some(place)
            };
            if !places.iter().any(is_it) {
                let known = places.into_iter().map(|(location, _)| location).collect();
                return Err(ExportError::NoSuchPlace { place: redacted_text(place), known });
            }
        }
        Ok(Self {
            catalog,
            mode: options.assets,
            base,
            place: options.from.clone(),
            is_published: !places.is_empty(),
        })
    }

    /// Where an asset is to be had.
    pub(super) fn find<'h>(&'h self, table: &str, asset: &AssetRow<'h>) -> Result<Found<'h>, ExportError> {
        if self.mode == AssetMode::Embed {
            return Ok(Found::Embedded);
        }
        if let (Some(base), Some(_)) = (&self.base, &asset.sha256) {
            return Ok(Found::Below(base.as_str()));
        }
        if let Some(sha256) = asset.sha256.filter(|_| self.is_published)
            && let Some(url) = self.catalog.published_at(&sha256.to_string(), self.place.as_deref())?
        {
            return Ok(Found::At(url.into()));
        }
        if self.is_published
            && let Some(url) = self.foreign(asset)?
        {
            return Ok(Found::At(url.into()));
        }
        match asset.url.filter(|url| is_absolute(url)) {
            Some(url) => Ok(Found::At(url.into())),
            None if self.mode == AssetMode::Auto => Ok(Found::Embedded),
            None => Err(ExportError::NoUrl {
                table: table.to_owned(),
                rid: asset.rid.to_owned(),
                filename: asset.filename.to_owned(),
            }),
        }
    }
}

impl Homes<'_> {
    /// The URL by which a bag that was imported refers to a file. Where its bytes came too, they are surer than a server of others.
    fn foreign(&self, asset: &AssetRow<'_>) -> Result<Option<String>, ExportError> {
        if self.place.is_some() {
            return Ok(None);
        }
        let [sha256, md5] = [&asset.sha256, &asset.md5].map(|digest| digest.map(|digest| digest.to_string()));
        if self.mode == AssetMode::Auto
            && self.catalog.object_digests(md5.as_deref(), sha256.as_deref())?.is_some()
        {
            return Ok(None);
        }
        for digest in sha256.iter().chain(&md5) {
            if let Some(url) = self.catalog.referred_to(digest)? {
                return Ok(Some(url));
            }
        }
        Ok(None)
    }
}

/// Whether a row's URL says all that is needed to fetch it.
fn is_absolute(url: &str) -> bool {
    let known = ["http://", "https://", "s3://"].iter().any(|scheme| url.starts_with(scheme));
    known && !url.contains(char::is_control) && Url::parse(url).is_ok_and(|url| url.host_str().is_some())
}

/// What an asset row's URL says in the bag: the path of its URL in fetch.txt, by which deriva-ml finds the one with the other.
pub(super) fn url_cell(found: &Found<'_>, sha256: Option<&Digest>, cell: &mut String) -> bool {
    cell.clear();
    let folder = match found {
        Found::At(url) => {
            cell.push_str(path_of(url));
            return true;
        }
        Found::Below(base) => path_of(base),
        Found::Embedded => "/",
    };
    // Of bytes that are known by their MD5 alone the row says what it always said.
    let Some(sha256) = sha256.filter(|digest| digest.algorithm() == Algorithm::Sha256) else { return false };
    cell.push_str(folder);
    cell.push_str(&ObjectStore::relative(sha256));
    true
}

/// The path part of a URL.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls() {
        for (url, path) in [
            ("https://h/hatrac/a.png:XYZ", "/hatrac/a.png:XYZ"),
            ("s3://bucket/a b/c", "/a b/c"),
            ("https://h/a?x=1#y", "/a"),
            ("https://h", "/"),
        ] {
            assert_eq!(path_of(url), path);
        }
        for url in ["/hatrac/a", "ftp://h/a", "https:///a\n", "s3://", "file:///etc/passwd", "https://h/a\nb"]
        {
            assert!(!is_absolute(url), "{url}");
        }
        assert!(is_absolute("https://h/a b"));
    }
}
