//! What is read of datasets, in a change or outside of one.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Params, params_from_iter};

use super::super::selection::{member_rids, memberships};
use super::super::sql::{Aliases, literal, load_model, quoted, sqlite};
use super::super::{Catalog, CatalogError, Change};
use super::release::Known;
use super::{DatasetDetails, DatasetRef, DatasetSummary, MemberCount, VersionDetails};
use crate::model::{Model, Rid, Snapshot};
use crate::version::{DatasetName, DatasetVersion};

/// After every transaction, the one under way too.
pub(in crate::catalog) const NOW: i64 = i64::MAX - 1;

/// A catalog's datasets for reading.
pub(in crate::catalog) struct View<'v> {
    pub(in crate::catalog) connection: &'v Connection,
    pub(super) path: &'v Path,
    pub(super) model: Cow<'v, Model>,
    pub(in crate::catalog) aliases: Cow<'v, Aliases>,
}

impl Catalog {
    pub(in crate::catalog) fn view(&self) -> Result<View<'_>, CatalogError> {
        Ok(View {
            connection: &self.connection,
            path: &self.path,
            model: Cow::Owned(self.model()?),
            aliases: Cow::Owned(self.aliases()?),
        })
    }
}

impl Change<'_> {
    pub(in crate::catalog) fn view(&self) -> View<'_> {
        View {
            connection: &self.transaction,
            path: &self.path,
            model: Cow::Borrowed(&self.model),
            aliases: Cow::Borrowed(&self.aliases),
        }
    }
}

