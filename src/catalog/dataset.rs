//! Datasets: made, filled, released, and what has drifted since the last release.

use rusqlite::{OptionalExtension, params_from_iter};

use super::selection::{member_rids, memberships};
use super::sql::{quoted, sql_names, sqlite};
use super::{Catalog, CatalogError, Change};
use crate::model::{DERIVA_ML, Rid, Snapshot, Table, membership_table};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName, DatasetVersion, VersionRef};

/// A dataset in a list.
#[derive(Debug, Clone)]
pub struct DatasetSummary {
    /// Its name.
    pub name: DatasetName,
    /// Its id.
    pub rid: Rid,
    /// What it is.
    pub description: String,
    /// The newest released version.
    pub version: Option<DatasetVersion>,
    /// Its members now.
    pub members: u64,
}

/// The members of one element type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberCount {
    /// The element table.
    pub table: String,
    /// How many of its rows are members.
    pub rows: u64,
}

/// A dataset in full.
#[derive(Debug, Clone)]
pub struct DatasetDetails {
    /// Name, id, description, newest version.
    pub summary: DatasetSummary,
    /// Its members now, by table.
    pub members: Vec<MemberCount>,
    /// Its released versions, oldest first.
    pub versions: Vec<VersionDetails>,
    /// What has changed since the newest version; `None` before the first.
    pub drift: Option<Drift>,
}

/// A released version.
#[derive(Debug, Clone)]
pub struct VersionDetails {
    /// The label.
    pub version: DatasetVersion,
    /// The snapshot that it stands for.
    pub snapshot: Snapshot,
    /// What was said of it.
    pub note: String,
    /// The transaction that made it.
    pub(super) number: i64,
}

/// Change in a dataset since a release, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// Members added.
    pub added: u64,
    /// Members removed.
    pub removed: u64,
    /// Members whose row has changed.
    pub changed: u64,
}

impl Drift {
    /// Whether anything has changed.
    #[must_use]
    pub fn any(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }
}

/// What a release made.
#[derive(Debug, Clone)]
pub struct Release {
    /// Name and version.
    pub reference: VersionRef,
    /// The dataset's id.
    pub rid: Rid,
    /// The snapshot that the version stands for.
    pub snapshot: Snapshot,
    /// The members that it holds, by table.
    pub members: Vec<MemberCount>,
}

impl Catalog {
    /// Makes an empty dataset.
    pub fn create_dataset(&mut self, name: &DatasetName, description: &str) -> Result<Rid, CatalogError> {
        self.change(&format!("dbag dataset create {name}"), |change| {
            if change.dataset_rid(name)?.is_some() {
                return Err(CatalogError::DatasetExists(name.clone()));
            }
            let table = change.table("deriva-ml:Dataset")?;
            let writer = change.writer(&table)?;
            let described = ("Description", Value::Text(description.to_owned()));
            let values = writer.row(&[described, ("Deleted", Value::Boolean(false))]);
            let rid = change.insert(&writer, &values)?;
            change.name_dataset(name, &rid)?;
            Ok(rid)
        })
    }

    /// Makes rows of a table members: those for which `condition` holds, or all. Returns how many are new.
    pub fn add_table_members(
        &mut self,
        name: &DatasetName,
        table: &str,
        condition: Option<&str>,
    ) -> Result<(u64, u64), CatalogError> {
        let rid = self.dataset_rid(name)?;
        let schema = self.domain_schema().to_owned();
        self.change(&format!("dbag dataset add {name} --table {table}"), |change| {
            let table = element_table(change, table)?;
            let rids = change.rids_where(&table, condition)?;
            let added = change.add_members(&schema, &rid, &table, &rids)?;
            Ok((added, rids.len() as u64 - added))
        })
    }

    /// Makes rows members by their ids. Returns how many are new and how many were members before.
    pub fn add_members(&mut self, name: &DatasetName, rids: &[String]) -> Result<(u64, u64), CatalogError> {
        let dataset = self.dataset_rid(name)?;
        let schema = self.domain_schema().to_owned();
        self.change(&format!("dbag dataset add {name}"), |change| {
            let mut added = 0;
            for rid in rids {
                let table = change.find_row(rid)?;
                added += change.add_members(&schema, &dataset, &table, std::slice::from_ref(rid))?;
            }
            Ok((added, rids.len() as u64 - added))
        })
    }

