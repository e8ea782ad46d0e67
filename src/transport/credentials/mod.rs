//! Credentials for protected URLs, from the files and variables that users have already.
//!
//! Reads bdbag's keychain and cookie files, deriva-py's `credential.json`, `.netrc` and `DBAG_TOKEN`, and says which
//! credential may go to a URL. It writes no file, asks no server, and follows no redirect: who does must ask anew for
//! each URL. A credential goes to one origin and to the paths below one path, never in clear unless its keychain entry
//! says `http:`, and no message shows it.

mod cookies;
mod credential;
mod deriva;
mod error;
mod file;
mod headers;
mod json;
mod keychain;
mod netrc;
mod scope;
mod secret;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use url::Url;

use cookies::Jar;
pub use credential::{Authorization, Credential, Login, LoginMethod};
pub use error::CredentialError;
use scope::{Scope, Target, Transfer};
pub use secret::Secret;

/// The files to read. A file that is not there is as good as an empty one.
#[derive(Debug, Clone, Default)]
pub struct CredentialFiles {
    /// bdbag's `keychain.json`.
    pub keychain: Option<PathBuf>,
    /// A folder below which files named `*cookies.txt` are read.
    pub cookies: Option<PathBuf>,
    /// deriva-py's `credential.json`.
    pub deriva: Option<PathBuf>,
    /// A `.netrc`.
    pub netrc: Option<PathBuf>,
}

/// All credentials of a user.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// In the order in which they are preferred.
    keychain: Vec<Entry>,
    jar: Jar,
    others: Vec<Entry>,
    netrc_default: Option<String>,
    warnings: Vec<String>,
}

/// What is known for some URLs.
#[derive(Debug, Clone)]
struct Entry {
    scope: Scope,
    /// What may be sent there; or why dbag can't use it, as a sentence. Such an entry still hides others that are less
    /// meant for its URLs.
    credential: Result<Credential, String>,
}

type Variables<'e> = &'e dyn Fn(&str) -> Option<OsString>;

impl CredentialFiles {
    /// The usual files: `$DBAG_KEYCHAIN` or `~/.bdbag/keychain.json`, cookie files below `~/.bdbag`,
    /// `~/.deriva/credential.json`, and `$NETRC` or `~/.netrc`.
    #[must_use]
    pub fn of_user() -> Self {
        Self::from_environment(&|name| std::env::var_os(name), std::env::home_dir().as_deref())
    }

    fn from_environment(variables: Variables<'_>, home: Option<&Path>) -> Self {
        let named = |name| variables(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = |path| home.map(|home| home.join(path));
        Self {
            keychain: named("DBAG_KEYCHAIN").or_else(|| home(".bdbag/keychain.json")),
            cookies: home(".bdbag"),
            deriva: home(".deriva/credential.json"),
            netrc: named("NETRC").or_else(|| home(".netrc")),
        }
    }
}

impl Credentials {
    /// No credentials at all: only those in URLs themselves are used.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the files, and `DBAG_TOKEN` with `DBAG_TOKEN_HOST` from the environment. Malformed ones are errors.
    pub fn load(files: &CredentialFiles) -> Result<Self, CredentialError> {
        Self::load_with(files, &|name| std::env::var_os(name))
    }

    fn load_with(files: &CredentialFiles, variables: Variables<'_>) -> Result<Self, CredentialError> {
        let mut all = Self::default();
        if let Some((text, path)) = all.read(files.keychain.as_deref(), "DBAG_KEYCHAIN", variables)? {
            all.keychain = keychain::parse(&text, path, &mut all.warnings)?;
        }
        for path in files.cookies.as_deref().map(file::cookie_files).transpose()?.unwrap_or_default() {
            if let Some(text) = file::read(&path, &mut all.warnings)? {
                all.jar.add(&text, &path)?;
            }
        }
        if let Some((text, path)) = all.read(files.deriva.as_deref(), "", variables)? {
            all.others = deriva::parse(&text, path, &mut all.warnings)?;
        }
        all.others.extend(from_variables(variables, &mut all.warnings)?);
        if let Some((text, path)) = all.read(files.netrc.as_deref(), "NETRC", variables)? {
            let netrc = netrc::parse(&text, path, &mut all.warnings)?;
            all.others.extend(netrc.entries);
            all.netrc_default = netrc.default;
        }
        Ok(all)
    }

