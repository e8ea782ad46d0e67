//! Objects of S3 and of the stores that speak like it, for `s3://BUCKET/KEY` URLs.
//!
//! Owns where credentials come from, which endpoint and region a bucket is asked at, and what a refusal means.
//! `object_store` signs the requests and reads the answers. It asks once: whoever reads decides about asking again.
//! Buckets are addressed by path, which works for any bucket name and any server.

mod client;
mod credentials;
mod environment;
mod location;
mod profile;
mod refusal;
mod remote;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use super::{Remote, Source, TransportError, TransportErrorKind};
use client::Clients;
pub(crate) use environment::Environment;
use location::Location;
use remote::S3Remote;
use store::Store;

/// How S3 is reached. What is not set comes from the environment, as other tools read it.
#[derive(Debug, Clone)]
pub(crate) struct S3Settings {
    /// The server to ask in place of Amazon's: an http: or https: URL. Requests go unencrypted only where it says
    /// http: itself. Else `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the profile's `endpoint_url`.
    pub(crate) endpoint: Option<String>,
    /// Such as `eu-west-1`. Else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's `region`, or `us-east-1`; and then
    /// the one that the server says the bucket is in.
    pub(crate) region: Option<String>,
    /// Send no credentials, whatever there is of them.
    pub(crate) anonymous: bool,
    /// Ask the metadata service of the machine for a role's credentials where nothing else gives any, unless
    /// `AWS_EC2_METADATA_DISABLED` forbids it.
    pub(crate) instance_metadata: bool,
    /// Certificate authorities to trust beside the platform's, each a PEM file's octets.
    pub(crate) ca_certs: Vec<Vec<u8>>,
    /// Give up on a connection that is not made in this time.
    pub(crate) connect: Duration,
    /// Give up on a connection over which nothing arrives for this long.
    pub(crate) stall: Duration,
}

impl Default for S3Settings {
    fn default() -> Self {
        let (connect, stall) = (Duration::from_secs(30), Duration::from_secs(30));
        let (anonymous, instance_metadata) = (false, false);
        Self {
            endpoint: None,
            region: None,
            anonymous,
            instance_metadata,
            ca_certs: Vec::new(),
            connect,
            stall,
        }
    }
}

/// Credentials that a keychain has for a URL.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct S3Keys {
    /// The access key's id. Empty where the profile is to be used instead.
    pub(crate) key: String,
    /// The secret access key.
    pub(crate) secret: String,
    /// The session token of keys that are lent for a while.
    pub(crate) token: Option<String>,
    /// The name of a profile in the user's AWS files, which has the keys where `key` is empty.
    pub(crate) profile: Option<String>,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("S3Keys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// What a keychain has for a URL; `None` where it has nothing.
pub(crate) type Keychain = Box<dyn Fn(&Url) -> Option<S3Keys> + Send + Sync>;

/// Buckets by their names and the keychain's keys that they are read with.
type Stores = HashMap<(String, Option<S3Keys>), Arc<Store>>;

/// Every bucket there is.
pub(crate) struct S3Source {
    settings: S3Settings,
    keychain: Keychain,
    environment: Environment,
    clients: Clients,
    stores: Mutex<Stores>,
}

impl S3Source {
    /// Makes the clients. Nothing is asked of anyone yet. A certificate that can't be read is an error.
    pub(crate) fn new(settings: S3Settings, keychain: Keychain) -> Result<Self, TransportError> {
        Self::within(settings, keychain, Environment::of_process())
    }

    /// A source in a given environment.
    fn within(
        settings: S3Settings,
        keychain: Keychain,
        environment: Environment,
    ) -> Result<Self, TransportError> {
        let clients = Clients::new(&settings)?;
        Ok(Self { settings, keychain, environment, clients, stores: Mutex::default() })
    }

    fn store(&self, bucket: &str, keys: Option<S3Keys>) -> Result<Arc<Store>, String> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (bucket.to_owned(), keys);
        if let Some(store) = stores.get(&place) {
            return Ok(Arc::clone(store));
        }
        let access = credentials::resolve(&self.settings, &self.environment, place.1.as_ref())?;
        let store = Arc::new(Store::new(bucket, access, &self.clients)?);
        stores.insert(place, Arc::clone(&store));
        Ok(store)
    }
}

impl Source for S3Source {
    fn remote(&self, url: &Url) -> Result<Arc<dyn Remote>, TransportError> {
        let location = Location::of(url)
            .map_err(|reason| TransportError::new(url, TransportErrorKind::Unsupported, reason))?;
        let keys = if self.settings.anonymous { None } else { (self.keychain)(url) };
        let store = self
            .store(&location.bucket, keys)
            .map_err(|reason| TransportError::new(url, TransportErrorKind::Refused, reason))?;
        Ok(Arc::new(S3Remote::new(url.clone(), location, store)))
    }
}
