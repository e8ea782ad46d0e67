//! What any source must do, whatever it reads from.
//!
//! One suite, run over each kind of source against the same files. It owns the files' names and contents and says
//! nothing of how they are served; whoever calls it puts them there.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::transport::{Body, Remote, Source, TransportError, TransportErrorKind};

/// Octets of the file `large`.
const LARGE: u32 = 3 << 20;

/// Names that go wrong where one is encoded too often or not at all.
const NAMES: [&str; 7] = [
    "a name with spaces",
    "100%",
    "not%20a%20space",
    "c++",
    "folder/naïve 文件.csv",
    "what?#;&=",
    "(brackets)[and]'quotes'~!@$,:",
];

/// All that a path's segment need not encode (RFC 3986 §2.3), and the slash between segments.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The files that must be there, each with a path and its octets. There is no file `missing`.
pub(crate) fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let mut objects = vec![("hello", b"hello world".to_vec()), ("empty", Vec::new()), ("large", large())];
    objects.extend(NAMES.map(|name| (name, name.as_bytes().to_vec())));
    objects
}

/// The path of an object as it stands in a URL.
pub(crate) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// Runs to the end on a runtime of its own.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// The error that was expected.
pub(crate) fn refused(answer: Result<Body, TransportError>) -> TransportError {
    match answer {
        Ok(body) => panic!("an answer from octet {} of {:?}", body.start, body.total),
        Err(error) => error,
    }
}

/// An answer that has arrived.
pub(crate) struct Read {
    pub(crate) start: u64,
    pub(crate) ranged: bool,
    pub(crate) total: Option<u64>,
    pub(crate) validator: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// Asks and collects.
pub(crate) async fn read(remote: &dyn Remote, range: Option<Range<u64>>) -> Result<Read, TransportError> {
    let body = remote.get(range).await?;
    assert!(!body.gzipped, "nothing here is gzipped");
    let Body { start, ranged, total, validator, chunks, .. } = body;
    let chunks: Vec<_> = chunks.try_collect().await?;
    Ok(Read { start, ranged, total, validator, bytes: chunks.concat() })
}

/// The suite. `replace` puts other octets in a file's place.
pub(crate) async fn conformance(
    source: &dyn Source,
    url_of: impl Fn(&str) -> Url,
    replace: impl Fn(&str, &[u8]),
) {
    let remote = |name: &str| source.remote(&url_of(name)).unwrap();
    files_arrive_whole(&remote).await;
    ranges_arrive(&*remote("hello")).await;
    ranges_of_large_files_arrive(&*remote("large")).await;
    what_is_not_there_is_an_error(&remote).await;
    errors_hold_no_secret(source, url_of("missing")).await;
    many_answers_come_at_once(&*remote("large")).await;
    an_answer_may_be_dropped(&*remote("large")).await;
    a_replaced_file_is_told_apart(&*remote("hello"), |bytes| replace("hello", bytes)).await;
}

async fn files_arrive_whole(remote: &impl Fn(&str) -> Arc<dyn Remote>) {
    for (name, bytes) in objects() {
        let whole = read(&*remote(name), None).await.unwrap();
        assert!(whole.bytes == bytes, "{name} has other octets");
        assert_eq!((whole.start, whole.ranged, whole.total), (0, false, Some(bytes.len() as u64)), "{name}");
    }
}

async fn ranges_arrive(hello: &dyn Remote) {
    // The last one reaches beyond the end, and is cut there (RFC 9110 §14.1.2).
    let parts = [
        (0..11, "hello world"),
        (4..7, "o w"),
        (0..1, "h"),
        (10..11, "d"),
        (6..11, "world"),
        (6..99, "world"),
    ];
    for (range, text) in parts {
        let part = read(hello, Some(range.clone())).await.unwrap();
        assert_eq!(String::from_utf8(part.bytes).unwrap(), text, "{range:?}");
        assert_eq!((part.start, part.ranged, part.total), (range.start, true, Some(11)), "{range:?}");
    }
}

async fn ranges_of_large_files_arrive(remote: &dyn Remote) {
    let (large, size) = (large(), u64::from(LARGE));
    for range in [1_000_001..2_500_000, 0..size, size - 1..size, size / 2..size] {
        let part = read(remote, Some(range.clone())).await.unwrap();
        assert_eq!((part.start, part.ranged, part.total), (range.start, true, Some(size)), "{range:?}");
        assert!(part.bytes == of(&large, &range), "{range:?} has other octets");
    }
}

async fn what_is_not_there_is_an_error(remote: &impl Fn(&str) -> Arc<dyn Remote>) {
    let error = refused(remote("missing").get(None).await);
    assert_eq!(error.kind, TransportErrorKind::NotFound, "{error}");
    let error = refused(remote("missing").get(Some(0..1)).await);
    assert_eq!(error.kind, TransportErrorKind::NotFound, "{error}");
    let empty: Range<u64> = Range { start: 5, end: 5 };
    for (name, range) in [("hello", 11..12), ("hello", 500..600), ("empty", 0..1), ("hello", empty)] {
        let error = refused(remote(name).get(Some(range.clone())).await);
        assert_eq!(error.kind, TransportErrorKind::OutOfRange, "{range:?} of {name}: {error}");
    }
}

async fn errors_hold_no_secret(source: &dyn Source, mut url: Url) {
    // Not every scheme's URLs can have these.
    let _ = url.set_username("hidden-user");
    let _ = url.set_password(Some("hidden-password"));
    url.set_query(Some("signature=hidden-query"));
    let error = match source.remote(&url) {
        Ok(remote) => refused(remote.get(None).await),
        Err(error) => error,
    };
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hidden"), "{text}");
    assert!(error.url.contains("missing") && !error.reason.contains('\n'), "{text}");
}

async fn many_answers_come_at_once(remote: &dyn Remote) {
    let large = large();
    let step = u64::from(LARGE) / 16;
    let ranges = (0..16).map(|number| number * step..(number + 1) * step);
    let answers = join_all(ranges.map(async |range| (read(remote, Some(range.clone())).await, range))).await;
    for (part, range) in answers {
        assert!(part.unwrap().bytes == of(&large, &range), "{range:?} has other octets");
    }
}

async fn an_answer_may_be_dropped(remote: &dyn Remote) {
    let body = remote.get(None).await.ok().unwrap();
    let first = pin!(body.chunks).next().await.unwrap().unwrap();
    assert!(!first.is_empty());
    drop(remote.get(Some(5..u64::from(LARGE))).await.ok().unwrap());
    assert!(read(remote, None).await.unwrap().bytes == large(), "the next answer has other octets");
}

async fn a_replaced_file_is_told_apart(remote: &dyn Remote, replace: impl Fn(&[u8])) {
    let validator = read(remote, None).await.unwrap().validator;
    let part = read(remote, Some(3..5)).await.unwrap();
    assert_eq!(part.validator, validator, "a part is of the same state as the whole");
    replace(b"good bye, world");
    let after = read(remote, None).await.unwrap();
    assert_eq!(String::from_utf8(after.bytes).unwrap(), "good bye, world");
    assert!(validator.is_none() || after.validator != validator, "{validator:?} tells nothing");
}

/// The octets of `large`: no two of its pieces are alike.
fn large() -> Vec<u8> {
    (0..LARGE).map(|at| at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect()
}

fn of<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}
