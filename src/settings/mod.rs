//! What the user has settled once: where each setting comes from, what it may be, and which source wins.
//!
//! A flag wins over the environment, that over the `dbag.toml` of the folder or the nearest one above it, that over the
//! user's own configuration, and that over the default. Owns the names, forms and defaults of all settings, in one table
//! that the documents are checked against. It reads two files and the environment that it is given, and writes nothing.
//!
//! A `dbag.toml` comes with a folder that someone else may have made. So it never says where credentials are, whom to
//! trust, or to which server the credentials go.

mod file;
mod quantity;
mod value;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use file::line_of;
pub use quantity::{parse_duration, parse_size};
pub use value::{JournalMode, LinkMode, Region};

use url::Url;

use file::SettingsFile;
use value::{Given, Parse};

/// A value, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value; `None` where nothing sets one and there is no default.
    pub value: Option<T>,
    /// Who set it.
    pub origin: Origin,
}

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The user's configuration, or a `dbag.toml`.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(&'static str),
    /// The option of this name on the command line, without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Where a setting may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Anywhere.
    All,
    /// Anywhere but in a `dbag.toml`.
    NotProject,
}

/// What is said of a setting in the documents.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// Its key in files.
    pub key: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// Where it may stand.
    pub sources: Sources,
    /// Its default, in words.
    pub default: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// Why the settings can't be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SettingsError {
    #[error("{place}: {key} is no setting; the settings are {known}")]
    Unknown { place: String, key: String, known: String },
    #[error("{place}: {key} {reason}")]
    BadValue { place: String, key: String, reason: String },
    #[error(
        "{place}: {key} may not be set in a dbag.toml, which comes with a folder; set it in your own configuration, by {variable}, or by an option"
    )]
    NotInProject { place: String, key: &'static str, variable: &'static str },
    #[error("{place}: {reason}")]
    Syntax { place: String, reason: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

macro_rules! settings {
    ($($field:ident: $type:ty = $key:literal, $variable:literal, $sources:ident,
        $default:expr, $words:literal, $meaning:literal;)+) => {
        /// Every setting, with who set it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings { $(#[doc = $meaning] pub $field: Setting<$type>,)+ }

        /// What the command line says; `None` where it says nothing.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Overrides { $(#[doc = $meaning] pub $field: Option<$type>,)+ }

        impl Settings {
            /// The settings in words, in the order of the table.
            pub const DESCRIBED: &'static [Described] = &[$(Described {
                key: $key,
                variable: $variable,
                sources: Sources::$sources,
                default: $words,
                meaning: $meaning,
            },)+];

            /// The settings that hold for a command with these flags, run in the folder `here`.
            ///
            /// `environment` gives a variable's value; an empty one is as good as none. Relative paths in a file are
            /// relative to the file's folder, all others to `here`.
            pub fn load(
                flags: Overrides,
                environment: &dyn Fn(&str) -> Option<OsString>,
                here: &Path,
            ) -> Result<Self, SettingsError> {
                let sources = Loader::new(environment, here)?;
                // What is wrong is told, also where something stronger hides it.
                $(sources.check::<$type>($key)?;)+
                Ok(Self { $($field: {
                    let default: fn(&Loader<'_>) -> Option<$type> = $default;
                    sources.choose(flags.$field, $key, $variable, default)?
                },)+ })
            }
        }
    };
}

settings! {
    cache: PathBuf = "cache", "DBAG_CACHE", All, |loader| default_cache(loader.environment),
        "`$XDG_CACHE_HOME/dbag`, else `~/.cache/dbag`", "Folder of the cache";
    offline: bool = "offline", "DBAG_OFFLINE", All, |_| Some(false),
        "`false`", "Open no socket at all";
    connections: u16 = "connections", "DBAG_CONNECTIONS", All, |_| Some(64),
        "`64`", "Most connections at once, 1 to 256";
    limit_rate: u64 = "limit-rate", "DBAG_LIMIT_RATE", All, |_| None,
        "no limit", "Most bytes a second to fetch, such as `\"10MB\"`";
    link: LinkMode = "link", "DBAG_LINK", All, |_| Some(LinkMode::Auto),
        "`\"auto\"`", "How files come from the cache: `auto`, `reflink`, `hard` or `copy`";
    catalog_journal: JournalMode = "catalog-journal", "DBAG_CATALOG_JOURNAL", All, |_| Some(JournalMode::Auto),
        "`\"auto\"`", "How catalogs are written: `auto` (as the file system is), `wal` or `rollback`";
    ca_cert: PathBuf = "ca-cert", "DBAG_CA_CERT", NotProject, |_| None,
        "none", "File of certificates (PEM) to trust besides the system's";
    keychain: PathBuf = "keychain", "DBAG_KEYCHAIN", NotProject, |_| None,
        "none", "File of credentials, in bdbag's form";
    s3_endpoint: Url = "s3-endpoint", "DBAG_S3_ENDPOINT", NotProject, |_| None,
        "Amazon's", "URL of the object store that `s3://` means";
    s3_region: Region = "s3-region", "DBAG_S3_REGION", All, |_| None,
        "none", "Region of that object store, such as `us-west-2`";
}

