//! What has changed since a release.

use super::*;

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
    lab.release("inner");
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
