//! What the server does with a request, and the answer on the wire that this makes.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use super::request::{Request, Wanted};

/// What the server does with one request.
///
/// Each variant alone is well-behaved, but for `Cut` and `Hangup`; the methods add what is not.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with this body, whatever range was asked for.
    Body(Vec<u8>),
    /// 200 with this body, sent in chunks with no length announced.
    NoLength(Vec<u8>),
    /// 200 that announces the whole length, sends this many bytes of the body, and closes.
    Cut(Vec<u8>, usize),
    /// A status, with these header lines and no body.
    Status(u16, String),
    /// The connection is closed without an answer.
    Hangup,
    /// The file, or the range of it that was asked for: 200, 206 or 416, with this `ETag` (quoted here).
    File { body: Arc<[u8]>, etag: Option<String> },
    /// A status with these header lines and this body.
    Page(u16, String, Arc<[u8]>),
    /// Another reply, with one thing changed.
    Twisted(Box<Reply>, Twist),
}

/// A change to a reply.
#[derive(Debug, Clone)]
pub enum Twist {
    After(Duration),
    Drip(usize, Duration),
    End(At),
    NoLength,
    /// The packed body, made once: a busy machine would take longer over each than its client waits.
    Gzip(Arc<OnceLock<Arc<[u8]>>>),
    Closing,
    Header(String),
    IgnoreRange,
    IgnoreIfRange,
}

/// Where a body ends too early, and how: after so many octets of it.
#[derive(Debug, Clone, Copy)]
pub enum At {
    Cut(usize),
    Stall(usize),
    Reset(usize),
}

impl Reply {
    /// The file, or the range of it that was asked for.
    pub fn file(body: impl Into<Arc<[u8]>>, etag: Option<&str>) -> Self {
        Self::File { body: body.into(), etag: etag.map(str::to_owned) }
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }

    /// 302 to a place.
    pub fn redirect(to: &str) -> Self {
        Self::Status(302, format!("Location: {to}\r\n"))
    }

    /// 429 or 503 with a `Retry-After`: seconds, or an [`http_date`].
    pub fn busy(status: u16, retry_after: &str) -> Self {
        Self::Status(status, format!("Retry-After: {retry_after}\r\n"))
    }

    fn twisted(self, twist: Twist) -> Self {
        Self::Twisted(Box::new(self), twist)
    }

    /// Nothing of the answer is sent before this time has passed.
    pub fn after(self, delay: Duration) -> Self {
        if delay.is_zero() { self } else { self.twisted(Twist::After(delay)) }
    }

    /// The body comes in pieces of `octets`, one every `pause`.
    pub fn drip(self, octets: usize, pause: Duration) -> Self {
        self.twisted(Twist::Drip(octets, pause))
    }

    /// The connection is closed after so many octets of the body.
    pub fn cut(self, at: usize) -> Self {
        self.twisted(Twist::End(At::Cut(at)))
    }

    /// The connection stays open and silent after so many octets of the body.
    pub fn stall(self, at: usize) -> Self {
        self.twisted(Twist::End(At::Stall(at)))
    }

    /// The connection is reset (RST) after so many octets of the body.
    pub fn reset(self, at: usize) -> Self {
        self.twisted(Twist::End(At::Reset(at)))
    }

    /// The body is sent in chunks, with no length announced.
    pub fn without_length(self) -> Self {
        self.twisted(Twist::NoLength)
    }

    /// The body is gzipped, and said to be; what is announced is the length of that. Never a range.
    pub fn gzip(self) -> Self {
        self.twisted(Twist::Gzip(Arc::default()))
    }

    /// The connection ends after the answer, and the answer says so.
    pub fn closing(self) -> Self {
        self.twisted(Twist::Closing)
    }

    /// A header line more, without its end.
    pub fn header(self, line: &str) -> Self {
        self.twisted(Twist::Header(line.to_owned()))
    }

    /// All of the file is given whatever range was asked for.
    pub fn ignoring_ranges(self) -> Self {
        self.twisted(Twist::IgnoreRange)
    }

    /// A range is given whatever `If-Range` says, as Hatrac does.
    pub fn ignoring_if_range(self) -> Self {
        self.twisted(Twist::IgnoreIfRange)
    }

