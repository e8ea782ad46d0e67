//! bdbag's `keychain.json`: a list of entries, each for the URLs at and below its `uri`.
//!
//! The field `allow_redirects_with_token` is not read: a token goes nowhere but where its `uri` says.

use std::path::Path;

use serde_json::Value;
use url::Url;

use super::Entry;
use super::credential::{Authorization, Credential, Login, LoginMethod, Place, S3Keys, jwt_expiry, time};
use super::error::CredentialError;
use super::headers::{self, Headers};
use super::json::{self, Fields, Trouble};
use super::scope::{Scope, is_loopback};
use super::secret::Secret;

/// The kinds of entries, and the schemes that their URLs may have.
const KINDS: [(&str, &[&str]); 8] = [
    ("cookie", WEB),
    ("bearer-token", WEB),
    ("http-form", WEB),
    ("http-basic", WEB),
    ("aws-credentials", &["s3"]),
    ("ftp-basic", &["ftp"]),
    ("gcs-credentials", &["gs"]),
    ("globus_transfer", &["globus"]),
];
const WEB: &[&str] = &["http", "https"];

/// Reads the file's text. What is left out adds a warning.
pub(super) fn parse(
    text: &str,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Entry>, CredentialError> {
    let list = match json::parse(text, path)? {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => {
            let problem = "is not a list of entries".into();
            return Err(CredentialError::File { path: path.to_owned(), problem });
        }
    };
    let mut entries = Vec::new();
    for (number, value) in (1..).zip(&list) {
        let entry = match value {
            Value::Object(fields) => read(Fields(fields), path, number),
            _ => Err(Trouble::Broken("is not an object".into())),
        };
        match entry {
            Ok(entry) => entries.push(entry),
            Err(trouble) => trouble.report(path, number, warnings)?,
        }
    }
    Ok(entries)
}

fn read(entry: Fields<'_>, path: &Path, number: usize) -> Result<Entry, Trouble> {
    let uri = entry.needed("uri")?.trim();
    // The file that bdbag makes at its first run has entries for `https://<hostname>/<path>` and the like.
    if uri.contains("://<") {
        return Err(Trouble::Placeholder);
    }
    let uri = Url::parse(uri).map_err(|_| Trouble::unused("its uri is not an absolute URL"))?;
    let scope = Scope::of_uri(&uri).map_err(Trouble::unused)?;
    let auth_type = entry.needed("auth_type")?;
    let Some((auth_type, schemes)) = KINDS.iter().find(|(name, _)| *name == auth_type) else {
        let reason = format!("entry {number} of {} has an unknown auth_type", super::error::shown(path));
        return Ok(Entry { scope, credential: Err(reason) });
    };
    if !schemes.contains(&uri.scheme()) {
        return Err(Trouble::Unused(format!("its auth_type {auth_type} is not for URLs such as its uri")));
    }
    let place = Place::Keychain { path: path.to_owned(), entry: number, auth_type };
    let params = || entry.object("auth_params")?.ok_or_else(|| Trouble::unused("it has no auth_params"));
    let (kind, authorization) = match *auth_type {
        "cookie" => ("cookie", cookie(params()?)?),
        "bearer-token" => ("bearer token", bearer(params()?)?),
        "http-form" => ("form login", form(entry, params()?, &uri)?),
        "http-basic" => ("basic", basic(entry, params()?, &uri)?),
        "aws-credentials" => ("S3 keys", s3(params()?)?),
        _ => {
            let reason = format!("dbag can't use {place}: it does not fetch {}: URLs", uri.scheme());
            return Ok(Entry { scope, credential: Err(reason) });
        }
    };
    let expires = if kind == "bearer token" { token_expiry(params()?)? } else { None };
    Ok(Entry { scope, credential: Ok(Credential { place, kind, authorization, expires }) })
}

/// When the `token` of some fields ends.
fn token_expiry(fields: Fields<'_>) -> Result<Option<chrono::DateTime<chrono::Utc>>, Trouble> {
    let said = fields.number("expires_at_seconds").and_then(time);
    Ok(said.or(fields.text("token")?.and_then(jwt_expiry)))
}

fn cookie(params: Fields<'_>) -> Result<Authorization, Trouble> {
    let pairs = params.texts("cookies")?;
    if pairs.is_empty() {
        return Err(Trouble::unused("it has no cookies"));
    }
    with_headers(params, headers::cookies(pairs)?)
}

fn bearer(params: Fields<'_>) -> Result<Authorization, Trouble> {
    with_headers(params, headers::bearer(params.needed("token")?)?)
}

fn with_headers(params: Fields<'_>, mut headers: Headers) -> Result<Authorization, Trouble> {
    params.add_headers_to(&mut headers)?;
    Ok(Authorization::Headers(headers))
}

fn form(entry: Fields<'_>, params: Fields<'_>, uri: &Url) -> Result<Authorization, Trouble> {
    let field = |name, default| Ok::<_, Trouble>(params.text(name)?.unwrap_or(default).to_owned());
    let mut headers = Headers::new();
    params.add_headers_to(&mut headers)?;
    Ok(Authorization::Login(Login {
        url: login_url(entry, uri)?,
        method: LoginMethod::Post,
        basic: None,
        form: vec![
            (field("username_field", "username")?, Secret::new(params.needed("username")?)),
            (field("password_field", "password")?, Secret::new(params.needed("password")?)),
        ],
        headers,
    }))
}

fn basic(entry: Fields<'_>, params: Fields<'_>, uri: &Url) -> Result<Authorization, Trouble> {
    let (user, password) = (params.needed("username")?, params.needed("password")?);
    let mut headers = headers::basic(user, password)?;
    params.add_headers_to(&mut headers)?;
    let url = login_url(entry, uri)?;
    // bdbag asks the auth_uri first even where it is the uri itself: that changes nothing for what comes after.
    if url == *uri {
        return Ok(Authorization::Headers(headers));
    }
    let method = match params.text("auth_method")?.unwrap_or("post").to_ascii_lowercase().as_str() {
        "post" => LoginMethod::Post,
        "get" => LoginMethod::Get,
        _ => return Err(Trouble::unused("its auth_method is neither post nor get")),
    };
    let basic = Some((user.to_owned(), Secret::new(password)));
    Ok(Authorization::Login(Login { url, method, basic, form: Vec::new(), headers }))
}

/// The `auth_uri`, or else the `uri`. The password must not leave this computer less protected than the `uri` says.
fn login_url(entry: Fields<'_>, uri: &Url) -> Result<Url, Trouble> {
    let Some(text) = entry.text("auth_uri")? else { return Ok(uri.clone()) };
    let url = Url::parse(text.trim()).map_err(|_| Trouble::unused("its auth_uri is not an absolute URL"))?;
    let safe = match url.scheme() {
        "https" => true,
        "http" => uri.scheme() == "http" || is_loopback(&url),
        _ => false,
    };
    safe.then_some(url).ok_or_else(|| Trouble::unused("its auth_uri is not https, though its uri is"))
}

fn s3(params: Fields<'_>) -> Result<Authorization, Trouble> {
    let secret = |name| Ok::<_, Trouble>(params.text(name)?.map(Secret::new));
    let text = |name| Ok::<_, Trouble>(params.text(name)?.map(str::to_owned));
    let keys = S3Keys {
        key: secret("key")?,
        secret: secret("secret")?,
        token: secret("token")?,
        role_arn: text("role_arn")?,
        profile: text("profile")?,
    };
    if keys.key.is_some() != keys.secret.is_some() {
        return Err(Trouble::unused("it has a key without a secret, or a secret without a key"));
    }
    if keys.key.is_none() && keys.profile.is_none() && keys.role_arn.is_none() {
        return Err(Trouble::unused("it has no key, profile or role_arn"));
    }
    Ok(Authorization::S3(keys))
}
