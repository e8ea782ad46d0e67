//! From the model to JSON: the known members in a fixed order, then the rest as it came.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::{
    Column, ColumnRef, ColumnType, ForeignKey, Key, Model, Schema, Table, no_action, table_kind,
};
use super::Rest;

/// An object being written.
struct Members<'r, M> {
    map: M,
    rest: &'r Rest,
    /// Known members that were written though the document that was read had them with the rest.
    overridden: Vec<&'static str>,
}

impl<'r, M: SerializeMap> Members<'r, M> {
    fn new<S: Serializer<SerializeMap = M>>(serializer: S, rest: &'r Rest) -> Result<Self, S::Error> {
        Ok(Self { map: serializer.serialize_map(None)?, rest, overridden: Vec::new() })
    }

    fn member(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<Self, M::Error> {
        if self.rest.get(name).is_some() {
            self.overridden.push(name);
        }
        self.map.serialize_entry(name, value)?;
        Ok(self)
    }

    /// A member that the document may leave out while it is what its absence means.
    fn member_unless(
        self,
        default: bool,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, M::Error> {
        if default && self.rest.leaves_out(name) { Ok(self) } else { self.member(name, value) }
    }

    /// A member that is only written where it says something.
    fn member_if(
        self,
        set: bool,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, M::Error> {
        if set { self.member(name, value) } else { Ok(self) }
    }

    fn end(mut self) -> Result<M::Ok, M::Error> {
        for (name, value) in self.rest.members().filter(|(name, _)| !self.overridden.contains(&name.as_str()))
        {
            self.map.serialize_entry(name, value)?;
        }
        self.map.end()
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member_if(self.snaptime.is_some(), "snaptime", &self.snaptime)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .member("schemas", &Entries(&self.schemas))?
            .end()
    }
}

/// A map in its own order.
struct Entries<'m, V>(&'m indexmap::IndexMap<String, V>);

impl<V: Serialize> Serialize for Entries<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member_unless(true, "schema_name", &self.schema_name)?
            .member_unless(self.comment.is_none(), "comment", &self.comment)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .member("tables", &Entries(&self.tables))?
            .end()
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member_unless(true, "schema_name", &self.schema_name)?
            .member_unless(true, "table_name", &self.table_name)?
            .member_unless(self.kind == table_kind(), "kind", &self.kind)?
            .member_unless(self.comment.is_none(), "comment", &self.comment)?
            .member("column_definitions", &self.column_definitions)?
            .member_unless(self.keys.is_empty(), "keys", &self.keys)?
            .member_unless(self.foreign_keys.is_empty(), "foreign_keys", &self.foreign_keys)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .end()
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member("name", &self.name)?
            .member("type", &self.column_type)?
            .member_unless(self.nullok, "nullok", &self.nullok)?
            .member_unless(self.default.is_none(), "default", &self.default)?
            .member_unless(self.comment.is_none(), "comment", &self.comment)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .end()
    }
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member("typename", &self.typename)?
            .member_if(self.is_domain, "is_domain", &true)?
            .member_if(self.is_array, "is_array", &true)?
            .member_if(self.base_type.is_some(), "base_type", &self.base_type)?
            .end()
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member_unless(self.names.is_empty(), "names", &self.names)?
            .member("unique_columns", &self.unique_columns)?
            .member_unless(self.comment.is_none(), "comment", &self.comment)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .end()
    }
}

impl Serialize for ForeignKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let no_action = no_action();
        Members::new(serializer, &self.rest)?
            .member_unless(self.names.is_empty(), "names", &self.names)?
            .member("foreign_key_columns", &self.foreign_key_columns)?
            .member("referenced_columns", &self.referenced_columns)?
            .member_unless(self.on_delete == no_action, "on_delete", &self.on_delete)?
            .member_unless(self.on_update == no_action, "on_update", &self.on_update)?
            .member_unless(self.comment.is_none(), "comment", &self.comment)?
            .member_unless(self.annotations.is_empty(), "annotations", &self.annotations)?
            .end()
    }
}

impl Serialize for ColumnRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Members::new(serializer, &self.rest)?
            .member("schema_name", &self.schema_name)?
            .member("table_name", &self.table_name)?
            .member("column_name", &self.column_name)?
            .end()
    }
}
