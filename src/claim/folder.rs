//! The folder of work under way, which any run may take away when it is done and finds nothing in it.

use std::io;
use std::path::Path;

/// Times that a folder which is taken away again and again is made again: more often than runs end at one moment.
const ROUNDS: u32 = 100;

/// Makes the folder. In a folder that belongs to a group the group may write to it, whatever the umask.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    match fs_err::create_dir(folder) {
        Ok(()) => share(folder),
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs_err::create_dir_all(folder),
        Err(error) => Err(error),
    }
}

/// Makes something in the folder, and the folder first where another run took it away meanwhile.
pub(crate) fn make_in<T>(folder: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..ROUNDS {
        match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(folder)?,
            other => return other,
        }
    }
    make()
}

fn share(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let above = folder.parent().and_then(|above| fs_err::metadata(above).ok());
        if above.is_some_and(|above| above.permissions().mode() & 0o2020 == 0o2020) {
            fs_err::set_permissions(folder, PermissionsExt::from_mode(0o2775))?;
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
