//! Reads credential files whole, and looks at who else could.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

use super::error::{CredentialError, shown};

/// No credential file is larger, in octets; what is larger is something else.
const LARGEST: u64 = 8 << 20;
/// Folders below the cookie folder are searched this deep.
const DEEPEST: usize = 4;

/// The text of a file; None if there is no such file. Adds a warning if others may read it.
pub(super) fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Option<String>, CredentialError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let open_to_others = open_to_others(&file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let wrong = |problem: &str| CredentialError::File { path: path.to_owned(), problem: problem.into() };
    if bytes.len() as u64 > LARGEST {
        return Err(wrong("is larger than 8 MiB, so it holds no credentials"));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if open_to_others && !text.trim().is_empty() {
        let path = shown(path);
        warnings.push(format!("{path} holds secrets that other users can read; run: chmod 600 {path}"));
    }
    Ok(Some(text))
}

#[cfg(unix)]
fn open_to_others(file: &File) -> Result<bool, CredentialError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    // A pipe, as of `DBAG_KEYCHAIN=<(…)`, has a mode that means nothing.
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn open_to_others(_: &File) -> Result<bool, CredentialError> {
    Ok(false)
}

/// The files below a folder whose names end in `cookies.txt`, in the order of their paths; none if there is no such
/// folder. Links to folders are not followed.
pub(super) fn cookie_files(folder: &Path) -> Result<Vec<PathBuf>, CredentialError> {
    let mut files = Vec::new();
    match collect(folder, DEEPEST, &mut files) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        outcome => outcome?,
    }
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                collect(&entry.path(), depth - 1, files)?;
            }
        } else if entry.file_name().as_encoded_bytes().ends_with(b"cookies.txt") {
            let path = entry.path();
            // Nobody named the file, so a pipe must not be waited for.
            if fs_err::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                files.push(path);
            }
        }
    }
    Ok(())
}
