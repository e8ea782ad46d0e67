//! The formats, how they are told, and how a file of any of them is opened.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use super::delimited::DelimitedSource;
use super::input::is_gzip;
use super::json::JsonSource;
use super::parquet::ParquetSource;
use super::{RowSource, SourceError, Watch};

/// A format of files that hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header line, RFC 4180.
    Csv,
    /// Tab-separated values with a header line, quoted as in CSV.
    Tsv,
    /// A JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Tsv, Self::JsonLines, Self::Parquet];

    /// The name that an option takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// The extensions of its files. Those of text formats may have `.gz` after them.
    #[must_use]
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &["csv"],
            Self::Tsv => &["tsv", "tab"],
            Self::JsonLines => &["jsonl", "ndjson"],
            Self::Parquet => &["parquet"],
        }
    }

    /// The format of a file by its extension, in any case of letters.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (stem, extension) = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?;
        let format = Self::ALL.into_iter().find(|format| format.extensions().contains(&extension))?;
        (!stem.is_empty()).then_some(format)
    }

    /// The formats and their extensions in words.
    pub(super) fn list() -> String {
        let one = |format: Self| {
            let gz = if format == Self::Parquet { "" } else { "[.gz]" };
            let extensions: Vec<String> =
                format.extensions().iter().map(|extension| format!(".{extension}{gz}")).collect();
            format!("{} ({})", format.name(), extensions.join(", "))
        };
        Self::ALL.map(one).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let known = Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| SourceError::NoSuchFormat(text.to_owned()))
    }
}

/// What a file's name does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// The format, instead of the one that the extension tells.
    pub format: Option<Format>,
    /// What stands between fields, instead of a comma or tab.
    pub delimiter: Option<char>,
}

/// Opens a file of rows. JSON lines are read once here, to learn the columns and their types; `watch` sees it go on.
pub fn open_source(
    path: &Path,
    options: SourceOptions,
    watch: Watch<'_>,
) -> Result<Box<dyn RowSource + Send>, SourceError> {
    let format = options.format.or_else(|| Format::of(path)).ok_or(SourceError::UnknownFormat)?;
    if let (Some(_), Format::JsonLines | Format::Parquet) = (options.delimiter, format) {
        return Err(SourceError::NoDelimiter(format));
    }
    match format {
        Format::Csv => Ok(Box::new(DelimitedSource::open(path, options.delimiter.unwrap_or(','))?)),
        Format::Tsv => Ok(Box::new(DelimitedSource::open(path, options.delimiter.unwrap_or('\t'))?)),
        Format::JsonLines => Ok(Box::new(JsonSource::open(path, watch)?)),
        Format::Parquet => {
            let mut start = Vec::new();
            fs_err::File::open(path)?.take(2).read_to_end(&mut start)?;
            if is_gzip(&start) {
                return Err(SourceError::GzippedParquet);
            }
            Ok(Box::new(ParquetSource::open(path)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_the_extension() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.b/C.CSV.GZ", Some(Format::Csv)),
            ("a.tab", Some(Format::Tsv)),
            ("a.tsv.gz", Some(Format::Tsv)),
            ("a.ndjson", Some(Format::JsonLines)),
            ("a.jsonl.gz", Some(Format::JsonLines)),
            ("a.parquet", Some(Format::Parquet)),
            ("a.json", None),
            ("csv", None),
            (".csv", None),
            ("a.gz", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn an_unknown_format_lists_those_that_there_are() {
        let error = open_source(Path::new("a.xlsx"), SourceOptions::default(), &mut |_| true)
            .err()
            .unwrap()
            .to_string();
        assert_eq!(
            error,
            "its name does not tell its format; name one of csv (.csv[.gz]), tsv (.tsv[.gz], .tab[.gz]), \
             jsonl (.jsonl[.gz], .ndjson[.gz]), parquet (.parquet)"
        );
        assert!("xlsx".parse::<Format>().unwrap_err().to_string().starts_with("\"xlsx\" is no format"));
        assert_eq!("JSONL".parse::<Format>().unwrap(), Format::JsonLines);
    }
}
