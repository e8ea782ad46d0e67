//! What is read, where it may go, and what is never shown.

mod cookies;
mod files;
mod keychain;
mod malformed;
mod matching;
mod netrc;

use tempfile::TempDir;

use super::*;

/// A home folder, and an environment.
struct Home {
    folder: TempDir,
    variables: Vec<(&'static str, OsString)>,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A home with one file.
    fn with(path: &str, text: impl AsRef<[u8]>) -> Self {
        Self::new().and(path, text)
    }

    fn and(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        self
    }

    fn set(mut self, variable: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn files(&self) -> CredentialFiles {
        CredentialFiles::from_environment(&|name| self.variable(name), Some(self.folder.path()))
    }

    fn load(&self) -> Result<Credentials, CredentialError> {
        Credentials::load_with(&self.files(), &|name| self.variable(name))
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

const KEYCHAIN: &str = ".bdbag/keychain.json";
const DERIVA: &str = ".deriva/credential.json";
const NETRC: &str = ".netrc";
const COOKIES: &str = ".bdbag/cookies.txt";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// A bearer-token entry.
fn token(uri: &str, token: &str) -> String {
    format!(r#"{{"uri":"{uri}","auth_type":"bearer-token","auth_params":{{"token":"{token}"}}}}"#)
}

fn keychain(entries: &[String]) -> Home {
    Home::with(KEYCHAIN, format!("[{}]", entries.join(",")))
}

/// The headers that go to a URL, as lines.
fn headers(credentials: &Credentials, to: &str) -> Option<Vec<String>> {
    match credentials.for_url(&url(to))?.authorization() {
        Authorization::Headers(headers) => Some(lines(headers)),
        other => panic!("{other:?}"),
    }
}

fn lines(pairs: &[(String, Secret)]) -> Vec<String> {
    pairs.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect()
}

/// The first header that goes to a URL.
fn sent(credentials: &Credentials, to: &str) -> Option<String> {
    headers(credentials, to).map(|headers| headers[0].clone())
}

fn basic(user_and_password: &str) -> String {
    use base64::Engine;
    format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(user_and_password))
}
