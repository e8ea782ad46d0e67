use std::collections::BTreeMap;

use super::*;
use crate::catalog::{Change, Clock, CreateOptions};
use crate::model::{Column, ColumnType, DERIVA_ML, FeatureColumns, RidPrefix, Table, feature_table};
use crate::partition::{Method, Missing, PartSpec, PartitionError, Size};
use crate::tabular::Value;
use crate::version::Bump;

/// A catalog with 12 subjects of two sexes and 60 scans of them, all members of `scans`.
struct Lab {
    catalog: Catalog,
    _folder: tempfile::TempDir,
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn name(text: &str) -> DatasetName {
    text.parse().unwrap()
}

fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
    let mut catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
    let plain = |name: &str| Column::new(name, ColumnType::new("text"));
    let mut subject = Table::new("domain", "Subject", "");
    subject.column_definitions.push(plain("Sex"));
    let mut scan = Table::new("domain", "Scan", "");
    scan.column_definitions.extend([plain("Subject"), plain("Grade"), plain("PSD.1")]);
    scan.add_foreign_key("Subject", "domain", "Subject", "RID");
    let fill = |change: &mut Change<'_>| -> Result<(), CatalogError> {
        change.put_table(subject.clone())?;
        change.put_table(scan.clone())?;
        let (subjects, scans) = (change.writer(&subject)?, change.writer(&scan)?);
        for person in 0..12 {
            let sex = if person % 3 == 0 { "F" } else { "M" };
            let rid = change.insert(&subjects, &[text(sex)])?;
            for scan in 0..5 {
                let grade = if scan == 4 && person == 0 { Value::Null } else { text(["a", "b"][scan % 2]) };
                change.insert(&scans, &[text(rid.as_str()), grade, text("x")])?;
            }
        }
        Ok(())
    };
    catalog.change("dbag test", fill).unwrap();
    catalog.create_dataset(&name("scans"), "Scans").unwrap();
    catalog.add_table_members(&name("scans"), "Scan", None).unwrap();
    Lab { catalog, _folder: folder }
}

impl Lab {
    fn drift(&self, dataset: &str) -> Drift {
        self.catalog.dataset_details(&name(dataset)).unwrap().drift.unwrap()
    }

    fn release(&mut self, dataset: &str) {
        self.catalog.release_dataset(&name(dataset), Bump::Minor, "as it is").unwrap();
    }

    fn members(&self, dataset: &str) -> Vec<String> {
        let reference = self.catalog.dataset_ref(dataset).unwrap();
        let members = self.catalog.dataset_members(&reference, None, false).unwrap();
        members.into_iter().map(|member| member.rid).collect()
    }

    fn set(&mut self, rid: &str, column: &str, value: Value) {
        let set = |change: &mut Change<'_>| {
            let writer = change.writer(&change.table("Scan")?)?;
            change.set(&writer, rid, &[(column, value)])
        };
        self.catalog.change("dbag test", set).unwrap();
    }

    fn split(&mut self, source: &str, options: &SplitOptions) -> Result<SplitReport, CatalogError> {
        let source = self.catalog.dataset_ref(source)?;
        self.catalog.split_dataset(&source, options)
    }
}

fn options(parts: &[(&str, Size)], stratify: Option<&str>, group: Option<&str>) -> SplitOptions {
    let parts = parts.iter().map(|(name, size)| PartSpec { name: (*name).into(), size: *size });
    SplitOptions {
        parts: parts.collect(),
        draw: Draw {
            table: None,
            stratify: stratify.map(str::to_owned),
            group: group.map(str::to_owned),
            missing: Missing::Include,
            seed: 7,
            method: Method::Ranked,
        },
        parent: None,
        description: None,
        dry_run: false,
    }
}

const HALVES: [(&str, Size); 2] = [("train", Size::Rest), ("test", Size::Fraction(0.25))];

#[test]
fn what_was_changed_back_is_no_drift() {
    let mut lab = lab();
    lab.release("scans");
    assert!(!lab.drift("scans").any());
    let rid = lab.members("scans")[3].clone();
    lab.set(&rid, "Grade", text("z"));
    assert_eq!(lab.drift("scans"), Drift { changed: 1, ..Drift::default() });
    lab.set(&rid, "Grade", text("b"));
    assert!(!lab.drift("scans").any());
    let rids = [rid];
    assert_eq!(lab.catalog.remove_rows(&name("scans"), Rows::Rids(&rids)).unwrap(), (1, 0));
    assert_eq!(lab.drift("scans"), Drift { removed: 1, ..Drift::default() });
    assert_eq!(lab.catalog.remove_rows(&name("scans"), Rows::Rids(&rids)).unwrap(), (0, 1));
    assert_eq!(lab.catalog.add_rows(&name("scans"), Rows::Rids(&rids)).unwrap(), (1, 0));
    assert!(!lab.drift("scans").any());
    assert!(matches!(
        lab.catalog.release_dataset(&name("scans"), Bump::Patch, "again"),
        Err(CatalogError::NothingToRelease { .. })
    ));
}

