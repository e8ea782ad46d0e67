//! Which object an `s3:` URL names.

use object_store::path::Path;
use percent_encoding::percent_decode_str;
use url::Url;

/// A bucket, a key in it, and which version of the object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) bucket: String,
    pub(super) key: Path,
    /// The value of `versionId` in the URL's query; the newest version where there is none.
    pub(super) version: Option<String>,
}

impl Location {
    /// Reads `s3://BUCKET/KEY`, whose key is percent-decoded once. The error is the reason.
    pub(super) fn of(url: &Url) -> Result<Self, &'static str> {
        if url.scheme() != "s3" {
            return Err("it is no s3: URL");
        }
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return Err("an s3: URL has a bucket before its key, and neither user, password nor port");
        }
        let bucket = url.host_str().filter(|bucket| is_bucket(bucket)).ok_or("it names no bucket")?;
        let encoded = url.path().strip_prefix('/').unwrap_or_default();
        let decoded = percent_decode_str(encoded).decode_utf8();
        let key = decoded.map_err(|_| "its key is not UTF-8, as keys are")?;
        if key.is_empty() {
            return Err("it names a bucket and no object in it");
        }
        // `object_store` would drop a slash at either end, and so read another object.
        let parsed = Path::parse(&key).ok().filter(|path| path.as_ref() == key);
        let key = parsed
            .ok_or("dbag can't read keys with control characters, or with an empty, . or .. segment")?;
        Ok(Self { bucket: bucket.to_owned(), key, version: version(url)? })
    }
}

/// The characters that bucket names ever had. Others could change the URL that a request is sent to.
fn is_bucket(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

fn version(url: &Url) -> Result<Option<String>, &'static str> {
    let mut version = None;
    for (name, value) in url.query_pairs() {
        if name != "versionId" || version.replace(value.into_owned()).is_some() {
            return Err("the only query that it may have is one versionId (a ? in a key is written %3F)");
        }
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, String, Option<String>), &'static str> {
        let location = Location::of(&text.parse().unwrap())?;
        Ok((location.bucket, location.key.to_string(), location.version))
    }

    #[test]
    fn a_key_is_decoded_once() {
        let key = |text: &str| read(&format!("s3://bucket/{text}")).unwrap().1;
        assert_eq!(key("a/b.csv"), "a/b.csv");
        assert_eq!(key("a%20b%2520c+d"), "a b%20c+d");
        assert_eq!(key("na%C3%AFve%2Fx"), "naïve/x");
        assert_eq!(key("naïve"), "naïve");
    }

    #[test]
    fn a_version_may_be_named() {
        let version = |text: &str| read(text).map(|read| read.2);
        assert_eq!(version("s3://bucket/a?versionId=3%2FL4"), Ok(Some("3/L4".into())));
        assert_eq!(version("s3://bucket/a"), Ok(None));
        assert!(version("s3://bucket/a?X-Amz-Signature=1").is_err());
        assert!(version("s3://bucket/a?versionId=1&versionId=2").is_err());
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for text in [
            "http://bucket/a",
            "s3:bucket/a",
            "s3:///a",
            "s3://bucket",
            "s3://bucket/",
            "s3://bucket//a",
            "s3://bucket/a/",
            "s3://bucket/a%2F%2Fb",
            "s3://bucket/a%2F..%2Fb",
            "s3://bucket/a%00b",
            "s3://bucket/a%0Ab",
            "s3://bucket/%FF",
            "s3://key:secret@bucket/a",
            "s3://bucket:80/a",
            "s3://buc%2Fket/a",
            "s3://../a",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
