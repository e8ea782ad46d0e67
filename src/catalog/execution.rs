//! Who or what makes a change: every one is made by a row of `deriva-ml:Execution`, of a workflow that names the program.

use serde::{Deserialize, Serialize};

use super::sql::{quoted, sqlite};
use super::{CatalogError, Change};
use crate::model::{DERIVA_ML, Rid};
use crate::tabular::Value;

/// What makes changes: a person at a machine, with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Who: the login of the process, unless told otherwise. It goes to RCB and RMB.
    pub user: String,
    /// At which machine.
    pub host: String,
    /// With what.
    pub program: Program,
}

/// A command or a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name, such as `dbag`; the workflow of a command is named after program and command.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where its code is; for a script of your own, its repository at a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The checksum of its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl Default for Agent {
    fn default() -> Self {
        let user =
            std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "unknown".into());
        Self { user, host: host_name(), program: Program::default() }
    }
}

impl Default for Program {
    fn default() -> Self {
        Self { name: "dbag".into(), version: env!("CARGO_PKG_VERSION").into(), url: None, checksum: None }
    }
}

fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() { "unknown".into() } else { name }
}

impl Change<'_> {
    /// The RID of the execution that makes this change. Its row is written with the change.
    pub fn execution(&mut self) -> Rid {
        if let Some(rid) = &self.execution {
            return rid.clone();
        }
        let rid = self.new_rid();
        self.execution = Some(rid.clone());
        rid
    }

    /// Writes the execution's row, and its workflow's where that is new. Nothing where the model has no such tables.
    pub(super) fn record_execution(&mut self, command: &str) -> Result<Option<Rid>, CatalogError> {
        let tables = ["Workflow", "Execution"].map(|name| self.model.table(DERIVA_ML, name).cloned());
        let [Some(workflows), Some(executions)] = tables else { return Ok(None) };
        let workflow = self.workflow(&workflows, command)?;
        let rid = self.execution();
        let detail = format!("{}@{}", self.agent.user, self.agent.host);
        let writer = self.writer(&executions)?;
        let values = writer.row(&[
            ("Workflow", Value::Text(workflow.to_string())),
            ("Description", Value::Text(command.to_owned())),
            // deriva-ml's word for a run that is over, of which its server knows nothing yet.
            ("Status", Value::Text("Stopped".into())),
            ("Status_Detail", Value::Text(detail)),
        ]);
        self.insert_as(
            &writer,
            &super::SystemValues { rid: Some(rid.clone()), ..Default::default() },
            &values,
        )?;
        Ok(Some(rid))
    }

    /// The workflow of this program and command, found by name, version, URL and checksum, or made.
    fn workflow(&mut self, table: &crate::model::Table, command: &str) -> Result<Rid, CatalogError> {
        let program = self.agent.program.clone();
        let name = workflow_name(&program, command);
        let url = program.url.unwrap_or_else(|| format!("tag:dbag,2026:{}", name.replace(' ', ":")));
        let (live, _) = super::sql::sql_names(table);
        let sql = format!(
            "SELECT {} FROM main.{live} WHERE \"Name\" IS ? AND \"Version\" IS ? AND \"URL\" IS ? AND \"Checksum\" IS ?",
            quoted("RID")
        );
        let known = {
            use rusqlite::OptionalExtension;
            let parameters = (&name, &program.version, &url, &program.checksum);
            let found =
                self.transaction.query_row(&sql, parameters, |row| row.get::<_, String>(0)).optional();
            found.map_err(|e| sqlite(&self.path, e))?
        };
        if let Some(rid) = known.as_deref().and_then(Rid::parse) {
            return Ok(rid);
        }
        let writer = self.writer(table)?;
        let values = writer.row(&[
            ("Name", Value::Text(name)),
            ("URL", Value::Text(url)),
            ("Version", Value::Text(program.version)),
            ("Checksum", program.checksum.map_or(Value::Null, Value::Text)),
        ]);
        self.insert(&writer, &values)
    }
}

/// `dbag import` of `dbag import labels.csv --table Label`; a script's own name.
fn workflow_name(program: &Program, command: &str) -> String {
    let mut words = command.split_whitespace();
    if words.next() == Some(program.name.as_str()) {
        let verbs: Vec<&str> = words
            .take_while(|word| {
                !word.starts_with('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            })
            .take(2)
            .collect();
        // `dbag dataset add` has two verbs, `dbag release digits` one and a name.
        let twofold = ["dataset", "table", "vocab", "feature"];
        let count = if verbs.first().is_some_and(|verb| twofold.contains(verb)) { 2 } else { 1 };
        let verbs = verbs.into_iter().take(count).collect::<Vec<_>>().join(" ");
        return format!("{} {verbs}", program.name).trim_end().to_owned();
    }
    program.name.clone()
}
