//! Splits and samples.

use super::*;

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
    lab.catalog.remove_rows(&name("scans"), Rows::Rids(&lab.members("scans")[5..9])).unwrap();
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
