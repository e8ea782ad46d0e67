//! Numbers of releases, what they know of nested datasets, and labels between them.

use super::*;
use crate::version::{DatasetVersion, PreRelease};

fn version(text: &str) -> DatasetVersion {
    text.parse().unwrap()
}

impl Lab {
    fn release_as(
        &mut self,
        dataset: &str,
        options: impl Into<ReleaseOptions>,
    ) -> Result<Release, CatalogError> {
        self.catalog.release_dataset(&name(dataset), options, "a note")
    }

    /// Releases, and says as what.
    fn number(&mut self, dataset: &str, options: impl Into<ReleaseOptions>) -> String {
        self.release_as(dataset, options).unwrap().reference.version.to_string()
    }

    fn label(&self, dataset: &str) -> Option<String> {
        let label = self.catalog.label(&name(dataset)).unwrap().map(|label| label.to_string());
        let shown = self.catalog.dataset_details(&name(dataset)).unwrap().label;
        assert_eq!(label, shown.map(|label| label.to_string()));
        label
    }

    fn describe(&mut self, dataset: &str, text: &str) {
        self.catalog.describe_dataset(&name(dataset), text).unwrap();
    }
}

fn pre(bump: Bump, kind: PreRelease) -> ReleaseOptions {
    ReleaseOptions { pre: Some(kind), ..bump.into() }
}

#[test]
fn candidates_are_counted_and_promoted_without_a_change() {
    let mut lab = lab();
    assert_eq!(lab.number("scans", pre(Bump::Major, PreRelease::Rc)), "1.0.0-rc.1");
    assert!(matches!(
        lab.release_as("scans", pre(Bump::Major, PreRelease::Rc)),
        Err(CatalogError::NothingToRelease { .. })
    ));
    lab.describe("scans", "Better scans");
    assert_eq!(lab.number("scans", pre(Bump::Major, PreRelease::Rc)), "1.0.0-rc.2");
    assert_eq!(lab.number("scans", Bump::Major), "1.0.0");
    assert!(matches!(lab.release_as("scans", Bump::Major), Err(CatalogError::NothingToRelease { .. })));
    let requirement = lab.catalog.version_called("scans@latest").unwrap();
    assert_eq!(requirement.to_string(), "scans@1.0.0");
}

#[test]
fn a_given_version_is_the_greatest_and_known_to_derivas_tools() {
    let mut lab = lab();
    let exact = |text: &str| ReleaseAs::Exact(version(text));
    assert_eq!(lab.number("scans", exact("2.0.0")), "2.0.0");
    lab.describe("scans", "Other scans");
    for back in ["1.9.0", "2.0.0", "2.0.0-rc.1"] {
        let error = lab.release_as("scans", exact(back)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("scans@{back} goes backwards: the newest version of scans is 2.0.0")
        );
    }
    let odd = lab.release_as("scans", exact("3.0.0-preview")).unwrap_err();
    assert!(matches!(odd, CatalogError::UnknownPreRelease(_)));
    assert_eq!(lab.number("scans", exact("2.0.1-beta.1")), "2.0.1-beta.1");
    assert_eq!(lab.number("scans", exact("2.0.1")), "2.0.1");
}

#[test]
fn the_number_is_proposed_from_what_has_changed() {
    let mut lab = lab();
    lab.catalog.remove_rows(&name("scans"), Rows::Of(&["Scan".into()], Some("\"Grade\" = 'a'"))).unwrap();
    let propose = |lab: &mut Lab| {
        let release = lab.release_as("scans", ReleaseAs::Proposed).unwrap();
        (release.reference.version.to_string(), release.reasons.join(", "))
    };
    assert_eq!(propose(&mut lab), ("0.1.0".into(), "it is the first release".into()));
    let rid = lab.members("scans")[0].clone();
    lab.set(&rid, "Grade", text("z"));
    assert_eq!(propose(&mut lab), ("0.1.1".into(), "1 row changed".into()));
    lab.catalog.add_table_members(&name("scans"), "Scan", Some("\"Grade\" = 'a'")).unwrap();
    assert_eq!(propose(&mut lab), ("0.2.0".into(), "35 members added".into()));
    let wider = |change: &mut Change<'_>| {
        let column = Column::new("Site", ColumnType::new("text"));
        change.add_column(&change.table("Scan")?, &column, &Value::Null)
    };
    lab.catalog.change("dbag test", wider).unwrap();
    assert_eq!(propose(&mut lab), ("0.3.0".into(), "1 column added".into()));
    let narrower = |change: &mut Change<'_>| change.drop_column(&change.table("Scan")?, "Site");
    lab.catalog.change("dbag test", narrower).unwrap();
    assert_eq!(propose(&mut lab), ("1.0.0".into(), "1 column removed".into()));
    lab.catalog.remove_rows(&name("scans"), Rows::Rids(&[rid])).unwrap();
    assert_eq!(propose(&mut lab), ("2.0.0".into(), "1 member removed".into()));
}

/// `outer` holds `middle`, and both hold `scans`.
fn nested() -> Lab {
    let mut lab = lab();
    for dataset in ["middle", "outer"] {
        lab.catalog.create_dataset(&name(dataset), "").unwrap();
    }
    lab.catalog.nest_datasets(&name("outer"), &["scans".into(), "middle".into()]).unwrap();
    lab.catalog.nest_datasets(&name("middle"), &["scans".into()]).unwrap();
    lab
}

