//! A bucket as `object_store` reads it: with which credentials, and in which region by now.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::{BackoffConfig, CredentialProvider, RetryConfig, StaticCredentialProvider};

use super::TransportErrorKind;
use super::client::Clients;
use super::credentials::{Access, Keys};
use super::refusal::{Trouble, root_cause};

/// One bucket, read with one set of credentials.
pub(super) struct Store {
    /// All that there is to know but the region.
    builder: AmazonS3Builder,
    current: Mutex<Regional>,
    /// Whose keys it is read with, for people.
    pub(super) origin: String,
}

/// The bucket as it is asked in a region.
#[derive(Clone)]
pub(super) struct Regional {
    pub(super) region: String,
    pub(super) s3: Arc<AmazonS3>,
}

impl Store {
    /// The error is the reason.
    pub(super) fn new(bucket: &str, access: Access, clients: &Clients) -> Result<Self, String> {
        let Access { keys, origin, region, endpoint } = access;
        let bare = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(once());
        let provider = provider(keys, bare.clone().with_region(&region), clients);
        let provider = provider.map_err(|error| root_cause(&error))?;
        let mut builder = bare.with_http_connector(clients.far.clone());
        builder = match provider {
            Some(provider) => {
                builder.with_credentials(Arc::new(Careful { provider, origin: origin.clone() }))
            }
            None => builder.with_skip_signature(true),
        };
        if let Some(endpoint) = endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http:")).with_endpoint(endpoint);
        }
        let current = Mutex::new(regional(&builder, &region)?);
        Ok(Self { builder, current, origin })
    }

    /// The bucket in the region that was right last.
    pub(super) fn current(&self) -> Regional {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bucket in the region that the server says it is in, from now on. The error is the reason.
    pub(super) fn moved_to(&self, region: &str) -> Result<Regional, String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.region != region {
            *current = regional(&self.builder, region)?;
        }
        Ok(current.clone())
    }
}

fn regional(builder: &AmazonS3Builder, region: &str) -> Result<Regional, String> {
    let s3 = builder.clone().with_region(region).build().map_err(|error| root_cause(&error))?;
    Ok(Regional { region: region.to_owned(), s3: Arc::new(s3) })
}

/// No request is sent a second time: whoever reads decides about that.
fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, backoff: BackoffConfig::default(), ..RetryConfig::default() }
}

/// Who gives the credentials; `None` where requests are not signed.
fn provider(
    keys: Keys,
    builder: AmazonS3Builder,
    clients: &Clients,
) -> object_store::Result<Option<AwsCredentialProvider>> {
    use AmazonS3ConfigKey as Key;
    let (connector, settings) = match keys {
        Keys::None => return Ok(None),
        Keys::Pair(pair) => return Ok(Some(Arc::new(StaticCredentialProvider::new(pair)))),
        Keys::WebIdentity { token_file, role, session, sts } => {
            let needed = [(Key::WebIdentityTokenFile, Some(token_file)), (Key::RoleArn, Some(role))];
            let optional = [(Key::RoleSessionName, session), (Key::StsEndpoint, sts)];
            (&clients.far, [needed, optional].concat())
        }
        Keys::Task { path } => (&clients.near, vec![(Key::ContainerCredentialsRelativeUri, Some(path))]),
        Keys::Pod { url, token_file } => {
            let url = (Key::ContainerCredentialsFullUri, Some(url));
            (&clients.near, vec![url, (Key::ContainerAuthorizationTokenFile, Some(token_file))])
        }
        Keys::Instance { endpoint } => (&clients.near, vec![(Key::MetadataEndpoint, endpoint)]),
    };
    let builder = settings.into_iter().fold(builder, |builder, (key, value)| match value {
        Some(value) => builder.with_config(key, value),
        None => builder,
    });
    let s3 = builder.with_http_connector(connector.clone()).build()?;
    Ok(Some(Arc::clone(s3.credentials())))
}

/// Credentials with which a request can be signed, or an error that says whose they are.
#[derive(Debug)]
struct Careful {
    provider: AwsCredentialProvider,
    origin: String,
}

#[async_trait]
impl CredentialProvider for Careful {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let provider = Arc::clone(&self.provider);
        // On a task of its own, as `object_store` panics over a token file that does not fit into a header.
        let trouble = match tokio::spawn(async move { provider.get_credential().await }).await {
            Ok(Ok(credential)) if fits_into_headers(&credential) => return Ok(credential),
            Ok(Ok(_)) | Err(_) => self.trouble(TransportErrorKind::Refused, "they do not fit into a header"),
            Ok(Err(error)) => {
                let Trouble { kind, reason, .. } = Trouble::of(&error, &self.origin);
                let kind = if kind.is_transient() { kind } else { TransportErrorKind::Denied };
                self.trouble(kind, &reason)
            }
        };
        Err(object_store::Error::Generic { store: "S3", source: Box::new(trouble) })
    }
}

impl Careful {
    fn trouble(&self, kind: TransportErrorKind, reason: &str) -> Trouble {
        Trouble { kind, reason: format!("{} could not be had: {reason}", self.origin), retry_after: None }
    }
}

/// `object_store` panics over others.
fn fits_into_headers(credential: &AwsCredential) -> bool {
    let AwsCredential { key_id, token, .. } = credential;
    [Some(key_id), token.as_ref()]
        .iter()
        .flatten()
        .all(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
}
