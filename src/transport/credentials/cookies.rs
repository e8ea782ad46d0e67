//! Cookie files of the form that browsers' export tools and `curl` write (Netscape's): one cookie a line, in seven
//! fields between tabs.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::credential::{Authorization, Credential, Place, time};
use super::error::CredentialError;
use super::headers;
use super::scope::{Scope, Target};
use super::secret::Secret;

/// The cookies of all files.
#[derive(Debug, Clone, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
struct Cookie {
    scope: Scope,
    /// Hidden too: in a file with a tab too few, the value sticks to it.
    name: Secret,
    /// `name=value`.
    pair: Secret,
    expires: Option<DateTime<Utc>>,
    file: usize,
}

impl Jar {
    /// Adds the cookies of a file's text.
    pub(super) fn add(&mut self, text: &str, path: &Path) -> Result<(), CredentialError> {
        let file = self.files.len();
        self.files.push(path.to_owned());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |problem| CredentialError::Line { path: path.to_owned(), line: number, problem };
            self.cookies.push(parse(line, file).map_err(wrong)?);
        }
        Ok(())
    }

    /// How deep the cookies for a URL are bound, if there are any.
    pub(super) fn depth(&self, target: &Target<'_>, now: DateTime<Utc>) -> Option<usize> {
        self.cookies
            .iter()
            .filter(|cookie| cookie.goes_to(target, now))
            .map(|cookie| cookie.scope.depth())
            .max()
    }

    /// All cookies for a URL, in one field: the longest paths first (RFC 6265 §5.4), of several of one name and path the
    /// last that was read.
    pub(super) fn credential(&self, target: &Target<'_>, now: DateTime<Utc>) -> Option<Credential> {
        let mut chosen: Vec<&Cookie> = Vec::new();
        for cookie in self.cookies.iter().filter(|cookie| cookie.goes_to(target, now)) {
            let same =
                |other: &&Cookie| (other.scope.depth(), &other.name) == (cookie.scope.depth(), &cookie.name);
            match chosen.iter().position(same) {
                Some(known) => chosen[known] = cookie,
                None => chosen.push(cookie),
            }
        }
        chosen.sort_by_key(|cookie| Reverse(cookie.scope.depth()));
        let first = chosen.first()?;
        let headers = headers::cookies(chosen.iter().map(|cookie| cookie.pair.expose())).ok()?;
        let mut files: Vec<usize> = chosen.iter().map(|cookie| cookie.file).collect();
        files.sort_unstable();
        files.dedup();
        let files = files.into_iter().map(|file| self.files[file].clone()).collect();
        Some(Credential {
            place: Place::Cookies { files, host: first.scope.host() },
            kind: "cookie",
            expires: chosen.iter().filter_map(|cookie| cookie.expires).min(),
            authorization: Authorization::Headers(headers),
        })
    }

    /// Why no cookie goes to a URL though one is for its host, as a sentence.
    pub(super) fn why_none(&self, target: &Target<'_>, now: DateTime<Utc>) -> Option<String> {
        self.cookies.iter().find_map(|cookie| {
            let expired =
                || (cookie.scope.covers(target) && cookie.has_expired(now)).then_some("has expired");
            let reason = cookie.scope.near_miss(target).or_else(expired)?;
            let file = super::error::shown(&self.files[cookie.file]);
            Some(format!("the cookie for {} in {file} {reason}", cookie.scope.host()))
        })
    }
}

impl Cookie {
    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    fn goes_to(&self, target: &Target<'_>, now: DateTime<Utc>) -> bool {
        self.scope.covers(target) && !self.has_expired(now)
    }
}

fn parse(line: &str, file: usize) -> Result<Cookie, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (domain, subdomains, path, secure, expires, name, value) = match fields[..] {
        [domain, subdomains, path, secure, expires, name, value] => {
            (domain, subdomains, path, secure, expires, name, value)
        }
        // An empty value, whose tab an editor took away.
        [domain, subdomains, path, secure, expires, name] => {
            (domain, subdomains, path, secure, expires, name, "")
        }
        _ => return Err("does not have the seven fields of a cookie".into()),
    };
    let flag = |text: &str| match text.to_ascii_uppercase().as_str() {
        "TRUE" => Ok(true),
        "FALSE" => Ok(false),
        _ => Err("has a flag that is neither TRUE nor FALSE".to_owned()),
    };
    // All cookies are treated as secure ones, so that the flag need only be one.
    flag(secure)?;
    let scope = Scope::of_cookie(domain, flag(subdomains)?, path);
    let pair = format!("{name}={value}");
    headers::cookies([pair.as_str()])?;
    Ok(Cookie {
        scope: scope.ok_or("has a host or path that no URL can have")?,
        name: Secret::new(name),
        pair: Secret::new(pair),
        expires: expiry(expires)?,
        file,
    })
}

/// 0 and nothing stand for a cookie of a session, whose end the file does not tell.
fn expiry(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = text.parse().ok().filter(|seconds: &f64| !seconds.is_nan());
    let seconds = seconds.ok_or("has an expiry that is not a number of seconds")?;
    // A time that is out of range is as good as never, if it is ahead.
    Ok(if seconds == 0.0 { None } else { time(seconds).or((seconds < 0.0).then_some(DateTime::UNIX_EPOCH)) })
}
