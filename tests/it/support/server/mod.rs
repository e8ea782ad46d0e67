//! A web server on a loopback port that does as a test says, byte for byte.
//!
//! A test gives a handler, which turns each [`Request`] into a [`Reply`]; what a reply leaves open is what a good
//! server would do. The server counts every octet that it hands to a socket, so that a test can prove what was fetched
//! and how often. It never decides anything by itself.

mod https;
mod log;
mod reply;
mod request;
mod send;
mod tls;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use https::Speaks;
pub use log::{Run, Sent, octets_sent_twice};
pub use reply::{Reply, http_date};
pub use request::{Request, Wanted};
pub use tls::ca as tls_ca;

use https::Service;
use log::Log;
use send::{Ending, send};

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// What the kernel may hold of an answer that the other side has not taken: little, so that what counts as sent has
/// nearly arrived.
const SEND_BUFFER: usize = 64 << 10;

/// Runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    origin: String,
    shared: Arc<Shared>,
}

/// How a server is reached and how it keeps its connections.
#[derive(Debug, Clone, Default)]
pub struct SetUp {
    host: Option<&'static str>,
    tls: bool,
    speaks: Option<Speaks>,
    closing: bool,
    latency: Duration,
}

struct Shared {
    handler: Box<Handler>,
    set_up: SetUp,
    log: Log,
    counts: Mutex<HashMap<String, usize>>,
    /// The open connections, to break them off at the end.
    open: Mutex<HashMap<usize, TcpStream>>,
    stopped: AtomicBool,
}

impl SetUp {
    /// The name or address in its URLs: `localhost`, or an address that is this machine's (default 127.0.0.1).
    pub fn host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    /// HTTPS, with a certificate that is good for `localhost`, 127.0.0.1 and 127.0.0.2 where [`tls_ca`] is trusted.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// HTTPS, with the protocol agreed on by ALPN.
    pub fn speaking(mut self, speaks: Speaks) -> Self {
        self.speaks = Some(speaks);
        self.tls()
    }

    /// Every answer ends its connection, and says so.
    pub fn closing(mut self) -> Self {
        self.closing = true;
        self
    }

    /// Every answer is this late.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    pub fn start(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let (listener, server) = self.bind(handler);
        let shared = Arc::clone(&server.shared);
        if let Some(speaks) = shared.set_up.speaks {
            https::spawn(listener, speaks, Arc::clone(&shared), https::replies(shared));
            return server;
        }
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.connection(number, stream));
            }
        });
        server
    }

    /// Serves a service of hyper's in TLS, of which only the connections are counted.
    pub fn serve(self, service: impl Service) -> Server {
        let speaks = self.speaks.unwrap();
        let (listener, server) = self.bind(|_| Reply::status(404));
        https::spawn(listener, speaks, Arc::clone(&server.shared), service);
        server
    }

    fn bind(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (TcpListener, Server) {
        let host = self.host.unwrap_or("127.0.0.1");
        let address = if host == "localhost" { "127.0.0.1" } else { host };
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if self.tls { "https" } else { "http" };
        let origin = format!("{scheme}://{host}:{}", address.port());
        let shared = Shared {
            handler: Box::new(handler),
            set_up: self,
            log: Log::default(),
            counts: Mutex::default(),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        };
        (listener, Server { address, origin, shared: Arc::new(shared) })
    }
}

impl Server {
    /// Starts a server. `handler` gets a path and how often it was asked for before.
    pub fn start(handler: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(move |request| handler(&request.path, request.count))
    }

    /// Starts a server whose handler sees all of the request.
    pub fn with(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::set_up().start(handler)
    }

    /// A server with another name, TLS, latency or without lasting connections: ends in `.start(handler)`.
    pub fn set_up() -> SetUp {
        SetUp::default()
    }

