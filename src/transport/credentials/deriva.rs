//! deriva-py's `credential.json`: an object of hosts, each with a bearer token, a cookie, or a user and password.

use std::path::Path;

use serde_json::Value;
use url::Url;

use super::Entry;
use super::credential::{Authorization, Credential, Login, LoginMethod, Place, jwt_expiry, time};
use super::error::CredentialError;
use super::headers::{self, Headers};
use super::json::{self, Fields, Trouble};
use super::scope::{Scope, Transfer};
use super::secret::Secret;

/// Reads the file's text. What is left out adds a warning.
pub(super) fn parse(
    text: &str,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Entry>, CredentialError> {
    let hosts = match json::parse(text, path)? {
        None => return Ok(Vec::new()),
        Some(Value::Object(hosts)) => hosts,
        Some(_) => {
            let problem = "is not an object of hosts".into();
            return Err(CredentialError::File { path: path.to_owned(), problem });
        }
    };
    let mut entries = Vec::new();
    for (number, (host, value)) in (1..).zip(&hosts) {
        let entry = match value {
            // A host without a login.
            Value::Null => Err(Trouble::Placeholder),
            Value::Object(fields) if fields.is_empty() => Err(Trouble::Placeholder),
            Value::Object(fields) => read(host, Fields(fields), path),
            _ => Err(Trouble::Broken("is not an object".into())),
        };
        match entry {
            Ok(entry) => entries.push(entry),
            Err(trouble) => trouble.report(path, number, warnings)?,
        }
    }
    Ok(entries)
}

fn read(host: &str, fields: Fields<'_>, path: &Path) -> Result<Entry, Trouble> {
    let scope = Scope::of_host(host, Transfer::HttpsOrLoopback)
        .ok_or_else(|| Trouble::unused("its key is not a host, or a host and a port"))?;
    let token = fields.text("bearer-token")?;
    // The order in which deriva-py takes them.
    let (kind, authorization) = if let Some(token) = token {
        ("bearer token", Authorization::Headers(headers::bearer(token)?))
    } else if let Some(cookie) = fields.text("cookie")? {
        ("cookie", Authorization::Headers(headers::cookies([cookie])?))
    } else {
        let user = fields.text("username")?.zip(fields.text("password")?);
        let user =
            user.ok_or_else(|| Trouble::unused("it has no bearer-token, cookie, or username and password"))?;
        ("form login", session(&scope, user)?)
    };
    let expires =
        token.and_then(|token| fields.number("expires_at_seconds").and_then(time).or(jwt_expiry(token)));
    let place = Place::Deriva { path: path.to_owned(), host: scope.host() };
    Ok(Entry { scope, credential: Ok(Credential { place, kind, authorization, expires }) })
}

/// A login at the platform's own session service, which answers with the cookie.
fn session(scope: &Scope, (user, password): (&str, &str)) -> Result<Authorization, Trouble> {
    let url = Url::parse(&format!("https://{}/authn/session", scope.host()));
    let url = url.map_err(|_| Trouble::unused("its key is not a host, or a host and a port"))?;
    Ok(Authorization::Login(Login {
        url,
        method: LoginMethod::Post,
        basic: None,
        form: vec![("username".into(), Secret::new(user)), ("password".into(), Secret::new(password))],
        headers: Headers::new(),
    }))
}
