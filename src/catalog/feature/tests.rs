use super::*;
use crate::catalog::CreateOptions;
use crate::model::{ColumnType, RidPrefix};
use crate::tabular::Value;

/// A catalog with images I1 and I2, a vocabulary Grade (Good, Bad with the synonym poor) and the feature Quality.
struct Lab {
    _folder: tempfile::TempDir,
    catalog: Catalog,
    images: Vec<String>,
}

fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
    let mut catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
    let images = catalog
        .change("dbag test", |change| -> Result<Vec<String>, CatalogError> {
            let mut image = Table::new("domain", "Image", "");
            image.column_definitions.push(Column::new("File", ColumnType::new("text")));
            change.put_table(image.clone())?;
            let grades = change.put_vocabulary("domain", "Grade", "")?;
            change.insert_term(&grades, "Good", "", &[])?;
            change.insert_term(&grades, "Bad", "", &["poor".into()])?;
            let new = NewFeature {
                target: "Image",
                name: "Quality",
                terms: &["Grade".into()],
                values: &["score float8".parse().unwrap()],
                ..NewFeature::default()
            };
            change.create_feature("domain", &new)?;
            let writer = change.writer(&image)?;
            ["I1", "I2"]
                .iter()
                .map(|name| change.insert(&writer, &[Value::Text((*name).into())]).map(|rid| rid.to_string()))
                .collect()
        })
        .unwrap();
    Lab { _folder: folder, catalog, images }
}

impl Lab {
    /// Adds values by a new execution of a workflow that is called after `command`, and returns the execution.
    fn add(&mut self, command: &str, values: &[(usize, &str)]) -> String {
        let images = self.images.clone();
        self.catalog
            .change::<_, CatalogError>(command, |change| {
                let mut writer = FeatureWriter::new(change, "Image", "Quality", None)?;
                for &(image, grade) in values {
                    writer.add(change, &images[image], &[(0, Some(grade))], 1)?;
                }
                Ok(writer.execution())
            })
            .unwrap()
    }

    fn selected(&self, selector: &str) -> Vec<String> {
        self.selected_at(selector, &Moment::Now).unwrap()
    }

    /// Image and grade of each value.
    fn selected_at(&self, selector: &str, at: &Moment) -> Result<Vec<String>, CatalogError> {
        let mut found = Vec::new();
        self.catalog.feature_values("Image", "Quality", &selector.parse()?, at, |record| {
            let image = self.images.iter().position(|rid| *rid == record.target).unwrap();
            found.push(format!("{image}:{}", record.values[0].to_text().unwrap()));
            Ok::<_, CatalogError>(())
        })?;
        Ok(found)
    }
}

#[test]
fn a_selector_takes_one_value_of_each_row() {
    let mut lab = lab();
    let first = lab.add("dbag feature add", &[(0, "Bad"), (1, "Good")]);
    lab.add("dbag table set", &[(0, "Good")]);
    let before = Moment::Snapshot(lab.catalog.transactions(1).unwrap()[0].snapshot);
    lab.add("dbag feature add", &[(0, "poor")]);
    assert_eq!(lab.selected("all"), ["0:Bad", "0:Good", "0:Bad", "1:Good"]);
    assert_eq!(lab.selected("newest"), ["0:Bad", "1:Good"]);
    assert_eq!(lab.selected("latest"), lab.selected("newest"));
    assert_eq!(lab.selected("first"), ["0:Bad", "1:Good"]);
    assert_eq!(lab.selected("majority"), ["0:Bad", "1:Good"]);
    // One for each: the newest of both.
    assert_eq!(lab.selected_at("majority:Grade", &before).unwrap(), ["0:Good", "1:Good"]);
    assert_eq!(lab.selected_at("newest", &before).unwrap(), ["0:Good", "1:Good"]);
    assert_eq!(lab.selected(&format!("execution:{first}")), ["0:Bad", "1:Good"]);
    assert_eq!(lab.selected("execution:9-ZZZZ"), [""; 0]);
    assert_eq!(lab.selected("workflow:dbag table set"), ["0:Good"]);
    let summary = &lab.catalog.features(Some("Image")).unwrap()[0];
    assert_eq!((summary.values, summary.targets, summary.executions), (4, 2, 3));
}

