//! `dbag explain`: why a table or a row is in a dataset, or isn't.

use serde_json::json;

use crate::datasets::lab;
use crate::support::Sandbox;

/// Two images of one subject, of which one is a member of a released dataset.
fn scans() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox.write("subjects.csv", "name\nann\nben\n");
    lab(&sandbox, &["import", "../subjects.csv", "--table", "Subject", "--key", "name"]).expect(0);
    sandbox.write("images.csv", "image,Subject\ni1,ann\ni2,ann\ni3,ben\n");
    let import =
        ["import", "../images.csv", "--table", "Image", "--key", "image", "--references", "Subject=Subject"];
    lab(&sandbox, &import).expect(0);
    lab(&sandbox, &["dataset", "create", "scans"]).expect(0);
    lab(&sandbox, &["dataset", "add", "scans", "--table", "Image", "--where", "image = 'i1'"]).expect(0);
    lab(&sandbox, &["release", "scans", "--major", "-m", "one"]).expect(0);
    sandbox
}

fn rid(sandbox: &Sandbox, table: &str, condition: &str) -> String {
    let sql = format!("SELECT RID FROM {table} WHERE {condition}");
    let rows = lab(sandbox, &["at", "now", &sql, "--json"]).expect(0).json()["rows"].clone();
    rows[0][0].as_str().unwrap().to_owned()
}

#[test]
fn a_row_is_in_by_a_chain_of_rows_or_each_path_breaks_off_somewhere() {
    let sandbox = scans();
    let ann = rid(&sandbox, "Subject", "name = 'ann'");
    let explained = lab(&sandbox, &["explain", "scans@1.0.0", "--rid", &ann, "--json"]).expect(0).json();
    let chain = explained["row"]["chain"].as_array().unwrap();
    let tables: Vec<&str> = chain.iter().map(|step| step["table"].as_str().unwrap()).collect();
    assert_eq!(tables, ["Dataset", "Dataset_Image", "Image", "Subject"]);
    assert_eq!((&chain[0]["rid"], &chain[3]["rid"]), (&json!("scans"), &json!(ann)));
    let text = lab(&sandbox, &["explain", "scans@1.0.0", "--rid", &ann]).expect(0).stdout;
    assert!(text.contains("is in scans@1.0.0:\n  Dataset scans\n    Dataset_Image "), "{text}");
    let ben = rid(&sandbox, "Subject", "name = 'ben'");
    let text = lab(&sandbox, &["explain", "scans@1.0.0", "--rid", &ben]).expect(0).stdout;
    let broken =
        "is not in scans@1.0.0:\n  by Dataset > Dataset_Image > Image > Subject: no row of Dataset_Image";
    assert!(text.contains(broken), "{text}");
    lab(&sandbox, &["explain", "scans", "--rid", "9-9999"]).expect(2).says(&["9-9999"]);
    lab(&sandbox, &["explain", "nothing"]).expect(2).says(&["nothing", "scans"]);
}

#[test]
fn tables_are_in_by_paths_or_out_for_a_reason() {
    let sandbox = scans();
    let text = lab(&sandbox, &["explain", "scans@1.0.0"]).expect(0).stdout;
    for line in
        ["  Dataset > Dataset_Image > Image > Subject  (1)", "Execution_Status", "all of it", "not in: "]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    let explain = |more: &[&str]| {
        let words = [&["explain", "scans@1.0.0", "--table", "Subject"], more].concat();
        lab(&sandbox, &[&words[..], &["--json"]].concat()).expect(0).json()["tables"][0].clone()
    };
    assert_eq!((&explain(&[])["rows"], &explain(&[])["in"]), (&json!(1), &json!(true)));
    for (more, why) in [
        (["--exclude", "Image"], "left out"),
        (["--exclude", "Subject"], "as you asked"),
        (["--max-depth", "2"], "more than 2 foreign keys"),
    ] {
        let part = explain(&more);
        assert_eq!(part["in"], false);
        assert!(part["why_not"].as_str().unwrap().contains(why), "{more:?}: {part}");
    }
    lab(&sandbox, &["explain", "scans", "--table", "Imag"]).expect(2).says(&["Imag"]);
    lab(&sandbox, &["explain", "scans", "--exclude", "Imag"]).expect(2).says(&["Imag"]);
}
