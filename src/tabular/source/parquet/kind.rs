//! Parquet's types and the ERMrest types that their values become.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, Type};

use crate::model::ColumnType;

/// How a column's stored values become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Unsigned,
    Float4,
    Float8,
    Float16,
    Date,
    /// Since 1970, in units of which a second has so many; in UTC or of no known zone.
    Timestamp {
        second: i64,
        utc: bool,
    },
    /// The old 96-bit timestamps of Impala and Spark.
    Int96,
    /// Since midnight, in units of which a second has so many.
    Time {
        second: i64,
    },
    Decimal {
        scale: i32,
    },
    Text,
    Uuid,
    /// Always NULL.
    Nothing,
}

/// A column's kind, its ERMrest type, and what should be told of it.
pub(super) type Described = (Kind, ColumnType, Option<&'static str>);

const DECIMAL: &str = "decimals become text, which keeps all their digits";
const TIME: &str = "times of day become text";

/// The kind of a column without repeated or nested values, or why it cannot be read.
pub(super) fn describe(column: &ColumnDescriptor) -> Result<Described, String> {
    let known = |kind, name| Ok((kind, ColumnType::new(name), None));
    let told = |kind, note| Ok((kind, ColumnType::new("text"), Some(note)));
    let physical = column.physical_type();
    if let Some(scale) = decimal_scale(column)? {
        return told(Kind::Decimal { scale }, DECIMAL);
    }
    match (physical, column.logical_type_ref(), column.converted_type()) {
        (_, Some(LogicalType::Unknown), _) => known(Kind::Nothing, "text"),
        (Physical::BOOLEAN, ..) => known(Kind::Boolean, "boolean"),
        (Physical::FLOAT, ..) => known(Kind::Float4, "float4"),
        (Physical::DOUBLE, ..) => known(Kind::Float8, "float8"),
        (Physical::INT96, ..) => known(Kind::Int96, "timestamp"),
        (Physical::INT32, Some(LogicalType::Date), _) | (Physical::INT32, _, ConvertedType::DATE) => {
            known(Kind::Date, "date")
        }
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Timestamp(timestamp)), _) => {
            let utc = timestamp.is_adjusted_to_u_t_c;
            let kind = Kind::Timestamp { second: per_second(timestamp.unit), utc };
            known(kind, if utc { "timestamptz" } else { "timestamp" })
        }
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Time(time)), _) => {
            told(Kind::Time { second: per_second(time.unit) }, TIME)
        }
        (Physical::INT32 | Physical::INT64, _, converted) => match converted {
            ConvertedType::TIMESTAMP_MILLIS => {
                known(Kind::Timestamp { second: 1000, utc: true }, "timestamptz")
            }
            ConvertedType::TIMESTAMP_MICROS => {
                known(Kind::Timestamp { second: 1_000_000, utc: true }, "timestamptz")
            }
            ConvertedType::TIME_MILLIS => told(Kind::Time { second: 1000 }, TIME),
            ConvertedType::TIME_MICROS => told(Kind::Time { second: 1_000_000 }, TIME),
            _ => Ok(integer(physical, column)),
        },
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, logical, converted) => {
            match (logical, converted) {
                (Some(LogicalType::Float16), _) => known(Kind::Float16, "float4"),
                (Some(LogicalType::Uuid), _) => known(Kind::Uuid, "text"),
                (Some(LogicalType::Json), _) | (_, ConvertedType::JSON) => known(Kind::Text, "jsonb"),
                (
                    Some(LogicalType::String | LogicalType::Enum) | None,
                    ConvertedType::UTF8 | ConvertedType::ENUM,
                )
                | (Some(LogicalType::String | LogicalType::Enum), _)
                | (None, ConvertedType::NONE) => known(Kind::Text, "text"),
                (Some(logical), _) => Err(format!("values of the type {logical:?} have no place in a table")),
                (None, other) => Err(format!("values of the type {other} have no place in a table")),
            }
        }
    }
}

/// The kind and type of whole numbers: the narrowest that holds all of theirs.
fn integer(physical: Physical, column: &ColumnDescriptor) -> Described {
    let wide = physical == Physical::INT64;
    let (bits, signed) = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => (integer.bit_width, integer.is_signed),
        (_, ConvertedType::INT_8) => (8, true),
        (_, ConvertedType::INT_16) => (16, true),
        (_, ConvertedType::UINT_8) => (8, false),
        (_, ConvertedType::UINT_16) => (16, false),
        (_, ConvertedType::UINT_32) => (32, false),
        (_, ConvertedType::UINT_64) => (64, false),
        _ => (if wide { 64 } else { 32 }, true),
    };
    let name = match (bits, signed) {
        _ if wide => "int8",
        (8 | 16, true) | (8, false) => "int2",
        (_, true) | (16, false) => "int4",
        _ => "int8",
    };
    (if signed { Kind::Integer } else { Kind::Unsigned }, ColumnType::new(name), None)
}

fn decimal_scale(column: &ColumnDescriptor) -> Result<Option<i32>, String> {
    let scale = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Decimal(decimal)), _) => decimal.scale,
        (None, ConvertedType::DECIMAL) => column.type_scale(),
        _ => return Ok(None),
    };
    // Arrow's widest decimal has 76 digits; a scale beyond would only make long runs of zeros.
    if (0..=76).contains(&scale) {
        Ok(Some(scale))
    } else {
        Err(format!("its decimals have the scale {scale}"))
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// Whether a field is a list of texts, in any of the layouts that writers use.
pub(super) fn is_list_of_texts(field: &Type) -> bool {
    if field.is_primitive() {
        return is_text(field);
    }
    let is_list = matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::List))
        || field.get_basic_info().converted_type() == ConvertedType::LIST;
    let [repeated] = field.get_fields() else { return false };
    let element = match repeated.is_primitive() {
        true => Some(repeated),
        false if repeated.get_fields().len() == 1 => repeated.get_fields().first(),
        false => None,
    };
    is_list && element.is_some_and(|element| element.is_primitive() && is_text(element))
}

fn is_text(field: &Type) -> bool {
    let info = field.get_basic_info();
    matches!(info.logical_type_ref(), Some(LogicalType::String))
        || info.converted_type() == ConvertedType::UTF8
}
