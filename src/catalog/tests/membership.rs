//! A random life of two datasets: who is a member of which, released now and then.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::catalog::{Catalog, CatalogError, CreateOptions, DatasetRef, Rows};
use crate::model::{Column, ColumnType, Table};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName, DatasetVersion};

#[derive(Debug, Clone)]
enum Step {
    Insert(u8),
    Change(u8),
    Delete(u8),
    Add(bool, Vec<u8>),
    Remove(bool, Vec<u8>),
    Release(bool),
    Undo,
}

fn step() -> impl Strategy<Value = Step> {
    let some = || proptest::collection::vec(any::<u8>(), 1..5);
    prop_oneof![
        3 => (1..5_u8).prop_map(Step::Insert),
        2 => any::<u8>().prop_map(Step::Change),
        2 => any::<u8>().prop_map(Step::Delete),
        4 => (any::<bool>(), some()).prop_map(|(which, rows)| Step::Add(which, rows)),
        3 => (any::<bool>(), some()).prop_map(|(which, rows)| Step::Remove(which, rows)),
        2 => any::<bool>().prop_map(Step::Release),
        1 => Just(Step::Undo),
    ]
}

/// What is, and what was at each version: each member's value by its RID.
#[derive(Debug, Clone, Default)]
struct State {
    rows: BTreeMap<String, i64>,
    members: [BTreeSet<String>; 2],
}

struct Life {
    catalog: Catalog,
    names: [DatasetName; 2],
    state: State,
    /// The state before each change that can be undone.
    before: Vec<State>,
    released: Vec<(usize, DatasetVersion, BTreeMap<String, i64>)>,
}

impl Life {
    fn new(folder: &std::path::Path) -> Self {
        let mut catalog = Catalog::create(&folder.join("catalog.sqlite"), &CreateOptions::default()).unwrap();
        let mut table = Table::new("domain", "Item", "");
        table.column_definitions.push(Column::new("value", ColumnType::new("int8")));
        catalog.change("dbag test", |change| change.put_table(table.clone())).unwrap();
        let names = ["one", "two"].map(|name| name.parse().unwrap());
        for name in &names {
            catalog.create_dataset(name, "").unwrap();
        }
        Self { catalog, names, state: State::default(), before: Vec::new(), released: Vec::new() }
    }

