//! HTTP and HTTPS, over the platform's certificate store and proxy settings.
//!
//! Redirects are followed here and not by the client, so that this module alone decides which host sees which
//! header: a credential goes to the origin that it was made for and to no other, whoever asks for it.

mod answer;
mod remote;
mod session;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client};
use url::Url;

use super::credentials::Credentials;
use super::{Remote, SetupError, Source, TransportError, TransportOptions, client};
use remote::HttpRemote;
use session::Session;

/// Give up on a connection that is not made in this time.
const CONNECT: Duration = Duration::from_secs(30);

/// One pool of connections.
pub(super) struct HttpSource {
    shared: Arc<Shared>,
}

/// What all remote files of this source share.
struct Shared {
    client: Client,
    session: Session,
}

impl HttpSource {
    pub(super) fn new(
        options: &TransportOptions,
        credentials: Credentials,
        certificates: &[(PathBuf, Vec<u8>)],
    ) -> Result<Self, SetupError> {
        let mut builder =
            client::builder(options.stall, options.silence()).connect_timeout(CONNECT.min(options.stall));
        for (path, text) in certificates {
            builder = builder.tls_certs_merge(parse(path, text)?);
        }
        let client = builder.build().map_err(|error| SetupError::Client(answer::root_cause(&error)))?;
        Ok(Self { shared: Arc::new(Shared { client, session: Session::new(credentials) }) })
    }
}

impl Source for HttpSource {
    fn remote(&self, url: &Url) -> Result<Arc<dyn Remote>, TransportError> {
        Ok(Arc::new(HttpRemote::new(Arc::clone(&self.shared), url.clone())))
    }
}

/// The certificates of a PEM file.
fn parse(path: &Path, text: &[u8]) -> Result<Vec<Certificate>, SetupError> {
    let bad = |reason: String| SetupError::Certificates { path: path.to_owned(), reason };
    let found = Certificate::from_pem_bundle(text).map_err(|error| bad(answer::root_cause(&error)))?;
    if found.is_empty() { Err(bad("it holds no certificate in PEM form".into())) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
