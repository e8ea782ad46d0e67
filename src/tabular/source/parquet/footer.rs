//! A look at a file's schema before the Parquet crate reads it: that crate trusts how many children a schema says it
//! has, and follows any depth of them. Memory or stack that runs out so cannot be caught.
//!
//! The footer is a struct in Thrift's compact protocol; only as much of it is read as comes before the schema's end.

use std::io::{self, Read, Seek, SeekFrom};

/// The deepest nesting of groups that is read.
const DEEPEST: usize = 64;

/// The deepest nesting of Thrift values that are passed over.
const DEEPEST_VALUE: usize = 16;

/// Checks the schema of a file. What is wrong with the rest of it is left to the Parquet crate to say.
pub(super) fn check(file: &mut (impl Read + Seek)) -> io::Result<Result<(), String>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = [0; 8];
    if length < 12 {
        return Ok(Ok(()));
    }
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut end)?;
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if end[4..] != *b"PAR1" || footer > length - 8 {
        return Ok(Ok(()));
    }
    file.seek(SeekFrom::Start(length - 8 - footer))?;
    let mut bytes = Vec::new();
    file.by_ref().take(footer).read_to_end(&mut bytes)?;
    Ok(Thrift(&bytes).file().unwrap_or_else(|| Err("its footer is broken".into())))
}

/// What is left of the footer. Methods give `None` where it is cut short or malformed.
struct Thrift<'a>(&'a [u8]);

// The types of the compact protocol.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

impl Thrift<'_> {
    /// `FileMetaData`: its field 2 is the schema, a list of elements in depth-first order.
    fn file(&mut self) -> Option<Result<(), String>> {
        let mut id = 0;
        loop {
            match self.field(&mut id)? {
                STOP => return Some(Ok(())),
                LIST if id == 2 => return self.schema(),
                kind => self.skip(kind, 0)?,
            }
        }
    }

    fn schema(&mut self) -> Option<Result<(), String>> {
        let (count, kind) = self.list()?;
        if kind != STRUCT {
            return None;
        }
        // Children that each of the groups around the next element still waits for.
        let mut waiting: Vec<u64> = Vec::new();
        for _ in 0..count {
            if let Some(left) = waiting.last_mut() {
                *left -= 1;
            }
            let children = self.children()?;
            if children > count {
                return Some(Err("a group of its schema has more fields than the schema".into()));
            }
            if children > 0 {
                waiting.push(children);
            }
            while waiting.last() == Some(&0) {
                waiting.pop();
            }
            if waiting.len() > DEEPEST {
                return Some(Err(format!("its schema is more than {DEEPEST} groups deep")));
            }
        }
        Some(Ok(()))
    }

    /// `SchemaElement`: its field 5 is the number of its children.
    fn children(&mut self) -> Option<u64> {
        let (mut id, mut children) = (0, 0);
        loop {
            match self.field(&mut id)? {
                STOP => return Some(children),
                I32 if id == 5 => {
                    let zigzag = self.varint()?;
                    children = if zigzag % 2 == 0 { zigzag / 2 } else { 0 };
                }
                kind => self.skip(kind, 0)?,
            }
        }
    }

    /// A field's type, its id put into `id`; [`STOP`] at the struct's end.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let byte = self.byte()?;
        if byte == STOP {
            return Some(STOP);
        }
        *id = match byte >> 4 {
            0 => {
                let zigzag = self.varint()?;
                (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
            }
            delta => id.checked_add(i64::from(delta))?,
        };
        Some(byte & 0x0F)
    }

    /// How many elements a list has, never more than bytes are left, and their type.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        (count <= self.0.len() as u64).then_some((count, byte & 0x0F))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST_VALUE {
            return None;
        }
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(usize::try_from(length).ok()?)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0F, depth)
                })
            }
            STRUCT => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        STOP => return Some(()),
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            _ => None,
        }
    }

    /// An element of a list or map: booleans take a byte there.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { self.byte().map(drop) } else { self.skip(kind, depth + 1) }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn pass(&mut self, length: usize) -> Option<()> {
        self.0 = self.0.get(length..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file whose schema is one list of elements, each with so many children.
    fn file(children: &[u8]) -> Vec<u8> {
        // Field 1, an i32; field 2, a list of structs, its length in a varint of two bytes.
        let count = u8::try_from(children.len()).unwrap();
        let mut footer = vec![0x15, 0x02, 0x19, 0xFC, (count % 128) | 0x80, count / 128];
        for &count in children {
            // Field 4, a name; field 5, an i32.
            footer.extend([0x48, 1, b'x', 0x15, count * 2, 0]);
        }
        let mut file = b"PAR1".to_vec();
        file.extend(&footer);
        file.extend(u32::try_from(footer.len()).unwrap().to_le_bytes());
        file.extend(b"PAR1");
        file
    }

    fn checked(children: &[u8]) -> Result<(), String> {
        check(&mut io::Cursor::new(file(children))).unwrap()
    }

    #[test]
    fn schemas_that_would_exhaust_memory_or_stack_are_refused() {
        assert_eq!(checked(&[2, 0, 1, 0]), Ok(()));
        assert_eq!(checked(&[1; 60]), Ok(()));
        assert!(checked(&[1; 70]).unwrap_err().contains("64 groups deep"));
        assert!(checked(&[9, 0]).unwrap_err().contains("more fields"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Thrift(&bytes).file();
        }
    }
}