    /// Releases a dataset as it is: the version is this transaction's snapshot for ever.
    pub fn release_dataset(
        &mut self,
        name: &DatasetName,
        bump: Bump,
        note: &str,
    ) -> Result<Release, CatalogError> {
        let rid = self.dataset_rid(name)?;
        let details = self.dataset_details(name)?;
        let last = details.summary.version;
        if details.members.is_empty() {
            return Err(CatalogError::NoMembers(name.clone()));
        }
        if let (Some(version), Some(drift)) = (&last, details.drift)
            && !drift.any()
        {
            return Err(CatalogError::NothingToRelease { name: name.clone(), version: version.clone() });
        }
        let version = DatasetVersion::next(last.as_ref(), bump);
        let snapshot = self.change(&format!("dbag release {name} {version}"), |change| {
            let versions = change.table("deriva-ml:Dataset_Version")?;
            let text = |text: &str| Value::Text(text.to_owned());
            let snapshot = change.snapshot();
            let writer = change.writer(&versions)?;
            let values = writer.row(&[
                ("Version", text(&version.to_string())),
                ("Description", text(note)),
                ("Dataset", text(rid.as_str())),
                ("Execution", text(change.execution().as_str())),
                ("Snapshot", text(&snapshot.to_string())),
            ]);
            let row = change.insert(&writer, &values)?;
            let datasets = change.writer(&change.table("deriva-ml:Dataset")?)?;
            change.set(&datasets, rid.as_str(), &[("Version", text(row.as_str()))])?;
            Ok::<_, CatalogError>(snapshot)
        })?;
        let reference = VersionRef { name: name.clone(), version };
        Ok(Release { reference, rid, snapshot, members: details.members })
    }

    /// Every dataset, by name.
    pub fn datasets(&self) -> Result<Vec<DatasetSummary>, CatalogError> {
        let names = self.dataset_names()?;
        let parse = |name: String| {
            name.parse().map_err(|_| CatalogError::Corrupt {
                path: self.path.clone(),
                reason: format!("a dataset is named {name:?}"),
            })
        };
        names.into_iter().map(|name| Ok(self.dataset_details(&parse(name)?)?.summary)).collect()
    }

    /// All about one dataset.
    pub fn dataset_details(&self, name: &DatasetName) -> Result<DatasetDetails, CatalogError> {
        let rid = self.dataset_rid(name)?;
        let (model, aliases) = (self.model()?, self.aliases()?);
        let mut members = Vec::new();
        for membership in memberships(&model) {
            let sql = format!(
                "SELECT count(*) FROM ({})",
                member_rids(&membership, rid.as_str(), i64::MAX - 1, &aliases)
            );
            let rows = self.number(&sql)?;
            if rows > 0 {
                members.push(MemberCount { table: membership.element.table_name.clone(), rows });
            }
        }
        let versions = self.versions(&rid)?;
        let drift = versions.last().map(|version| self.drift(&rid, version.number)).transpose()?;
        let sql = "SELECT \"Description\" FROM \"deriva-ml:Dataset\" WHERE \"RID\" = ?";
        let description: Option<String> =
            self.connection.query_row(sql, [rid.as_str()], |row| row.get(0)).map_err(|e| self.fail(e))?;
        let summary = DatasetSummary {
            name: name.clone(),
            rid,
            description: description.unwrap_or_default(),
            version: versions.last().map(|version| version.version.clone()),
            members: members.iter().map(|count| count.rows).sum(),
        };
        Ok(DatasetDetails { summary, members, versions, drift })
    }

    pub(super) fn dataset_rid(&self, name: &DatasetName) -> Result<Rid, CatalogError> {
        let rid: Option<String> = self
            .connection
            .query_row("SELECT rid FROM dbag_dataset WHERE name = ?", [name.as_str()], |row| row.get(0))
            .optional()
            .map_err(|e| self.fail(e))?;
        match rid.as_deref().map(Rid::parse) {
            Some(Some(rid)) => Ok(rid),
            Some(None) => {
                Err(CatalogError::Corrupt { path: self.path.clone(), reason: format!("the RID of {name}") })
            }
            None => {
                Err(CatalogError::NoSuchDataset { name: name.to_string(), datasets: self.dataset_names()? })
            }
        }
    }

    pub(super) fn release(
        &self,
        name: &DatasetName,
        rid: &Rid,
        version: &DatasetVersion,
    ) -> Result<VersionDetails, CatalogError> {
        let versions = self.versions(rid)?;
        let labels: Vec<String> = versions.iter().map(|details| details.version.to_string()).collect();
        versions.into_iter().find(|details| details.version == *version).ok_or_else(|| {
            CatalogError::NoSuchVersion { name: name.clone(), version: version.clone(), versions: labels }
        })
    }

    fn dataset_names(&self) -> Result<Vec<String>, CatalogError> {
        let mut statement = self
            .connection
            .prepare("SELECT name FROM dbag_dataset ORDER BY name")
            .map_err(|e| self.fail(e))?;
        let names = statement.query_map((), |row| row.get(0)).and_then(Iterator::collect);
        names.map_err(|e| self.fail(e))
    }

