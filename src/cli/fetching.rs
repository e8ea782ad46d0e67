//! What `materialize` and `plan` are both told: which files, from where, by way of which cache and network.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::Context;
use crate::cache::Cache;
use crate::materialize::{CacheUse, FetchFilter, Mirror, Selection};
use crate::settings::{LinkMode, Origin, Overrides, Settings, parse_duration, parse_size};
use crate::transport::{CredentialFiles, TransportOptions};
use crate::{Error, settings};

/// Which of the files that are elsewhere.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which files")]
pub(super) struct Chosen {
    /// Only assets of this table (again for more tables)
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Only assets of this record (again for more records)
    #[arg(long = "rid", value_name = "RID")]
    rids: Vec<String>,
    /// Only lines of fetch.txt that pass, such as 'length<=1000000', 'filename=~\.png$', 'url=*example.org'
    ///
    /// A column (url, length, filename), an operator (== != =* contains, !* lacks, ^* begins, $* ends, =~ matches a regular
    /// expression, > >= < <= for lengths), and a value, as in bdbag. Given again, each must pass.
    #[arg(long = "fetch-filter", value_name = "EXPRESSION")]
    filters: Vec<FetchFilter>,
    /// Only as many files, in the order of fetch.txt, as fit into this size together, such as 10GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_bytes: Option<u64>,
}

impl Chosen {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            tables: self.tables.clone(),
            rids: self.rids.clone(),
            filters: self.filters.clone(),
            max_bytes: self.max_bytes,
        }
    }
}

/// From where.
#[derive(Debug, Args)]
#[command(next_help_heading = "From where")]
pub(super) struct Places {
    /// A folder or URL to look at before the places of fetch.txt: a copy of the bag, an object store, a mirror
    #[arg(long = "from", value_name = "DIR|URL")]
    from: Vec<Mirror>,
    /// Open no socket: take files from the cache and from folders only
    #[arg(long)]
    offline: bool,
    /// The cache's folder [default: the setting `cache`]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Use no cache
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// A file of credentials in the form of bdbag's keychain [default: ~/.bdbag/keychain.json]
    #[arg(long, value_name = "FILE")]
    keychain: Option<PathBuf>,
    /// A file of certificates (PEM) to trust besides the system's
    #[arg(long, value_name = "PEM")]
    ca_cert: Option<PathBuf>,
    /// Give up on a connection over which hardly anything arrives for this long, such as 30s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_stall)]
    stall_timeout: Duration,
}

/// A time in seconds, or with a unit.
fn parse_stall(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => parse_duration(text)
            .and_then(|time| if time.is_zero() { Err("must be more than nothing".into()) } else { Ok(time) }),
    }
}

/// What the options and the settings come to.
pub(super) struct Fetching {
    pub(super) settings: Settings,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) transport: TransportOptions,
    pub(super) cache: Option<CacheUse>,
}

impl Places {
    pub(super) fn fetching(
        &self,
        context: &Context,
        connections: Option<u16>,
        limit_rate: Option<u64>,
        link: Option<LinkMode>,
    ) -> Result<Fetching, Error> {
        let settings = context.settings(Overrides {
            cache: self.cache.clone(),
            offline: self.offline.then_some(true),
            keychain: self.keychain.clone(),
            ca_cert: self.ca_cert.clone(),
            connections,
            limit_rate,
            link,
            ..Overrides::default()
        })?;
        let mut credentials = CredentialFiles::of_user();
        if let Some(keychain) = &settings.keychain.value {
            // The usual file may be missing; one that was named by hand was meant to be there.
            if !keychain.exists() {
                let (origin, shown) = (&settings.keychain.origin, keychain.display());
                return Err(Error::Usage(format!("{origin}: the keychain {shown} does not exist")));
            }
            credentials.keychain = Some(keychain.clone());
        }
        let transport = TransportOptions {
            offline: settings.offline.value.unwrap_or(false),
            ca_certs: settings.ca_cert.value.iter().cloned().collect(),
            stall: self.stall_timeout,
            patient: false,
            credentials,
            s3_endpoint: settings.s3_endpoint.value.clone(),
            s3_region: settings.s3_region.value.as_ref().map(|region| region.as_str().to_owned()),
        };
        let cache = if self.no_cache { None } else { cache(&settings)? };
        Ok(Fetching { settings, mirrors: self.from.clone(), transport, cache })
    }
}

/// The cache; `None` for a user without a home who named none.
fn cache(settings: &Settings) -> Result<Option<CacheUse>, Error> {
    let setting: &settings::Setting<PathBuf> = &settings.cache;
    let Some(folder) = &setting.value else { return Ok(None) };
    let cache = Arc::new(Cache::open(folder)?);
    Ok(Some(CacheUse { cache, always: setting.origin != Origin::Default }))
}
