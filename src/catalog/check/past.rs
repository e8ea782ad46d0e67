//! Changes and history: numbers without gaps, and for each row one version at a time.

use super::{CheckReport, Checked, Fault, SHOWN};
use crate::catalog::CatalogError;
use crate::catalog::chain::broken;
use crate::catalog::sql::{literal, sql_names};
use crate::model::Table;

impl Checked<'_> {
    /// Changes are numbered from 1 without gaps, and later ones have later snapshots.
    pub(super) fn transactions(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        report.transactions = self.number("SELECT count(*) FROM dbag_transaction")?.unsigned_abs();
        let gaps = "SELECT 'change ' || number AS a, 'comes after ' || before || ', so that changes are missing' AS b \
                    FROM (SELECT number, lag(number, 1, 0) OVER (ORDER BY number) AS before FROM dbag_transaction) \
                    WHERE number <> before + 1";
        self.tell(report, "E412", gaps)?;
        let times = "SELECT 'change ' || number AS a, 'has an earlier snapshot than the one before' AS b \
                     FROM (SELECT number, snapshot, lag(snapshot) OVER (ORDER BY number) AS before \
                     FROM dbag_transaction) WHERE snapshot <= before";
        self.tell(report, "E413", times)?;
        let later = format!(
            "SELECT 'the model since change ' || number AS a, 'is of a change that was not made' AS b \
             FROM dbag_model WHERE number < 0 OR number > {last} UNION ALL \
             SELECT 'version ' || rid, 'is of change ' || number || ', which was not made' \
             FROM dbag_version WHERE number < 1 OR number > {last} UNION ALL \
             SELECT 'change ' || number, 'takes back change ' || undoes || ', which is not before it' \
             FROM dbag_transaction WHERE undoes >= number OR undoes < 1",
            last = self.last
        );
        self.tell(report, "E414", &later)?;
        self.chain(report)?;
        self.purge(report)?;
        if !self.whole.iter().any(|table| table.qualified_name() == "deriva-ml:Execution") {
            return Ok(());
        }
        let unmade = "SELECT 'change ' || number AS a, 'was made by ' || execution || ', which is no execution' AS b \
                      FROM dbag_transaction WHERE execution IS NOT NULL AND execution NOT IN (SELECT \"RID\" \
                      FROM main.\"deriva-ml:Execution\" UNION ALL SELECT \"RID\" FROM main.\"deriva-ml:Execution@history\")";
        self.tell(report, "E415", unmade)
    }

    /// No purge is under way.
    fn purge(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        if self.number("SELECT count(*) FROM dbag_meta WHERE key = 'purge'")? > 0 {
            let message = "was stopped before its end; dbag purge --finish ends it";
            report.faults.push(Fault::new("W419", "a purge", message));
        }
        Ok(())
    }

    /// The log's hashes are those of what it says.
    fn chain(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        for number in
            broken(&self.change.transaction).map_err(|e| self.change.fail(e))?.into_iter().take(SHOWN)
        {
            let message = "has another hash than what is noted of it: the log was altered";
            report.faults.push(Fault::new("E418", format!("change {number}"), message));
        }
        Ok(())
    }

    /// A row's versions: each lasts, begins and ends with a change that was made, and no two last at once.
    pub(super) fn past(&self, table: &Table, report: &mut CheckReport) -> Result<(), CatalogError> {
        let ((live, history), last) = (sql_names(table), self.last);
        let place = format!("{} || ' ' || ifnull(\"RID\", '(no RID)')", literal(&table.qualified_name()));
        let odd = format!(
            "SELECT {place} AS a, 'was so from change ' || \"dbag:from\" || ' to change ' || \"dbag:to\" \
             || ', of ' || {last} AS b FROM main.{history} \
             WHERE \"dbag:from\" < 1 OR \"dbag:from\" >= \"dbag:to\" OR \"dbag:to\" > {last} UNION ALL \
             SELECT {place}, 'is so since change ' || \"dbag:from\" || ', of ' || {last} FROM main.{live} \
             WHERE \"dbag:from\" < 1 OR \"dbag:from\" > {last}"
        );
        self.tell(report, "E416", &odd)?;
        let overlaps = format!(
            "SELECT {place} AS a, 'has two versions at change ' || next AS b FROM (\
             SELECT \"RID\", until, lead(\"dbag:from\") OVER (PARTITION BY \"RID\" ORDER BY \"dbag:from\", until) AS next \
             FROM (SELECT \"RID\", \"dbag:from\", \"dbag:to\" AS until FROM main.{history} UNION ALL \
             SELECT \"RID\", \"dbag:from\", {max} FROM main.{live} WHERE \"RID\" IN (SELECT \"RID\" FROM main.{history}))) \
             WHERE next < until",
            max = i64::MAX
        );
        self.tell(report, "E417", &overlaps)
    }
}
