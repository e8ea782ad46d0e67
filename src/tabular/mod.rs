//! Typed values and the CSV that PostgreSQL's COPY and Python write.
//!
//! Owns the text forms of values, the reader that tells NULL from the empty string, and type inference.
//! It knows no tables and opens no files.

mod array;
mod csv;
mod infer;
mod value;

pub use array::{array_from_json, array_to_json, format_array, parse_array};
pub use csv::{CsvError, CsvReader, CsvWriter};
pub use infer::TypeGuess;
pub use value::{Value, ValueError};
