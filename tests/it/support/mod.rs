//! A private folder to run dbag in, servers that can misbehave, faults of the system below, and the peers.

mod bags;
mod hatrac;
mod server;
mod shim;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use bags::{Remote, noise, rehost, zip_files};
pub use hatrac::{Expiry, Hatrac};
pub use server::{Reply, Request, Run, Sent, Server, Speaks, http_date, octets_sent_twice, tls_ca};
pub use shim::{Fault, shim, with_faults};

/// A private folder with a private home.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Output {
    /// Asserts the exit code and gives the output on.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that the error is one line (and perhaps a hint) that holds every one of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.starts_with("hint: ")).collect();
        assert_eq!(lines.len(), 1, "{self:#?}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, contents).unwrap();
        path
    }

    /// Runs dbag in the sandbox's folder.
    pub fn dbag(&self, arguments: &[&str]) -> Output {
        self.dbag_in(".", arguments)
    }

    /// Runs dbag in a folder of the sandbox.
    pub fn dbag_in(&self, folder: &str, arguments: &[&str]) -> Output {
        self.run(Command::new(env!("CARGO_BIN_EXE_dbag")).args(arguments).current_dir(self.path(folder)))
    }

    /// A run of dbag in the sandbox's folder that is still to be started: to add to its environment, to kill it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbag"));
        command.args(arguments).current_dir(self.path("."));
        self.at_home(&mut command);
        command
    }

    /// Gives a command the sandbox's home, and the cache there unless it has another.
    fn at_home(&self, command: &mut Command) {
        if !command.get_envs().any(|(name, _)| name == "DBAG_CACHE") {
            command.env_remove("DBAG_CACHE");
        }
        command
            .env("HOME", self.path("home"))
            .env("USER", "tester")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("DBAG_WORKSPACE");
    }

    /// Runs a command like [`Self::run`], and kills it after this time: its code is -1 then. For little output.
    pub fn run_within(&self, limit: Duration, command: &mut Command) -> Output {
        self.at_home(command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() > limit {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.wait_with_output().unwrap().into()
    }

    /// Runs a command with the sandbox's home.
    pub fn run(&self, command: &mut Command) -> Output {
        self.at_home(command);
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")).into()
    }

    /// A workspace `lab` with the digits imported and `digits@1.0.0` released.
    pub fn with_digits() -> Self {
        let sandbox = Self::new();
        sandbox.dbag(&["init", "lab"]).expect(0);
        let digits = fixtures().join("digits");
        let images = digits.join("images");
        sandbox.dbag_in("lab", &["import", images.to_str().unwrap(), "--table", "Image"]).expect(0);
        let labels = digits.join("labels.csv");
        let import = ["import", labels.to_str().unwrap(), "--table", "Label", "--key", "filename"];
        sandbox.dbag_in("lab", &import).expect(0);
        sandbox.dbag_in("lab", &["dataset", "create", "digits", "-d", "Digits"]).expect(0);
        sandbox
            .dbag_in("lab", &["dataset", "add", "digits", "--table", "Image", "--table", "Label"])
            .expect(0);
        sandbox.dbag_in("lab", &["release", "digits", "--major", "-m", "first"]).expect(0);
        sandbox
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Files that lie beside a developer's checkout; `None` in a user's clone, after saying so.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {name} is not beside this checkout");
    None
}

/// The Python that the peers run on, or else the system's.
pub fn python() -> Command {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python");
    Command::new(if own.exists() { own } else { "python3".into() })
}

/// A program of the tests' virtual environment, which `cargo xtask test` makes. Without it a plain `cargo test`
/// skips, after saying so; `cargo xtask test` sets `DBAG_TEST_PEERS`, and then its absence is a failure.
pub fn peer(program: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin").join(program);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("DBAG_TEST_PEERS").is_none(), "{} is missing", path.display());
    eprintln!("skipped: {program} is not installed; cargo xtask test installs it");
    None
}

/// Every file below a folder with its bytes, by path.
pub fn tree(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let relative = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
            (relative, fs_err::read(entry.path()).unwrap())
        })
        .collect()
}

/// A file's SHA-256 in hex.
pub fn sha256(path: &Path) -> String {
    use dbag::bag::{Algorithm, NoProgress, hash_reader};
    let mut file = fs_err::File::open(path).unwrap();
    hash_reader(&mut file, &[Algorithm::Sha256], &mut [0; 4096], &NoProgress).unwrap().1[0].to_string()
}

/// A bag written by hand: files, a manifest of SHA-256, and whatever the test adds.
#[derive(Clone)]
pub struct HandBag {
    pub files: Vec<(String, Vec<u8>)>,
}

impl HandBag {
    /// A bag of the declared version with these payload files (paths below `data/`).
    pub fn new(version: &str, payload: &[(&str, &str)]) -> Self {
        let mut manifest = String::new();
        let mut files = vec![(
            "bagit.txt".to_owned(),
            format!("BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n").into_bytes(),
        )];
        for (name, body) in payload {
            manifest.push_str(&format!("{}  data/{name}\n", hex_sha256(body.as_bytes())));
            files.push((format!("data/{name}"), body.as_bytes().to_vec()));
        }
        files.push(("manifest-sha256.txt".into(), manifest.into_bytes()));
        Self { files }
    }

    /// Adds to a file, or makes it.
    pub fn add(self, name: &str, text: &str) -> Self {
        self.bytes(name, text.as_bytes())
    }

    /// Makes a file of bytes, or adds them to it.
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        match self.files.iter_mut().find(|(file, _)| file == name) {
            Some((_, body)) => body.extend_from_slice(bytes),
            None => self.files.push((name.to_owned(), bytes.to_vec())),
        }
        self
    }

    /// Leaves a file out.
    pub fn without(mut self, name: &str) -> Self {
        self.files.retain(|(file, _)| file != name);
        self
    }

    pub fn write(&self, folder: &Path) {
        fs_err::create_dir_all(folder.join("data")).unwrap();
        for (name, body) in &self.files {
            let path = folder.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, body).unwrap();
        }
    }

    /// The bag as a zip archive below `bag/`.
    pub fn zip(&self, path: &Path) {
        let mut zip = zip::ZipWriter::new(fs_err::File::create(path).unwrap());
        for (name, body) in &self.files {
            zip.start_file(format!("bag/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, body).unwrap();
        }
        zip.finish().unwrap();
    }
}

pub fn hex_sha256(bytes: &[u8]) -> String {
    use dbag::bag::{Algorithm, NoProgress, hash_reader};
    hash_reader(&mut &*bytes, &[Algorithm::Sha256], &mut [0; 4096], &NoProgress).unwrap().1[0].to_string()
}
