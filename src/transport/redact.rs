//! URLs for people: what may be a secret is left out.

use url::Url;

/// A text that should have been a URL, for people: what may be a user, a password or a query is left out.
#[must_use]
pub fn redacted_text(text: &str) -> String {
    if let Ok(url) = Url::parse(text) {
        return redacted(&url);
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

/// A URL for people: without user, password and query, which may hold secrets.
#[must_use]
pub fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that can have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_none() {
        return url.to_string();
    }
    url.set_query(Some(""));
    // Everywhere else a question mark is encoded.
    url.as_str().replacen('?', "?…", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out_and_the_rest_can_be_read() {
        let cases = [
            ("https://me:pw@h.org:81/a%3Fb?token=x&y=?z#part", "https://h.org:81/a%3Fb?…#part"),
            ("https://h.org/a?", "https://h.org/a?…"),
            ("https://h.org/a", "https://h.org/a"),
            ("https://me:pw@h.org:port/a?token=x", "https://h.org:port/a"),
        ];
        for (text, shown) in cases {
            assert_eq!(redacted_text(text), shown);
        }
    }
}
