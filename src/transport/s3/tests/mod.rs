//! The source against a real S3 server, which checks every signature, and against servers that misbehave.

mod answers;
mod credentials;
mod roles;
mod server;

use std::time::Duration;

use super::*;
use crate::transport::tests::conformance::{conformance, encoded, read, refused, wait};
use server::{PRIVATE, PUBLIC, Server, keys};

/// Settings that give up soon.
fn settings(endpoint: &str) -> S3Settings {
    let wait = Duration::from_secs(2);
    S3Settings { endpoint: Some(endpoint.into()), connect: wait, stall: wait, ..S3Settings::default() }
}

fn source(settings: S3Settings, keys: Option<S3Keys>, environment: Environment) -> S3Source {
    S3Source::within(settings, Box::new(move |_| keys.clone()), environment).unwrap()
}

/// An environment in which there is nothing.
fn bare() -> Environment {
    Environment::with(&[], std::path::Path::new("/nonexistent"))
}

fn url(bucket: &str, name: &str) -> Url {
    format!("s3://{bucket}/{}", encoded(name)).parse().unwrap()
}

/// The text of an object, or the error.
async fn text(source: &S3Source, bucket: &str, name: &str) -> Result<String, TransportError> {
    let answer = read(&*source.remote(&url(bucket, name))?, None).await?;
    Ok(String::from_utf8(answer.bytes).unwrap())
}

#[test]
fn public_objects_are_a_source() {
    wait(async {
        let server = Server::start().await;
        let source = source(settings(&server.endpoint), None, bare());
        let replace = |name: &str, bytes: &[u8]| server.put(PUBLIC, name, bytes);
        conformance(&source, |name| url(PUBLIC, name), replace).await;
    });
}

#[test]
fn objects_for_key_holders_are_a_source() {
    wait(async {
        let server = Server::start().await;
        let lent = S3Keys { token: Some("token+/=".into()), ..keys() };
        let source = source(settings(&server.endpoint), Some(lent), bare());
        let replace = |name: &str, bytes: &[u8]| server.put(PRIVATE, name, bytes);
        conformance(&source, |name| url(PRIVATE, name), replace).await;
    });
}

#[test]
fn wrong_keys_are_denied_and_not_shown() {
    wait(async {
        let server = Server::start().await;
        let wrong = S3Keys { secret: "wrong-secret".into(), token: Some("hidden-token".into()), ..keys() };
        let unknown = S3Keys { key: "unknown-key".into(), ..wrong.clone() };
        for (keys, origin) in [
            (Some(wrong), "the keychain's keys"),
            (Some(unknown), "the keychain's keys"),
            (None, "a request without credentials"),
        ] {
            let source = source(settings(&server.endpoint), keys, bare());
            let remote = source.remote(&url(PRIVATE, "hello")).unwrap();
            let error = refused(remote.get(Some(0..5)).await);
            assert_eq!(error.kind, TransportErrorKind::Denied, "{error}");
            assert!(error.reason.ends_with(&format!(") to {origin}")), "{error}");
            assert!(
                !format!("{error:?}").contains("secret") && !format!("{error:?}").contains("token"),
                "{error}"
            );
        }
    });
}

#[test]
fn a_bucket_that_is_not_there_is_not_found() {
    wait(async {
        let server = Server::start().await;
        let source = source(settings(&server.endpoint), None, bare());
        let error = text(&source, "missing-bucket", "a").await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::NotFound, "{error}");
    });
}

#[test]
fn keys_and_endpoint_come_from_the_environment() {
    wait(async {
        let server = Server::start().await;
        let S3Keys { key, secret, .. } = keys();
        let variables = [
            ("AWS_ACCESS_KEY_ID", key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("AWS_ENDPOINT_URL", &server.endpoint),
        ];
        let environment = Environment::with(&variables, std::path::Path::new("/nonexistent"));
        let source = source(S3Settings::default(), None, environment);
        assert_eq!(text(&source, PRIVATE, "hello").await.unwrap(), "hello world");
    });
}

#[test]
fn keys_and_endpoint_come_from_a_profile() {
    wait(async {
        let server = Server::start().await;
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join(".aws")).unwrap();
        let S3Keys { key, secret, .. } = keys();
        let config = format!("[profile work]\nregion = eu-north-1\nendpoint_url = {}/\n", server.endpoint);
        fs_err::write(home.path().join(".aws/config"), config).unwrap();
        let credentials = format!("[work]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
        fs_err::write(home.path().join(".aws/credentials"), credentials).unwrap();
        let named = Environment::with(&[("AWS_PROFILE", "work")], home.path());
        let by_variable = source(S3Settings::default(), None, named);
        assert_eq!(text(&by_variable, PRIVATE, "hello").await.unwrap(), "hello world");
        let asked = S3Keys { profile: Some("work".into()), ..S3Keys::default() };
        let by_keychain = source(S3Settings::default(), Some(asked), Environment::with(&[], home.path()));
        assert_eq!(text(&by_keychain, PRIVATE, "hello").await.unwrap(), "hello world");
    });
}

#[test]
fn anonymous_requests_use_no_keys_at_all() {
    wait(async {
        let server = Server::start().await;
        let wrong = S3Keys { secret: "wrong".into(), ..keys() };
        let anonymous = S3Settings { anonymous: true, ..settings(&server.endpoint) };
        let without = source(anonymous.clone(), Some(wrong.clone()), bare());
        assert_eq!(text(&without, PUBLIC, "hello").await.unwrap(), "hello world");
        let with = source(settings(&server.endpoint), Some(wrong), bare());
        assert_eq!(text(&with, PUBLIC, "hello").await.unwrap_err().kind, TransportErrorKind::Denied);
        let without = source(anonymous, Some(keys()), bare());
        assert_eq!(text(&without, PRIVATE, "hello").await.unwrap_err().kind, TransportErrorKind::Denied);
    });
}

#[test]
fn a_url_is_read_with_its_own_keys_alone() {
    wait(async {
        let server = Server::start().await;
        let keychain: Keychain = Box::new(|url| url.path().starts_with("/hello").then(keys));
        let source = S3Source::within(settings(&server.endpoint), keychain, bare()).unwrap();
        assert_eq!(text(&source, PRIVATE, "hello").await.unwrap(), "hello world");
        assert_eq!(text(&source, PRIVATE, "empty").await.unwrap_err().kind, TransportErrorKind::Denied);
        assert_eq!(text(&source, PUBLIC, "empty").await.unwrap(), "");
        assert_eq!(text(&source, PUBLIC, "hello").await.unwrap(), "hello world");
        assert_eq!(text(&source, PUBLIC, "c++").await.unwrap(), "c++");
        let stores = source.stores.lock().unwrap();
        assert_eq!(stores.len(), 4, "one for each bucket and credentials");
    });
}

#[test]
fn certificates_that_cannot_be_read_are_an_error() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let settings = S3Settings { ca_certs: vec![pem.into()], ..S3Settings::default() };
        assert!(S3Source::new(settings, Box::new(|_| None)).is_err(), "{pem:?}");
    }
}

#[test]
fn keys_are_not_shown() {
    let shown =
        format!("{:?}", S3Keys { token: Some("token".into()), profile: Some("work".into()), ..keys() });
    assert_eq!(shown, "S3Keys { profile: Some(\"work\"), .. }");
}
