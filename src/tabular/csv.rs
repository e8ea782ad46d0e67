//! The CSV of PostgreSQL's COPY: an unquoted empty field is NULL, a quoted one is the empty string.
//!
//! General CSV crates drop that difference, so the reader is dbag's own. It takes RFC 4180 in all its line
//! ends, streams, and says the line of whatever is wrong.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::mem;

use memchr::{memchr, memchr3};

/// Why a CSV file was refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CsvError {
    #[error("line {line}: {found} fields where the header has {expected}")]
    Ragged { line: u64, found: usize, expected: usize },
    #[error("line {line}: the text is not UTF-8")]
    NotUtf8 { line: u64 },
    #[error("line {line}: a quoted field that starts here is never closed")]
    Unclosed { line: u64 },
    #[error("line {line}: text follows the closing quote of a field")]
    AfterQuote { line: u64 },
    #[error("there is no header line")]
    NoHeader,
    #[error("line 1: the header names the column {0:?} twice")]
    DuplicateColumn(String),
    #[error("line 1: column {0} of the header has no name")]
    UnnamedColumn(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
    /// A CR ended a record; a LF right after belongs to it.
    AfterCr,
}

/// Reads records one after the other into one reused buffer.
pub struct CsvReader<R> {
    input: R,
    header: Vec<String>,
    delimiter: u8,
    /// The fields' bytes while a record is read, one after the other.
    text: Vec<u8>,
    /// The same, once they are known to be UTF-8.
    record: String,
    /// End of each field in `text`, and whether it was quoted.
    fields: Vec<(usize, bool)>,
    /// The line being read, and the one on which the record starts.
    at_line: u64,
    line: u64,
    state: State,
}

impl<R: BufRead> CsvReader<R> {
    /// Starts reading and takes the header line. A byte-order mark is skipped.
    pub fn new(input: R) -> Result<Self, CsvError> {
        Self::with_delimiter(input, b',')
    }

    /// The same for fields that another character stands between: ASCII, no quote and no line end.
    pub fn with_delimiter(mut input: R, delimiter: u8) -> Result<Self, CsvError> {
        if input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
            input.consume(3);
        }
        let mut reader = Self {
            input,
            header: Vec::new(),
            delimiter,
            text: Vec::new(),
            record: String::new(),
            fields: Vec::new(),
            at_line: 1,
            line: 1,
            state: State::FieldStart,
        };
        if !reader.read_record()? || reader.is_blank() {
            return Err(CsvError::NoHeader);
        }
        let mut seen = HashSet::new();
        for index in 0..reader.fields.len() {
            let name = reader.field(index).unwrap_or_default().to_owned();
            if name.is_empty() {
                return Err(CsvError::UnnamedColumn(index + 1));
            }
            if !seen.insert(name.clone()) {
                return Err(CsvError::DuplicateColumn(name));
            }
            reader.header.push(name);
        }
        Ok(reader)
    }

    /// The header's names.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Reads the next record; false at the end. Blank lines between records of several fields are skipped.
    pub fn next_record(&mut self) -> Result<bool, CsvError> {
        while self.read_record()? {
            if self.fields.len() == self.header.len() {
                return Ok(true);
            }
            if !self.is_blank() {
                return Err(CsvError::Ragged {
                    line: self.line,
                    found: self.fields.len(),
                    expected: self.header.len(),
                });
            }
        }
        Ok(false)
    }

    /// A field of the record read last; `None` is NULL.
    pub fn field(&self, index: usize) -> Option<&str> {
        let start = if index == 0 { 0 } else { self.fields[index - 1].0 };
        let (end, quoted) = self.fields[index];
        // That fields end between characters was checked with the record.
        (end > start || quoted).then(|| self.record.get(start..end).unwrap_or_default())
    }

    /// The line on which the record read last starts, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn is_blank(&self) -> bool {
        self.fields.as_slice() == [(0, false)]
    }

    fn read_record(&mut self) -> Result<bool, CsvError> {
        self.text = mem::take(&mut self.record).into_bytes();
        self.text.clear();
        self.fields.clear();
        if self.state == State::AfterCr {
            if self.input.fill_buf()?.first() == Some(&b'\n') {
                self.input.consume(1);
            }
            self.state = State::FieldStart;
        }
        self.line = self.at_line;
        let mut quote_line = self.at_line;
        let mut quoted = false;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                if self.state == State::Quoted {
                    return Err(CsvError::Unclosed { line: quote_line });
                }
                if self.state == State::FieldStart && self.fields.is_empty() && self.text.is_empty() {
                    return Ok(false);
                }
                self.fields.push((self.text.len(), quoted));
                self.state = State::FieldStart;
                return self.check_text().map(|()| true);
            }
            let mut at = 0;
            while at < chunk.len() {
                match self.state {
                    State::FieldStart if chunk[at] == b'"' => {
                        self.state = State::Quoted;
                        quoted = true;
                        quote_line = self.at_line;
                        at += 1;
                    }
                    State::FieldStart | State::Plain | State::AfterCr => {
                        self.state = State::Plain;
                        let end = memchr3(self.delimiter, b'\n', b'\r', &chunk[at..])
                            .map_or(chunk.len(), |n| at + n);
                        self.text.extend_from_slice(&chunk[at..end]);
                        at = end;
                    }
                    State::Quoted => {
                        let end = memchr(b'"', &chunk[at..]).map_or(chunk.len(), |n| at + n);
                        self.at_line += memchr::memchr_iter(b'\n', &chunk[at..end]).count() as u64;
                        self.text.extend_from_slice(&chunk[at..end]);
                        at = end;
                        if at < chunk.len() {
                            self.state = State::QuoteInQuoted;
                            at += 1;
                        }
                        continue;
                    }
                    State::QuoteInQuoted if chunk[at] == b'"' => {
                        self.text.push(b'"');
                        self.state = State::Quoted;
                        at += 1;
                        continue;
                    }
                    State::QuoteInQuoted => {}
                }
                let Some(&byte) = chunk.get(at) else { continue };
                match (self.state, byte) {
                    (State::Quoted, _) => {}
                    (_, byte) if byte == self.delimiter => {
                        self.fields.push((self.text.len(), quoted));
                        quoted = false;
                        self.state = State::FieldStart;
                        at += 1;
                    }
                    (_, b'\n' | b'\r') => {
                        self.fields.push((self.text.len(), quoted));
                        self.state = if byte == b'\r' { State::AfterCr } else { State::FieldStart };
                        self.at_line += 1;
                        self.input.consume(at + 1);
                        return self.check_text().map(|()| true);
                    }
                    (State::QuoteInQuoted, _) => return Err(CsvError::AfterQuote { line: self.at_line }),
                    _ => {}
                }
            }
            let used = chunk.len();
            self.input.consume(used);
        }
    }

    fn check_text(&mut self) -> Result<(), CsvError> {
        let not_utf8 = CsvError::NotUtf8 { line: self.line };
        let Ok(record) = String::from_utf8(mem::take(&mut self.text)) else { return Err(not_utf8) };
        // Half a character at the end of a field and half at the start of the next make a whole one together.
        if !record.is_ascii() && !self.fields.iter().all(|&(end, _)| record.is_char_boundary(end)) {
            return Err(not_utf8);
        }
        self.record = record;
        Ok(())
    }
}

