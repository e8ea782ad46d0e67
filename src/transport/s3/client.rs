//! The connections that S3 and the services with credentials are asked over.
//!
//! Owns timeouts, certificates and proxies, and that no redirect is followed: a signed request is good for one host
//! alone. What is not the answer that was asked for becomes an error that says what it was.

use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, header};

use super::refusal::{RangeIgnored, Refusal, Unencrypted, root_cause};
use super::{S3Settings, TransportError, TransportErrorKind};
use crate::transport::client;

/// How long a service on this machine may take to connect to: nobody should wait where there is none.
const NEARBY: Duration = Duration::from_secs(1);

/// Pools of connections, whatever bucket they are for.
pub(super) struct Clients {
    /// To servers elsewhere, through the proxy where there is one.
    pub(super) far: Connector,
    /// To the services that give this machine or container its role.
    pub(super) near: Connector,
}

impl Clients {
    pub(super) fn new(settings: &S3Settings) -> Result<Self, TransportError> {
        let builder = || client::builder(settings.stall, settings.stall);
        let mut far = builder().connect_timeout(settings.connect);
        for pem in &settings.ca_certs {
            let certificates =
                Certificate::from_pem_bundle(pem).map_err(|error| setup(root_cause(&error)))?;
            if certificates.is_empty() {
                return Err(setup("there is no certificate in PEM form among those to trust".into()));
            }
            far = far.tls_certs_merge(certificates);
        }
        let near = builder().connect_timeout(NEARBY.min(settings.connect)).no_proxy();
        let build = |builder: ClientBuilder| {
            builder.build().map(Connector).map_err(|error| setup(root_cause(&error)))
        };
        Ok(Self { far: build(far)?, near: build(near)? })
    }
}

/// An error that is not about any one URL.
fn setup(reason: String) -> TransportError {
    TransportError { url: "TLS".into(), reason, kind: TransportErrorKind::Refused, retry_after: None }
}

/// Gives `object_store` the same connections whatever it asks for.
#[derive(Debug, Clone)]
pub(super) struct Connector(Client);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let may_be_plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let encrypted = may_be_plain.as_deref() != Some("true");
        Ok(HttpClient::new(Service { client: self.0.clone(), encrypted }))
    }
}

/// One request, one answer.
#[derive(Debug)]
struct Service {
    client: Client,
    /// Whether only https: URLs are asked.
    encrypted: bool,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.encrypted && request.uri().scheme_str() != Some("https") {
            return Err(HttpError::new(HttpErrorKind::Unknown, Unencrypted));
        }
        let asked_for_part = request.headers().contains_key(header::RANGE);
        let response = self.client.call(request).await?;
        match (response.status(), asked_for_part) {
            (StatusCode::OK, false) | (StatusCode::PARTIAL_CONTENT, true) => Ok(response),
            (StatusCode::OK, true) => Err(HttpError::new(HttpErrorKind::Unknown, RangeIgnored)),
            _ => Err(HttpError::new(HttpErrorKind::Unknown, Refusal::read(response).await)),
        }
    }
}
