//! TLS whose protocol is agreed on by ALPN: HTTP/2, or HTTP/1.1, as hyper speaks them.
//!
//! For what a client makes of a protocol. How a server misbehaves octet for octet is the other half's matter: of a
//! reply only its status, headers, body, delay and pace count here.

use std::convert::Infallible;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http_body_util::StreamBody;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::reply::Answer;
use super::request::Request;
use super::{Shared, tls};

/// What a server offers to speak, as ALPN names it (RFC 7301).
#[derive(Debug, Clone, Copy)]
pub struct Speaks {
    pub protocols: &'static [&'static str],
    /// Requests at once over one connection of HTTP/2, at most.
    pub streams: Option<u32>,
}

type Piece = Result<Frame<Bytes>, Infallible>;
type Answered = hyper::Response<StreamBody<BoxStream<'static, Piece>>>;

/// What answers requests: hyper's own kind of service, in short.
pub trait Service:
    HttpService<
        Incoming,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
        ResBody: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Service for S where
    S: HttpService<
            Incoming,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
            ResBody: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

/// The service that answers as a server's handler says.
pub(super) fn replies(shared: Arc<Shared>) -> impl Service {
    service_fn(move |request: hyper::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&request, shared).await) }
    })
}

/// Serves a service in TLS until the server is stopped.
pub(super) fn spawn(listener: TcpListener, speaks: Speaks, shared: Arc<Shared>, service: impl Service) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Its connections end with the runtime.
        runtime.block_on(accept(listener, speaks, shared, service));
    });
}

async fn accept(listener: TcpListener, speaks: Speaks, shared: Arc<Shared>, service: impl Service) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let acceptor = TlsAcceptor::from(tls::speaking(speaks.protocols));
    while let Ok((tcp, _)) = listener.accept().await {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let (acceptor, service, shared) = (acceptor.clone(), service.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let _counted = shared.log.connections.enter();
            // One who does not trust the certificate goes again.
            if let Ok(tls) = acceptor.accept(tcp).await {
                speak(tls, speaks, service).await;
            }
        });
    }
}

async fn speak(tls: TlsStream<tokio::net::TcpStream>, speaks: Speaks, service: impl Service) {
    let is_2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    // How a client ends a connection is its own affair.
    if is_2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(speaks.streams);
        let _ = builder.serve_connection(TokioIo::new(tls), service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
    }
}

async fn answer(request: &hyper::Request<Incoming>, shared: Arc<Shared>) -> Answered {
    let mut head = format!("{} {} {:?}\r\n", request.method(), request.uri().path(), request.version());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let request = shared.note(head);
    let answer = (shared.handler)(&request).after(shared.set_up.latency).answer(&request);
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in answer.headers.lines().filter_map(|line| line.split_once(':')) {
        response = response.header(name, value.trim());
    }
    let length = answer.body().len();
    let (sender, pieces) = mpsc::channel(1);
    let (begun, begins) = tokio::sync::oneshot::channel();
    tokio::spawn(send(answer, request, shared, sender, begun));
    let _ = begins.await;
    let pieces =
        futures_util::stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    response.header("content-length", length).body(StreamBody::new(pieces.boxed())).unwrap()
}

async fn send(
    answer: Answer,
    request: Request,
    shared: Arc<Shared>,
    sender: mpsc::Sender<Piece>,
    begun: tokio::sync::oneshot::Sender<()>,
) {
    let mut counted = Some(shared.log.answering.enter());
    tokio::time::sleep(answer.delay).await;
    let _ = begun.send(());
    let number = matches!(answer.status, 200 | 206)
        .then(|| shared.log.begin(&request.path, answer.status, answer.range.start as u64));
    let (octets, pause) = answer.pace.unwrap_or((64 << 10, std::time::Duration::ZERO));
    let last = answer.body().len().div_ceil(octets).saturating_sub(1);
    for (index, piece) in answer.body().chunks(octets).enumerate() {
        if index == last {
            // Who has it may ask for more before this is done.
            counted.take();
        }
        if sender.send(Ok(Frame::data(Bytes::copy_from_slice(piece)))).await.is_err() {
            return;
        }
        number.iter().for_each(|number| shared.log.add(*number, piece.len() as u64));
        tokio::time::sleep(pause).await;
    }
    number.iter().for_each(|number| shared.log.whole(*number));
}
