use super::*;
use crate::tabular::source::{SourceOptions, open_source};

fn inferred(csv: &str, options: InferOptions<'_>) -> Inferred {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, csv).unwrap();
    let mut source = open_source(&path, SourceOptions::default(), &mut |_| true).unwrap();
    infer(source.as_mut(), options, &mut |_| true).unwrap()
}

#[test]
fn columns_are_described_by_their_values() {
    let found = inferred(
        "sample_id,n,note,when\nS1,1,,2026-01-02\nS2,2,\"\",2026-01-03\nS3,2,x,\"\"\n",
        InferOptions::default(),
    );
    let shown: Vec<String> = found
        .columns
        .iter()
        .map(|c| format!("{} {} {} {:?}", c.name, c.column_type.typename, c.nullable, c.unique))
        .collect();
    assert_eq!(
        shown,
        [
            "sample_id text false Some(true)",
            "n int8 false Some(false)",
            "note text true Some(true)",
            "when date true Some(true)"
        ]
    );
    assert_eq!(found.rows, 3);
    assert_eq!(found.columns[0].examples, ["S1", "S2", "S3"]);
    assert_eq!(found.columns[1].examples, ["1", "2"]);
    let keys: Vec<&str> = found.candidate_keys().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(keys, ["sample_id"]);
}

#[test]
fn a_type_that_was_asked_for_is_not_guessed() {
    let types = [("n".to_owned(), ColumnType::new("text"))];
    let found = inferred("n\n1\n2\n", InferOptions { types: &types, keys: &[] });
    assert_eq!(found.columns[0].column_type.typename, "text");
}

#[test]
fn a_reference_needs_a_name_that_fits_and_every_value() {
    let subjects = |value: &str| matches!(value, "A" | "B");
    let keys = [OtherKey { table: "Subject", column: "id", holds: &subjects }];
    let options = InferOptions { types: &[], keys: &keys };
    let found = inferred("subject_id,other\nA,A\nB,B\n,\n", options);
    assert_eq!(
        found.references,
        [ProposedReference { column: "subject_id".into(), table: "Subject".into(), referenced: "id".into() }]
    );
    assert_eq!(inferred("subject_id\nA\nC\n", options).references, []);
    assert_eq!(inferred("subject_id,x\n,1\n", options).references, []);
}

#[test]
fn watching_can_end_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, format!("a\n{}", "1\n".repeat(5000))).unwrap();
    let mut source = open_source(&path, SourceOptions::default(), &mut |_| true).unwrap();
    let error = infer(source.as_mut(), InferOptions::default(), &mut |_| false).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
}