    fn rids(&self, numbers: &[u8]) -> Vec<String> {
        let all: Vec<&String> = self.state.rows.keys().collect();
        let nth = |number: &u8| all.get(usize::from(*number) % all.len().max(1)).map(|rid| (*rid).clone());
        numbers.iter().filter_map(nth).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn items(
        &mut self,
        f: impl FnOnce(&mut crate::catalog::Change<'_>, &mut State) -> Result<(), CatalogError>,
    ) {
        let state = &mut self.state;
        self.catalog.change("dbag test", |change| f(change, state)).unwrap();
    }

    fn take(&mut self, step: &Step) {
        let then = self.state.clone();
        let number = self.catalog.number_at(&crate::catalog::Moment::Now).unwrap();
        match step {
            Step::Insert(count) => self.items(|change, state| {
                let table = change.table("Item")?;
                for value in 0..i64::from(*count) {
                    let rid = change.insert(&change.writer(&table)?, &[Value::Integer(value)])?;
                    state.rows.insert(rid.to_string(), value);
                }
                Ok(())
            }),
            Step::Change(which) => {
                let rids = self.rids(&[*which]);
                self.items(|change, state| {
                    let writer = change.writer(&change.table("Item")?)?;
                    for rid in &rids {
                        change.update(&writer, rid, &[Value::Integer(1000)])?;
                        state.rows.insert(rid.clone(), 1000);
                    }
                    Ok(())
                });
            }
            Step::Delete(which) => {
                let rids = self.rids(&[*which]);
                let is_member = |rid: &String| self.state.members.iter().any(|members| members.contains(rid));
                if let Some(rid) = rids.first().filter(|rid| is_member(rid)) {
                    let refused =
                        self.catalog.change("dbag test", |change| change.delete(&change.table("Item")?, rid));
                    assert!(matches!(refused, Err(CatalogError::StillReferred { .. })), "{refused:?}");
                    return;
                }
                self.items(|change, state| {
                    for rid in &rids {
                        change.delete(&change.table("Item")?, rid)?;
                        state.rows.remove(rid);
                    }
                    Ok(())
                });
            }
            Step::Add(which, numbers) => {
                let (which, rids) = (usize::from(*which), self.rids(numbers));
                let (added, _) = self.catalog.add_rows(&self.names[which], Rows::Rids(&rids)).unwrap();
                let new = rids.iter().filter(|rid| self.state.members[which].insert((*rid).clone())).count();
                assert_eq!(added, new as u64);
            }
            Step::Remove(which, numbers) => {
                let (which, rids) = (usize::from(*which), self.rids(numbers));
                let (removed, _) = self.catalog.remove_rows(&self.names[which], Rows::Rids(&rids)).unwrap();
                let gone = rids.iter().filter(|rid| self.state.members[which].remove(*rid)).count();
                assert_eq!(removed, gone as u64);
            }
            Step::Release(which) => return self.release(usize::from(*which)),
            Step::Undo => return self.undo(),
        }
        if self.catalog.number_at(&crate::catalog::Moment::Now).unwrap() > number {
            self.before.push(then);
        }
    }

    fn release(&mut self, which: usize) {
        match self.catalog.release_dataset(&self.names[which], Bump::Minor, "") {
            Ok(release) => {
                let of = |rid: &String| (rid.clone(), self.state.rows[rid]);
                let held = self.state.members[which].iter().map(of).collect();
                self.released.push((which, release.reference.version, held));
                // It stands for ever, and what came before it too.
                self.before.clear();
            }
            Err(CatalogError::NoMembers(_)) => assert!(self.state.members[which].is_empty()),
            Err(CatalogError::NothingToRelease { .. }) => {
                let last = self.released.iter().rfind(|(of, ..)| *of == which).unwrap();
                let of = |rid: &String| (rid.clone(), self.state.rows[rid]);
                assert_eq!(last.2, self.state.members[which].iter().map(of).collect::<BTreeMap<_, _>>());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn undo(&mut self) {
        match (self.catalog.undo(false), self.before.pop()) {
            (Ok(_), Some(then)) => self.state = then,
            (Err(CatalogError::Released(_)), None) => {}
            // The datasets and the table would go.
            (Ok(_), None) => panic!("something was undone that no step did"),
            (other, then) => panic!("{other:?} {then:?}"),
        }
    }

    /// What a dataset holds: now, or at a version.
    fn held(&self, which: usize, version: Option<DatasetVersion>) -> BTreeMap<String, i64> {
        let name = self.names[which].clone();
        let reference = DatasetRef { name: name.clone(), version: version.clone() };
        let members = self.catalog.dataset_members(&reference, None, false).unwrap();
        let moment = match version {
            Some(version) => {
                crate::catalog::Moment::Version(crate::version::VersionRef { name, version }.into())
            }
            None => crate::catalog::Moment::Now,
        };
        let table = self.catalog.table("Item").unwrap();
        let value = |rid: &str| match self.catalog.row_at(&table, rid, &moment).unwrap().as_deref() {
            Some([Value::Integer(value)]) => *value,
            other => panic!("{rid}: {other:?}"),
        };
        members.iter().map(|member| (member.rid.clone(), value(&member.rid))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_version_keeps_its_members_and_their_values(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut life = Life::new(folder.path());
        for step in &steps {
            // What made the table and the datasets is not to be undone.
            if matches!(step, Step::Undo) && life.before.is_empty() && life.released.is_empty() {
                continue;
            }
            life.take(step);
            for which in 0..2 {
                let of = |rid: &String| (rid.clone(), life.state.rows[rid]);
                let expected: BTreeMap<String, i64> = life.state.members[which].iter().map(of).collect();
                prop_assert_eq!(life.held(which, None), expected);
            }
        }
        for (which, version, held) in &life.released {
            prop_assert_eq!(&life.held(*which, Some(version.clone())), held, "{}", version);
        }
    }
}
