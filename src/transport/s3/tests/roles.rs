//! Credentials that are asked for at a service.

use std::path::Path;

use super::server::{Scripted, reply};
use super::*;

/// What a service gives for a role: the keys that open the test's server.
fn lent() -> String {
    let S3Keys { key, secret, .. } = keys();
    let body = format!(
        "{{\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"{secret}\",\"Token\":\"t\",\
         \"Expiration\":\"2999-01-01T00:00:00Z\"}}"
    );
    reply("200 OK", "", &body)
}

fn in_a_pod(service: &Scripted, token_file: &Path) -> Environment {
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/pod", service.endpoint)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file.display().to_string()),
    ];
    Environment::with(
        &variables.each_ref().map(|(name, value)| (*name, value.as_str())),
        Path::new("/nonexistent"),
    )
}

#[test]
fn the_machine_is_asked_for_its_role_only_where_that_is_wanted() {
    wait(async {
        let server = Server::start().await;
        let metadata = Scripted::start(|head| match head.split(' ').nth(1) {
            Some("/latest/api/token") => reply("200 OK", "", "session"),
            Some("/latest/meta-data/iam/security-credentials/") => reply("200 OK", "", "role"),
            Some("/latest/meta-data/iam/security-credentials/role") => lent(),
            _ => reply("404 Not Found", "", ""),
        })
        .await;
        let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.endpoint.as_str())];
        let environment = || Environment::with(&variables, Path::new("/nonexistent"));
        let not_asking = source(settings(&server.endpoint), None, environment());
        assert_eq!(text(&not_asking, PRIVATE, "hello").await.unwrap_err().kind, TransportErrorKind::Denied);
        assert_eq!(metadata.requests().len(), 0);
        let asking = S3Settings { instance_metadata: true, ..settings(&server.endpoint) };
        let asking = source(asking, None, environment());
        assert_eq!(text(&asking, PRIVATE, "hello").await.unwrap(), "hello world");
        assert_eq!(text(&asking, PRIVATE, "c++").await.unwrap(), "c++");
        assert_eq!(metadata.requests().len(), 3, "the keys are kept");
    });
}

#[test]
fn a_pod_shows_its_token_for_its_role() {
    wait(async {
        let server = Server::start().await;
        let service = Scripted::start(|head| {
            if head.to_ascii_lowercase().contains("authorization: pod-token\r\n") {
                lent()
            } else {
                String::new()
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs_err::write(&token, "pod-token").unwrap();
        let source = source(settings(&server.endpoint), None, in_a_pod(&service, &token));
        assert_eq!(text(&source, PRIVATE, "hello").await.unwrap(), "hello world");
    });
}

#[test]
fn a_role_that_cannot_be_had_is_no_missing_object() {
    wait(async {
        let service = Scripted::start(|_| reply("404 Not Found", "", "hidden")).await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs_err::write(&token, "hidden").unwrap();
        let error_of = async |token: &Path| {
            let source = source(settings("http://127.0.0.1:1"), None, in_a_pod(&service, token));
            text(&source, "bucket", "a").await.unwrap_err()
        };
        let error = error_of(&token).await;
        assert_eq!(error.kind, TransportErrorKind::Denied, "{error}");
        let whole = "the keys of the container's role could not be had: the server answered 404 Not Found";
        assert_eq!(error.reason, whole);
        // A token that does not fit into a header, as one with a line's end.
        fs_err::write(&token, "hidden\n").unwrap();
        let error = error_of(&token).await;
        assert!(error.reason.contains("header") && !error.reason.contains("hidden"), "{error}");
        let error = error_of(&folder.path().join("missing")).await;
        assert!(
            error.reason.contains("could not be had") && error.kind == TransportErrorKind::Denied,
            "{error}"
        );
    });
}

#[test]
fn a_token_is_not_shown_to_an_identity_service_in_the_clear() {
    wait(async {
        let service = Scripted::start(|_| reply("200 OK", "", "")).await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs_err::write(&token, "hidden").unwrap();
        let token = token.display().to_string();
        let variables = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/a"),
            ("AWS_ENDPOINT_URL_STS", &service.endpoint),
        ];
        let environment = Environment::with(&variables, Path::new("/nonexistent"));
        let source = source(settings("http://127.0.0.1:1"), None, environment);
        let error = text(&source, "bucket", "a").await.unwrap_err();
        assert!(error.reason.ends_with("dbag asks only https: URLs for credentials"), "{error}");
        assert_eq!(service.requests().len(), 0);
    });
}

#[test]
fn keys_that_fit_into_no_header_are_an_error() {
    wait(async {
        let server = Server::start().await;
        for bad in [
            S3Keys { key: "a\nhidden".into(), ..keys() },
            S3Keys { token: Some("hidden\r\n".into()), ..keys() },
        ] {
            let source = source(settings(&server.endpoint), Some(bad), bare());
            let error = text(&source, PRIVATE, "hello").await.unwrap_err();
            assert_eq!(error.kind, TransportErrorKind::Refused, "{error}");
            assert!(!format!("{error:?}").contains("hidden"), "{error}");
        }
    });
}
