//! The header fields that carry a credential, checked so that no value can add a field of its own.
//!
//! What is wrong with a value is told as the rest of a sentence about its entry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::secret::Secret;

/// Names and values, each name once.
pub(super) type Headers = Vec<(String, Secret)>;

/// Fields that frame a request or choose what it answers: the transport's own.
const TRANSPORT: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-range",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A bearer token (RFC 6750 §2.1), and the field by which bdbag asks OIDC servers for 401 rather than a login page.
pub(super) fn bearer(token: &str) -> Result<Headers, String> {
    let mut headers = Headers::new();
    set(&mut headers, "Authorization", format!("Bearer {token}"), "a token")?;
    set(&mut headers, "X-Requested-With", "XMLHttpRequest".into(), "a token")?;
    Ok(headers)
}

/// User and password, encoded as UTF-8 (RFC 7617 §2).
pub(super) fn basic(user: &str, password: &str) -> Result<Headers, String> {
    check_login(user, password)?;
    let mut headers = Headers::new();
    set(
        &mut headers,
        "Authorization",
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        "a password",
    )?;
    Ok(headers)
}

/// What RFC 7617 §2 asks of a user and a password.
pub(super) fn check_login(user: &str, password: &str) -> Result<(), String> {
    if user.contains(':') {
        return Err("has a colon in its user name, which HTTP can't send".into());
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return Err("has a control character, such as a line break, in its user name or password".into());
    }
    Ok(())
}

/// All pairs `name=value` in one `Cookie` field (RFC 6265 §5.4).
pub(super) fn cookies<'c>(pairs: impl IntoIterator<Item = &'c str>) -> Result<Headers, String> {
    let mut headers = Headers::new();
    let pairs: Vec<&str> = pairs.into_iter().collect();
    if pairs.iter().any(|pair| pair.split_once('=').is_none_or(|(name, _)| name.trim().is_empty())) {
        return Err("has a cookie that is not name=value".into());
    }
    set(&mut headers, "Cookie", pairs.join("; "), "a cookie")?;
    Ok(headers)
}

/// Adds the fields of an entry's `additional_request_headers`; one of the same name is replaced, as bdbag does.
pub(super) fn add<'h>(
    headers: &mut Headers,
    more: impl IntoIterator<Item = (&'h str, &'h str)>,
) -> Result<(), String> {
    for (name, value) in more {
        // RFC 9110 §5.6.2.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("has an additional request header whose name HTTP does not allow".into());
        }
        if TRANSPORT.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("sets the request header {name}, which is dbag's own to set"));
        }
        set(headers, name, value.to_owned(), "an additional request header")?;
    }
    Ok(())
}

fn set(headers: &mut Headers, name: &str, value: String, what: &str) -> Result<(), String> {
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(format!("has {what} with a character that no header can carry, such as a line break"));
    }
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), Secret::new(value)));
    Ok(())
}
