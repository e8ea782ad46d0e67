//! Servers for the tests: a real one over a folder, and one that answers whatever it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::S3Keys;
use crate::transport::tests::conformance::objects;

/// A bucket that needs no credentials.
pub(super) const PUBLIC: &str = "public-data";
/// A bucket that is for whoever has the keys.
pub(super) const PRIVATE: &str = "private-data";

/// The keys that open everything.
pub(super) fn keys() -> S3Keys {
    S3Keys { key: "known-key".into(), secret: "known/secret+".into(), ..S3Keys::default() }
}

/// A server that both buckets and their objects are in. It ends with the test's runtime.
pub(super) struct Server {
    pub(super) endpoint: String,
    folder: TempDir,
}

struct Doorkeeper;

#[async_trait::async_trait]
impl S3Access for Doorkeeper {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() || context.s3_path().get_bucket_name() != Some(PRIVATE) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "no signature"))
    }
}

impl Server {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        let S3Keys { key, secret, .. } = keys();
        builder.set_auth(SimpleAuth::from_single(key, secret));
        builder.set_access(Doorkeeper);
        let service = builder.build();
        let (listener, endpoint) = listen().await;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone()));
            }
        });
        let server = Self { endpoint, folder };
        for (name, bytes) in objects() {
            server.put(PUBLIC, name, &bytes);
            server.put(PRIVATE, name, &bytes);
        }
        server
    }

    /// Puts an object in its place, or in that of another.
    pub(super) fn put(&self, bucket: &str, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(bucket).join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// What a request is answered, octet for octet. Where that is empty, nothing comes, and no end either.
type Script = dyn Fn(&str) -> String + Send + Sync;

/// A server that answers by a script, and then closes the connection.
pub(super) struct Scripted {
    pub(super) endpoint: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// The script is shown each request's line and header fields.
    pub(super) async fn start(script: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let (listener, endpoint) = listen().await;
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { endpoint, heads }
    }

    /// The requests so far: lines and header fields.
    pub(super) fn requests(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn answer(mut socket: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    let text = script(&head);
    if text.is_empty() {
        std::future::pending::<()>().await;
    }
    socket.write_all(text.as_bytes()).await.unwrap();
    let _ = socket.shutdown().await;
}

/// An answer with a status line, further header fields and a body.
pub(super) fn reply(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n{body}")
}
