//! From JSON to the model.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::super::{
    Annotations, Column, ColumnRef, ColumnType, ForeignKey, Key, Model, Schema, Table, no_action, table_kind,
};
use super::{ModelError, Place, Rest};

type Result<T> = std::result::Result<T, ModelError>;

/// A step on the way to a part of the model, kept on the stack and written out only for an error.
#[derive(Clone, Copy)]
struct Step<'a> {
    outer: Option<&'a Step<'a>>,
    what: &'static str,
    name: &'a str,
}

impl<'a> Step<'a> {
    const ROOT: Step<'static> = Step { outer: None, what: "", name: "" };

    fn inner(&'a self, what: &'static str, name: &'a str) -> Step<'a> {
        Step { outer: Some(self), what, name }
    }

    fn place(&self) -> Place {
        let mut steps = Vec::new();
        let mut step = self;
        while let Some(outer) = step.outer {
            steps.push(format!("{} {}", step.what, step.name));
            step = outer;
        }
        steps.reverse();
        Place(steps.join(", "))
    }
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// An object whose known members are taken out one by one.
struct Object<'a> {
    step: Step<'a>,
    members: Map<String, Value>,
    absent: Vec<&'static str>,
}

impl<'a> Object<'a> {
    fn new(value: Value, step: Step<'a>) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Self { step, members, absent: Vec::new() }),
            other => Err(ModelError::NoObject { place: step.place(), found: kind(&other) }),
        }
    }

    fn rest(self) -> Rest {
        Rest::new(self.members, self.absent)
    }

    fn wrong(&self, member: &'static str, found: &Value, wanted: &'static str) -> ModelError {
        ModelError::WrongType { place: self.step.place(), member, found: kind(found), wanted }
    }

    /// A member that has a default: `None` where it is absent, or null, which then stays with the rest.
    fn optional(&mut self, member: &'static str) -> Option<Value> {
        let found = self.set(member);
        if found.is_none() {
            self.absent.push(member);
        }
        found
    }

    /// A member that is only written where it is set: `None` where it is absent, or null, which then stays
    /// with the rest.
    fn set(&mut self, member: &str) -> Option<Value> {
        if self.members.get(member).is_none_or(Value::is_null) {
            None
        } else {
            self.members.shift_remove(member)
        }
    }

    fn required(&mut self, member: &'static str) -> Result<Value> {
        let found = self.members.shift_remove(member);
        found.ok_or_else(|| ModelError::Missing { place: self.step.place(), member })
    }

