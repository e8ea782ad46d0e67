//! A server that plays Hatrac, Deriva's object store, as the real one was seen to behave; with an object store of
//! another host behind it where asked, to which large plain GETs are redirected with a presigned URL.
//!
//! It plays reading only: objects and their versions, ranges, credentials.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dbag::bag::Algorithm;

use super::bags::{digest, zip_files};
use super::server::{Reply, Request, Server, Wanted};

/// How long a presigned URL is good.
#[derive(Debug, Clone, Copy)]
pub enum Expiry {
    Requests(usize),
    After(Duration),
    Never,
}

/// A Hatrac that runs until it is dropped.
pub struct Hatrac {
    server: Server,
    store: Option<Server>,
    state: Arc<State>,
}

/// A Hatrac that is still to be started.
pub struct SetUp {
    objects: BTreeMap<String, Object>,
    presign: Option<(u64, Expiry)>,
    session: usize,
    tls: bool,
    pace: Option<(usize, Duration)>,
}

struct Object {
    body: Arc<[u8]>,
    version: String,
    md5: String,
    sha256: String,
}

struct State {
    set_up: SetUp,
    /// Requests that the session is still good for.
    session: AtomicUsize,
    /// One for each presigned URL that was given: the object, the requests, when it was given.
    signed: Mutex<Vec<(String, usize, Instant)>>,
    /// What reached the object store with credentials.
    leaks: Mutex<Vec<String>>,
}

impl Hatrac {
    /// The cookie and the token that may read all objects.
    pub const COOKIE: &'static str = "webauthn=SECRETk7Sx0aQm2ZpV9tWc";
    pub const TOKEN: &'static str = "SECRETp4Yd8mUzT1";
    /// The cookie of someone who is known, and may not.
    pub const STRANGER: &'static str = "webauthn=SECREThJ3nB6vXe0LrQ5gKf";
    /// A part of each of these, and of every signature: what must never be printed.
    pub const SECRET: &'static str = "SECRET";

    /// Serves objects by path, in the clear, to those who have a credential: `/hatrac/ns/name:VERSION`.
    pub fn start(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self::of(objects).start()
    }

    pub fn of(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> SetUp {
        let objects = objects.into_iter().map(|(path, body)| {
            let version = path.rsplit_once(':').expect("an object's path ends in :VERSION").1.to_owned();
            let md5 = base64(digest(Algorithm::Md5, &body).as_bytes());
            let sha256 = base64(digest(Algorithm::Sha256, &body).as_bytes());
            (path, Object { body: body.into(), version, md5, sha256 })
        });
        let objects = objects.collect();
        SetUp { objects, presign: None, session: usize::MAX, tls: false, pace: None }
    }

    /// Has the objects that a bag's `fetch.txt` names, with the bytes that its materialized form holds.
    pub fn from_bags(unmaterialized: &Path, materialized: &Path) -> SetUp {
        let (with, without) = (zip_files(materialized), zip_files(unmaterialized));
        let fetch = String::from_utf8(without["fetch.txt"].clone()).unwrap();
        Self::of(fetch.lines().map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let path = url::Url::parse(columns[0]).unwrap().path().to_owned();
            (path, with[columns[2]].clone())
        }))
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Host and port, as credential files name them.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// Hatrac itself: its requests, and what it sent.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The object store behind it.
    pub fn store(&self) -> &Server {
        self.store.as_ref().expect("presign was not asked for")
    }

    /// How many presigned URLs were given.
    pub fn presigned(&self) -> usize {
        self.state.signed.lock().unwrap().len()
    }

    /// The requests that reached the object store with a cookie or an authorization: there must be none.
    pub fn leaks(&self) -> Vec<String> {
        self.state.leaks.lock().unwrap().clone()
    }

    /// Makes a session that has ended good again.
    pub fn renew_session(&self) {
        self.state.session.store(usize::MAX, Ordering::SeqCst);
    }
}

impl SetUp {
    /// Plain GETs of objects longer than `threshold` octets are redirected to another host.
    pub fn presign(mut self, threshold: u64, expiry: Expiry) -> Self {
        self.presign = Some((threshold, expiry));
        self
    }

    /// The session ends after so many requests that it was good for.
    pub fn session_lasts(mut self, requests: usize) -> Self {
        self.session = requests;
        self
    }

    /// HTTPS, at Hatrac and behind it.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Bodies come in pieces of `octets`, one every `pause`.
    pub fn drip(mut self, octets: usize, pause: Duration) -> Self {
        self.pace = Some((octets, pause));
        self
    }

    pub fn start(self) -> Hatrac {
        let (session, tls, presigns) = (AtomicUsize::new(self.session), self.tls, self.presign.is_some());
        let (signed, leaks) = (Mutex::default(), Mutex::default());
        let state = Arc::new(State { set_up: self, session, signed, leaks });
        let server = |host| if tls { Server::set_up().host(host).tls() } else { Server::set_up().host(host) };
        let store = presigns.then(|| {
            let state = Arc::clone(&state);
            server(other_host()).start(move |request| state.store(request))
        });
        let origin = store.as_ref().map(Server::url).unwrap_or_default();
        let here = Arc::clone(&state);
        let server = server("localhost").start(move |request| here.hatrac(request, &origin));
        Hatrac { server, store, state }
    }
}

/// A host that is not the one called `localhost`.
fn other_host() -> &'static str {
    if TcpListener::bind("127.0.0.2:0").is_ok() { "127.0.0.2" } else { "127.0.0.1" }
}

