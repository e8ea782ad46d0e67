//! Columns as people write them on a command line: `side text`, or `side text!` where every row needs a value.

use std::str::FromStr;

use super::{Column, ColumnType};

/// A text that describes no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SpecError {
    #[error("{0:?} is no column: write its name, a space and its type, such as \"side text\"")]
    NoType(String),
    #[error("{typename:?} is no type of a column; types are {}", ColumnType::NAMES.join(", "))]
    UnknownType { typename: String },
}

impl FromStr for Column {
    type Err = SpecError;

    /// The name may hold spaces; the type is the last word.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let parts = text.trim().rsplit_once(char::is_whitespace);
        let (name, typename) = parts.ok_or_else(|| SpecError::NoType(text.to_owned()))?;
        let (typename, needed) = typename.strip_suffix('!').map_or((typename, false), |bare| (bare, true));
        let column_type = ColumnType::by_name(typename)
            .ok_or_else(|| SpecError::UnknownType { typename: typename.to_owned() })?;
        let column = Column::new(name.trim_end(), column_type);
        Ok(if needed { column.required() } else { column })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_a_name_a_type_and_perhaps_a_mark() {
        for (text, name, typename, nullok) in [
            ("side text", "side", "text", true),
            ("side text!", "side", "text", false),
            (" Rim Area(mm^2)  float8! ", "Rim Area(mm^2)", "float8", false),
            ("μ text[]", "μ", "text[]", true),
        ] {
            let column: Column = text.parse().unwrap();
            assert_eq!(
                (&*column.name, &*column.column_type.typename, column.nullok),
                (name, typename, nullok)
            );
        }
        assert_eq!("side".parse::<Column>(), Err(SpecError::NoType("side".into())));
        assert!("side varchar".parse::<Column>().unwrap_err().to_string().contains("markdown"));
        assert!("side !".parse::<Column>().is_err());
    }
}
