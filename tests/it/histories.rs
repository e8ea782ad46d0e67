//! Random histories: every version that was released, exported after all that came later, holds what a model in memory says.

use std::collections::{BTreeMap, BTreeSet};

use dbag::bag::NoProgress;
use dbag::catalog::{CatalogError, Change, CreateOptions, ReleaseOptions, Rows};
use dbag::export::{ExportOptions, export};
use dbag::model::{Column, ColumnType, Table};
use dbag::open::Workspace;
use dbag::tabular::Value;
use dbag::version::{Bump, DatasetName, VersionRef};
use proptest::prelude::*;

use crate::bag_import::rows_of_bag;
use crate::support::Sandbox;

/// What there is: subjects with their names, images with their subjects, members and nesting of two datasets.
#[derive(Debug, Clone, Default)]
struct World {
    subjects: BTreeMap<String, String>,
    images: BTreeMap<String, Option<String>>,
    members: [BTreeSet<String>; 2],
    nested: bool,
}

/// Images with their subjects, and subjects with their names, as a bag has them.
type Held = (BTreeMap<String, Option<String>>, BTreeMap<String, String>);

impl World {
    /// What the first dataset holds.
    fn held(&self) -> Held {
        let inner = self.members[1].iter().filter(|_| self.nested);
        let images: BTreeMap<String, Option<String>> =
            self.members[0].iter().chain(inner).map(|rid| (rid.clone(), self.images[rid].clone())).collect();
        let subjects = images.values().flatten().map(|rid| (rid.clone(), self.subjects[rid].clone()));
        let subjects = subjects.collect();
        (images, subjects)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Subject,
    Image(u8),
    Rename(u8, u8),
    Move(u8, u8),
    Delete(u8),
    Join(u8),
    Leave(u8),
    Nest,
    Unnest,
    Release,
    Beside,
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..8_u8;
    prop_oneof![
        3 => Just(Step::Subject),
        4 => any.clone().prop_map(Step::Image),
        2 => (any.clone(), any.clone()).prop_map(|(a, b)| Step::Rename(a, b)),
        2 => (any.clone(), any.clone()).prop_map(|(a, b)| Step::Move(a, b)),
        1 => any.clone().prop_map(Step::Delete),
        5 => any.clone().prop_map(Step::Join),
        2 => any.prop_map(Step::Leave),
        1 => Just(Step::Nest),
        1 => Just(Step::Unnest),
        4 => Just(Step::Release),
        1 => Just(Step::Beside),
    ]
}

fn lab(sandbox: &Sandbox, names: &[DatasetName; 2]) -> Workspace {
    let mut lab = Workspace::init(&sandbox.path("lab"), &CreateOptions::default()).unwrap();
    let mut subject = Table::new("domain", "Subject", "");
    subject.column_definitions.push(Column::new("name", ColumnType::new("text")));
    let mut image = Table::new("domain", "Image", "");
    image.column_definitions.push(Column::new("Subject", ColumnType::new("text")));
    image.add_foreign_key("Subject", "domain", "Subject", "RID");
    let put = |change: &mut Change<'_>| {
        change.put_table(subject.clone())?;
        change.put_table(image.clone()).map(drop)
    };
    lab.catalog.change::<_, CatalogError>("test", put).unwrap();
    for name in names {
        lab.catalog.create_dataset(name, "").unwrap();
    }
    lab
}

fn nth<V>(map: &BTreeMap<String, V>, at: u8) -> Option<String> {
    map.keys().nth(usize::from(at) % map.len().max(1)).cloned()
}

fn text(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.clone()))
}