    /// Serves the files below a folder, as they are when asked for.
    pub fn files(root: PathBuf) -> Self {
        Self::start(move |path, _| match fs_err::read(root.join(path.trim_start_matches('/'))) {
            Ok(body) => {
                let tag = super::hex_sha256(&body)[..16].to_owned();
                Reply::file(body, Some(&tag))
            }
            Err(_) => Reply::Status(404, String::new()),
        })
    }

    /// Scheme, host and port.
    pub fn url(&self) -> String {
        self.origin.clone()
    }

    /// Host and port, as URLs and credential files name them.
    pub fn host(&self) -> String {
        self.origin.split_once("://").unwrap().1.to_owned()
    }

    /// The requests so far: first lines and headers.
    pub fn requests(&self) -> Vec<String> {
        self.shared.log.requests()
    }

    /// What was handed to sockets of bodies with 200 or 206: path, first octet of the file, octets.
    pub fn sent(&self) -> Vec<(String, u64, u64)> {
        self.answers().into_iter().map(|sent| (sent.path.clone(), sent.start, sent.len())).collect()
    }

    /// The same with status, completeness and times.
    pub fn answers(&self) -> Vec<Sent> {
        self.shared.log.sent()
    }

    /// The octets of a path's bodies that were handed to sockets.
    pub fn sent_of(&self, path: &str) -> u64 {
        self.sent().iter().filter(|sent| sent.0 == path).map(|sent| sent.2).sum()
    }

    /// The most connections that were open at once.
    pub fn peak_connections(&self) -> usize {
        self.shared.log.connections.peak()
    }

    /// The most requests that were being answered at once.
    pub fn peak_requests(&self) -> usize {
        self.shared.log.answering.peak()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        for stream in self.shared.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A connection, in the clear or not.
pub(in crate::support) enum Connection {
    Clear(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
}

impl Connection {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl Shared {
    fn connection(&self, number: usize, tcp: TcpStream) {
        let _counted = self.log.connections.enter();
        tcp.set_read_timeout(Some(Duration::from_secs(55))).unwrap();
        tcp.set_nodelay(true).unwrap();
        rustix::net::sockopt::set_socket_send_buffer_size(&tcp, SEND_BUFFER).unwrap();
        self.open.lock().unwrap().insert(number, tcp.try_clone().unwrap());
        let stream = if self.set_up.tls {
            let session = rustls::ServerConnection::new(tls::config()).unwrap();
            Connection::Tls(Box::new(rustls::StreamOwned::new(session, tcp)))
        } else {
            Connection::Clear(tcp)
        };
        let mut reader = BufReader::new(stream);
        let ending = self.serve(&mut reader);
        // A reset is sent when the last handle of the socket is closed, and only if it was not shut down.
        self.open.lock().unwrap().remove(&number);
        if ending != Ending::Reset {
            if let (Connection::Tls(tls), Ending::Close) = (reader.get_mut(), ending) {
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
            let _ = reader.get_ref().tcp().shutdown(Shutdown::Both);
        }
    }

    /// Keeps a request, and counts it.
    fn note(&self, head: String) -> Request {
        let mut request = Request::parse(&head);
        self.log.requested(head);
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(request.path.clone()).or_default();
        request.count = *count;
        *count += 1;
        request
    }

    /// Answers one request after the other; how the connection is to end.
    fn serve(&self, reader: &mut BufReader<Connection>) -> Ending {
        loop {
            let mut head = String::new();
            loop {
                let mut line = String::new();
                match reader.read_line(&mut line) {
                    Ok(n) if n > 0 => {}
                    _ => return Ending::Close,
                }
                if line == "\r\n" {
                    break;
                }
                head.push_str(&line);
            }
            let request = self.note(head);
            let _counted = self.log.answering.enter();
            let reply = (self.handler)(&request).after(self.set_up.latency);
            let closing = self.set_up.closing || request.header("connection") == Some("close");
            let reply = if closing { reply.closing() } else { reply };
            match send(reader.get_mut(), &reply.answer(&request), &self.log, &request) {
                Ok(Ending::Keep) => {}
                Ok(ending) => return ending,
                Err(_) => return Ending::Abort,
            }
        }
    }
}
