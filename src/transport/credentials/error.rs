//! Why the credentials could not be read. The messages name a place, and never what is written there.

use std::io;
use std::path::{Path, PathBuf};

/// A credential file, or an environment variable, that dbag can't make sense of.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file is there and can't be read; the message names it.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// The file as a whole is not what it should be.
    #[error("{} {problem}", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The rest of the sentence.
        problem: String,
    },
    /// A line of a `.netrc` or cookie file, or the line where a JSON file stops being JSON.
    #[error("line {line} of {} {problem}", shown(path))]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The rest of the sentence.
        problem: String,
    },
    /// An entry of a JSON file.
    #[error("entry {entry} of {} {problem}", shown(path))]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry in the order of the file, from 1.
        entry: usize,
        /// The rest of the sentence.
        problem: String,
    },
    /// An environment variable.
    #[error("the environment variable {variable} {problem}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// The rest of the sentence.
        problem: String,
    },
}

/// A path for people: `~` for their home folder.
pub(super) fn shown(path: &Path) -> String {
    let inside = std::env::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    inside.map_or_else(
        || path.display().to_string(),
        |inside| Path::new("~").join(inside).display().to_string(),
    )
}