    /// What goes on the wire.
    pub(super) fn answer(self, request: &Request) -> Answer {
        match self {
            Self::Body(body) => Answer::whole(body.into()),
            Self::NoLength(body) => Answer { chunked: true, ..Answer::whole(body.into()) },
            Self::Cut(body, at) => Answer { end: Some(At::Cut(at)), ..Answer::whole(body.into()) },
            Self::Status(status, headers) => Answer::of(status, headers, Arc::from([])),
            Self::Page(status, headers, body) => Answer::of(status, headers, body),
            Self::Hangup => Answer { hangup: true, ..Answer::whole(Arc::from([])) },
            Self::File { body, etag } => file(body, etag.as_deref(), request, true),
            Self::Twisted(inner, Twist::IgnoreIfRange) => match *inner {
                Self::File { body, etag } => file(body, etag.as_deref(), request, false),
                other => other.answer(request),
            },
            Self::Twisted(inner, Twist::IgnoreRange) => inner.answer(&request.without_range()),
            Self::Twisted(inner, Twist::Gzip(packed)) => {
                inner.answer(&request.without_range()).gzipped(&packed)
            }
            Self::Twisted(inner, twist) => {
                let mut answer = inner.answer(request);
                match twist {
                    Twist::After(delay) => answer.delay += delay,
                    Twist::Drip(octets, pause) => answer.pace = Some((octets.max(1), pause)),
                    Twist::End(at) => answer.end = Some(at),
                    Twist::NoLength => answer.chunked = true,
                    Twist::Closing => answer.closing = true,
                    Twist::Header(line) => answer.headers.push_str(&format!("{line}\r\n")),
                    Twist::IgnoreRange | Twist::IgnoreIfRange | Twist::Gzip(_) => {}
                }
                answer
            }
        }
    }
}

/// An answer, ready to be sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    body: Arc<[u8]>,
    /// The part of the body that is sent.
    pub(super) range: Range<usize>,
    pub(super) chunked: bool,
    pub(super) closing: bool,
    pub(super) hangup: bool,
    pub(super) delay: Duration,
    /// Octets, and the pause after them.
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) end: Option<At>,
}

impl Answer {
    fn of(status: u16, headers: String, body: Arc<[u8]>) -> Self {
        let range = 0..body.len();
        let (chunked, closing, hangup) = (false, false, false);
        Self {
            status,
            headers,
            body,
            range,
            chunked,
            closing,
            hangup,
            delay: Duration::ZERO,
            pace: None,
            end: None,
        }
    }

    fn whole(body: Arc<[u8]>) -> Self {
        Self::of(200, String::new(), body)
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body[self.range.clone()]
    }

    fn gzipped(mut self, packed: &OnceLock<Arc<[u8]>>) -> Self {
        use std::io::Write;
        let pack = || {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(self.body()).unwrap();
            encoder.finish().unwrap().into()
        };
        self.body = Arc::clone(packed.get_or_init(pack));
        self.range = 0..self.body.len();
        self.headers.push_str("Content-Encoding: gzip\r\n");
        self
    }
}

/// A file as a good server gives it (RFC 9110 §14); one that heeds no `If-Range` where told so.
fn file(body: Arc<[u8]>, etag: Option<&str>, request: &Request, heeds_if_range: bool) -> Answer {
    let mut headers = String::from("Accept-Ranges: bytes\r\n");
    let quoted = etag.map(|etag| format!("\"{etag}\""));
    if let Some(etag) = &quoted {
        headers.push_str(&format!("ETag: {etag}\r\n"));
    }
    let total = body.len();
    let stale =
        heeds_if_range && request.header("if-range").is_some_and(|tag| Some(tag) != quoted.as_deref());
    match request.wanted(total as u64) {
        Wanted::Part(part) if !stale => {
            headers.push_str(&format!("Content-Range: bytes {}-{}/{total}\r\n", part.start, part.end - 1));
            let range = part.start as usize..part.end as usize;
            Answer { range, ..Answer::of(206, headers, body) }
        }
        Wanted::Outside if !stale => {
            Answer::of(416, format!("Content-Range: bytes */{total}\r\n"), Arc::from([]))
        }
        _ => Answer::of(200, headers, body),
    }
}

/// A time in the form of HTTP headers (RFC 9110 §5.6.7).
pub fn http_date(time: SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(time).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