impl Settings {
    /// The settings of this process in the current folder.
    pub fn of_process(flags: Overrides) -> Result<Self, SettingsError> {
        let here = std::path::absolute(".")?;
        Self::load(flags, &|name| std::env::var_os(name), &here)
    }
}

/// The user's cache folder where no setting names one; `None` for a user without a home.
pub(crate) fn default_cache(environment: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The specification of these variables says that a relative one is to be ignored.
    folder("XDG_CACHE_HOME")
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("dbag"))
        .or_else(|| Some(folder("LOCALAPPDATA").filter(|_| cfg!(windows))?.join("dbag").join("cache")))
        .or_else(|| Some(folder("HOME")?.join(".cache").join("dbag")))
}

/// The user's configuration, whether or not it is there.
fn user_file(environment: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| folder("APPDATA").filter(|_| cfg!(windows)))
        .or_else(|| Some(folder("HOME")?.join(".config")))
        .map(|folder| folder.join("dbag").join("config.toml"))
}

/// The sources of settings, opened.
struct Loader<'e> {
    environment: &'e dyn Fn(&str) -> Option<OsString>,
    here: PathBuf,
    /// The strongest first.
    files: Vec<SettingsFile>,
}

impl<'e> Loader<'e> {
    fn new(environment: &'e dyn Fn(&str) -> Option<OsString>, here: &Path) -> Result<Self, SettingsError> {
        let here = std::path::absolute(here)?;
        let project = here.ancestors().map(|folder| folder.join("dbag.toml")).find(|path| path.is_file());
        let user = user_file(environment).filter(|path| path.is_file());
        let mut files = Vec::new();
        if let Some(path) = project {
            files.push(SettingsFile::read(&path, true)?);
        }
        if let Some(path) = user {
            files.push(SettingsFile::read(&path, false)?);
        }
        Ok(Self { environment, here, files })
    }

    fn home(&self) -> Option<PathBuf> {
        let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        (self.environment)(name).filter(|home| !home.is_empty()).map(PathBuf::from)
    }

    /// Whether what the files say of a setting makes sense.
    fn check<T: Parse>(&self, key: &str) -> Result<(), SettingsError> {
        self.files.iter().try_for_each(|file| file.get::<T>(key, self.home().as_deref()).map(drop))
    }

    fn choose<T: Parse>(
        &self,
        flag: Option<T>,
        key: &'static str,
        variable: &'static str,
        default: fn(&Self) -> Option<T>,
    ) -> Result<Setting<T>, SettingsError> {
        if let Some(value) = flag {
            return Ok(Setting { value: Some(value.below(&self.here)), origin: Origin::Flag(key) });
        }
        if let Some(text) = (self.environment)(variable).filter(|text| !text.is_empty()) {
            let value = T::parse(&Given::Word(text)).and_then(|value| value.at_home(self.home().as_deref()));
            let value = value.map_err(|reason| SettingsError::BadValue {
                place: "the environment".to_owned(),
                key: variable.to_owned(),
                reason,
            })?;
            return Ok(Setting {
                value: Some(value.below(&self.here)),
                origin: Origin::Environment(variable),
            });
        }
        for file in &self.files {
            if let Some(value) = file.get(key, self.home().as_deref())? {
                return Ok(Setting { value: Some(value), origin: Origin::File(file.path().to_owned()) });
            }
        }
        Ok(Setting { value: default(self), origin: Origin::Default })
    }
}

#[cfg(test)]
mod tests;