/// Does a step to both; what can't be is done to neither. The version that it released, if it did.
fn act(
    lab: &mut Workspace,
    world: &mut World,
    names: &[DatasetName; 2],
    step: &Step,
    at: usize,
) -> Option<VersionRef> {
    let catalog = &mut lab.catalog;
    let set = |change: &mut Change<'_>, table: &str, rid: &str, column: &str, value: Value| {
        let writer = change.writer(&change.table(table)?)?;
        change.set(&writer, rid, &[(column, value)])
    };
    match *step {
        Step::Subject | Step::Image(_) => {
            let of = if let Step::Image(of) = *step { nth(&world.subjects, of) } else { None };
            let name = format!("subject {at}");
            let (table, value) = match step {
                Step::Subject => ("Subject", text(Some(&name))),
                _ => ("Image", text(of.as_ref())),
            };
            let insert = |change: &mut Change<'_>| {
                let writer = change.writer(&change.table(table)?)?;
                change.insert(&writer, std::slice::from_ref(&value))
            };
            let rid = catalog.change::<_, CatalogError>("test", insert).unwrap().to_string();
            match step {
                Step::Subject => drop(world.subjects.insert(rid, name)),
                _ => drop(world.images.insert(rid, of)),
            }
        }
        Step::Rename(a, b) => {
            let rid = nth(&world.subjects, a)?;
            let name = format!("renamed {b}");
            catalog.change("test", |change| set(change, "Subject", &rid, "name", text(Some(&name)))).unwrap();
            world.subjects.insert(rid, name);
        }
        Step::Move(a, b) => {
            let (rid, subject) = (nth(&world.images, a)?, nth(&world.subjects, b));
            catalog
                .change("test", |change| set(change, "Image", &rid, "Subject", text(subject.as_ref())))
                .unwrap();
            world.images.insert(rid, subject);
        }
        Step::Delete(a) => {
            let rid =
                nth(&world.images, a).filter(|rid| world.members.iter().all(|all| !all.contains(rid)))?;
            let delete = |change: &mut Change<'_>| change.delete(&change.table("Image")?, &rid);
            catalog.change::<_, CatalogError>("test", delete).unwrap();
            world.images.remove(&rid);
        }
        Step::Join(a) | Step::Leave(a) => {
            let rid = nth(&world.images, a)?;
            let (rids, which) = ([rid.clone()], usize::from(a % 2));
            if matches!(step, Step::Join(_)) {
                catalog.add_rows(&names[which], Rows::Rids(&rids)).unwrap();
                world.members[which].insert(rid);
            } else {
                catalog.remove_rows(&names[which], Rows::Rids(&rids)).unwrap();
                world.members[which].remove(&rid);
            }
        }
        Step::Nest => {
            catalog.nest_datasets(&names[0], &[names[1].to_string()]).unwrap();
            world.nested = true;
        }
        Step::Unnest => {
            catalog.unnest_datasets(&names[0], &[names[1].to_string()]).unwrap();
            world.nested = false;
        }
        Step::Release => {
            let options = ReleaseOptions { with_nested: true, ..Bump::Minor.into() };
            // Refused where there is nothing to release.
            return catalog.release_dataset(&names[0], options, "").ok().map(|release| release.reference);
        }
        Step::Beside => {
            // What is learnt of places changes no version.
            let place = catalog.place("/srv/site", Some("https://h.example.org/")).unwrap();
            let file = ("ab".to_owned(), format!("https://h.example.org/{at}"));
            catalog.record_published(place.id, [file]).unwrap();
        }
    }
    None
}

fn held_by(path: &std::path::Path) -> Held {
    let all = rows_of_bag(path);
    let column = |table: &str, column: &str| -> BTreeMap<String, Option<String>> {
        let rows = all.get(&format!("domain:{table}")).cloned().unwrap_or_default();
        rows.into_iter().map(|(rid, cells)| (rid, cells[column].clone())).collect()
    };
    let names = column("Subject", "name").into_iter().map(|(rid, name)| (rid, name.unwrap()));
    (column("Image", "Subject"), names.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn versions_are_what_they_were_and_so_are_their_bags(steps in proptest::collection::vec(step(), 10..60)) {
        let sandbox = Sandbox::new();
        let names: [DatasetName; 2] = ["outer".parse().unwrap(), "inner".parse().unwrap()];
        let mut lab = lab(&sandbox, &names);
        let (mut world, mut released) = (World::default(), Vec::new());
        let cut = |lab: &Workspace, reference: &VersionRef, threads: usize| {
            let options = ExportOptions { threads, force: true, ..ExportOptions::new(&sandbox.path("bag.zip")) };
            export(&lab.catalog, &lab.objects, reference, &options, &NoProgress).unwrap().bag.sha256
        };
        for (at, step) in steps.iter().enumerate() {
            if let Some(reference) = act(&mut lab, &mut world, &names, step, at) {
                let first = cut(&lab, &reference, 2);
                released.push((reference, world.held(), first));
            }
        }
        for (reference, held, first) in &released {
            for threads in [1, 2] {
                prop_assert_eq!(&cut(&lab, reference, threads), first, "{}", reference);
            }
            prop_assert_eq!(&held_by(&sandbox.path("bag.zip")), held, "{}", reference);
        }
    }
}