impl State {
    /// What Hatrac answers.
    fn hatrac(&self, request: &Request, store: &str) -> Reply {
        let Some((path, object)) = self.find(request.plain_path()) else { return text(404, "Not found.\n") };
        if let Err(refusal) = self.authorize(request) {
            return refusal;
        }
        let quoted = format!("\"{}\"", object.version);
        if request.header("if-none-match").is_some_and(|tags| tags == "*" || tags.contains(&quoted)) {
            return Reply::Status(304, format!("ETag: {quoted}\r\n"));
        }
        if request.header("if-match").is_some_and(|tags| tags != "*" && !tags.contains(&quoted)) {
            return text(412, "If-match condition failed.\n");
        }
        let length = object.body.len() as u64;
        match request.wanted(length) {
            Wanted::Many => return text(501, "Multiple ranges are not implemented.\n"),
            // A range that covers the whole object is no range to Hatrac.
            Wanted::Part(part) if part != (0..length) => return self.range(path, object),
            Wanted::Outside => return self.range(path, object),
            Wanted::Part(_) | Wanted::Whole => {}
        }
        match self.set_up.presign {
            Some((threshold, _)) if length > threshold && request.method == "GET" => self.sign(path, store),
            _ => self.whole(path, object),
        }
    }

    /// The object of a path, which may leave out the version.
    fn find(&self, path: &str) -> Option<(&str, &Object)> {
        let versioned = path.rsplit('/').next().is_some_and(|name| name.contains(':'));
        let prefix = if versioned { path.to_owned() } else { format!("{path}:") };
        let found = |known: &&String| if versioned { **known == prefix } else { known.starts_with(&prefix) };
        let path = self.set_up.objects.keys().rfind(found)?;
        Some((path, &self.set_up.objects[path]))
    }

    /// Anonymous: 401, and a session that is not known counts as that; known but not allowed: 403.
    fn authorize(&self, request: &Request) -> Result<(), Reply> {
        let cookies: Vec<&str> =
            request.header("cookie").map(|value| value.split("; ").collect()).unwrap_or_default();
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if cookies.contains(&Hatrac::STRANGER) {
            return Err(text(403, "Access forbidden.\n"));
        }
        let known = cookies.contains(&Hatrac::COOKIE) || bearer == Some(Hatrac::TOKEN);
        let one_less = |left: usize| if left == usize::MAX { Some(left) } else { left.checked_sub(1) };
        if known && self.session.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Ok(());
        }
        Err(text(401, "Access requires authentication.\n"))
    }

    fn whole(&self, path: &str, object: &Object) -> Reply {
        self.range(path, object)
            .ignoring_ranges()
            .header(&format!("Content-MD5: {}", object.md5))
            .header(&format!("Content-SHA256: {}", object.sha256))
    }

    /// A range, or the whole where none was asked for; without digests, which are those of the whole.
    fn range(&self, path: &str, object: &Object) -> Reply {
        let name = path.rsplit('/').next().and_then(|name| name.rsplit_once(':')).map_or("", |name| name.0);
        let reply = Reply::file(Arc::clone(&object.body), Some(&object.version))
            .ignoring_if_range()
            .header("Vary: cookie")
            .header(&format!("Content-Location: {path}"))
            .header(&format!("Content-Disposition: filename*=UTF-8''{name}"));
        self.paced(reply)
    }

    fn sign(&self, path: &str, store: &str) -> Reply {
        let mut signed = self.signed.lock().unwrap();
        signed.push((path.to_owned(), 0, Instant::now()));
        let number = signed.len() - 1;
        let query = format!("X-Amz-Expires=300&X-Amz-Signature={number}x{}", Hatrac::SECRET);
        Reply::Status(303, format!("Location: {store}/bucket/object?{query}\r\nVary: cookie\r\n"))
    }

    /// What the object store answers: the object of the signature, as long as that is good.
    fn store(&self, request: &Request) -> Reply {
        if request.has_credentials() {
            self.leaks.lock().unwrap().push(request.raw.clone());
        }
        let number = request.path.split_once("X-Amz-Signature=").and_then(|(_, rest)| {
            let (number, secret) = rest.split_once('x')?;
            (secret == Hatrac::SECRET).then_some(number)?.parse::<usize>().ok()
        });
        let mut signed = self.signed.lock().unwrap();
        let Some((path, requests, given)) = number.and_then(|number| signed.get_mut(number)) else {
            return xml(403, "SignatureDoesNotMatch");
        };
        *requests += 1;
        let good = match self.set_up.presign {
            Some((_, Expiry::Requests(most))) => *requests <= most,
            Some((_, Expiry::After(time))) => given.elapsed() <= time,
            _ => true,
        };
        if !good {
            return xml(403, "AccessDenied");
        }
        let object = &self.set_up.objects[path];
        self.paced(Reply::file(Arc::clone(&object.body), Some(&object.md5)))
    }

    fn paced(&self, reply: Reply) -> Reply {
        match self.set_up.pace {
            Some((octets, pause)) => reply.drip(octets, pause),
            None => reply,
        }
    }
}

fn text(status: u16, message: &str) -> Reply {
    Reply::Page(status, "Content-Type: text/plain\r\n".into(), message.as_bytes().into())
}

fn xml(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>\n");
    Reply::Page(status, "Content-Type: application/xml\r\n".into(), body.into_bytes().into())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().chain(&[0, 0]).take(3).fold(0_usize, |all, byte| all << 8 | *byte as usize);
        for index in 0..4 {
            let symbol = ALPHABET[all >> (18 - 6 * index) & 63];
            text.push(if index <= chunk.len() { symbol as char } else { '=' });
        }
    }
    text
}