#[test]
fn a_workflow_is_known_by_its_rid_its_type_or_its_name() {
    let mut lab = lab();
    let by_hand = lab.add("dbag feature add", &[(0, "Bad")]);
    lab.add("dbag table set", &[(0, "Good"), (1, "Good")]);
    let workflow = lab
        .catalog
        .change::<_, CatalogError>("dbag test", |change| {
            let executions = change.table("deriva-ml:Execution")?;
            let workflow = change.own_values(&executions, &by_hand)?[0].to_text().unwrap().into_owned();
            let types = change.writer(&change.table("deriva-ml:Workflow_Workflow_Type")?)?;
            let of = types.row(&[
                ("Workflow", Value::Text(workflow.clone())),
                ("Workflow_Type", Value::Text("Analysis".into())),
            ]);
            change.insert(&types, &of)?;
            Ok(workflow)
        })
        .unwrap();
    for of in [workflow.as_str(), "Analysis", "dbag feature add"] {
        assert_eq!(lab.selected(&format!("workflow:{of}")), ["0:Bad"], "{of}");
    }
    // A type of which there is no workflow drops every row; what is none of the three is an error.
    assert_eq!(lab.selected("workflow:Testing"), [""; 0]);
    let error = lab.selected_at("workflow:nobody", &Moment::Now).unwrap_err();
    assert!(matches!(error, CatalogError::NoSuchWorkflow(_)), "{error}");
}

/// Records of one row: when made, by whom, and what they say.
fn records(of: &[(&str, &str, Option<&str>)]) -> Vec<FeatureRecord> {
    of.iter()
        .enumerate()
        .map(|(at, (rct, execution, said))| FeatureRecord {
            rid: format!("R{at}"),
            target: "T".into(),
            execution: (*execution).into(),
            rct: (*rct).into(),
            values: vec![said.map_or(Value::Null, |said| Value::Text(said.into()))],
        })
        .collect()
}

#[test]
fn ties_fall_to_the_newest_and_then_to_the_first_rid() {
    use select::Choice;
    let noon = "2026-01-01 12:00:00+00";
    let later = "2026-01-01 12:00:00.5+00";
    let same = records(&[(noon, "E1", Some("a")), (noon, "E2", Some("b")), (noon, "E2", Some("b"))]);
    assert_eq!(Choice::Newest.of(&same), Some(0));
    assert_eq!(Choice::First.of(&same), Some(0));
    assert_eq!(Choice::Majority(0).of(&same), Some(1));
    assert_eq!(Choice::By(["E2".to_owned()].into()).of(&same), Some(1));
    let tied = records(&[(noon, "E1", Some("a")), (later, "E2", Some("b")), (noon, "E3", None)]);
    assert_eq!(Choice::Majority(0).of(&tied), Some(1));
    // What says nothing has a vote like any other.
    let silent = records(&[(later, "E1", Some("a")), (noon, "E2", None), (noon, "E3", None)]);
    assert_eq!(Choice::Majority(0).of(&silent), Some(1));
    // A moment that can't be read is before all others.
    let odd = records(&[("", "E1", None), (noon, "E2", None)]);
    assert_eq!((Choice::Newest.of(&odd), Choice::First.of(&odd)), (Some(1), Some(0)));
}

#[test]
fn values_are_grouped_by_target_and_qualifiers() {
    let mut lab = lab();
    let images = lab.images.clone();
    lab.catalog
        .change::<_, CatalogError>("dbag test", |change| {
            let target = change.table("Image")?;
            let grades = change.vocabulary("Grade")?;
            let sides = change.put_vocabulary("domain", "Side", "")?;
            change.insert_term(&sides, "Left", "", &[])?;
            change.insert_term(&sides, "Right", "", &[])?;
            let columns = FeatureColumns { terms: &[&grades, &sides], ..FeatureColumns::default() };
            let mut table = feature_table("domain", &target, "Chart", &columns);
            let key = table.keys.iter_mut().find(|key| key.unique_columns.len() > 1).unwrap();
            key.unique_columns.push("Side".into());
            change.put_table(table)?;
            change.name_feature("Chart", "")
        })
        .unwrap();
    let add = |catalog: &mut Catalog, values: &[(&str, &str)]| {
        catalog.change::<_, CatalogError>("dbag test", |change| {
            let mut writer = FeatureWriter::new(change, "Image", "Chart", None)?;
            for (line, (grade, side)) in values.iter().enumerate() {
                let texts = [(0, Some(*grade)), (1, Some(*side))];
                writer.add(change, &images[0], &texts, line as u64 + 2)?;
            }
            Ok(())
        })
    };
    add(&mut lab.catalog, &[("Good", "Left"), ("Bad", "Right")]).unwrap();
    add(&mut lab.catalog, &[("Good", "Right")]).unwrap();
    let mut found = Vec::new();
    let keep = |record: FeatureRecord| -> Result<(), CatalogError> {
        let texts: Vec<_> = record.values.iter().filter_map(Value::to_text).collect();
        found.push(texts.join(" "));
        Ok(())
    };
    // The single column with terms is Grade: Side says of what.
    lab.catalog.feature_values("Image", "Chart", &Selector::Majority(None), &Moment::Now, keep).unwrap();
    assert_eq!(found, ["Good Left", "Good Right"]);
    let twice = add(&mut lab.catalog, &[("Good", "Left"), ("Bad", "Right"), ("Bad", "Left")]).unwrap_err();
    assert!(matches!(twice, CatalogError::RepeatedFeatureValue { first: 2, .. }), "{twice}");
}