    fn text_of(&self, member: &'static str, value: Value) -> Result<String> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(member, &other, "a text")),
        }
    }

    fn text(&mut self, member: &'static str) -> Result<String> {
        let value = self.required(member)?;
        self.text_of(member, value)
    }

    fn text_or(&mut self, member: &'static str, default: impl FnOnce() -> String) -> Result<String> {
        self.optional(member).map_or_else(|| Ok(default()), |value| self.text_of(member, value))
    }

    /// A text or null, both of which say something.
    fn nullable_text(&mut self, member: &'static str) -> Result<Option<String>> {
        match self.nullable(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.text_of(member, value).map(Some),
        }
    }

    fn nullable(&mut self, member: &'static str) -> Option<Value> {
        let found = self.members.shift_remove(member);
        if found.is_none() {
            self.absent.push(member);
        }
        found
    }

    fn flag_or(&mut self, member: &'static str, default: bool) -> Result<bool> {
        match self.optional(member) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(member, &other, "true or false")),
        }
    }

    /// A flag that is only written where it is set; `false` in so many words stays with the rest.
    fn set_flag(&mut self, member: &'static str) -> Result<bool> {
        match self.members.get(member) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(false),
            Some(Value::Bool(true)) => Ok(self.members.shift_remove(member).is_some()),
            Some(other) => Err(self.wrong(member, other, "true or false")),
        }
    }

    fn object_of(&self, member: &'static str, value: Value) -> Result<Map<String, Value>> {
        match value {
            Value::Object(members) => Ok(members),
            other => Err(self.wrong(member, &other, "an object")),
        }
    }

    fn annotations(&mut self) -> Result<Annotations> {
        let member = "annotations";
        self.optional(member).map_or_else(|| Ok(Map::new()), |value| self.object_of(member, value))
    }

    fn objects(&mut self, member: &'static str) -> Result<Map<String, Value>> {
        let value = self.required(member)?;
        self.object_of(member, value)
    }

    fn list_of(&self, member: &'static str, value: Value) -> Result<Vec<Value>> {
        match value {
            Value::Array(items) => Ok(items),
            other => Err(self.wrong(member, &other, "a list")),
        }
    }

    fn list(&mut self, member: &'static str) -> Result<Vec<Value>> {
        let value = self.required(member)?;
        self.list_of(member, value)
    }

    fn list_or_none(&mut self, member: &'static str) -> Result<Vec<Value>> {
        self.optional(member).map_or_else(|| Ok(Vec::new()), |value| self.list_of(member, value))
    }

    fn texts(&self, member: &'static str, items: Vec<Value>) -> Result<Vec<String>> {
        items.into_iter().map(|item| self.text_of(member, item)).collect()
    }

    /// Constraint names: pairs of schema and name.
    fn names(&mut self) -> Result<Vec<(String, String)>> {
        let member = "names";
        let Some(value) = self.optional(member) else { return Ok(Vec::new()) };
        let pairs: Option<_> = self.list_of(member, value)?.into_iter().map(pair).collect();
        pairs.ok_or_else(|| ModelError::WrongType {
            place: self.step.place(),
            member,
            found: "something else",
            wanted: "a list of pairs of texts",
        })
    }

    /// The name that a thing is listed under, which it may repeat but not contradict.
    fn own_name(&mut self, member: &'static str, listed: &str) -> Result<String> {
        let name = self.text_or(member, || listed.to_owned())?;
        if name == listed {
            return Ok(name);
        }
        Err(ModelError::OtherName { place: self.step.place(), member, name })
    }

    fn column_refs(&mut self, member: &'static str) -> Result<Vec<ColumnRef>> {
        let items = self.list(member)?;
        items.into_iter().map(|item| column_ref(item, self.step)).collect()
    }
}

fn pair(item: Value) -> Option<(String, String)> {
    let Value::Array(parts) = item else { return None };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::String(schema), Value::String(name)]) => Some((schema, name)),
        _ => None,
    }
}

impl Model {
    /// Reads a `/schema` document.
    ///
    /// # Errors
    ///
    /// Where it is not JSON, or a part that the model knows is of another form; the error says which part.
    pub fn from_json(document: &[u8]) -> Result<Self> {
        Self::from_value(serde_json::from_slice(document)?)
    }

