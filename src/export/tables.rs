//! A version's tables as they go into a bag: rows by RID in PostgreSQL's CSV, with the assets that the rows name.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::ExportError;
use super::assets::{Asset, AssetColumns};
use super::homes::{Home, Homes, url_cell};
use crate::catalog::{Catalog, CatalogError, TableSelection};
use crate::model::{Storage, Table};
use crate::tabular::{float_text, push_field};

/// A table's rows, one line after the other.
pub(super) struct TableText<'t> {
    table: &'t Table,
    storage: Vec<Storage>,
    assets: Option<AssetColumns>,
    line: Vec<u8>,
}

impl<'t> TableText<'t> {
    pub(super) fn new(table: &'t Table) -> Self {
        let storage = table.column_definitions.iter().map(|column| column.column_type.storage()).collect();
        Self { table, storage, assets: AssetColumns::of(table), line: Vec::new() }
    }

    /// The first line: the columns' names.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (at, column) in self.table.column_definitions.iter().enumerate() {
            if at > 0 {
                line.push(b',');
            }
            push_field(&mut line, column.name.as_bytes());
        }
        line.push(b'\n');
        line
    }

    /// Hands over each row's line, with its asset and where that goes.
    pub(super) fn for_each(
        &mut self,
        catalog: &Catalog,
        selection: &TableSelection,
        homes: &Homes<'_>,
        mut f: impl FnMut(&[u8], Option<(Asset, Home)>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        catalog.for_each_cells(selection, |row| {
            let asset = match &self.assets {
                Some(columns) => columns.asset(row)?,
                None => None,
            };
            let asset = match asset {
                Some(asset) => homes.of(&asset).map(|home| Some((asset, home)))?,
                None => None,
            };
            // Where the bytes are is known only now, so the column says the path of the URL in fetch.txt.
            let url = asset.as_ref().map(|(asset, home)| url_cell(asset, home));
            self.write_line(row, url.as_deref()).map_err(CatalogError::from)?;
            f(&self.line, asset)
        })
    }

    fn write_line(&mut self, row: &Row<'_>, url: Option<&str>) -> Result<(), std::io::Error> {
        self.line.clear();
        let url_at = self.assets.as_ref().map(|assets| assets.url);
        for (at, storage) in self.storage.iter().enumerate() {
            if at > 0 {
                self.line.push(b',');
            }
            match url.filter(|_| url_at == Some(at)) {
                Some(url) => push_field(&mut self.line, url.as_bytes()),
                None => push_cell(&mut self.line, row.get_ref(at).map_err(std::io::Error::other)?, *storage),
            }
        }
        self.line.push(b'\n');
        Ok(())
    }
}

/// Writes a cell as PostgreSQL does; NULL is nothing.
fn push_cell(line: &mut Vec<u8>, cell: ValueRef<'_>, storage: Storage) {
    match cell {
        ValueRef::Null => {}
        ValueRef::Integer(value) if storage == Storage::Boolean => {
            line.push(if value == 0 { b'f' } else { b't' })
        }
        ValueRef::Integer(value) => {
            use std::io::Write;
            // Writing to memory can't fail.
            let _ = write!(line, "{value}");
        }
        ValueRef::Real(value) => line.extend_from_slice(float_text(value).as_bytes()),
        ValueRef::Text(text) | ValueRef::Blob(text) => match String::from_utf8_lossy(text) {
            Cow::Borrowed(text) => push_field(line, text.as_bytes()),
            Cow::Owned(text) => push_field(line, text.as_bytes()),
        },
    }
}