#[test]
fn what_can_be_no_feature_is_refused_with_the_reason() {
    let mut lab = lab();
    let mut make = |new: &NewFeature<'_>| {
        lab.catalog
            .change("dbag test", |change| change.create_feature("domain", new))
            .unwrap_err()
            .to_string()
    };
    let grade = ["Grade".to_owned()];
    let base = NewFeature { target: "Image", name: "Other", terms: &grade, ..NewFeature::default() };
    for (new, says) in [
        (NewFeature { name: "Quality", ..base }, "has a feature Quality already"),
        (NewFeature { target: "Grade", ..base }, "can't have features"),
        (NewFeature { target: "deriva-ml:Execution", ..base }, "can't have features"),
        (NewFeature { target: "Nothing", ..base }, "no table"),
        (NewFeature { terms: &[], ..base }, "would say nothing"),
        (NewFeature { terms: &["Image".into()], ..base }, "is no vocabulary"),
        (NewFeature { assets: &["Image".into()], ..base }, "holds no files"),
        (NewFeature { optional: &["Score".into()], ..base }, "has no value \"Score\""),
        (NewFeature { name: "a b", ..base }, "can't name a table"),
        (NewFeature { values: &["grade text".parse().unwrap()], ..base }, "differs only in case"),
    ] {
        let error = make(&new);
        assert!(error.contains(says), "{error}");
    }
    let names = lab.catalog.terms("Feature_Name").unwrap().1;
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn values_that_are_not_right_are_refused() {
    let mut lab = lab();
    let image = lab.images[0].clone();
    let mut add = |target: &str, texts: &[(usize, Option<&str>)]| {
        lab.catalog
            .change::<_, CatalogError>("dbag test", |change| {
                let mut writer = FeatureWriter::new(change, "Image", "Quality", None)?;
                let target = writer.target(change, "RID", target)?;
                writer.add(change, &target, texts, 2)
            })
            .unwrap_err()
            .to_string()
    };
    for (target, texts, says) in [
        (image.as_str(), &[(0, Some("Fine"))][..], "no term \"Fine\"; terms: Bad, Good"),
        (&image, &[(1, Some("2"))], "no value for Grade"),
        (&image, &[(0, None)], "no value for Grade"),
        (&image, &[(0, Some("Good")), (1, Some("high"))], "is not a number"),
        ("9-ZZZZ", &[(0, Some("Good"))], "no row whose RID is \"9-ZZZZ\""),
    ] {
        let error = add(target, texts);
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(lab.selected("all"), [""; 0]);
    let unknown = lab.catalog.change("dbag test", |change| {
        FeatureWriter::new(change, "Image", "Quality", Some("9-ZZZZ")).map(drop)
    });
    assert!(matches!(unknown, Err(CatalogError::NoRowFor { .. })), "{unknown:?}");
}

#[test]
fn values_go_by_execution_row_or_condition_and_the_past_keeps_them() {
    let mut lab = lab();
    let first = lab.add("dbag feature add", &[(0, "Bad"), (1, "Good")]);
    lab.add("dbag feature add", &[(0, "Good"), (1, "Bad")]);
    let before = Moment::Snapshot(lab.catalog.transactions(1).unwrap()[0].snapshot);
    let mut remove = |of: &ValuesOf<'_>| {
        let gone = lab.catalog.rehearse(|change| change.remove_feature_values("Image", "Quality", of));
        gone.map(|gone| gone.rids.len())
    };
    assert_eq!(remove(&ValuesOf::default()).unwrap(), 4);
    assert_eq!(remove(&ValuesOf { execution: Some(&first), ..ValuesOf::default() }).unwrap(), 2);
    let targets = [lab.images[0].clone()];
    let of = ValuesOf { targets: &targets, condition: Some("\"Grade\" = 'Bad'"), ..ValuesOf::default() };
    assert_eq!(remove(&of).unwrap(), 1);
    assert!(remove(&ValuesOf { condition: Some("Nope = 1"), ..ValuesOf::default() }).is_err());
    lab.catalog.change("dbag test", |change| change.remove_feature_values("Image", "Quality", &of)).unwrap();
    assert_eq!(lab.selected("all"), ["0:Good", "1:Good", "1:Bad"]);
    assert_eq!(lab.selected_at("all", &before).unwrap(), ["0:Bad", "0:Good", "1:Good", "1:Bad"]);
}

#[test]
fn selectors_are_read_and_written_alike() {
    for text in ["all", "newest", "first", "majority", "majority:a:b", "execution:1-A", "workflow:My net: v2"]
    {
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
    }
    for bad in ["", "best", "newest:1", "majority:", "execution", "execution:", "workflow:"] {
        assert!(bad.parse::<Selector>().is_err(), "{bad}");
    }
}
