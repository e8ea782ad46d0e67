//! Which headers go with a request, and why a server that wants others turned it down.

use std::collections::HashMap;

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::Mutex;
use url::Url;

use super::answer;
use crate::transport::credentials::{Authorization, Credentials, Login, LoginMethod, Secret};
use crate::transport::{TransportError, TransportErrorKind};

/// Redirects that are followed while logging in.
const MOST_HOPS: usize = 10;

/// Credentials, and the cookies of logins made with them.
pub(super) struct Session {
    credentials: Credentials,
    /// By the credential's source. Whoever comes while a login is under way waits for it.
    logins: Mutex<HashMap<String, Result<String, TransportError>>>,
}

impl Session {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, logins: Mutex::default() }
    }

    /// The request with what the URL's own origin may see.
    pub(super) async fn sign(
        &self,
        client: &Client,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, TransportError> {
        let Some(credential) = self.credentials.for_url(url) else { return Ok(request) };
        match credential.authorization() {
            Authorization::Headers(headers) => Ok(with_headers(request, headers)),
            Authorization::S3(_) => Ok(request),
            Authorization::Login(login) => {
                let cookies = {
                    let mut logins = self.logins.lock().await;
                    match logins.get(&credential.source()) {
                        Some(known) => known.clone(),
                        None => {
                            let made = log_in(client, login).await;
                            logins.insert(credential.source(), made.clone());
                            made
                        }
                    }
                }?;
                let request = with_headers(request, &login.headers);
                Ok(if cookies.is_empty() { request } else { request.header(header::COOKIE, cookies) })
            }
        }
    }

    /// What is to be said of a refused request: who was asked, with what, and what to do about it.
    pub(super) fn explain(&self, url: &Url, signed: bool, mut error: TransportError) -> TransportError {
        // A port that is not the scheme's own belongs to the name: without it no entry would be for this server.
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", url.host_str().unwrap_or_default());
        let tried = self.credentials.for_url(url).filter(|_| signed);
        let more = match tried {
            Some(credential) => {
                let expiry = credential.expires().filter(|at| *at <= chrono::Utc::now());
                let expired =
                    expiry.map(|at| format!(", which expired at {}", at.to_rfc3339())).unwrap_or_default();
                format!("{} was sent{expired}; {}", credential.source(), credential.refresh_hint(url))
            }
            None if !signed => "the URL leads there from another host, and no credential goes along".into(),
            None => self.credentials.why_none(url).unwrap_or_else(|| {
                format!(
                    "no credential for {host} was found; put one into ~/.bdbag/keychain.json, ~/.deriva/credential.json or ~/.netrc"
                )
            }),
        };
        error.reason = format!("{host}: {}; {more}", error.reason);
        error
    }
}

fn with_headers(mut request: RequestBuilder, headers: &[(String, Secret)]) -> RequestBuilder {
    for (name, value) in headers {
        // Both were checked when they were read.
        if let (Ok(name), Ok(mut value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.expose()))
        {
            value.set_sensitive(true);
            request = request.header(name, value);
        }
    }
    request
}

/// Logs in; the cookies that the login's own origin set. A redirect is followed without what was sent.
async fn log_in(client: &Client, login: &Login) -> Result<String, TransportError> {
    let mut request = match login.method {
        LoginMethod::Get => client.get(login.url.clone()),
        LoginMethod::Post => client.post(login.url.clone()),
    };
    if let Some((user, password)) = &login.basic {
        request = request.basic_auth(user, Some(password.expose()));
    }
    if !login.form.is_empty() {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(login.form.iter().map(|(name, value)| (name, value.expose())));
        let kind = "application/x-www-form-urlencoded";
        request = request.header(header::CONTENT_TYPE, kind).body(form.finish());
    }
    let mut place = login.url.clone();
    let mut cookies: Vec<(String, String)> = Vec::new();
    for _ in 0..MOST_HOPS {
        let response = request.send().await.map_err(|error| answer::broken(&place, &error))?;
        if place.origin() == login.url.origin() {
            take_cookies(&response, &mut cookies);
        }
        if !response.status().is_redirection() {
            return if response.status() <= StatusCode::NON_AUTHORITATIVE_INFORMATION {
                Ok(cookies
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .join("; "))
            } else {
                let reason = format!("the login was answered {}", response.status());
                Err(TransportError::new(&login.url, TransportErrorKind::Denied, reason))
            };
        }
        place = answer::target(&place, &response)?;
        request = client.get(place.clone());
    }
    let reason = format!("the login redirects more than {MOST_HOPS} times");
    Err(TransportError::new(&login.url, TransportErrorKind::Denied, reason))
}

fn take_cookies(response: &Response, cookies: &mut Vec<(String, String)>) {
    for value in response.headers().get_all(header::SET_COOKIE) {
        let pair = value.to_str().ok().and_then(|text| text.split(';').next()?.split_once('='));
        if let Some((name, value)) = pair {
            cookies.retain(|(known, _)| known != name.trim());
            cookies.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_its_port() {
        let session = Session::new(Credentials::none());
        let explained = |url: &str| {
            let url = url.parse().unwrap();
            let error = TransportError::new(&url, TransportErrorKind::Denied, "the server answered 401");
            session.explain(&url, true, error).reason
        };
        let reason = explained("http://127.0.0.1:8103/a");
        assert!(
            reason.starts_with("127.0.0.1:8103: ") && reason.contains("for 127.0.0.1:8103 was"),
            "{reason}"
        );
        assert!(explained("https://example.org:443/a").contains("for example.org was"));
    }
}