    /// Reads a `/schema` document that is JSON already.
    ///
    /// # Errors
    ///
    /// Where a part that the model knows is of another form; the error says which part.
    pub fn from_value(document: Value) -> Result<Self> {
        let mut object = Object::new(document, Step::ROOT)?;
        let snaptime = object.set("snaptime");
        let snaptime = snaptime.map(|value| object.text_of("snaptime", value)).transpose()?;
        let annotations = object.annotations()?;
        let schemas: Result<IndexMap<_, _>> = object
            .objects("schemas")?
            .into_iter()
            .map(|(name, value)| Ok((name.clone(), schema(value, &name)?)))
            .collect();
        Ok(Self { snaptime, annotations, schemas: schemas?, rest: object.rest() })
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn schema(value: Value, listed: &str) -> Result<Schema> {
    let step = Step::ROOT.inner("schema", listed);
    let mut object = Object::new(value, step)?;
    let schema_name = object.own_name("schema_name", listed)?;
    let comment = object.nullable_text("comment")?;
    let annotations = object.annotations()?;
    let tables: Result<IndexMap<_, _>> = object
        .objects("tables")?
        .into_iter()
        .map(|(name, value)| Ok((name.clone(), table(value, listed, step.inner("table", &name))?)))
        .collect();
    Ok(Schema { schema_name, comment, annotations, tables: tables?, rest: object.rest() })
}

fn table(value: Value, schema: &str, step: Step<'_>) -> Result<Table> {
    let mut object = Object::new(value, step)?;
    let schema_name = object.own_name("schema_name", schema)?;
    let table_name = object.own_name("table_name", step.name)?;
    let kind = object.text_or("kind", table_kind)?;
    let comment = object.nullable_text("comment")?;
    let annotations = object.annotations()?;
    let numbered = |items: Vec<Value>| (1..).map(|number: usize| number.to_string()).zip(items);
    let columns = numbered(object.list("column_definitions")?);
    let columns = columns.map(|(number, item)| column(item, step, &number));
    let column_definitions = columns.collect::<Result<_>>()?;
    let keys = numbered(object.list_or_none("keys")?);
    let keys = keys.map(|(number, item)| key(item, step.inner("key", &number))).collect::<Result<_>>()?;
    let foreign_keys = numbered(object.list_or_none("foreign_keys")?);
    let foreign_keys = foreign_keys
        .map(|(number, item)| foreign_key(item, step.inner("foreign key", &number)))
        .collect::<Result<_>>()?;
    Ok(Table {
        schema_name,
        table_name,
        kind,
        comment,
        column_definitions,
        keys,
        foreign_keys,
        annotations,
        rest: object.rest(),
    })
}

fn column(value: Value, table: Step<'_>, number: &str) -> Result<Column> {
    let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
    let step = table.inner("column", name.as_deref().unwrap_or(number));
    let mut object = Object::new(value, step)?;
    Ok(Column {
        name: object.text("name")?,
        column_type: column_type(object.required("type")?, step.inner("its", "type"))?,
        nullok: object.flag_or("nullok", true)?,
        default: object.nullable("default").filter(|value| !value.is_null()),
        comment: object.nullable_text("comment")?,
        annotations: object.annotations()?,
        rest: object.rest(),
    })
}

fn column_type(value: Value, step: Step<'_>) -> Result<ColumnType> {
    let mut object = Object::new(value, step)?;
    let typename = object.text("typename")?;
    let (is_domain, is_array) = (object.set_flag("is_domain")?, object.set_flag("is_array")?);
    let base_type = object.set("base_type").map(|base| column_type(base, step).map(Box::new)).transpose()?;
    Ok(ColumnType { typename, is_domain, is_array, base_type, rest: object.rest() })
}

fn key(value: Value, step: Step<'_>) -> Result<Key> {
    let mut object = Object::new(value, step)?;
    let columns = object.list("unique_columns")?;
    Ok(Key {
        names: object.names()?,
        unique_columns: object.texts("unique_columns", columns)?,
        comment: object.nullable_text("comment")?,
        annotations: object.annotations()?,
        rest: object.rest(),
    })
}

fn foreign_key(value: Value, step: Step<'_>) -> Result<ForeignKey> {
    let mut object = Object::new(value, step)?;
    Ok(ForeignKey {
        names: object.names()?,
        foreign_key_columns: object.column_refs("foreign_key_columns")?,
        referenced_columns: object.column_refs("referenced_columns")?,
        on_delete: object.text_or("on_delete", no_action)?,
        on_update: object.text_or("on_update", no_action)?,
        comment: object.nullable_text("comment")?,
        annotations: object.annotations()?,
        rest: object.rest(),
    })
}

fn column_ref(value: Value, step: Step<'_>) -> Result<ColumnRef> {
    let mut object = Object::new(value, step)?;
    Ok(ColumnRef {
        schema_name: object.text("schema_name")?,
        table_name: object.text("table_name")?,
        column_name: object.text("column_name")?,
        rest: object.rest(),
    })
}
