//! The walk: which tables a dataset reaches by foreign keys, and by which paths. deriva-ml's rules, so that a bag cut here holds
//! what one cut there would.
//!
//! Foreign keys are followed in both directions. No path comes to a table twice; a vocabulary is entered and never left;
//! an execution or a workflow is entered and left only by what it refers to; a membership is entered only from its dataset,
//! and only where the dataset has members of that kind.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::kind::is_ml;
use super::{DERIVA_ML, ForeignKey, Model, Table};

/// The schemas that hold nothing of a dataset's.
const OUTSIDE: [&str; 4] = ["public", "_acl_admin", "www", "WWW"];
/// Tables that much else refers to.
const TERMINAL: [&str; 2] = ["Execution", "Workflow"];
/// Paths to one table, at most.
const PATHS: usize = 16;

/// What the walk leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WalkRules {
    /// Tables that are not entered, by qualified name.
    pub exclude: BTreeSet<String>,
    /// Foreign keys from the dataset, at most.
    pub max_depth: Option<usize>,
    /// Only members are entered from memberships, and only vocabularies from members.
    pub members_only: bool,
    /// Executions and workflows are left both ways. No dataset is cut so: it tells what their being an end keeps out.
    pub past_terminals: bool,
}

/// One step along a foreign key.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'m> {
    /// The foreign key.
    pub key: &'m ForeignKey,
    /// Whether the step goes from the table that refers to the one that is referred to.
    pub outbound: bool,
}

/// A table as the end of one path. The path is that of `parent` and one hop more.
#[derive(Debug, Clone, Copy)]
pub struct Step<'m> {
    /// The table.
    pub table: &'m Table,
    /// The step before, and the hop from it; `None` for the dataset's own.
    pub from: Option<(usize, Hop<'m>)>,
    /// Hops from the dataset.
    pub depth: usize,
}

/// Every path, each step after the one that it comes from.
#[derive(Debug, Clone)]
pub struct Walk<'m> {
    /// The steps; the first is the dataset's own table.
    pub steps: Vec<Step<'m>>,
}

impl Model {
    /// Walks from `deriva-ml:Dataset`. `None` where the model has no such table.
    #[must_use]
    pub fn walk(&self, rules: &WalkRules) -> Option<Walk<'_>> {
        let start = self.table(DERIVA_ML, "Dataset")?;
        let edges = self.edges();
        let memberships: HashMap<String, bool> = self
            .memberships()
            .iter()
            .map(|membership| (membership.table.qualified_name(), membership.is_nesting()))
            .collect();
        let mut walk = Walk { steps: vec![Step { table: start, from: None, depth: 0 }] };
        let mut paths: HashMap<String, usize> = HashMap::new();
        let mut queue = VecDeque::from([0]);
        while let Some(at) = queue.pop_front() {
            let step = walk.steps[at];
            let name = step.table.qualified_name();
            if step.table.is_vocabulary() || rules.max_depth.is_some_and(|most| step.depth >= most) {
                continue;
            }
            for (to, hop) in edges.get(&name).into_iter().flatten() {
                let target = to.qualified_name();
                let is_open = match memberships.get(&target) {
                    Some(_) => at == 0,
                    None => true,
                };
                if !is_open
                    || rules.exclude.contains(&target)
                    || (!hop.outbound && !rules.past_terminals && is_terminal(step.table))
                    || (rules.members_only && !is_of_members(&walk, at, to, &memberships))
                    || walk.passes(at, &target)
                {
                    continue;
                }
                let count = paths.entry(target).or_default();
                if *count < PATHS {
                    *count += 1;
                    walk.steps.push(Step { table: to, from: Some((at, *hop)), depth: step.depth + 1 });
                    queue.push_back(walk.steps.len() - 1);
                }
            }
        }
        Some(walk)
    }

    /// The tables that each table touches, by qualified name, in the model's order.
    fn edges(&self) -> HashMap<String, Vec<(&Table, Hop<'_>)>> {
        let mut edges: HashMap<String, Vec<(&Table, Hop<'_>)>> = HashMap::new();
        for table in self.tables().filter(|table| !is_outside(table)) {
            for key in &table.foreign_keys {
                let Some(to) = self.referenced(key).filter(|to| !is_outside(to)) else { continue };
                let outbound = (to, Hop { key, outbound: true });
                edges.entry(table.qualified_name()).or_default().push(outbound);
                edges.entry(to.qualified_name()).or_default().push((table, Hop { key, outbound: false }));
            }
        }
        edges
    }
}

impl<'m> Walk<'m> {
    /// The steps of a path, the dataset's own first.
    #[must_use]
    pub fn path(&self, mut at: usize) -> Vec<usize> {
        let mut path = vec![at];
        while let Some((before, _)) = self.steps[at].from {
            path.push(before);
            at = before;
        }
        path.reverse();
        path
    }

    /// A path as people read it: `Dataset > Dataset_Image > Image`.
    #[must_use]
    pub fn shown(&self, at: usize) -> String {
        let names = self.path(at).into_iter().map(|step| self.steps[step].table.table_name.as_str());
        names.collect::<Vec<_>>().join(" > ")
    }

