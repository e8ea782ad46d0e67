//! What all clients have in common: who asks, how long an answer is waited for, and how a connection of HTTP/2 is shared.
//!
//! Over HTTP/2 all requests to a server share one connection. What of one answer is not taken yet must not keep the
//! others from coming, and a connection that died must be found out by itself: no new one is made while it seems to live.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

/// Octets of one answer that may have come before they are taken.
const STREAM: u32 = 1 << 20;
/// The same for all answers of a connection: enough for as many as there may ever be at once (`--connections`).
const CONNECTION: u32 = 256 * STREAM;
/// A connection is asked for a sign of life at least as often as twice in this time.
const LONGEST: Duration = Duration::from_mins(5);

/// A client that follows no redirect: who sees which header is decided elsewhere. `stall` is how long a connection may be
/// dead, `silence` how long an answer may keep silent.
pub(super) fn builder(stall: Duration, silence: Duration) -> ClientBuilder {
    // A provider may be installed already, by this library or its caller; either is good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Who waits for ever for an answer still wants to know of a connection that died.
    let alive = stall.min(LONGEST) / 2;
    Client::builder()
        .user_agent(concat!("dbag/", env!("CARGO_PKG_VERSION")))
        .read_timeout(silence)
        .redirect(redirect::Policy::none())
        .http2_initial_stream_window_size(STREAM)
        .http2_initial_connection_window_size(CONNECTION)
        // A ping when nothing came for half of the time, and the other half for its answer.
        .http2_keep_alive_interval(alive)
        .http2_keep_alive_timeout(alive)
}

/// Why the server's certificate was refused; `None` where something else went wrong. One that is not trusted now is not
/// trusted a second later either.
pub(super) fn untrusted(cause: &str) -> Option<String> {
    if cause.contains("UnknownIssuer") {
        return Some("its certificate is not trusted here (--ca-cert names an authority to trust)".into());
    }
    cause.contains("certificate").then(|| cause.to_owned())
}
