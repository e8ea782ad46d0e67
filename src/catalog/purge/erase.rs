//! Rows erased, with what they were; the texts that tell of them blanked; tombstones set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::chain::WITHDRAWN;
use super::super::reach::{IdSet, Ids, SelectOptions, Subject};
use super::super::sql::{literal, quoted, sql_names};
use super::super::{CatalogError, Change};
use super::plan::Plan;
use super::{Held, Purged};
use crate::bag::{Algorithm, Digest};
use crate::model::{SYSTEM_COLUMNS, Table};
use crate::version::DatasetVersion;

/// A value that is so short says nothing of a row where the log does not tell of that row.
const SHORT: usize = 4;

/// What was in rows that go.
#[derive(Default)]
struct Traces {
    /// The changes that made or ended them.
    numbers: BTreeSet<i64>,
    /// Texts that were in them, but for references.
    texts: BTreeSet<String>,
    /// Digests of files.
    sha256: BTreeSet<String>,
    superseded: u64,
}

impl Change<'_> {
    /// Erases rows, and sets a tombstone for each.
    pub(super) fn erase(&mut self, plan: &Plan, reason: &str) -> Result<Purged, CatalogError> {
        let mut purged = Purged::default();
        let held = self.held_by_versions(plan)?;
        let mut traces = Traces::default();
        for (name, rids) in plan {
            let table = self.table(name)?;
            for rid in rids {
                self.trace(&table, rid, &mut traces)?;
            }
        }
        for (name, rids) in plan {
            let table = self.table(name)?;
            let (live, history) = sql_names(&table);
            for rid in rids {
                for rows in [&live, &history] {
                    let sql = format!("DELETE FROM main.{rows} WHERE \"RID\" = ?");
                    self.run(&sql, [rid])?;
                }
                self.touch(&table);
                let held = held.get(rid).cloned().unwrap_or_default();
                self.bury(name, rid, reason, &held)?;
                purged.held.extend(held);
            }
            purged.tables.insert(name.clone(), rids.len() as u64);
            purged.rids.extend(rids.iter().cloned());
        }
        purged.superseded = traces.superseded;
        purged.held.sort();
        purged.held.dedup();
        purged.commands = self.blank_commands(&traces)?;
        self.let_files_go(&traces, &mut purged)?;
        self.name_what_is_elsewhere(&traces, &mut purged)?;
        let objects: Vec<String> = purged.objects.iter().map(ToString::to_string).collect();
        let pending = serde_json::to_string(&objects).unwrap_or_else(|_| "[]".into());
        self.run("INSERT OR REPLACE INTO dbag_meta VALUES ('purge', ?)", [pending])?;
        Ok(purged)
    }

    fn run(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, CatalogError> {
        let done =
            self.transaction().prepare_cached(sql).and_then(|mut statement| statement.execute(parameters));
        done.map_err(|e| self.fail(e))
    }

    fn bury(&self, table: &str, rid: &str, reason: &str, held: &BTreeSet<Held>) -> Result<(), CatalogError> {
        let held = serde_json::to_string(held).unwrap_or_else(|_| "[]".into());
        let sql = "INSERT OR REPLACE INTO dbag_tombstone VALUES (?, ?, ?, ?, ?, ?)";
        self.run(sql, (rid, table, self.number, reason, &self.agent.user, held)).map(drop)
    }

    /// Notes what the versions of a row hold.
    fn trace(&self, table: &Table, rid: &str, traces: &mut Traces) -> Result<(), CatalogError> {
        let references: BTreeSet<&str> = table
            .foreign_keys
            .iter()
            .flat_map(|key| key.foreign_key_columns.iter().map(|column| column.column_name.as_str()))
            .collect();
        let (live, history) = sql_names(table);
        for (rows, is_past) in [(live, false), (history, true)] {
            let sql = format!("SELECT * FROM main.{rows} WHERE \"RID\" = ?");
            let mut statement = self.transaction().prepare(&sql).map_err(|e| self.fail(e))?;
            let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut found = statement.query([rid]).map_err(|e| self.fail(e))?;
            while let Some(row) = found.next().map_err(|e| self.fail(e))? {
                traces.superseded += u64::from(is_past);
                for (at, name) in names.iter().enumerate() {
                    let cell = row.get_ref(at).map_err(|e| self.fail(e))?;
                    if name.starts_with("dbag:") {
                        traces.numbers.extend(cell.as_i64().ok());
                        continue;
                    }
                    let Ok(text) = cell.as_str() else { continue };
                    if name == "SHA256" {
                        traces.sha256.insert(text.to_owned());
                    }
                    if name == "MD5"
                        && let Some(sha256) = self.object_by_md5(text)?
                    {
                        traces.sha256.insert(sha256);
                    }
                    let is_own =
                        !SYSTEM_COLUMNS.contains(&name.as_str()) && !references.contains(name.as_str());
                    if is_own && text.chars().count() > 1 {
                        traces.texts.insert(text.to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    fn object_by_md5(&self, md5: &str) -> Result<Option<String>, CatalogError> {
        use rusqlite::OptionalExtension;
        let sql = "SELECT sha256 FROM dbag_object WHERE md5 = ?";
        self.transaction().query_row(sql, [md5], |row| row.get(0)).optional().map_err(|e| self.fail(e))
    }

    /// Blanks the commands that say what was in the rows, in the log and in the executions that it is of.
    fn blank_commands(&mut self, traces: &Traces) -> Result<Vec<i64>, CatalogError> {
        let sql = "SELECT number, command, execution FROM dbag_transaction ORDER BY number";
        let rows: Vec<(i64, String, Option<String>)> = {
            let mut statement = self.transaction().prepare(sql).map_err(|e| self.fail(e))?;
            let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.and_then(Iterator::collect).map_err(|e| self.fail(e))?
        };
        let mut blanked = Vec::new();
        for (number, command, execution) in rows {
            let is_theirs = traces.numbers.contains(&number);
            let tells = |text: &String| {
                (is_theirs || text.chars().count() >= SHORT) && command.contains(text.as_str())
            };
            if !traces.texts.iter().any(tells) {
                continue;
            }
            blanked.push(number);
            self.run("UPDATE dbag_transaction SET command = ? WHERE number = ?", (WITHDRAWN, number))?;
            let Some(rid) = execution else { continue };
            for rows in ["deriva-ml:Execution", "deriva-ml:Execution@history"] {
                let sql = format!("UPDATE main.{} SET \"Description\" = ? WHERE \"RID\" = ?", quoted(rows));
                self.run(&sql, (WITHDRAWN, &rid))?;
            }
        }
        Ok(blanked)
    }

    /// Names the files that no row names any more, and forgets what is known of them.
    fn let_files_go(&mut self, traces: &Traces, purged: &mut Purged) -> Result<(), CatalogError> {
        let tables: Vec<Table> = self.model().tables().cloned().collect();
        for hex in &traces.sha256 {
            let mut named = false;
            for table in &tables {
                named = named || self.names_file(table, hex)?;
            }
            if named {
                continue;
            }
            let sql = "SELECT path FROM dbag_file WHERE sha256 = ?";
            let paths: Vec<String> = {
                let mut statement = self.transaction().prepare_cached(sql).map_err(|e| self.fail(e))?;
                let rows = statement.query_map([hex], |row| row.get(0));
                rows.and_then(Iterator::collect).map_err(|e| self.fail(e))?
            };
            purged.in_place.extend(paths);
            self.run("DELETE FROM dbag_file WHERE sha256 = ?", [hex])?;
            self.run("DELETE FROM dbag_object WHERE sha256 = ?", [hex])?;
            purged.objects.extend(Digest::parse(Algorithm::Sha256, hex).ok());
        }
        Ok(())
    }

    /// Whether any row, now or ever, names a file.
    fn names_file(&self, table: &Table, sha256: &str) -> Result<bool, CatalogError> {
        let by_md5 = format!("(SELECT md5 FROM dbag_object WHERE sha256 = {})", literal(sha256));
        let (live, history) = sql_names(table);
        let mut conditions = Vec::new();
        conditions.extend(table.column("SHA256").map(|_| format!("\"SHA256\" = {}", literal(sha256))));
        conditions.extend(table.column("MD5").map(|_| format!("\"MD5\" IN {by_md5}")));
        if conditions.is_empty() {
            return Ok(false);
        }
        for rows in [live, history] {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{rows} WHERE {})", conditions.join(" OR "));
            let found: bool =
                self.transaction().query_row(&sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names what dbag can't withdraw: published files, and bags of the versions.
    fn name_what_is_elsewhere(&self, traces: &Traces, purged: &mut Purged) -> Result<(), CatalogError> {
        let view = self.view();
        for hex in &traces.sha256 {
            let urls = view.texts("SELECT url FROM dbag_published WHERE sha256 = ? ORDER BY url", [hex])?;
            purged.published.extend(urls);
        }
        for Held { dataset, version } in &purged.held {
            purged.versions.push(format!("{}@{version}", view.called(dataset)?));
            let sql = "SELECT sha256 FROM dbag_bag WHERE dataset = ? AND version = ? ORDER BY sha256";
            for bag in view.texts(sql, (dataset, version))? {
                let sql = "SELECT path FROM dbag_bag WHERE sha256 = ?1 AND path IS NOT NULL UNION ALL \
                           SELECT url FROM dbag_bag WHERE sha256 = ?1 AND url IS NOT NULL UNION ALL \
                           SELECT minid FROM dbag_bag WHERE sha256 = ?1 AND minid IS NOT NULL";
                let places = view.texts(sql, [&bag])?;
                purged.bags.push((bag, places));
            }
        }
        purged.bags.sort();
        purged.bags.dedup();
        Ok(())
    }

    /// The released versions that hold each row.
    fn held_by_versions(&self, plan: &Plan) -> Result<HashMap<String, BTreeSet<Held>>, CatalogError> {
        let view = self.view();
        let mut held: HashMap<String, BTreeSet<Held>> = HashMap::new();
        let sql = "SELECT v.\"Dataset\", v.\"Version\", p.number FROM dbag_version p \
                   JOIN main.\"deriva-ml:Dataset_Version\" v ON v.\"RID\" = p.rid ORDER BY p.number";
        let versions: Vec<(String, String, i64)> = {
            let mut statement = self.transaction().prepare(sql).map_err(|e| self.fail(e))?;
            let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.and_then(Iterator::collect).map_err(|e| self.fail(e))?
        };
        let options = SelectOptions::default();
        for (dataset, version, number) in versions {
            let Some(rid) = crate::model::Rid::parse(&dataset) else { continue };
            if version.parse::<DatasetVersion>().is_err() {
                continue;
            }
            let model = view.model_at(number)?;
            let family = view.family(&rid, number)?;
            let subject = Subject { family: &family, number, options: &options };
            let Some(walk) = model.walk(&view.walk_rules(&model, &subject)?) else { continue };
            let mut ids = Ids::default();
            let family: IdSet = family.iter().map(|rid| ids.id(rid.as_str())).collect();
            let by_table: BTreeMap<&String, IdSet> = plan
                .iter()
                .map(|(table, rids)| (table, rids.iter().map(|rid| ids.id(rid)).collect()))
                .collect();
            for (name, rows) in by_table {
                let Some(table) = model.tables().find(|table| table.qualified_name() == *name) else {
                    continue;
                };
                for end in walk.to(table).collect::<Vec<_>>() {
                    for id in view.held(&mut ids, &walk, end, &rows, &family, number)? {
                        let version = Held { dataset: dataset.clone(), version: version.clone() };
                        held.entry(ids.text(id)).or_default().insert(version);
                    }
                }
            }
        }
        Ok(held)
    }
}