    /// The ends of paths to a table.
    pub fn to<'w>(&'w self, table: &'w Table) -> impl Iterator<Item = usize> + 'w {
        let same = |step: &Step<'m>| {
            step.table.schema_name == table.schema_name && step.table.table_name == table.table_name
        };
        (0..self.steps.len()).filter(move |at| same(&self.steps[*at]))
    }

    fn passes(&self, at: usize, table: &str) -> bool {
        self.path(at).into_iter().any(|step| self.steps[step].table.qualified_name() == table)
    }
}

/// Whether a table belongs to a schema that no walk enters.
#[must_use]
pub fn is_outside(table: &Table) -> bool {
    OUTSIDE.contains(&table.schema_name.as_str())
}

/// Whether a table is left only by what it refers to.
#[must_use]
pub fn is_terminal(table: &Table) -> bool {
    TERMINAL.iter().any(|name| is_ml(table, name))
}

/// Whether a step belongs to what is taken where only members are: the dataset's own tables, memberships, members, and the
/// vocabularies that these refer to.
fn is_of_members(walk: &Walk<'_>, at: usize, to: &Table, memberships: &HashMap<String, bool>) -> bool {
    let from = walk.steps[at].table;
    let is_membership = |table: &Table| memberships.contains_key(&table.qualified_name());
    match at {
        0 => is_membership(to) || is_ml(to, "Dataset_Version") || is_ml(to, "Dataset_Dataset_Type"),
        _ => is_membership(from) || to.is_vocabulary(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column, ColumnType};

    fn table(schema: &str, name: &str, references: &[(&str, &str, &str)]) -> Table {
        let mut table = Table::new(schema, name, "");
        for (column, schema, to) in references {
            table.column_definitions.push(Column::new(column, ColumnType::new("text")));
            table.add_foreign_key(column, schema, to, "RID");
        }
        table
    }

    fn association(name: &str, references: &[(&str, &str, &str)]) -> Table {
        let mut table = table("domain", name, references);
        let columns: Vec<&str> = references.iter().map(|(column, ..)| *column).collect();
        table.add_key(&columns);
        table
    }

    /// A dataset of images, of which each is of a subject that has reports.
    fn model() -> Model {
        let mut model = Model::default();
        let ml = DERIVA_ML;
        for made in [
            table(ml, "Dataset", &[]),
            table(ml, "Workflow", &[]),
            table(ml, "Execution", &[("Workflow", ml, "Workflow")]),
            table(ml, "Dataset_Version", &[("Dataset", ml, "Dataset"), ("Execution", ml, "Execution")]),
            table("domain", "Subject", &[]),
            table("domain", "Image", &[("Subject", "domain", "Subject")]),
            table("domain", "Report", &[("Subject", "domain", "Subject"), ("Execution", ml, "Execution")]),
            table("domain", "Log", &[("Execution", ml, "Execution")]),
            table("public", "Client", &[("Subject", "domain", "Subject")]),
            association("Dataset_Image", &[("Dataset", ml, "Dataset"), ("Image", "domain", "Image")]),
            association("Dataset_Subject", &[("Dataset", ml, "Dataset"), ("Subject", "domain", "Subject")]),
        ] {
            model.put_table(made);
        }
        model
    }

    fn paths(rules: &WalkRules) -> Vec<String> {
        let model = model();
        let walk = model.walk(rules).unwrap();
        (0..walk.steps.len()).map(|at| walk.shown(at)).collect()
    }

    #[test]
    fn both_ways_along_foreign_keys_and_to_no_table_twice() {
        let paths = paths(&WalkRules::default());
        assert!(
            paths.contains(
                &"Dataset > Dataset_Image > Image > Subject > Report > Execution > Workflow".into()
            )
        );
        assert!(paths.contains(&"Dataset > Dataset_Subject > Subject > Image".into()));
        // Not back from an execution to all that it made, not through a membership to other datasets, not to the server's tables.
        for never in ["Log", "Client", "Image > Dataset_Image", "Subject > Dataset_Subject"] {
            assert!(!paths.iter().any(|path| path.contains(never)), "{never}: {paths:#?}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_passed_either() {
        let exclude = BTreeSet::from(["domain:Subject".to_owned()]);
        let without = paths(&WalkRules { exclude, ..WalkRules::default() });
        assert!(without.iter().any(|path| path.ends_with("> Image")));
        assert!(!without.iter().any(|path| path.contains("Report")));
        let near = paths(&WalkRules { max_depth: Some(2), ..WalkRules::default() });
        assert!(near.iter().any(|path| path.ends_with("> Image")));
        assert!(!near.iter().any(|path| path.ends_with("> Report")));
        let members = paths(&WalkRules { members_only: true, ..WalkRules::default() });
        assert_eq!(members.iter().filter(|path| path.ends_with("> Image")).count(), 1);
        assert!(!members.iter().any(|path| path.contains("Report") || path.contains("Execution")));
    }
}
