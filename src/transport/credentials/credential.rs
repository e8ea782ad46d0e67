//! One credential: what is sent, where it was read, until when it is good.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use super::error::shown;
use super::headers;
use super::secret::Secret;

/// Something that opens the URLs of one place. It is for the URL that it was asked for, and for no other: after a
/// redirect, ask anew.
#[derive(Debug, Clone)]
pub struct Credential {
    pub(super) place: Place,
    pub(super) kind: &'static str,
    pub(super) authorization: Authorization,
    pub(super) expires: Option<DateTime<Utc>>,
}

/// What has to be done with a credential.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// Header fields, names and values, to be sent with each request. Values are printable ASCII.
    Headers(Vec<(String, Secret)>),
    /// A request to be made once before all others.
    Login(Login),
    /// Keys by which S3 requests are signed.
    S3(S3Keys),
}

/// A request that opens a session. It has failed if the last answer is not of the status 200 to 203, as bdbag has it.
/// A redirect of it may be followed with GET, without `basic` and `form`.
#[derive(Clone)]
pub struct Login {
    /// Where it goes.
    pub url: Url,
    /// How it goes.
    pub method: LoginMethod,
    /// User and password to be sent as Basic authentication with the login.
    pub basic: Option<(String, Secret)>,
    /// Names and values of the form (`application/x-www-form-urlencoded`) to be sent with the login, if any.
    pub form: Vec<(String, Secret)>,
    /// Header fields to be sent afterwards with each request, beside the cookies that the login gave; not with the
    /// login.
    pub headers: Vec<(String, Secret)>,
}

/// The method of a [`Login`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// What `aws-credentials` say. `key` and `secret` are both there or both missing; then `profile` or `role_arn` is there.
#[derive(Debug, Clone)]
pub struct S3Keys {
    /// The access key's name.
    pub key: Option<Secret>,
    /// The secret access key.
    pub secret: Option<Secret>,
    /// The session token that goes with temporary keys.
    pub token: Option<Secret>,
    /// A role to be assumed before.
    pub role_arn: Option<String>,
    /// A profile of the AWS tools' own files, to take keys from.
    pub profile: Option<String>,
}

/// Where a credential was read.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Keychain { path: PathBuf, entry: usize, auth_type: &'static str },
    Cookies { files: Vec<PathBuf>, host: String },
    Deriva { path: PathBuf, host: String },
    Environment,
    Netrc { path: PathBuf, line: usize, host: String },
    Url,
}

impl Credential {
    /// What it is: "bearer token", "cookie", "basic", "form login" or "S3 keys".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Where it was read, as a part of a sentence: "the bearer-token entry 2 of ~/.bdbag/keychain.json".
    #[must_use]
    pub fn source(&self) -> String {
        self.place.to_string()
    }

    /// When it stops being good: the `exp` claim of a bearer token that is a JWT (RFC 7519 §4.1.4), the
    /// `expires_at_seconds` beside a token, or the end of the first cookie. None where nothing says so.
    #[must_use]
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        self.expires
    }

    /// What to do.
    #[must_use]
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// What a user should do when the server at a URL no longer takes it: a command, or a phrase such as "renew entry 2
    /// of ~/.bdbag/keychain.json".
    #[must_use]
    pub fn refresh_hint(&self, url: &Url) -> String {
        match &self.place {
            Place::Deriva { .. } if self.kind != "form login" => deriva_login(url),
            Place::Keychain { .. } | Place::Cookies { .. } if self.is_of_deriva(url) => deriva_login(url),
            Place::Keychain { path, entry, .. } => format!("renew entry {entry} of {}", shown(path)),
            Place::Cookies { files, .. } => format!("export the cookies of a new login into {}", list(files)),
            Place::Deriva { path, host } | Place::Netrc { path, host, .. } => {
                format!("correct the entry for {host} in {}", shown(path))
            }
            Place::Environment => "set DBAG_TOKEN to a new token".into(),
            Place::Url => "correct the user and password in the URL".into(),
        }
    }

    /// The user and password that a URL itself carries, if it is an HTTP one and carries both.
    pub(super) fn in_url(url: &Url) -> Option<Self> {
        let password = url.password().filter(|_| matches!(url.scheme(), "http" | "https"))?;
        let user = percent_decode_str(url.username()).decode_utf8().ok()?;
        let password = percent_decode_str(password).decode_utf8().ok()?;
        let headers = headers::basic(&user, &password).ok()?;
        let authorization = Authorization::Headers(headers);
        Some(Self { place: Place::Url, kind: "basic", authorization, expires: None })
    }

    /// Whether the `DERIVA` login tools would renew it: it is for one of the platform's services, or is its cookie.
    fn is_of_deriva(&self, url: &Url) -> bool {
        let service = url.path_segments().and_then(|mut path| path.next()).unwrap_or_default();
        let cookie = |(name, value): &(String, Secret)| {
            name == "Cookie" && value.expose().split("; ").any(|pair| pair.starts_with("webauthn="))
        };
        match &self.authorization {
            Authorization::Headers(headers) if matches!(self.kind, "bearer token" | "cookie") => {
                matches!(service, "authn" | "deriva" | "ermrest" | "hatrac") || headers.iter().any(cookie)
            }
            _ => false,
        }
    }
}

/// The command that logs in to a host.
fn deriva_login(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    // People paste this into a shell, and a URL parser lets `;` and `$` stand in a host.
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
        return "log in to the host anew with deriva-globus-auth-utils".into();
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("deriva-globus-auth-utils login --host {host}{port}")
}

/// The `exp` claim of a token that is a JWT. Its signature is the server's concern.
pub(super) fn jwt_expiry(token: &str) -> Option<DateTime<Utc>> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    time(claims.get("exp")?.as_f64()?)
}

/// Seconds since 1970 as a time; None out of range.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn time(seconds: f64) -> Option<DateTime<Utc>> {
    // A cast of a float ends at the limits of the integer, which are no times.
    DateTime::from_timestamp(seconds.floor() as i64, 0).filter(|_| seconds.is_finite())
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            // The rest of it may hold a password or a key.
            .field("url", &format_args!("{}/…", self.url.origin().ascii_serialization()))
            .field("method", &self.method)
            .field("basic", &self.basic)
            .field("form", &self.form)
            .field("headers", &self.headers)
            .finish()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keychain { path, entry, auth_type } => {
                write!(f, "the {auth_type} entry {entry} of {}", shown(path))
            }
            Self::Cookies { files, host } => write!(f, "the cookies for {host} in {}", list(files)),
            Self::Deriva { path, host } => write!(f, "the entry for {host} in {}", shown(path)),
            Self::Environment => f.write_str("the bearer token in DBAG_TOKEN"),
            Self::Netrc { path, line, host } => {
                write!(f, "the entry for {host} in line {line} of {}", shown(path))
            }
            Self::Url => f.write_str("the user and password in the URL"),
        }
    }
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| shown(file)).collect::<Vec<_>>().join(" and ")
}