#[test]
fn drift_sees_types_nesting_description_and_columns() {
    let mut lab = lab();
    lab.catalog.create_dataset(&name("inner"), "").unwrap();
    lab.catalog.add_table_members(&name("inner"), "Scan", Some("\"Grade\" = 'a'")).unwrap();
    lab.catalog.nest_datasets(&name("scans"), &["inner".into()]).unwrap();
    lab.release("scans");
    let none = Drift::default();
    lab.catalog.change_types(&name("scans"), &["Labeled".into()], &[]).unwrap();
    assert_eq!(lab.drift("scans"), Drift { types: 1, ..none });
    lab.catalog.change_types(&name("scans"), &[], &["Labeled".into()]).unwrap();
    assert!(!lab.drift("scans").any());
    lab.catalog.describe_dataset(&name("scans"), "Other scans").unwrap();
    assert_eq!(lab.drift("scans"), Drift { description: true, ..none });
    lab.catalog.describe_dataset(&name("scans"), "Scans").unwrap();
    assert!(!lab.drift("scans").any());
    lab.catalog.remove_rows(&name("inner"), Rows::Of(&["Scan".into()], None)).unwrap();
    assert_eq!(lab.drift("scans"), Drift { nested_changed: 1, ..none });
    lab.catalog.unnest_datasets(&name("scans"), &["inner".into()]).unwrap();
    assert_eq!(lab.drift("scans"), Drift { nested: 1, ..none });
    lab.release("scans");
    let wider = |change: &mut Change<'_>| {
        let column = Column::new("Site", ColumnType::new("text"));
        change.add_column(&change.table("Scan")?, &column, &Value::Null)
    };
    lab.catalog.change("dbag test", wider).unwrap();
    assert_eq!(lab.drift("scans"), Drift { tables: 1, ..none });
    let narrower = |change: &mut Change<'_>| change.drop_column(&change.table("Scan")?, "Site");
    lab.catalog.change("dbag test", narrower).unwrap();
    assert!(!lab.drift("scans").any());
}

