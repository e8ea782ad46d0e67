//! What answers mean that a well-kept server seldom gives.

use futures_util::TryStreamExt;

use super::server::{Scripted, reply};
use super::*;

/// What a server that answers so makes of a whole object.
async fn asked(status: &'static str, fields: &'static str, body: &'static str) -> (Scripted, TransportError) {
    let server = Scripted::start(move |_| reply(status, fields, body)).await;
    let source = source(settings(&server.endpoint), Some(keys()), bare());
    let error = text(&source, "bucket", "a").await.unwrap_err();
    (server, error)
}

#[test]
fn refusals_are_told_apart_and_asked_for_once() {
    use TransportErrorKind::{Busy, Denied, NotFound, OutOfRange, Refused, Transient};
    wait(async {
        for (status, code, kind) in [
            ("503 Slow Down", "SlowDown", Busy),
            ("429 Too Many Requests", "", Busy),
            ("500 Internal Server Error", "InternalError", Transient),
            ("502 Bad Gateway", "", Transient),
            ("400 Bad Request", "RequestTimeout", Transient),
            ("400 Bad Request", "ExpiredToken", Denied),
            ("400 Bad Request", "", Refused),
            ("401 Unauthorized", "", Denied),
            ("403 Forbidden", "InvalidObjectState", Refused),
            ("404 Not Found", "NoSuchBucket", NotFound),
            ("405 Method Not Allowed", "MethodNotAllowed", Refused),
            ("416 Range Not Satisfiable", "InvalidRange", OutOfRange),
            ("501 Not Implemented", "NotImplemented", Refused),
            ("302 Found", "", Refused),
        ] {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            let fields = "Location: http://127.0.0.1:1/\r\n";
            let server = Scripted::start(move |_| reply(status, fields, &body)).await;
            let source = source(settings(&server.endpoint), None, bare());
            let error = text(&source, "bucket", "a").await.unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.reason.contains(&status[..3]) && error.reason.contains(code), "{error}");
            assert_eq!(server.requests().len(), 1, "{status}");
        }
    });
}

#[test]
fn a_busy_server_says_how_long_to_wait() {
    wait(async {
        let (_, error) = asked("503 Slow Down", "Retry-After: 7\r\n", "").await;
        assert_eq!((error.kind, error.retry_after), (TransportErrorKind::Busy, Some(Duration::from_secs(7))));
    });
}

#[test]
fn what_a_server_writes_of_a_request_is_not_shown() {
    wait(async {
        let body =
            "<Error><Code>Wrong\nknown/secret+</Code><StringToSign>known/secret+</StringToSign></Error>";
        let (_, error) = asked("403 Forbidden", "", body).await;
        assert_eq!(error.reason, "the server answered 403 Forbidden to the keychain's keys");
    });
}

#[test]
fn a_bucket_is_followed_into_its_region_and_stays_there() {
    wait(async {
        let server = Scripted::start(|head| {
            if head.contains("/eu-west-1/s3/") {
                return reply("200 OK", "", "found");
            }
            reply("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", "")
        })
        .await;
        let source = source(settings(&server.endpoint), Some(keys()), bare());
        assert_eq!(text(&source, "bucket", "a").await.unwrap(), "found");
        assert_eq!(text(&source, "bucket", "b").await.unwrap(), "found");
        assert_eq!(server.requests().len(), 3, "the region is found out once");
    });
}

#[test]
fn a_bucket_that_is_nowhere_is_not_followed_for_ever() {
    wait(async {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-2</Region></Error>";
        let (server, error) = asked("400 Bad Request", "", body).await;
        assert_eq!((error.kind, server.requests().len()), (TransportErrorKind::Refused, 2), "{error}");
        let body = "<Error><Code>PermanentRedirect</Code><Region>evil.example/</Region></Error>";
        let (server, error) = asked("301 Moved Permanently", "", body).await;
        assert_eq!((error.kind, server.requests().len()), (TransportErrorKind::Refused, 1), "{error}");
    });
}

#[test]
fn a_server_without_ranges_answers_from_the_start() {
    wait(async {
        let server = Scripted::start(|_| reply("200 OK", "ETag: \"1\"\r\n", "hello world")).await;
        let source = source(settings(&server.endpoint), None, bare());
        let remote = source.remote(&url("bucket", "a")).unwrap();
        let answer = read(&*remote, Some(6..11)).await.unwrap();
        assert_eq!((answer.start, answer.ranged, answer.total), (0, false, Some(11)));
        assert_eq!(answer.bytes, b"hello world");
        assert_eq!(answer.validator.as_deref(), Some("\"1\""));
    });
}

#[test]
fn another_range_than_the_one_asked_for_is_refused() {
    wait(async {
        for fields in ["Content-Range: bytes 0-1/11\r\n", "Content-Range: x\r\n", ""] {
            let server = Scripted::start(move |_| reply("206 Partial Content", fields, "he")).await;
            let source = source(settings(&server.endpoint), None, bare());
            let remote = source.remote(&url("bucket", "a")).unwrap();
            let error = refused(remote.get(Some(6..8)).await);
            assert_eq!(error.kind, TransportErrorKind::Refused, "{error}");
        }
    });
}

#[test]
fn a_broken_or_stalled_connection_may_go_better_later() {
    wait(async {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
        let broken = Scripted::start(move |_| start.into()).await;
        let source_of_broken = source(settings(&broken.endpoint), None, bare());
        let body = source_of_broken.remote(&url("bucket", "a")).unwrap().get(None).await.ok().unwrap();
        let error = body.chunks.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Transient, "{error}");
        assert_eq!(broken.requests().len(), 1, "nothing is asked again here");

        let silent = Scripted::start(|_| String::new()).await;
        let stall = Duration::from_millis(200);
        let settings_of_silent = S3Settings { stall, ..settings(&silent.endpoint) };
        let error = text(&source(settings_of_silent, None, bare()), "bucket", "a").await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Transient, "{error}");
        assert!(error.reason.contains("stalled"), "{error}");

        let nobody = source(settings("http://127.0.0.1:1"), None, bare());
        let error = text(&nobody, "bucket", "a").await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Transient, "{error}");
        assert!(error.reason.contains("refused"), "{error}");
    });
}

#[test]
fn a_version_is_asked_for_and_is_a_validator() {
    wait(async {
        let fields = "ETag: W/\"1\"\r\nx-amz-version-id: 3/L4\r\nContent-Encoding: gzip\r\n";
        let server = Scripted::start(move |_| reply("200 OK", fields, "hello")).await;
        let source = source(settings(&server.endpoint), Some(keys()), bare());
        let url = "s3://bucket/a%2Bb?versionId=3%2FL4".parse().unwrap();
        let body = source.remote(&url).unwrap().get(None).await.ok().unwrap();
        assert_eq!((body.validator.as_deref(), body.gzipped), (Some("3/L4"), true));
        let request = &server.requests()[0];
        assert!(request.starts_with("GET /bucket/a%2Bb?versionId=3%2FL4 HTTP/1.1\r\n"), "{request}");
    });
}
