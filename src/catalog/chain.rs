//! The hash chained over the change log: each change's hash covers what is noted of it and the hash before.
//!
//! A release names the hash of its change, so that nobody can alter the log up to there unseen. What a purge blanked in a
//! command keeps the hash that it had.

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

/// What stands for a command of which something was purged.
pub(super) const WITHDRAWN: &str = "(withdrawn)";

/// What is noted of a change.
pub(super) struct Noted<'c> {
    pub number: i64,
    pub snapshot: i64,
    pub command: &'c str,
    pub actor: &'c str,
    pub execution: Option<&'c str>,
    pub undoes: Option<i64>,
}

/// SHA-256 in hex of the JSON array `[before, number, snapshot, command, actor, execution, undoes]`; `before` is the hash of
/// the change before, `""` for the first.
pub(super) fn hash(before: &str, noted: &Noted<'_>) -> String {
    let Noted { number, snapshot, command, actor, execution, undoes } = noted;
    let array = serde_json::json!([before, number, snapshot, command, actor, execution, undoes]);
    let digest = Sha256::digest(array.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of a change; `""` where there is none.
pub(super) fn hash_of(connection: &Connection, number: i64) -> rusqlite::Result<String> {
    let sql = "SELECT ifnull(max(hash), '') FROM dbag_transaction WHERE number = ?";
    connection.query_row(sql, [number], |row| row.get(0))
}

/// Gives every change from `first` on its hash.
pub(super) fn chain_from(connection: &Connection, first: i64) -> rusqlite::Result<()> {
    let mut before = hash_of(connection, first - 1)?;
    let mut set = connection.prepare("UPDATE dbag_transaction SET hash = ? WHERE number = ?")?;
    for_each(connection, first, |noted, _| {
        before = hash(&before, noted);
        set.execute((&before, noted.number)).map(drop)
    })
}

/// The changes whose hash is not what the chain says. What was withdrawn counts as it stands.
pub(super) fn broken(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let (mut before, mut broken) = (String::new(), Vec::new());
    for_each(connection, 1, |noted, found| {
        let right = found == hash(&before, noted) || (noted.command == WITHDRAWN && found.len() == 64);
        if !right {
            broken.push(noted.number);
        }
        found.clone_into(&mut before);
        Ok(())
    })?;
    Ok(broken)
}

fn for_each(
    connection: &Connection,
    first: i64,
    mut f: impl FnMut(&Noted<'_>, &str) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT number, snapshot, command, actor, execution, undoes, ifnull(hash, '') FROM dbag_transaction \
               WHERE number >= ? ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([first])?;
    while let Some(row) = rows.next()? {
        let (command, actor): (String, String) = (row.get(2)?, row.get(3)?);
        let execution: Option<String> = row.get(4)?;
        let noted = Noted {
            number: row.get(0)?,
            snapshot: row.get(1)?,
            command: &command,
            actor: &actor,
            execution: execution.as_deref(),
            undoes: row.get(5)?,
        };
        f(&noted, &row.get::<_, String>(6)?)?;
    }
    Ok(())
}
