//! A web server for one folder of objects, on a loopback port, for as long as the demo runs.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::bag::BagPath;

/// Serves until it is dropped.
pub(super) struct FileServer {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl FileServer {
    /// Starts to serve a folder on a free port of 127.0.0.1.
    pub(super) fn start(root: PathBuf) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let root = root.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let answer = answer(&root, &request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    // A client that goes away is no trouble of the server's.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, _runtime: runtime })
    }

    /// The folder's URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// One file, whole; objects' names need no decoding.
fn answer(root: &Path, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let file = BagPath::parse(request.uri().path().trim_start_matches('/'))
        .map(|path| fs_err::read(path.below(root)));
    let (status, body) = match file {
        Ok(Ok(bytes)) if *request.method() == Method::GET => (StatusCode::OK, bytes),
        Ok(Ok(_)) => (StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
        _ => (StatusCode::NOT_FOUND, Vec::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