#[test]
fn the_work_of_drift_grows_with_the_change() {
    let lab = lab();
    let view = lab.catalog.view().unwrap();
    for sql in view.drift_queries(&view.dataset_rid(&name("scans")).unwrap(), 1) {
        let mut statement = view.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map((), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        let scans = |step: &&String| step.starts_with("SCAN") && step.contains(':');
        assert_eq!(steps.iter().find(scans), None, "{sql}\n{steps:#?}");
        assert!(steps.iter().any(|step| step.contains("by transaction (dbag:from>?)")), "{sql}\n{steps:#?}");
    }
}

#[test]
fn a_dataset_is_never_nested_in_itself() {
    let mut lab = lab();
    for dataset in ["a", "b", "c"] {
        lab.catalog.create_dataset(&name(dataset), "").unwrap();
    }
    let nest = |lab: &mut Lab, outer: &str, inner: &[&str]| {
        let inner: Vec<String> = inner.iter().map(|&inner| inner.to_owned()).collect();
        lab.catalog.nest_datasets(&name(outer), &inner).map_err(|error| error.to_string())
    };
    assert_eq!(nest(&mut lab, "a", &["b", "b"]), Ok((1, 1)));
    assert_eq!(nest(&mut lab, "b", &["c"]), Ok((1, 0)));
    assert_eq!(
        nest(&mut lab, "c", &["a"]).unwrap_err(),
        "a dataset can't be nested in itself: c > a > b > c"
    );
    assert_eq!(nest(&mut lab, "a", &["a"]).unwrap_err(), "a dataset can't be nested in itself: a > a");
    let a = lab.catalog.dataset_details(&name("a")).unwrap();
    assert_eq!(a.children.iter().map(NestedDataset::called).collect::<Vec<_>>(), ["b"]);
    assert!(a.parents.is_empty());
}

#[test]
fn deleted_datasets_keep_their_names_and_are_refused_while_nested() {
    let mut lab = lab();
    lab.catalog.create_dataset(&name("outer"), "").unwrap();
    lab.catalog.nest_datasets(&name("outer"), &["scans".into()]).unwrap();
    assert!(matches!(
        lab.catalog.delete_dataset(&name("scans"), false),
        Err(CatalogError::StillNested { parents, .. }) if parents == ["outer"]
    ));
    assert_eq!(lab.catalog.delete_dataset(&name("outer"), true).unwrap(), ["outer", "scans"]);
    assert!(lab.catalog.datasets().unwrap().is_empty());
    assert_eq!(lab.catalog.all_datasets().unwrap().len(), 2);
    let deleted = |result: Result<Rid, CatalogError>| matches!(result, Err(CatalogError::DatasetDeleted(_)));
    assert!(deleted(lab.catalog.create_dataset(&name("scans"), "")));
    assert!(matches!(
        lab.catalog.add_table_members(&name("scans"), "Scan", None),
        Err(CatalogError::DatasetDeleted(_))
    ));
    assert_eq!(lab.catalog.restore_dataset(&name("scans"), false).unwrap(), ["scans"]);
    assert_eq!(lab.catalog.datasets().unwrap().len(), 1);
}

#[test]
fn a_name_that_is_another_datasets_rid_is_refused() {
    let mut lab = lab();
    let first = lab.catalog.dataset_details(&name("scans")).unwrap().summary.rid;
    assert_eq!(lab.catalog.dataset_named(first.as_str()).unwrap(), name("scans"));
    let put = |change: &mut Change<'_>| {
        let writer = change.writer(&change.table("deriva-ml:Dataset")?)?;
        let system = crate::catalog::SystemValues { rid: Rid::parse("AB-1234"), ..Default::default() };
        change.insert_as(&writer, &system, &writer.row(&[]))
    };
    lab.catalog.change("dbag test", put).unwrap();
    assert!(matches!(lab.catalog.dataset_named("AB-1234"), Err(CatalogError::UnnamedDataset(_))));
    lab.catalog.create_dataset(&name("AB-1234"), "").unwrap();
    let error = lab.catalog.dataset_named("AB-1234").unwrap_err().to_string();
    assert!(error.contains("is ambiguous"), "{error}");
}

#[test]
fn renaming_a_released_dataset_must_be_meant() {
    let mut lab = lab();
    lab.catalog.rename_dataset("scans", &name("images"), false).unwrap();
    lab.release("images");
    assert!(matches!(
        lab.catalog.rename_dataset("images", &name("scans"), false),
        Err(CatalogError::KnownByName { .. })
    ));
    lab.catalog.create_dataset(&name("taken"), "").unwrap();
    assert!(matches!(
        lab.catalog.rename_dataset("images", &name("taken"), true),
        Err(CatalogError::DatasetExists(_))
    ));
    lab.catalog.rename_dataset("images", &name("scans"), true).unwrap();
    assert!(lab.catalog.select_version(&"scans@0.1.0".parse().unwrap()).is_ok());
}

#[test]
fn a_split_keeps_subjects_together_and_says_how_it_was_made() {
    let mut lab = lab();
    let report = lab.split("scans", &options(&HALVES, Some("Grade"), Some("Subject"))).unwrap();
    assert_eq!(report.made.name, name("scans-split"));
    assert_eq!(report.parts[1].types, ["Testing", "Split_Partition"]);
    let (train, test) = (lab.members("scans-train"), lab.members("scans-test"));
    assert_eq!((train.len(), test.len()), (45, 15));
    let subject: BTreeMap<String, String> = subjects(&mut lab);
    assert!(train.iter().all(|rid| test.iter().all(|other| subject[rid] != subject[other])));
    let parent = lab.catalog.dataset_details(&name("scans-split")).unwrap();
    assert_eq!(parent.summary.types, ["Split"]);
    assert_eq!(parent.children.len(), 2);
    let record = parent.summary.description.split("```json\n").nth(1).unwrap().trim_end_matches("\n```");
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    assert_eq!(record, report.record);
    assert_eq!(record["split"]["seed"], 7);
    assert_eq!(record["split"]["method"], "dbag partition 1");
    assert_eq!(record["split"]["parts"][1]["size"], 0.25);
    let command = lab.catalog.transactions(1).unwrap().remove(0).command;
    assert_eq!(
        command,
        "dbag dataset split scans --part train=rest --part test=0.25 --stratify Grade --group Subject \
         --missing include --seed 7 --method ranked"
    );
}

