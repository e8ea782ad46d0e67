use super::super::{Format, Position, SourceOptions, open_source};
use super::{error, gzipped, read, read_path};

#[test]
fn csv_and_tsv_tell_null_from_the_empty_text() {
    assert_eq!(read("a.csv", b"a,b\n1,\n\"\",x\ty\n").unwrap(), ["a|b", "1|∅", "|x\ty"]);
    assert_eq!(read("a.tab", b"a\tb\n1,2\t\n\"\"\t\"x\ty\"\n").unwrap(), ["a|b", "1,2|∅", "|x\ty"]);
}

#[test]
fn a_gzipped_file_of_several_members_is_read_to_its_end() {
    let bytes = [gzipped(b"a\n1\n"), gzipped(b"2\n")].concat();
    assert_eq!(read("a.csv.gz", &bytes).unwrap(), ["a", "1", "2"]);
    assert_eq!(read("packed.csv", &bytes).unwrap(), ["a", "1", "2"]);
    assert!(read("a.csv.gz", &bytes[..bytes.len() - 9]).is_err());
}

#[test]
fn format_and_delimiter_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.txt");
    fs_err::write(&path, "a;b\n1;2\n").unwrap();
    let options = |format, delimiter| SourceOptions { format, delimiter };
    assert_eq!(read_path(&path, options(Some(Format::Csv), Some(';'))).unwrap(), ["a|b", "1|2"]);
    let failed = |format, delimiter| read_path(&path, options(format, delimiter)).unwrap_err().to_string();
    assert!(failed(None, None).starts_with("its name does not tell its format"));
    assert!(failed(Some(Format::Csv), Some('"')).contains("cannot be a delimiter"));
    assert!(failed(Some(Format::Csv), Some('é')).contains("cannot be a delimiter"));
    assert_eq!(failed(Some(Format::JsonLines), Some(';')), "a delimiter is for csv and tsv, not for jsonl");
}

#[test]
fn members_become_columns_in_the_order_in_which_they_appear() {
    let rows = read(
        "a.jsonl",
        "{\"b\": 1, \"a\": \"x\"}\n\n{\"c\": true, \"a\": null, \"d\\u0065\": 0.5}\r\n{\"a\": \"\\u00e9\\n\"}".as_bytes(),
    );
    let expected = ["b:int8|a:text|c:boolean|de:float8", "1|x|∅|∅", "∅|∅|t|0.5", "∅|é\n|∅|∅"];
    assert_eq!(rows.unwrap(), expected);
}

#[test]
fn a_members_type_takes_all_its_values_as_they_are_written() {
    for (values, typename, cells) in [
        ("1 2.5", "float8", "1 2.5"),
        ("1 true", "text", "1 true"),
        ("1 \"a\"", "text", "1 a"),
        ("\"007\" \"1\"", "text", "007 1"),
        ("12345678901234567890", "text", "12345678901234567890"),
        ("1e999", "text", "1e999"),
        ("0.5 12345678901234567", "text", "0.5 12345678901234567"),
        ("\"2026-01-02\" \"2026-01-03\"", "date", "2026-01-02 2026-01-03"),
        ("\"2026-01-02T10:00:00Z\"", "timestamptz", "2026-01-02T10:00:00Z"),
        ("[] [\"a\",null]", "text[]", "{} {a,NULL}"),
        ("[1] [\"a\"]", "jsonb", "[1] [\"a\"]"),
        ("{\"x\":[1]} \"a\"", "jsonb", "{\"x\":[1]} \"a\""),
        ("null", "text", "∅"),
    ] {
        let lines: Vec<String> = values.split(' ').map(|value| format!("{{\"a\":{value}}}")).collect();
        let rows = read("a.ndjson", lines.join("\n").as_bytes()).unwrap();
        let shown = format!("{} {}", rows[0], rows[1..].join(" "));
        assert_eq!(shown, format!("a:{typename} {cells}"));
    }
}

#[test]
fn a_wrong_line_is_named() {
    assert_eq!(
        error("a.jsonl", b"{\"a\":1}\n\n[1]\n"),
        "line 3: invalid type: sequence, expected a JSON object"
    );
    assert!(error("a.jsonl", b"{\"a\":1}\n{\"a\":}\n").starts_with("line 2: expected value, at byte 6"));
    assert!(error("a.jsonl", b"{\"a\":1} {}\n").starts_with("line 1: trailing characters"));
    assert_eq!(error("a.jsonl", b"{\"a\":\"\xFF\"}\n"), "line 1: the text is not UTF-8");
    assert_eq!(
        error("a.jsonl", b"{\"a\":1,\"a\":2}\n"),
        "line 1: the object has the member \"a\" twice, at byte 13"
    );
    assert!(error("a.jsonl", b"{\"a\":\"\\ud800\"}\n").starts_with("line 1: "));
    assert_eq!(error("a.jsonl", b"\n{}\n"), "it has no lines with a JSON object that has members");
    let many: String = (0..1601).map(|n| format!("{{\"{n}\":1}}\n")).collect();
    let error_of_many = error("a.jsonl", many.as_bytes());
    assert!(error_of_many.starts_with("line 1601: the objects have more than 1600 different members"));
    assert_eq!(error("a.tsv", b"a\tb\n1\n"), "line 2: 1 fields where the header has 2");
}

#[test]
fn lines_and_bytes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs_err::write(&path, "{\"a\":1}\n\n{\"a\":2}\n").unwrap();
    let mut source = open_source(&path, SourceOptions::default(), &mut |_| true).unwrap();
    let mut places = Vec::new();
    while source.next().unwrap() {
        places.push(source.line());
    }
    assert_eq!(places, [Position::Line(1), Position::Line(3)]);
    assert_eq!(places[1].to_string(), "line 3");
    assert_eq!(source.bytes_read(), 17);
}
