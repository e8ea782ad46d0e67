//! A web server on a loopback port that does as a test says, byte for byte.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with this body.
    Body(Vec<u8>),
    /// 200 with this body, sent in chunks with no length announced.
    NoLength(Vec<u8>),
    /// 200 that announces the whole length, sends this many bytes of the body, and closes.
    Cut(Vec<u8>, usize),
    /// A status, with these header lines and no body.
    Status(u16, String),
    /// The connection is closed without an answer.
    Hangup,
}

type Handler = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// Runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server. `handler` gets a path and how often it was asked for before.
    pub fn start(handler: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let handler: Arc<Handler> = Arc::new(handler);
        let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (handler, log, counts) = (Arc::clone(&handler), Arc::clone(&log), Arc::clone(&counts));
                std::thread::spawn(move || serve(stream, &*handler, &log, &counts));
            }
        });
        Self { address, requests }
    }

    /// Serves the files below a folder, as they are when asked for.
    pub fn files(root: PathBuf) -> Self {
        Self::start(move |path, _| match fs_err::read(root.join(path.trim_start_matches('/'))) {
            Ok(body) => Reply::Body(body),
            Err(_) => Reply::Status(404, String::new()),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far: first lines and headers.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    handler: &Handler,
    log: &Mutex<Vec<String>>,
    counts: &Mutex<HashMap<String, usize>>,
) {
    stream.set_read_timeout(Some(Duration::from_secs(55))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut out = stream;
    loop {
        let mut request = String::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(n) if n > 0 => {}
                _ => return,
            }
            if line == "\r\n" {
                break;
            }
            request.push_str(&line);
        }
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        log.lock().unwrap().push(request);
        let before = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count - 1
        };
        match answer(&mut out, handler(&path, before)) {
            Ok(true) => {}
            _ => {
                let _ = out.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

/// Sends one answer; false where the connection is to be closed after it.
fn answer(out: &mut TcpStream, reply: Reply) -> std::io::Result<bool> {
    match reply {
        Reply::Body(body) => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
            out.write_all(&body)?;
            Ok(true)
        }
        Reply::NoLength(body) => {
            write!(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for chunk in body.chunks(1000) {
                write!(out, "{:x}\r\n", chunk.len())?;
                out.write_all(chunk)?;
                write!(out, "\r\n")?;
            }
            write!(out, "0\r\n\r\n")?;
            Ok(true)
        }
        Reply::Cut(body, at) => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
            out.write_all(&body[..at])?;
            Ok(false)
        }
        Reply::Status(status, headers) => {
            write!(out, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{headers}\r\n")?;
            Ok(true)
        }
        Reply::Hangup => Ok(false),
    }
}
