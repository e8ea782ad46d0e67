//! The catalog file: making it, opening it, and the one way into a write transaction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, TransactionBehavior};

use super::CatalogError;
use super::change::Change;
use super::execution::Agent;
use super::journal::{connect, enter, has_log, resolve};
use super::layout::{APPLICATION_ID, FORMAT, LAYOUT, SINCE_2, SINCE_3, format_of};
use super::lease::WriterLease;
use super::sql::{Aliases, find_table, is_name, load_model, sqlite};
use super::upgrade::copy_to;
use crate::model::{DERIVA_ML, Model, RidPrefix, Table};
use crate::settings::JournalMode;

/// How long a writer waits for another one.
pub(super) const BUSY: Duration = Duration::from_secs(30);
/// The most that a connection keeps of the file in memory, in KiB.
const CACHE: i64 = 64 << 10;
/// A wait that is longer is told.
const SILENT: Duration = Duration::from_secs(1);

/// Where moments come from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// Always the same moment, in microseconds since 1970-01-01T00:00Z, so that a test repeats itself.
    Fixed(i64),
}

impl Clock {
    fn micros(self) -> i64 {
        match self {
            Self::System => chrono::Utc::now().timestamp_micros(),
            Self::Fixed(micros) => micros,
        }
    }
}

/// How to make a catalog.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// The schema that imported tables go to.
    pub schema: String,
    /// What record ids start with; random where it is `None`.
    pub rid_prefix: Option<RidPrefix>,
    /// What tells the catalog from all others; random where it is `None`.
    pub id: Option<String>,
    /// The clock of this handle.
    pub clock: Clock,
    /// Who makes it.
    pub agent: Agent,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self {
            schema: "domain".into(),
            rid_prefix: None,
            id: None,
            clock: Clock::System,
            agent: Agent::default(),
        }
    }
}

impl CreateOptions {
    /// Refuses a schema's name that can't be one.
    pub fn check(&self) -> Result<(), CatalogError> {
        let taken = [DERIVA_ML, "public"].contains(&self.schema.as_str());
        if taken || !is_name(&self.schema) {
            Err(CatalogError::BadSchemaName(self.schema.clone()))
        } else {
            Ok(())
        }
    }
}

type Notes = Box<dyn Fn(&str) + Send + Sync>;

/// An open catalog. Several processes may hold one; writes take turns.
pub struct Catalog {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    id: String,
    domain_schema: String,
    pub(super) prefix: RidPrefix,
    clock: Clock,
    pub(super) agent: Agent,
    /// `None` where the file is left in the mode that it is in, and no lease is taken: nobody else knows of it.
    pub(super) journal: Option<JournalMode>,
    pub(super) patience: Duration,
    /// How many octets the next change may write.
    expected: u64,
    notes: Option<Notes>,
}