    /// Released versions in the order of their numbers.
    fn versions(&self, dataset: &Rid) -> Result<Vec<VersionDetails>, CatalogError> {
        let sql = "SELECT v.\"Version\", v.\"Description\", t.snapshot, t.number FROM \"deriva-ml:Dataset_Version\" v
            JOIN dbag_transaction t ON t.number = v.\"dbag:from\" WHERE v.\"Dataset\" = ?";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query([dataset.as_str()]).map_err(|e| self.fail(e))?;
        let mut versions = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            let cells = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))();
            let (label, note, micros, number): (String, Option<String>, i64, i64) =
                cells.map_err(|e| self.fail(e))?;
            let version = label.parse().map_err(|_| CatalogError::Corrupt {
                path: self.path.clone(),
                reason: format!("a version is called {label:?}"),
            })?;
            let snapshot = Snapshot::from_micros(micros);
            versions.push(VersionDetails { version, snapshot, note: note.unwrap_or_default(), number });
        }
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(versions)
    }

    /// Members added, removed and changed since transaction `since`.
    fn drift(&self, dataset: &Rid, since: i64) -> Result<Drift, CatalogError> {
        let (model, aliases) = (self.model()?, self.aliases()?);
        let mut drift = Drift::default();
        let now = i64::MAX - 1;
        for membership in memberships(&model) {
            let (then, now) = (
                member_rids(&membership, dataset.as_str(), since, &aliases),
                member_rids(&membership, dataset.as_str(), now, &aliases),
            );
            drift.added += self.number(&format!("SELECT count(*) FROM ({now} EXCEPT {then})"))?;
            drift.removed += self.number(&format!("SELECT count(*) FROM ({then} EXCEPT {now})"))?;
            let (live, _) = sql_names(membership.element);
            let changed =
                format!("SELECT count(*) FROM {live} WHERE \"dbag:from\" > {since} AND \"RID\" IN ({then})");
            drift.changed += self.number(&changed)?;
        }
        Ok(drift)
    }

    fn number(&self, sql: &str) -> Result<u64, CatalogError> {
        let number: i64 = self.connection.query_row(sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
        Ok(number.unsigned_abs())
    }
}

/// A table whose rows can be members: not one of the `deriva-ml` schema.
fn element_table(change: &Change<'_>, name: &str) -> Result<Table, CatalogError> {
    let table = change.table(name)?;
    let model = change.model();
    if table.schema_name == DERIVA_ML || model.membership(&table).is_some() {
        let tables = model
            .tables()
            .filter(|table| table.schema_name != DERIVA_ML && model.membership(table).is_none());
        return Err(CatalogError::NoSuchTable {
            name: name.to_owned(),
            tables: tables.map(|table| table.table_name.clone()).collect(),
        });
    }
    Ok(table)
}

impl Change<'_> {
    fn dataset_rid(&self, name: &DatasetName) -> Result<Option<String>, CatalogError> {
        self.transaction()
            .query_row("SELECT rid FROM dbag_dataset WHERE name = ?", [name.as_str()], |row| row.get(0))
            .optional()
            .map_err(|e| sqlite(self.path(), e))
    }

    /// The element table that has a row of this id.
    fn find_row(&self, rid: &str) -> Result<Table, CatalogError> {
        let memberships: Vec<String> =
            memberships(self.model()).iter().map(|membership| membership.table.qualified_name()).collect();
        for table in self.model().tables() {
            if table.schema_name == DERIVA_ML || memberships.contains(&table.qualified_name()) {
                continue;
            }
            let (live, _) = sql_names(table);
            let sql = format!("SELECT 1 FROM {live} WHERE \"RID\" = ?");
            let found = self.transaction().query_row(&sql, [rid], |_| Ok(())).optional();
            if found.map_err(|e| sqlite(self.path(), e))?.is_some() {
                return Ok(table.clone());
            }
        }
        Err(CatalogError::NoSuchRow(rid.to_owned()))
    }

    /// Adds those of the rows that are no members yet; makes the association where it is new.
    fn add_members(
        &mut self,
        schema: &str,
        dataset: &Rid,
        element: &Table,
        rids: &[String],
    ) -> Result<u64, CatalogError> {
        let found = memberships(self.model()).into_iter().find_map(|membership| {
            (membership.element.qualified_name() == element.qualified_name())
                .then(|| (membership.table.clone(), membership.dataset_column.to_owned()))
        });
        let (association, outer) = match found {
            Some(found) => found,
            None => {
                let table = membership_table(schema, element);
                self.put_table(table.clone())?;
                (table, "Dataset".to_owned())
            }
        };
        // An association has no columns of its own but these two, in either order.
        let columns: Vec<&str> = association.own_columns().map(|column| column.name.as_str()).collect();
        let values = |rid: &str| -> Vec<Value> {
            let value = |column: &&str| if **column == outer { dataset.as_str() } else { rid };
            columns.iter().map(|column| Value::Text(value(column).to_owned())).collect()
        };
        let is = columns.iter().map(|column| format!("{} = ?", quoted(column))).collect::<Vec<_>>();
        let sql = format!("SELECT 1 FROM ({}) WHERE {}", self.now(&association), is.join(" AND "));
        let writer = self.writer(&association)?;
        let mut added = 0;
        for rid in rids {
            let known = {
                let mut statement =
                    self.transaction().prepare_cached(&sql).map_err(|e| sqlite(self.path(), e))?;
                statement.exists(params_from_iter(values(rid))).map_err(|e| sqlite(self.path(), e))?
            };
            if !known {
                self.insert(&writer, &values(rid))?;
                added += 1;
            }
        }
        Ok(added)
    }
}