fn subjects(lab: &mut Lab) -> BTreeMap<String, String> {
    let mut subjects = BTreeMap::new();
    let read = |change: &Change<'_>| {
        change.for_each(&change.table("Scan")?, |row| {
            subjects.insert(row[0].to_text().unwrap().into_owned(), row[1].to_text().unwrap().into_owned());
            Ok::<_, CatalogError>(())
        })
    };
    lab.catalog.look(read).unwrap();
    subjects
}

#[test]
fn the_same_seed_divides_a_release_the_same_way_ever_after() {
    let mut lab = lab();
    lab.release("scans");
    let mut first = options(&HALVES, Some("Subject.Sex"), None);
    first.parent = Some(name("one"));
    let report = lab.split("scans@0.1.0", &first).unwrap();
    let strata: Vec<u64> = report.report.strata.iter().map(|stratum| stratum.members).collect();
    assert_eq!(strata, [20, 40]);
    let rid = lab.members("scans")[0].clone();
    lab.set(&rid, "Subject", Value::Null);
    lab.catalog.remove_rows(&name("scans"), Rows::Rids(&lab.members("scans")[5..9].to_vec())).unwrap();
    let mut second = first.clone();
    second.parent = Some(name("two"));
    lab.split("scans@0.1.0", &second).unwrap();
    assert_eq!(lab.members("one-test"), lab.members("two-test"));
    assert_eq!(lab.members("one-train"), lab.members("two-train"));
}

#[test]
fn a_rehearsed_split_leaves_nothing() {
    let mut lab = lab();
    let before = lab.catalog.transactions(100).unwrap();
    let mut asked = options(&HALVES, None, None);
    asked.dry_run = true;
    assert_eq!(lab.split("scans", &asked).unwrap().report.members, 60);
    assert_eq!(lab.catalog.transactions(100).unwrap(), before);
    assert_eq!(lab.catalog.datasets().unwrap().len(), 1);
}

#[test]
fn splits_are_refused_with_what_is_wrong() {
    let mut lab = lab();
    let mut refusal =
        |source: &str, options: &SplitOptions| lab.split(source, options).unwrap_err().to_string();
    let mut strict = options(&HALVES, Some("Grade"), None);
    strict.draw.missing = Missing::Error;
    assert!(refusal("scans", &strict).starts_with("1 members have no value to stratify by"));
    let columns = options(&HALVES, Some("Subject.Age"), None);
    assert!(refusal("scans", &columns).contains("columns: Subject, Grade, PSD.1"));
    let feature = options(&HALVES, Some("feature:Quality"), None);
    assert!(refusal("scans", &feature).contains("there are no features yet"));
    assert!(refusal("nothing", &columns).contains("datasets: scans"));
    let named = options(&[("a/b", Size::Rest)], None, None);
    assert!(refusal("scans", &named).contains("\"scans-a/b\""));
    let mut subjects = options(&HALVES, None, None);
    subjects.draw.table = Some("Subject".into());
    assert!(refusal("scans", &subjects).contains("no members of Subject"));
    let many = options(&[("a", Size::Count(61))], None, None);
    assert!(matches!(
        lab.split("scans", &many),
        Err(CatalogError::Partition(PartitionError::TooFewMembers { asked: 61, members: 60 }))
    ));
    assert!(lab.split("scans", &options(&HALVES, Some("PSD.1"), None)).is_ok());
    lab.catalog.add_table_members(&name("scans"), "Subject", None).unwrap();
    assert!(
        lab.split("scans", &options(&HALVES, None, None)).unwrap_err().to_string().contains("Scan, Subject")
    );
}

