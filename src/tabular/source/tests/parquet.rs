use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::super::{Position, SourceOptions, open_source};
use super::{error, gzipped, read};

const SCHEMA: &str = "message rows {
    required int64 id;
    optional binary name (UTF8);
    optional int32 small (INTEGER(8, true));
    optional int64 at (TIMESTAMP(NANOS, true));
    optional double x;
    optional int64 big (INTEGER(64, false));
    optional int32 price (DECIMAL(5, 2));
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    optional group where { optional int32 row; required binary well (UTF8); }
}";

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: &[i16],
    again: &[i16],
) {
    let mut column = group.next_column().unwrap().unwrap();
    let levels = (!levels.is_empty()).then_some(levels);
    let again = (!again.is_empty()).then_some(again);
    column.typed::<T>().write_batch(values, levels, again).unwrap();
    column.close().unwrap();
}

/// Two row groups of three rows each.
pub(super) fn sample(compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|&text| ByteArray::from(text)).collect::<Vec<_>>();
    for start in [1, 4] {
        let mut group = writer.next_row_group().unwrap();
        write::<Int64Type>(&mut group, &[start, start + 1, start + 2], &[], &[]);
        write::<ByteArrayType>(&mut group, &texts(&["é", ""]), &[1, 0, 1], &[]);
        write::<Int32Type>(&mut group, &[-7, 7], &[1, 1, 0], &[]);
        write::<Int64Type>(&mut group, &[1_500_000_001, -1], &[1, 0, 1], &[]);
        write::<DoubleType>(&mut group, &[0.5], &[0, 1, 0], &[]);
        write::<Int64Type>(&mut group, &[start], &[1, 0, 0], &[]);
        write::<Int32Type>(&mut group, &[-5, 1234], &[1, 0, 1], &[]);
        write::<ByteArrayType>(&mut group, &texts(&["a", "b c"]), &[3, 3, 1, 0], &[0, 1, 0, 0]);
        write::<Int32Type>(&mut group, &[1], &[2, 0, 1], &[]);
        write::<ByteArrayType>(&mut group, &texts(&["A1", "B2"]), &[1, 0, 1], &[]);
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Every compression that is read.
pub(super) fn codecs() -> [Compression; 5] {
    use Compression::{GZIP, LZ4_RAW, SNAPPY, UNCOMPRESSED, ZSTD};
    [UNCOMPRESSED, SNAPPY, LZ4_RAW, GZIP(GzipLevel::default()), ZSTD(ZstdLevel::default())]
}

#[test]
fn types_and_values_are_those_of_the_catalog() {
    for codec in codecs() {
        let rows = read("a.parquet", &sample(codec)).unwrap();
        assert_eq!(
            rows[..4],
            [
                "id:int8|name:text|small:int2|at:timestamptz|x:float8|big:int8|price:text|tags:text[]|where:jsonb",
                "1|é|-7|1970-01-01 00:00:01.5+00|∅|1|-0.05|{a,\"b c\"}|{\"row\":1,\"well\":\"A1\"}",
                "2|∅|7|∅|0.5|∅|∅|{}|∅",
                "3||∅|1969-12-31 23:59:59.999999+00|∅|∅|12.34|∅|{\"row\":null,\"well\":\"B2\"}",
            ]
        );
        assert_eq!(rows.len(), 7);
        assert!(rows[6].starts_with("6|"));
    }
}

#[test]
fn rows_bytes_and_notes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fs_err::write(&path, sample(Compression::SNAPPY)).unwrap();
    let mut source = open_source(&path, SourceOptions::default(), &mut |_| true).unwrap();
    assert_eq!(source.notes(), ["column \"price\": decimals become text, which keeps all their digits"]);
    let mut bytes = vec![source.bytes_read()];
    while source.next().unwrap() {
        bytes.push(source.bytes_read());
    }
    assert!(bytes.is_sorted() && bytes[0] == 0 && bytes[6] > 0, "{bytes:?}");
    assert_eq!(source.line(), Position::Row(6));
    assert_eq!(
        source.notes()[1],
        "column \"at\": nanoseconds are cut to microseconds, which PostgreSQL keeps"
    );
    assert!(!source.next().unwrap());
}

#[test]
fn a_number_beyond_64_bits_and_bytes_that_are_no_text_are_named_by_their_row() {
    let write_one = |schema: &str, number: Option<i64>, text: &[u8]| {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        match number {
            Some(number) => write::<Int64Type>(&mut group, &[1, number], &[], &[]),
            None => write::<ByteArrayType>(&mut group, &[ByteArray::from(text.to_vec())], &[], &[]),
        }
        group.close().unwrap();
        writer.into_inner().unwrap()
    };
    let bytes = write_one("message m { required int64 u (INTEGER(64, false)); }", Some(-1), b"");
    assert_eq!(
        error("a.parquet", &bytes),
        "row 2, column \"u\": 18446744073709551615 is beyond a whole number of 64 bits"
    );
    let bytes = write_one("message m { required binary b; }", None, b"\xFF");
    assert_eq!(error("a.parquet", &bytes), "row 1, column \"b\": the bytes are no UTF-8 text");
    let bytes = write_one("message m { required binary b (BSON); }", None, b"x");
    assert!(error("a.parquet", &bytes).starts_with("the column \"b\" cannot be read: values of the type"));
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    assert!(error("a.parquet", b"").starts_with("it is not a readable Parquet file: "));
    assert!(error("a.parquet", b"id,name\n1,a\n").starts_with("it is not a readable Parquet file: "));
    let packed = gzipped(&sample(Compression::SNAPPY));
    assert!(error("a.parquet", &packed).starts_with("it is gzipped"));
}