impl Catalog {
    /// Makes a new catalog file with the `deriva-ml` schema's tables.
    pub fn create(path: &Path, options: &CreateOptions) -> Result<Self, CatalogError> {
        if path.exists() {
            return Err(CatalogError::Exists(path.to_owned()));
        }
        options.check()?;
        // Built aside and renamed, so that a catalog is whole or not there.
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut temporary = tempfile::Builder::new();
        // As the umask says, for a workspace may be a group's.
        #[cfg(unix)]
        temporary.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = temporary.prefix(".catalog-").tempfile_in(folder)?;
        let mut seed = [0; 20];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        let bits = u32::from_le_bytes([seed[16], seed[17], seed[18], seed[19]]);
        let prefix = options.rid_prefix.clone().unwrap_or_else(|| RidPrefix::from_bits(bits));
        let random = || seed[..16].iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        let id = options.id.clone().unwrap_or_else(random);
        let connection = Connection::open(temporary.path()).map_err(|e| sqlite(path, e))?;
        let set_up = || -> rusqlite::Result<()> {
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", FORMAT)?;
            connection.execute_batch(LAYOUT)?;
            connection.execute_batch(SINCE_2)?;
            connection.execute_batch(SINCE_3)?;
            for (key, value) in
                [("catalog", id.as_str()), ("schema", &options.schema), ("rid_prefix", prefix.as_str())]
            {
                connection.execute("INSERT INTO dbag_meta VALUES (?, ?)", (key, value))?;
            }
            connection.execute("INSERT INTO dbag_meta VALUES ('next_rid', 0)", ())?;
            connection
                .execute("INSERT INTO dbag_model VALUES (0, ?)", [r#"{"annotations":{},"schemas":{}}"#])?;
            Ok(())
        };
        set_up().map_err(|e| sqlite(path, e))?;
        let mut catalog = Self { journal: None, ..Self::from_connection(connection, path, options.clock)? };
        catalog.agent = options.agent.clone();
        catalog.change("dbag init", |change| change.complete_model(&options.schema))?;
        drop(catalog);
        temporary.persist_noclobber(path).map_err(|e| CatalogError::Io(e.error))?;
        let catalog = Self::open(path, options.clock)?;
        catalog.settle();
        Ok(catalog)
    }

    /// Opens an existing catalog file.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, CatalogError> {
        Self::from_connection(connect(path)?, path, clock)
    }

    pub(super) fn from_connection(
        connection: Connection,
        path: &Path,
        clock: Clock,
    ) -> Result<Self, CatalogError> {
        let fail = |e| sqlite(path, e);
        set_up(&connection).map_err(fail)?;
        let found = format_of(&connection, path)?;
        if found < FORMAT {
            return Err(CatalogError::OlderFormat { path: path.to_owned(), found, known: FORMAT });
        }
        let meta = |key: &str| -> Result<String, CatalogError> {
            let found: rusqlite::Result<String> =
                connection.query_row("SELECT value FROM dbag_meta WHERE key = ?", [key], |row| row.get(0));
            found.map_err(|error| match error.sqlite_error_code() {
                None | Some(rusqlite::ErrorCode::Unknown) => CatalogError::Corrupt {
                    path: path.to_owned(),
                    reason: format!("dbag_meta does not say its {key}"),
                },
                Some(_) => fail(error),
            })
        };
        let (id, domain_schema, prefix) = (meta("catalog")?, meta("schema")?, meta("rid_prefix")?);
        let prefix = RidPrefix::parse(&prefix).ok_or_else(|| CatalogError::Corrupt {
            path: path.to_owned(),
            reason: format!("the RID prefix is {prefix:?}"),
        })?;
        let path = path.to_owned();
        Ok(Self {
            id,
            domain_schema,
            prefix,
            clock,
            agent: Agent::default(),
            journal: Some(JournalMode::Auto),
            patience: BUSY,
            expected: 0,
            notes: None,
            path,
            connection,
        })
    }

    /// Says how the file is written from here on; without it, as its file system is.
    pub fn set_journal(&mut self, mode: JournalMode) {
        self.journal = Some(mode);
    }

    /// Has `f` told what its user should know and what stops nothing: that another process is waited for.
    pub fn on_note(&mut self, f: impl Fn(&str) + Send + Sync + 'static) {
        self.notes = Some(Box::new(f));
    }

    pub(super) fn note(&self, text: &str) {
        if let Some(notes) = &self.notes {
            notes(text);
        }
    }

    /// Writes all that is in the catalog now to a new file, safe on disk, while others may write.
    pub fn copy_to(&self, target: &Path) -> Result<(), CatalogError> {
        copy_to(&self.connection, &self.path, target)
    }

    /// Says about how many octets the next change will write. It may be written faster for it.
    pub fn foresee(&mut self, bytes: u64) {
        self.expected = bytes;
    }

    /// Says who makes the changes from here on; without it, the user whose login runs the process.
    pub fn set_actor(&mut self, actor: &str) {
        actor.clone_into(&mut self.agent.user);
    }

    /// Says who makes the changes from here on, where, and with what program.
    pub fn set_agent(&mut self, agent: Agent) {
        self.agent = agent;
    }

    /// Who makes the changes.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells this catalog from all others.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The schema that imported tables go to.
    #[must_use]
    pub fn domain_schema(&self) -> &str {
        &self.domain_schema
    }

    /// The model as it is now.
    pub fn model(&self) -> Result<Model, CatalogError> {
        self.model_at(i64::MAX)
    }

    /// The model as it was after a transaction.
    pub fn model_at(&self, number: i64) -> Result<Model, CatalogError> {
        load_model(&self.connection, &self.path, number)
    }

    /// A table of the model by its bare name or as `schema:Table`.
    pub fn table(&self, name: &str) -> Result<Table, CatalogError> {
        find_table(&self.model()?, name).cloned()
    }

    /// Runs `f` in one transaction, recorded as made by `command`. Where `f` fails nothing is left; where it
    /// changes nothing, no transaction is recorded. What was spooled comes first, as changes of its own.
    pub fn change<T, E: From<CatalogError>>(
        &mut self,
        command: &str,
        f: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let expected = std::mem::take(&mut self.expected);
        // What hinders that hinders no other change, or will be told by it.
        if let Err(error) = self.fold() {
            self.note(&format!("what was spooled is not folded in yet: {error}"));
        }
        self.expected = expected;
        let done = self.begin(f).and_then(|(result, change)| {
            change.commit(command)?;
            Ok(result)
        });
        self.settle();
        done
    }

    /// Leaves the file in the mode with a log, where it is to be in that; readers are better served by it. Where it can't be
    /// brought to it now, the next change does so.
    fn settle(&self) {
        if let Some(journal) = self.journal
            && resolve(journal, &self.path) == JournalMode::Wal
            && self.connection.is_readonly(MAIN_DB).is_ok_and(|readonly| !readonly)
        {
            let _ = enter(&self.connection, &self.path, JournalMode::Wal, 0, Duration::ZERO);
        }
    }

    /// Runs `f` as [`Catalog::change`] would, with all of its checks, and takes everything back.
    pub fn rehearse<T, E: From<CatalogError>>(
        &mut self,
        f: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.expected = 0;
        let (result, mut change) = self.begin(f)?;
        change.finish("dbag rehearse")?;
        Ok(result)
    }

    /// Runs `f`, which reads what is there now, in a transaction that writes nothing and keeps no writer waiting.
    pub fn look<T, E: From<CatalogError>>(
        &mut self,
        f: impl FnOnce(&Change<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.path.clone();
        let (agent, prefix) = (self.agent.clone(), self.prefix.clone());
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(|e| sqlite(&path, e))?;
        f(&Change::begin(transaction, path, 0, prefix, agent)?)
    }

    pub(super) fn begin<T, E: From<CatalogError>>(
        &mut self,
        f: impl FnOnce(&mut Change<'_>) -> Result<T, E>,
    ) -> Result<(T, Change<'_>), E> {
        let (lease, behavior) = self.take_turn()?;
        let path = self.path.clone();
        let now = self.clock.micros();
        let (agent, prefix) = (self.agent.clone(), self.prefix.clone());
        let transaction =
            self.connection.transaction_with_behavior(behavior).map_err(|e| sqlite(&path, e))?;
        let mut change = Change::begin(transaction, path, now, prefix, agent)?;
        change.hold(lease);
        let result = f(&mut change)?;
        Ok((result, change))
    }

    /// Waits until no other process writes, and says so where that takes long.
    fn take_turn(&mut self) -> Result<(Option<WriterLease>, TransactionBehavior), CatalogError> {
        let expected = std::mem::take(&mut self.expected);
        let fail = |e| sqlite(&self.path, e);
        if self.connection.is_readonly(MAIN_DB).map_err(fail)? {
            let reason = "it may only be read here".to_owned();
            return Err(CatalogError::Unwritable { path: self.path.clone(), reason });
        }
        let Some(journal) = self.journal else { return Ok((None, TransactionBehavior::Immediate)) };
        let mode = resolve(journal, &self.path);
        let lease = if mode == JournalMode::Rollback { Some(self.take_lease()?) } else { None };
        let fail = |e| sqlite(&self.path, e);
        let alone = enter(&self.connection, &self.path, mode, expected, self.patience)?;
        // Who began to read in the middle would keep it from ending.
        let behavior = if alone { TransactionBehavior::Exclusive } else { TransactionBehavior::Immediate };
        self.connection.busy_timeout(SILENT.min(self.patience)).map_err(fail)?;
        let probe = self.connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(fail);
        if matches!(probe, Err(CatalogError::Busy(_))) {
            self.note(&format!("waiting for another dbag that is writing to {}", self.path.display()));
        }
        self.connection.busy_timeout(self.patience).map_err(fail)?;
        Ok((lease, behavior))
    }

    /// Waits for the lease. Nobody can leave the log while this process has it open, so it is not open meanwhile.
    fn take_lease(&mut self) -> Result<WriterLease, CatalogError> {
        let had_log = has_log(&self.connection, &self.path)?;
        if had_log {
            let none = Connection::open_in_memory().map_err(|e| self.fail(e))?;
            drop(std::mem::replace(&mut self.connection, none));
        }
        let lease = WriterLease::take(&self.path, self.patience, &|text| self.note(text));
        if had_log {
            self.connection = connect(&self.path)?;
            set_up(&self.connection).map_err(|e| self.fail(e))?;
        }
        lease
    }

    pub(super) fn aliases(&self) -> Result<Aliases, CatalogError> {
        Aliases::load(&self.connection).map_err(|e| self.fail(e))
    }

    pub(super) fn fail(&self, error: rusqlite::Error) -> CatalogError {
        sqlite(&self.path, error)
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Room to sort a large table's indexes in.
    connection.pragma_update(None, "cache_size", -CACHE)?;
    // A misspelt column in double quotes is an error, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map(drop)
}