/// Adds a field that is not NULL to a line.
pub(crate) fn push_field(bytes: &[u8], line: &mut Vec<u8>) {
    // Looked at to the end, which the compiler makes quick. PostgreSQL also quotes a lone `\.`, which once ended a COPY.
    let special = bytes.iter().fold(false, |found, b| found | matches!(b, b',' | b'"' | b'\n' | b'\r'));
    if !special && !bytes.is_empty() && bytes != b"\\." {
        line.extend_from_slice(bytes);
        return;
    }
    line.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}

/// Writes records in the form of `COPY … TO STDOUT CSV HEADER`.
pub struct CsvWriter<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> CsvWriter<W> {
    /// Starts with the header.
    pub fn new(out: W, header: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<Self> {
        let mut writer = Self { out, line: Vec::new() };
        writer.record(header.into_iter().map(|name| Some(name.as_ref().to_owned())))?;
        Ok(writer)
    }

    /// Writes one record; `None` is NULL.
    pub fn record(&mut self, fields: impl IntoIterator<Item = Option<impl AsRef<str>>>) -> io::Result<()> {
        self.line.clear();
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.line.push(b',');
            }
            if let Some(field) = field {
                push_field(field.as_ref().as_bytes(), &mut self.line);
            }
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Ends and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    type Rows = Vec<Vec<Option<String>>>;

    fn read(text: &[u8], chunk: usize) -> Result<Rows, CsvError> {
        let mut reader = CsvReader::new(BufReader::with_capacity(chunk, text))?;
        let mut rows = vec![reader.header().iter().cloned().map(Some).collect::<Vec<_>>()];
        while reader.next_record()? {
            rows.push((0..reader.header().len()).map(|i| reader.field(i).map(str::to_owned)).collect());
        }
        Ok(rows)
    }

    fn shown(text: &str) -> String {
        let rows = read(text.as_bytes(), 4096).unwrap();
        let cell = |cell: &Option<String>| cell.clone().unwrap_or("∅".into());
        rows.iter()
            .map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        assert_eq!(shown("a,b,c\n1,,\"\"\n"), "a|b|c 1|∅|");
        assert_eq!(shown("a\n\n\"\"\n"), "a ∅ ");
    }

    #[test]
    fn line_ends_quotes_and_marks() {
        assert_eq!(shown("\u{feff}a,b\r\n1,2\r3,4\n\n5,6"), "a|b 1|2 3|4 5|6");
        assert_eq!(shown("a,b\n\"x, \"\"y\"\"\nz\",w\"w\n"), "a|b x, \"y\"\nz|w\"w");
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &[u8]| read(text, 4096).unwrap_err().to_string();
        assert_eq!(error(b"a,b\n\"x\ny\",2\n1\n"), "line 4: 1 fields where the header has 2");
        assert_eq!(error(b"a\nb\n\"c\n\n"), "line 3: a quoted field that starts here is never closed");
        assert_eq!(error(b"a\n\"b\"c\n"), "line 2: text follows the closing quote of a field");
        assert_eq!(error(b"a\n\xFF\n"), "line 2: the text is not UTF-8");
        assert_eq!(error(b"a,b\n\xC3,\xA9\n"), "line 2: the text is not UTF-8");
        assert_eq!(error(b""), "there is no header line");
        assert_eq!(error(b"a,a\n"), "line 1: the header names the column \"a\" twice");
        assert_eq!(error(b"a,\n"), "line 1: column 2 of the header has no name");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in proptest::collection::vec(proptest::collection::vec(proptest::option::of("[a,\"\r\n\\\\. é]{0,6}"), 3), 0..8),
            chunk in 1usize..40,
        ) {
            let mut writer = CsvWriter::new(Vec::new(), ["x", "y z", "\"q\""]).unwrap();
            rows.iter().for_each(|row| writer.record(row.iter().map(Option::as_ref)).unwrap());
            let text = writer.finish().unwrap();
            prop_assert_eq!(&read(&text, chunk).unwrap()[1..], rows.as_slice());
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::sample::select(&b"a\",\r\n\xFF"[..]), 0..40), chunk in 1usize..9) {
            let _ = read(&bytes, chunk);
        }
    }
}
