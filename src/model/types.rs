//! Column types by their ERMrest names, and how their values are kept.

use super::Rest;

/// A column's type as `/schema` prints it. Unknown names are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// The name, such as `int8`, `markdown` or `text[]`.
    pub typename: String,
    /// Whether it is a domain over another type.
    pub is_domain: bool,
    /// Whether it is an array of another type.
    pub is_array: bool,
    /// The other type.
    pub base_type: Option<Box<ColumnType>>,
    /// What else the document says of it.
    pub rest: Rest,
}

/// How a type's values are kept in SQLite and in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// INTEGER 0 or 1; `f` and `t` in CSV.
    Boolean,
    /// INTEGER.
    Integer,
    /// REAL.
    Float,
    /// TEXT, `YYYY-MM-DD`.
    Date,
    /// TEXT, `YYYY-MM-DD HH:MM:SS[.ffffff]`.
    Timestamp,
    /// TEXT, the same with an offset.
    TimestampTz,
    /// TEXT that is JSON.
    Json,
    /// TEXT, a PostgreSQL array literal.
    Array,
    /// TEXT.
    Text,
}

impl ColumnType {
    /// A plain type.
    #[must_use]
    pub fn new(typename: &str) -> Self {
        Self {
            typename: typename.into(),
            is_domain: false,
            is_array: false,
            base_type: None,
            rest: Rest::default(),
        }
    }

    /// A domain over a base type.
    #[must_use]
    pub fn domain(typename: &str, base: &str) -> Self {
        Self { is_domain: true, base_type: Some(Box::new(Self::new(base))), ..Self::new(typename) }
    }

    /// An array of a base type.
    #[must_use]
    pub fn array(base: &str) -> Self {
        Self { is_array: true, base_type: Some(Box::new(Self::new(base))), ..Self::new(&format!("{base}[]")) }
    }

    /// The names that `--type COLUMN=NAME` takes.
    pub const NAMES: [&str; 14] = [
        "text",
        "markdown",
        "boolean",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "date",
        "timestamp",
        "timestamptz",
        "json",
        "jsonb",
        "text[]",
    ];

    /// The type of one of [`ColumnType::NAMES`].
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "markdown" => Some(Self::domain("markdown", "text")),
            "text[]" => Some(Self::array("text")),
            name => Self::NAMES.contains(&name).then(|| Self::new(name)),
        }
    }

    /// How its values are kept.
    #[must_use]
    pub fn storage(&self) -> Storage {
        if self.is_array || self.typename.ends_with("[]") {
            return Storage::Array;
        }
        match self.typename.as_str() {
            "boolean" => Storage::Boolean,
            "int2" | "int4" | "int8" | "serial2" | "serial4" | "serial8" => Storage::Integer,
            "float4" | "float8" => Storage::Float,
            "date" => Storage::Date,
            "timestamp" => Storage::Timestamp,
            "timestamptz" | "ermrest_rct" | "ermrest_rmt" => Storage::TimestampTz,
            "json" | "jsonb" => Storage::Json,
            _ => match &self.base_type {
                Some(base) if self.is_domain => base.storage(),
                _ => Storage::Text,
            },
        }
    }
}

impl Storage {
    /// The type of the SQL column.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Boolean | Self::Integer => "INTEGER",
            Self::Float => "REAL",
            _ => "TEXT",
        }
    }
}
