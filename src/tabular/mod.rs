//! Files of rows and typed values: CSV, TSV, JSON lines and Parquet, and the texts that PostgreSQL's COPY and
//! Python write.
//!
//! Owns the text forms of values, the reader that tells NULL from the empty string, the formats' row sources, and
//! what columns a file has: types, candidate keys, references. It knows no catalog and no tables.

mod array;
mod csv;
mod infer;
mod moment;
mod source;
mod value;

pub use array::{array_from_json, array_to_json, format_array, parse_array};
pub(crate) use csv::push_field;
pub use csv::{CsvError, CsvReader, CsvWriter};
pub use infer::{
    InferOptions, Inferred, InferredColumn, OtherKey, ProposedReference, TypeGuess, infer, may_refer,
};
pub(crate) use source::Cells;
pub use source::{
    Cell, Format, Position, RowSource, SourceColumn, SourceError, SourceOptions, Watch, open_source,
};
pub use value::{Value, ValueError};