#[test]
fn a_path_may_be_a_feature_whose_newest_value_counts() {
    let mut lab = lab();
    let value = Column::new("Score", ColumnType::new("int4"));
    let make = |change: &mut Change<'_>| -> Result<(), CatalogError> {
        let scan = change.table("Scan")?;
        let names = change.vocabulary("deriva-ml:Feature_Name")?;
        change.insert_term(&names, "Quality", "", &[])?;
        let columns = FeatureColumns { values: std::slice::from_ref(&value), ..FeatureColumns::default() };
        let table = feature_table("domain", &scan, "Quality", &columns);
        change.put_table(table)
    };
    lab.catalog.change("dbag test", make).unwrap();
    let scans = lab.members("scans");
    for (round, count) in [(1, 60), (2, 20)] {
        let score = |change: &mut Change<'_>| -> Result<(), CatalogError> {
            let writer = change.writer(&change.table("Execution_Scan_Quality")?)?;
            for scan in &scans[..count] {
                let execution = change.execution();
                let row = writer.row(&[
                    ("Execution", text(execution.as_str())),
                    ("Scan", text(scan)),
                    ("Feature_Name", text("Quality")),
                    ("Score", Value::Integer(round)),
                ]);
                change.insert(&writer, &row)?;
            }
            Ok(())
        };
        lab.catalog.change("dbag test", score).unwrap();
    }
    for (index, path) in ["feature:Quality", "feature:Quality.Score"].iter().enumerate() {
        let mut asked = options(&HALVES, Some(path), None);
        asked.parent = Some(name(&format!("q{index}")));
        let report = lab.split("scans", &asked).unwrap().report;
        let strata: Vec<_> = report.strata.iter().map(|s| (s.stratum.as_deref(), s.members)).collect();
        assert_eq!(strata, [(Some("1"), 40), (Some("2"), 20)]);
    }
}

#[test]
fn a_sample_is_a_dataset_of_its_own() {
    let mut lab = lab();
    let source = lab.catalog.dataset_ref("scans").unwrap();
    let draw = options(&[], None, None).draw;
    let mut sample = |size: Size, called: &str| {
        let name = Some(name(called));
        let options = SampleOptions { size, draw: draw.clone(), name, description: None, dry_run: false };
        lab.catalog.sample_dataset(&source, &options).unwrap()
    };
    assert_eq!(sample(Size::Count(10), "small").made.types, ["Subsample"]);
    sample(Size::Fraction(0.5), "large");
    let (small, large) = (lab.members("small"), lab.members("large"));
    assert_eq!((small.len(), large.len()), (10, 30));
    assert!(small.iter().all(|rid| large.contains(rid)));
}

#[test]
fn each_change_is_undone_and_releases_are_not() {
    let mut lab = lab();
    let whole = |lab: &Lab| {
        let all = lab.catalog.all_datasets().unwrap();
        let shown = all.iter().map(|dataset| format!("{dataset:?} {:?}", lab.members(dataset.name.as_str())));
        shown.collect::<Vec<_>>()
    };
    let mut states = vec![whole(&lab)];
    let steps: [&dyn Fn(&mut Catalog) -> Result<(), CatalogError>; 5] = [
        &|catalog| catalog.create_dataset(&name("more"), "").map(drop),
        &|catalog| catalog.add_table_members(&name("more"), "Scan", Some("\"Grade\" = 'a'")).map(drop),
        &|catalog| catalog.nest_datasets(&name("scans"), &["more".into()]).map(drop),
        &|catalog| {
            let source = catalog.dataset_ref("more")?;
            catalog.split_dataset(&source, &options(&HALVES, None, None)).map(drop)
        },
        &|catalog| catalog.delete_dataset(&name("more-split"), true).map(drop),
    ];
    for step in steps {
        step(&mut lab.catalog).unwrap();
        states.push(whole(&lab));
    }
    let last = lab.catalog.number_at(&crate::catalog::Moment::Now).unwrap();
    for (back, state) in states.iter().rev().skip(1).enumerate() {
        let undone = lab.catalog.undo(false).unwrap();
        assert_eq!(undone.number, last - i64::try_from(back).unwrap());
        assert_eq!(&whole(&lab), state);
    }
    lab.release("scans");
    assert!(matches!(lab.catalog.undo(false), Err(CatalogError::Released(label)) if label == "scans@0.1.0"));
}

#[test]
fn a_change_without_effect_is_undone_once() {
    let mut lab = lab();
    let nothing = |change: &mut Change<'_>| {
        change.put_table(Table::new("domain", "Passing", ""))?;
        change.drop_table(&change.table("Passing")?)
    };
    lab.catalog.change("dbag test", nothing).unwrap();
    let number = lab.catalog.undo(false).unwrap().number;
    assert_eq!(lab.catalog.undo(false).unwrap().number, number - 1);
    assert!(lab.catalog.model().unwrap().table(DERIVA_ML, "Dataset").is_some());
}

#[test]
fn a_catalog_reopened_has_its_datasets() {
    let mut lab = lab();
    lab.split("scans", &options(&HALVES, None, None)).unwrap();
    let path = lab.catalog.path().to_owned();
    lab.catalog = Catalog::open(&path, Clock::System).unwrap();
    assert_eq!(lab.catalog.datasets().unwrap().len(), 4);
    assert_eq!(lab.members("scans-train").len() + lab.members("scans-test").len(), 60);
}