    /// A file's text. A file that is missing though a variable names it was meant to be there.
    fn read<'p>(
        &mut self,
        path: Option<&'p Path>,
        variable: &str,
        variables: Variables<'_>,
    ) -> Result<Option<(String, &'p Path)>, CredentialError> {
        let Some(path) = path else { return Ok(None) };
        let text = file::read(path, &mut self.warnings)?;
        if text.is_none() && variables(variable).is_some_and(|named| Path::new(&named) == path) {
            self.warnings.push(format!("{variable} names a file that is not there: {}", error::shown(path)));
        }
        Ok(text.map(|text| (text, path)))
    }

    /// What a user should know about the files: entries that are not used, files that others can read. No secrets.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The credential that may be sent to a URL: the one in the URL itself, else the one whose path is the longest
    /// that the URL lies at or below; of several, from the keychain before cookie files, `credential.json`,
    /// `DBAG_TOKEN` and `.netrc`.
    ///
    /// It is good for this URL only. After a redirect, ask anew for the new one.
    #[must_use]
    pub fn for_url(&self, url: &Url) -> Option<Cow<'_, Credential>> {
        if let Some(own) = Credential::in_url(url) {
            return Some(Cow::Owned(own));
        }
        self.best(&Target::of(url)?, Utc::now())?.ok()
    }

    /// Why no credential goes to a URL although one seems to be meant for it: one sentence without its full stop, for
    /// the message of a denied request. None if there is nothing to say.
    #[must_use]
    pub fn why_none(&self, url: &Url) -> Option<String> {
        if Credential::in_url(url).is_some() {
            return None;
        }
        let (target, now) = (Target::of(url)?, Utc::now());
        match self.best(&target, now) {
            Some(Err(reason)) => return Some(reason.to_owned()),
            Some(Ok(_)) => return None,
            None => {}
        }
        let near = |entry: &Entry| {
            let (credential, reason) = (entry.credential.as_ref().ok()?, entry.scope.near_miss(&target)?);
            Some(format!("{} {reason}", credential.place))
        };
        let near_miss = self.keychain.iter().chain(&self.others).find_map(near);
        near_miss.or_else(|| self.jar.why_none(&target, now)).or_else(|| self.netrc_default.clone())
    }

    /// What is most meant for a URL: a credential, or the reason why dbag can't use it.
    fn best(&self, target: &Target<'_>, now: DateTime<Utc>) -> Option<Result<Cow<'_, Credential>, &str>> {
        let depth = |entry: Option<&Entry>| entry.map(|entry| entry.scope.depth());
        let (keychain, other) = (deepest(&self.keychain, target), deepest(&self.others, target));
        let cookies = self.jar.depth(target, now);
        // No depth is less than any.
        if cookies > depth(keychain) && cookies >= depth(other) {
            return self.jar.credential(target, now).map(|credential| Ok(Cow::Owned(credential)));
        }
        let entry = if depth(other) > depth(keychain) { other } else { keychain };
        Some(entry?.credential.as_ref().map(Cow::Borrowed).map_err(String::as_str))
    }
}

/// The first of the entries that are bound deepest, one that dbag can use if there is one.
fn deepest<'e>(entries: &'e [Entry], target: &Target<'_>) -> Option<&'e Entry> {
    let rank = |entry: &&Entry| (Reverse(entry.scope.depth()), entry.credential.is_err());
    entries.iter().filter(|entry| entry.scope.covers(target)).min_by_key(rank)
}

/// The token of `DBAG_TOKEN`, for the `host` or `host:port` of `DBAG_TOKEN_HOST`, over https only.
fn from_variables(
    variables: Variables<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Entry>, CredentialError> {
    let wrong = |variable, problem| CredentialError::Environment { variable, problem };
    let text = |variable| {
        let value = variables(variable).filter(|value| !value.is_empty()).map(OsString::into_string);
        value.transpose().map_err(|_| wrong(variable, "is not UTF-8 text".into()))
    };
    let (token, host) = match (text("DBAG_TOKEN")?, text("DBAG_TOKEN_HOST")?) {
        (Some(token), Some(host)) => (token, host),
        (Some(_), None) => {
            warnings.push("DBAG_TOKEN is not used: DBAG_TOKEN_HOST does not say for which host it is".into());
            return Ok(None);
        }
        (None, _) => return Ok(None),
    };
    let scope = Scope::of_host(&host, Transfer::Scheme("https".into()))
        .ok_or_else(|| wrong("DBAG_TOKEN_HOST", "is not a host, or a host and a port".into()))?;
    let headers = headers::bearer(&token).map_err(|problem| wrong("DBAG_TOKEN", problem))?;
    let credential = Credential {
        place: credential::Place::Environment,
        kind: "bearer token",
        expires: credential::jwt_expiry(&token),
        authorization: Authorization::Headers(headers),
    };
    Ok(Some(Entry { scope, credential: Ok(credential) }))
}
