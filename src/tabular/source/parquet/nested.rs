//! Columns of lists, maps and groups: a list of texts becomes an array, all others JSON.

use parquet::data_type::Decimal;
use parquet::record::Field;
use serde_json::Value as Json;

use super::text;
use crate::tabular::format_array;

/// Writes a field as the array or the JSON of a cell; false where it is NULL.
pub(super) fn write(out: &mut String, field: &Field, array: bool) -> Result<bool, String> {
    match field {
        Field::Null => return Ok(false),
        Field::ListInternal(list) if array => {
            let texts: Result<Vec<Option<&str>>, String> = list.elements().iter().map(element).collect();
            out.push_str(&format_array(&texts?));
        }
        field => out.push_str(&json(field)?.to_string()),
    }
    Ok(true)
}

fn element(field: &Field) -> Result<Option<&str>, String> {
    match field {
        Field::Null => Ok(None),
        Field::Str(text) => Ok(Some(text)),
        _ => Err("a list of texts holds something else".into()),
    }
}

fn json(field: &Field) -> Result<Json, String> {
    let number = |value: f64| Json::from(value);
    let written = |write: &dyn Fn(&mut String) -> Result<(), String>| {
        let mut out = String::new();
        write(&mut out).map(|()| Json::from(out))
    };
    Ok(match field {
        Field::Null => Json::Null,
        Field::Bool(value) => Json::from(*value),
        Field::Byte(value) => Json::from(*value),
        Field::Short(value) => Json::from(*value),
        Field::Int(value) => Json::from(*value),
        Field::Long(value) => Json::from(*value),
        Field::UByte(value) => Json::from(*value),
        Field::UShort(value) => Json::from(*value),
        Field::UInt(value) => Json::from(*value),
        Field::ULong(value) => Json::from(*value),
        // JSON has no NaN and no infinity; those become null.
        Field::Float16(value) => number(f64::from(value.to_f32())),
        Field::Float(value) => number(text::widened(*value)),
        Field::Double(value) => number(*value),
        Field::Decimal(value) => written(&|out| decimal(out, value))?,
        Field::Str(value) => Json::from(value.as_str()),
        Field::Bytes(value) => match std::str::from_utf8(value.data()) {
            Ok(text) => Json::from(text),
            Err(_) => return Err("the bytes are no UTF-8 text".into()),
        },
        Field::Date(days) => written(&|out| text::date(out, i64::from(*days)))?,
        Field::TimeMillis(value) => written(&|out| text::time(out, i64::from(*value), 1000))?,
        Field::TimeMicros(value) => written(&|out| text::time(out, *value, 1_000_000))?,
        Field::TimestampMillis(value) => {
            written(&|out| text::timestamp(out, text::micros(*value, 1000)?, true))?
        }
        Field::TimestampMicros(value) => written(&|out| text::timestamp(out, *value, true))?,
        Field::Group(row) => {
            let member = |(name, field): (&String, &Field)| Ok((name.clone(), json(field)?));
            Json::Object(row.get_column_iter().map(member).collect::<Result<_, String>>()?)
        }
        Field::ListInternal(list) => list.elements().iter().map(json).collect::<Result<_, String>>()?,
        Field::MapInternal(map) => map_json(map.entries())?,
    })
}

/// A map with texts for keys is an object, any other a list of pairs.
fn map_json(entries: &[(Field, Field)]) -> Result<Json, String> {
    if entries.iter().all(|(key, _)| matches!(key, Field::Str(_))) {
        let member = |(key, value): &(Field, Field)| match key {
            Field::Str(key) => Ok((key.clone(), json(value)?)),
            _ => Err("a map's key is no text".to_owned()),
        };
        return Ok(Json::Object(entries.iter().map(member).collect::<Result<_, String>>()?));
    }
    let pair = |(key, value): &(Field, Field)| Ok(Json::from(vec![json(key)?, json(value)?]));
    entries.iter().map(pair).collect::<Result<_, String>>()
}

fn decimal(out: &mut String, value: &Decimal) -> Result<(), String> {
    let scale = value.scale();
    if !(0..=76).contains(&scale) {
        return Err(format!("its decimals have the scale {scale}"));
    }
    text::decimal(out, value.data(), scale)
}
