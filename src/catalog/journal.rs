//! How the file is written: with a write-ahead log where one machine opens it, else with a rollback journal and by one
//! writer at a time. And how it is opened where nothing can be written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::CatalogError;
use super::sql::sqlite;
use crate::settings::JournalMode;

/// What a log that was large once is cut to.
const MOST_LOG: i64 = 16 << 20;
/// Changes of so many octets go past the log where nobody else has the catalog open: it would have them written twice.
/// Readers wait meanwhile, which they do for half a minute; so larger ones go through the log after all.
const BULK: std::ops::Range<u64> = 32 << 20..512 << 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A file beside the catalog's: `catalog.sqlite-wal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Opens a file that is there; for reading only where it or its folder can't be written.
pub(super) fn connect(path: &Path) -> Result<Connection, CatalogError> {
    fs_err::metadata(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| sqlite(path, e))?;
    let looked = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0));
    match looked {
        Ok(_) => Ok(connection),
        Err(error) if is_unwritable(&error) => connect_unwritable(path),
        Err(error) => Err(sqlite(path, error)),
    }
}

/// Whether reading failed since SQLite wanted to make or mend a file.
fn is_unwritable(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::CannotOpen, ErrorCode::ReadOnly, ErrorCode::PermissionDenied];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

/// A file in a folder where nothing can be made. It is whole if no log and no journal lies beside it.
fn connect_unwritable(path: &Path) -> Result<Connection, CatalogError> {
    let is_there = |ending: &str| fs_err::metadata(beside(path, ending)).is_ok_and(|file| file.len() > 0);
    if let Some(ending) = ["-wal", "-journal"].iter().find(|ending| is_there(ending)) {
        let name = beside(path, ending);
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let reason = format!(
            "{name} beside it has changes that are not in it yet, and its folder is read-only; open it where you may \
             write, or copy the folder to such a place"
        );
        return Err(CatalogError::Unreadable { path: path.to_owned(), reason });
    }
    let absolute = std::path::absolute(path)?;
    let fail = |reason: &str| CatalogError::Unreadable { path: path.to_owned(), reason: reason.into() };
    let url = url::Url::from_file_path(&absolute).map_err(|()| fail("its path can't be a URL"))?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("{url}?immutable=1"), flags).map_err(|e| sqlite(path, e))
}

/// The mode that a catalog at this place is to be in.
pub(super) fn resolve(mode: JournalMode, path: &Path) -> JournalMode {
    match mode {
        JournalMode::Auto if is_network(path) => JournalMode::Rollback,
        JournalMode::Auto => JournalMode::Wal,
        other => other,
    }
}

/// Brings the file to a mode, which takes that nobody else has it open where it is in another. A log that could not be
/// had is no harm; a log that could not be left is, on a network's file system. Tells whether this change goes past the
/// log, so that nobody should begin to read before it ends.
pub(super) fn enter(
    connection: &Connection,
    path: &Path,
    mode: JournalMode,
    change: u64,
    patience: Duration,
) -> Result<bool, CatalogError> {
    let fail = |e| sqlite(path, e);
    let ask = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, String>(0));
    let is_wal = has_log(connection, path)?;
    match mode {
        JournalMode::Rollback if is_wal => {
            let began = Instant::now();
            loop {
                match ask("PRAGMA main.journal_mode = DELETE") {
                    Ok(mode) if mode == "delete" => break,
                    Err(error) if !is_busy(&error) => return Err(fail(error)),
                    _ if began.elapsed() > patience => return Err(CatalogError::Busy(path.to_owned())),
                    _ => std::thread::sleep(PAUSE),
                }
            }
        }
        JournalMode::Wal | JournalMode::Auto if BULK.contains(&change) => {
            connection.busy_timeout(Duration::ZERO).map_err(fail)?;
            return Ok(!is_wal || ask("PRAGMA main.journal_mode = DELETE").is_ok_and(|mode| mode == "delete"));
        }
        JournalMode::Wal | JournalMode::Auto => {
            if !is_wal {
                connection.busy_timeout(Duration::ZERO).map_err(fail)?;
                let _ = ask("PRAGMA main.journal_mode = WAL");
            }
            connection.pragma_update(None, "journal_size_limit", MOST_LOG).map_err(fail)?;
        }
        JournalMode::Rollback => {}
    }
    Ok(false)
}

/// Whether another process stands in the way.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether the file is in the mode with a log.
pub(super) fn has_log(connection: &Connection, path: &Path) -> Result<bool, CatalogError> {
    let mode = connection.query_row("PRAGMA main.journal_mode", (), |row| row.get::<_, String>(0));
    Ok(mode.map_err(|e| sqlite(path, e))? == "wal")
}

/// Whether the file system may be seen by other machines. What can't be told is taken for local.
fn is_network(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // NFS, SMB, CIFS, SMB2, Lustre, GPFS, BeeGFS, Ceph, AFS, Coda, PanFS, OrangeFS, 9P, VirtualBox's folders, and
        // FUSE, of which it can't be told what is behind it.
        const NETWORK: [u32; 15] = [
            0x6969,
            0x517B,
            0xFF53_4D42,
            0xFE53_4D42,
            0x0BD0_0BD0,
            0x4750_4653,
            0x1983_0326,
            0x00C3_6400,
            0x5346_414F,
            0x7375_7245,
            0xAAD7_AAEA,
            0x2003_0528,
            0x0102_1997,
            0x786F_4256,
            0x6573_5546,
        ];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The type is as wide as it likes.
        rustix::fs::statfs(path).is_ok_and(|found| NETWORK.contains(&(found.f_type as u32)))
    }
    #[cfg(target_os = "macos")]
    {
        const LOCAL: u32 = 0x1000;
        rustix::fs::statfs(path).is_ok_and(|found| found.f_flags & LOCAL == 0)
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    {
        // \\server\share
        path.to_string_lossy().starts_with(r"\\")
    }
}
