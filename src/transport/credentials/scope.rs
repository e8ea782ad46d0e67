//! Which URLs a credential may go to: one origin, and paths below one path.
//!
//! Paths are compared by whole segments after percent-decoding. A path in which a server could find `..` after more
//! decoding than a URL parser does is below nothing but the root.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode;
use url::{Host, Url};

/// Where one credential may be sent.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    transfer: Transfer,
    /// As the URL parser writes it.
    host: String,
    /// Whether hosts below `host` count too, as a cookie may say.
    subdomains: bool,
    /// None stands for the standard port of the URL's scheme.
    port: Option<u16>,
    path: Vec<Vec<u8>>,
}

/// How the bytes may travel.
#[derive(Debug, Clone)]
pub(super) enum Transfer {
    /// By this scheme only.
    Scheme(String),
    /// Encrypted, or not leaving this computer.
    HttpsOrLoopback,
}

/// A URL taken apart for comparison, once for all scopes.
pub(super) struct Target<'u> {
    url: &'u Url,
    host: &'u str,
    path: Vec<Vec<u8>>,
    ambiguous: bool,
}

impl<'u> Target<'u> {
    /// None for a URL without a host: no credential goes there.
    pub(super) fn of(url: &'u Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.is_empty())?;
        Some(Self { url, host, path: segments(url.path()), ambiguous: is_ambiguous(url.path()) })
    }
}

impl Scope {
    /// The scope of a `uri`; what is wrong with it otherwise, as the rest of a sentence about its entry.
    pub(super) fn of_uri(uri: &Url) -> Result<Self, &'static str> {
        let host = uri.host_str().filter(|host| !host.is_empty()).ok_or("its uri names no host")?;
        if uri.query().is_some() || uri.fragment().is_some() {
            return Err("its uri has a query or fragment");
        }
        Ok(Self {
            transfer: Transfer::Scheme(uri.scheme().to_owned()),
            host: host.to_owned(),
            subdomains: false,
            port: uri.port(),
            path: plain_segments(uri.path()).ok_or("its uri has dot segments in its path")?,
        })
    }

    /// The scope of `host` or `host:port`: all its paths. None if it is anything else.
    pub(super) fn of_host(text: &str, transfer: Transfer) -> Option<Self> {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"/\\@?#%".contains(c);
        if text.is_empty() || !text.chars().all(allowed) {
            return None;
        }
        let bare_v6 = text.parse::<Ipv6Addr>().is_ok();
        let url = if bare_v6 { format!("https://[{text}]/") } else { format!("https://{text}/") };
        let url = Url::parse(&url).ok()?;
        // The parser drops the standard port, which for http would then be another one.
        let standard = (!bare_v6 && text.ends_with(":443")).then_some(443);
        Some(Self {
            transfer,
            host: url.host_str()?.to_owned(),
            subdomains: false,
            port: url.port().or(standard),
            path: Vec::new(),
        })
    }

    /// The scope of a cookie (RFC 6265 §5.1.3 and §5.1.4).
    pub(super) fn of_cookie(domain: &str, subdomains: bool, path: &str) -> Option<Self> {
        let scope = Self::of_host(domain.strip_prefix('.').unwrap_or(domain), Transfer::HttpsOrLoopback)?;
        let named = matches!(Host::parse(&scope.host), Ok(Host::Domain(name)) if name.contains('.'));
        Some(Self { subdomains: subdomains && named, path: plain_segments(path)?, ..scope })
    }

    /// The host, with its port if one is said.
    pub(super) fn host(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// How many path segments are said: the more, the more a credential is meant for a URL.
    pub(super) fn depth(&self) -> usize {
        self.path.len()
    }

    /// Whether a credential of this scope may go to the URL.
    pub(super) fn covers(&self, target: &Target<'_>) -> bool {
        self.covers_host(target)
            && self.covers_path(target)
            && self.covers_port(target)
            && self.covers_scheme(target)
    }

    /// Why not, if nothing but http for https or the port speaks against it: as the rest of a sentence.
    pub(super) fn near_miss(&self, target: &Target<'_>) -> Option<&'static str> {
        let scheme = match &self.transfer {
            Transfer::Scheme(scheme) => scheme,
            Transfer::HttpsOrLoopback => "https",
        };
        if !(self.covers_host(target) && self.covers_path(target)) {
            return None;
        }
        match (self.covers_scheme(target), scheme, target.url.scheme()) {
            (false, "https", "http") => Some("is sent over https only"),
            (false, "http", "https") => Some("is for http: URLs only"),
            (true, ..) if !self.covers_port(target) => Some("is for another port"),
            _ => None,
        }
    }

    fn covers_host(&self, target: &Target<'_>) -> bool {
        if target.host.eq_ignore_ascii_case(&self.host) {
            return true;
        }
        let Some(below) = target.host.len().checked_sub(self.host.len()).filter(|_| self.subdomains) else {
            return false;
        };
        let (name, parent) = target.host.as_bytes().split_at(below);
        name.ends_with(b".") && parent.eq_ignore_ascii_case(self.host.as_bytes())
    }

    fn covers_scheme(&self, target: &Target<'_>) -> bool {
        match &self.transfer {
            Transfer::Scheme(scheme) => target.url.scheme() == scheme,
            Transfer::HttpsOrLoopback => {
                target.url.scheme() == "https" || (target.url.scheme() == "http" && is_loopback(target.url))
            }
        }
    }

    fn covers_port(&self, target: &Target<'_>) -> bool {
        match self.port {
            // The parser drops a port that is the standard one.
            None => target.url.port().is_none(),
            Some(port) => target.url.port_or_known_default() == Some(port),
        }
    }

    fn covers_path(&self, target: &Target<'_>) -> bool {
        self.path.is_empty() || (!target.ambiguous && target.path.starts_with(&self.path))
    }
}

/// Whether a URL's host is this computer by its usual names.
pub(super) fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// Decoded segments without the empty ones at the end.
fn segments(path: &str) -> Vec<Vec<u8>> {
    let path = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(|segment| percent_decode(segment.as_bytes()).collect()).collect()
}

fn plain_segments(path: &str) -> Option<Vec<Vec<u8>>> {
    (!is_ambiguous(path)).then(|| segments(path))
}

/// Whether some server may find a `.` or `..` in a path: behind an encoded slash, a backslash, before a `;`, or by
/// decoding more than once.
fn is_ambiguous(path: &str) -> bool {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..4 {
        let mut parts = bytes.split(|byte| matches!(byte, b'/' | b'\\'));
        if parts.any(|part| matches!(part.split(|byte| *byte == b';').next(), Some(b"." | b".."))) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    true
}
