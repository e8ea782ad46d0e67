//! Typed values and the CSV that PostgreSQL's COPY and Python write.
//!
//! Owns the text forms of values, the reader that tells NULL from the empty string, and type inference.
//! It knows no tables and opens no files.

mod csv;
mod infer;
mod value;

pub use csv::{CsvError, CsvReader, CsvWriter};
pub use infer::TypeGuess;
pub use value::{Value, ValueError};