#[test]
fn nested_datasets_are_released_first_and_remembered() {
    let mut lab = nested();
    let error = lab.release_as("outer", Bump::Minor).unwrap_err().to_string();
    assert!(error.contains("scans was never released, middle was never released"), "{error}");
    let with_nested = ReleaseOptions { with_nested: true, ..Bump::Minor.into() };
    let release = lab.release_as("outer", with_nested.clone()).unwrap();
    let with: Vec<String> = release.with.iter().map(|release| release.reference.to_string()).collect();
    assert_eq!(with, ["scans@0.1.0", "middle@0.1.0"]);
    assert!(release.with.iter().all(|nested| nested.snapshot == release.snapshot));
    lab.describe("scans", "Other scans");
    let error = lab.release_as("outer", Bump::Patch).unwrap_err().to_string();
    assert!(error.contains("scans has changed since 0.1.0, middle has changed since 0.1.0"), "{error}");
    let exact = ReleaseAs::Exact(version("3.0.0"));
    let release = lab.release_as("outer", ReleaseOptions { with_nested: true, ..exact.into() }).unwrap();
    let with: Vec<String> = release.with.iter().map(|release| release.reference.to_string()).collect();
    assert_eq!(with, ["scans@0.1.1", "middle@0.1.1"], "each by its own changes");
    let log = lab.catalog.dataset_log(&name("outer"), 20).unwrap();
    let nested: Vec<Vec<String>> = log
        .versions
        .iter()
        .map(|version| version.details.nested.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(nested, [["middle@0.1.1", "scans@0.1.1"], ["middle@0.1.0", "scans@0.1.0"]]);
    assert_eq!(log.versions[0].details.log.as_ref(), Some(&release.log));
    assert_eq!(release.log.len(), 64);
}

#[test]
fn a_rehearsed_release_leaves_nothing() {
    let mut lab = nested();
    let options = ReleaseOptions { with_nested: true, dry_run: true, ..Bump::Minor.into() };
    let number = lab.catalog.number_at(&crate::catalog::Moment::Now).unwrap();
    for _ in 0..2 {
        assert_eq!(lab.number("outer", options.clone()), "0.1.0");
    }
    assert_eq!(lab.catalog.number_at(&crate::catalog::Moment::Now).unwrap(), number);
    assert_eq!(lab.label("outer"), None);
}

#[test]
fn the_label_counts_the_changes_since_the_release() {
    let mut lab = nested();
    assert_eq!(lab.label("scans"), None);
    lab.release("scans");
    lab.release("middle");
    assert_eq!(lab.label("scans").unwrap(), "0.1.0");
    let members = lab.members("scans");
    lab.set(&members[3], "Grade", text("z"));
    assert_eq!(lab.label("scans").unwrap(), "0.1.0.post1.dev1");
    lab.describe("scans", "Others");
    lab.set(&members[3], "Grade", text("y"));
    assert_eq!(lab.label("scans").unwrap(), "0.1.0.post1.dev3");
    assert_eq!(lab.label("middle").unwrap(), "0.1.0.post1.dev3");
    lab.catalog.create_dataset(&name("else"), "").unwrap();
    assert_eq!(lab.label("scans").unwrap(), "0.1.0.post1.dev3", "what is elsewhere does not count");
    let wider = |change: &mut Change<'_>| {
        let column = Column::new("Site", ColumnType::new("text"));
        change.add_column(&change.table("Scan")?, &column, &Value::Null)
    };
    lab.release("scans");
    lab.catalog.change("dbag test", wider).unwrap();
    assert_eq!(lab.label("scans").unwrap(), "0.2.0.post1.dev1");
}

#[test]
fn a_requirement_is_the_newest_version_that_it_allows() {
    let mut lab = lab();
    for number in ["0.9.0", "1.0.0", "1.4.0", "2.0.0-rc.1"] {
        lab.describe("scans", number);
        lab.number("scans", ReleaseAs::Exact(version(number)));
    }
    let resolved = |lab: &Lab, text: &str| {
        lab.catalog.version_called(text).map(|reference| reference.to_string()).map_err(|e| e.to_string())
    };
    for (text, found) in [
        ("scans@^1", "scans@1.4.0"),
        ("scans@~1.0", "scans@1.0.0"),
        ("scans@latest", "scans@1.4.0"),
        ("scans@<1", "scans@0.9.0"),
        ("scans@2.0.0-rc.1", "scans@2.0.0-rc.1"),
    ] {
        assert_eq!(resolved(&lab, text).unwrap(), found, "{text}");
    }
    let none = resolved(&lab, "scans@^3").unwrap_err();
    assert_eq!(none, "no version of dataset scans is one of ^3; versions: 0.9.0, 1.0.0, 1.4.0, 2.0.0-rc.1");
    assert!(resolved(&lab, "scans@1.0.1").unwrap_err().contains("versions: 0.9.0"));
    assert!(resolved(&lab, "scans@1.0.0.post1.dev1").unwrap_err().contains("under way"));
    let reference = lab.catalog.dataset_ref("scans@^1").unwrap();
    assert_eq!(reference.to_string(), "scans@1.4.0");
}