impl View<'_> {
    pub(in crate::catalog) fn fail(&self, error: rusqlite::Error) -> CatalogError {
        sqlite(self.path, error)
    }

    pub(in crate::catalog) fn model_at(&self, number: i64) -> Result<Model, CatalogError> {
        load_model(self.connection, self.path, number)
    }

    pub(in crate::catalog) fn corrupt(&self, reason: String) -> CatalogError {
        CatalogError::Corrupt { path: self.path.to_owned(), reason }
    }

    pub(in crate::catalog) fn number(&self, sql: &str) -> Result<u64, CatalogError> {
        let number: i64 = self.connection.query_row(sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
        Ok(number.unsigned_abs())
    }

    pub(in crate::catalog) fn texts(
        &self,
        sql: &str,
        parameters: impl Params,
    ) -> Result<Vec<String>, CatalogError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.fail(e))?;
        let texts = statement.query_map(parameters, |row| row.get(0)).and_then(Iterator::collect);
        texts.map_err(|e| self.fail(e))
    }

    fn text(&self, sql: &str, parameters: &[&str]) -> Result<Option<String>, CatalogError> {
        let found = self.connection.query_row(sql, params_from_iter(parameters), |row| row.get(0)).optional();
        found.map_err(|e| self.fail(e))
    }

    fn parse_rid(&self, text: &str) -> Result<Rid, CatalogError> {
        Rid::parse(text).ok_or_else(|| self.corrupt(format!("a dataset has the RID {text:?}")))
    }

    /// The names of the datasets, sorted; of the deleted ones too where `all`.
    pub(super) fn names(&self, all: bool) -> Result<Vec<DatasetName>, CatalogError> {
        let living = if all { "" } else { "WHERE d.\"Deleted\" IS NOT 1" };
        let sql = format!(
            "SELECT n.name FROM dbag_dataset n LEFT JOIN main.\"deriva-ml:Dataset\" d ON d.\"RID\" = n.rid {living} \
             ORDER BY n.name"
        );
        let parse =
            |name: String| name.parse().map_err(|_| self.corrupt(format!("a dataset is named {name:?}")));
        self.texts(&sql, ())?.into_iter().map(parse).collect()
    }

    /// A dataset's RID by its name, if there is one.
    pub(in crate::catalog) fn rid_of(&self, name: &str) -> Result<Option<Rid>, CatalogError> {
        let rid = self.text("SELECT rid FROM dbag_dataset WHERE name = ?", &[name])?;
        rid.map(|rid| self.parse_rid(&rid)).transpose()
    }

    /// A dataset's name, if it has one.
    pub(super) fn name_of(&self, rid: &str) -> Result<Option<DatasetName>, CatalogError> {
        let name = self.text("SELECT name FROM dbag_dataset WHERE rid = ?", &[rid])?;
        let parse =
            |name: String| name.parse().map_err(|_| self.corrupt(format!("a dataset is named {name:?}")));
        name.map(parse).transpose()
    }

    /// What people call a dataset: its name, else its RID.
    pub(in crate::catalog) fn called(&self, rid: &str) -> Result<String, CatalogError> {
        Ok(self.name_of(rid)?.map_or_else(|| rid.to_owned(), |name| name.to_string()))
    }

    fn no_such(&self, called: &str) -> Result<CatalogError, CatalogError> {
        let datasets = self.names(false)?.iter().map(ToString::to_string).collect();
        Ok(CatalogError::NoSuchDataset { name: called.to_owned(), datasets })
    }

    /// The dataset that is called so, by its name or its RID. One without a name is found by its RID alone.
    pub(super) fn find(&self, called: &str) -> Result<Rid, CatalogError> {
        let named = self.rid_of(called)?;
        let sql = "SELECT \"RID\" FROM main.\"deriva-ml:Dataset\" WHERE \"RID\" = ?";
        let identified = self.text(sql, &[called])?.map(|rid| self.parse_rid(&rid)).transpose()?;
        match (named, identified) {
            (Some(named), Some(other)) if named != other => Err(CatalogError::AmbiguousDataset {
                called: called.to_owned(),
                named: named.to_string(),
                other: self.called(other.as_str())?,
            }),
            (Some(rid), _) | (None, Some(rid)) => Ok(rid),
            (None, None) => Err(self.no_such(called)?),
        }
    }

    pub(super) fn named(&self, called: &str) -> Result<DatasetName, CatalogError> {
        let rid = self.find(called)?;
        self.name_of(rid.as_str())?.ok_or_else(|| CatalogError::UnnamedDataset(rid.to_string()))
    }

    pub(in crate::catalog) fn dataset_rid(&self, name: &DatasetName) -> Result<Rid, CatalogError> {
        match self.rid_of(name.as_str())? {
            Some(rid) => Ok(rid),
            None => Err(self.no_such(name.as_str())?),
        }
    }

    /// The RID of a dataset that is not deleted.
    pub(super) fn living(&self, name: &DatasetName) -> Result<Rid, CatalogError> {
        let rid = self.dataset_rid(name)?;
        self.check_living(&rid)?;
        Ok(rid)
    }

    pub(super) fn check_living(&self, rid: &Rid) -> Result<(), CatalogError> {
        if self.is_deleted(rid)? {
            return Err(CatalogError::DatasetDeleted(self.called(rid.as_str())?));
        }
        Ok(())
    }

    pub(super) fn is_deleted(&self, rid: &Rid) -> Result<bool, CatalogError> {
        let sql = "SELECT 1 FROM main.\"deriva-ml:Dataset\" WHERE \"RID\" = ? AND \"Deleted\" IS 1";
        let found = self.connection.query_row(sql, [rid.as_str()], |_| Ok(())).optional();
        Ok(found.map_err(|e| self.fail(e))?.is_some())
    }

    /// The last transaction that a reference sees, and the dataset.
    pub(in crate::catalog) fn moment_of(&self, reference: &DatasetRef) -> Result<(Rid, i64), CatalogError> {
        let rid = self.dataset_rid(&reference.name)?;
        let Some(version) = &reference.version else { return Ok((rid, NOW)) };
        let release = self.release(&reference.name, &rid, version)?;
        Ok((rid, release.number))
    }

    pub(super) fn summary(&self, name: &DatasetName) -> Result<DatasetSummary, CatalogError> {
        let rid = self.dataset_rid(name)?;
        let version = self.versions(&rid)?.pop().map(|version| version.version);
        let members = self.member_counts(&rid, NOW)?.iter().map(|count| count.rows).sum();
        let sql = "SELECT \"Description\" FROM main.\"deriva-ml:Dataset\" WHERE \"RID\" = ?";
        let description: Option<String> =
            self.connection.query_row(sql, [rid.as_str()], |row| row.get(0)).map_err(|e| self.fail(e))?;
        Ok(DatasetSummary {
            name: name.clone(),
            description: description.unwrap_or_default(),
            types: self.types(&rid)?,
            deleted: self.is_deleted(&rid)?,
            rid,
            version,
            members,
        })
    }

    pub(super) fn details(&self, name: &DatasetName) -> Result<DatasetDetails, CatalogError> {
        let summary = self.summary(name)?;
        let rid = summary.rid.clone();
        let versions = self.versions(&rid)?;
        let (mut drift, mut label) = (None, None);
        if let Some(last) = versions.last() {
            let since = self.drift(&rid, last.number)?;
            label = Some(self.label_since(&rid, last, &since)?);
            drift = Some(since);
        }
        let members = self.member_counts(&rid, NOW)?;
        let (children, parents) = (self.children(&rid, NOW)?, self.parents(&rid)?);
        Ok(DatasetDetails { summary, members, children, parents, versions, label, drift })
    }

    /// How many members a dataset had after transaction `number`, by table; tables without any left out.
    pub(super) fn member_counts(&self, rid: &Rid, number: i64) -> Result<Vec<MemberCount>, CatalogError> {
        let mut members = Vec::new();
        for membership in memberships(&self.model) {
            let rids = member_rids(&membership, rid.as_str(), number, &self.aliases);
            let rows = self.number(&format!("SELECT count(*) FROM ({rids})"))?;
            if rows > 0 {
                members.push(MemberCount { table: membership.element.table_name.clone(), rows });
            }
        }
        Ok(members)
    }

    pub(in crate::catalog) fn release(
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

    /// Released versions in the order of their numbers.
    pub(super) fn versions(&self, dataset: &Rid) -> Result<Vec<VersionDetails>, CatalogError> {
        let sql = "SELECT v.\"Version\", v.\"Description\", t.snapshot, t.number, t.actor, \
                   p.adopted, ifnull(p.details, '{}') FROM main.\"deriva-ml:Dataset_Version\" v \
                   JOIN dbag_version p ON p.rid = v.\"RID\" \
                   JOIN dbag_transaction t ON t.number = p.number WHERE v.\"Dataset\" = ?";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query([dataset.as_str()]).map_err(|e| self.fail(e))?;
        let mut versions = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            versions.push(self.version_in(row)?);
        }
        versions.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(versions)
    }

    fn version_in(&self, row: &rusqlite::Row<'_>) -> Result<VersionDetails, CatalogError> {
        let fail = |e| self.fail(e);
        let (label, details): (String, String) = (row.get(0).map_err(fail)?, row.get(6).map_err(fail)?);
        let version = label.parse().map_err(|_| self.corrupt(format!("a version is called {label:?}")))?;
        let Known { nested, log } = serde_json::from_str(&details)
            .map_err(|error| self.corrupt(format!("what is known of the version {label}: {error}")))?;
        Ok(VersionDetails {
            version,
            note: row.get::<_, Option<String>>(1).map_err(fail)?.unwrap_or_default(),
            snapshot: Snapshot::from_micros(row.get(2).map_err(fail)?),
            number: row.get(3).map_err(fail)?,
            actor: row.get(4).map_err(fail)?,
            adopted: row.get(5).map_err(fail)?,
            nested,
            log,
        })
    }

    /// The RID of the row of the version of a dataset that a transaction released.
    pub(super) fn version_row(&self, dataset: &Rid, number: i64) -> Result<Option<String>, CatalogError> {
        let sql = format!(
            "SELECT v.\"RID\" FROM main.\"deriva-ml:Dataset_Version\" v JOIN dbag_version p ON p.rid = v.\"RID\" \
             WHERE v.\"Dataset\" = ? AND p.number = {number}"
        );
        self.text(&sql, &[dataset.as_str()])
    }

    /// The SQL of one column of an association's rows of a dataset, as they were after transaction `number`.
    pub(super) fn linked(&self, table: &str, which: (&str, &str), number: i64) -> Option<String> {
        let table = self.model.table(crate::model::DERIVA_ML, table)?;
        let (column, value) = which;
        let other = table.own_columns().find(|other| other.name != column)?;
        let rows = super::super::read::rows_at(table, &[column, &other.name], number, &self.aliases);
        Some(format!(
            "SELECT {} FROM ({rows}) WHERE {} = {} ORDER BY 1",
            quoted(&other.name),
            quoted(column),
            literal(value)
        ))
    }
}
