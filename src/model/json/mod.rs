//! The model as JSON, in the form of ERMrest's `/schema` document: read with errors that say where, written
//! so that the document which was read comes out again.
//!
//! Owns what a document holds beyond the members that the model knows ([`Rest`]). Reads no files.

mod read;
mod write;

use std::fmt;

use serde_json::{Map, Value};

/// What a document says of a thing beyond the members that the model knows, and which of those it leaves out.
///
/// Rights, ACLs, ACL bindings, features and RIDs of the model's own parts are kept here as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rest(Option<Box<Beyond>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Beyond {
    /// Members by name. A known member is here when its value says no more than its absence would.
    members: Map<String, Value>,
    /// The known members that the document leaves out.
    absent: Vec<&'static str>,
}

impl Rest {
    /// Nothing beyond the known members when both are empty.
    fn new(members: Map<String, Value>, absent: Vec<&'static str>) -> Self {
        let empty = members.is_empty() && absent.is_empty();
        Self((!empty).then(|| Box::new(Beyond { members, absent })))
    }

    /// A member by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.members.get(name)
    }

    /// The members in the document's order.
    pub fn members(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().flat_map(|beyond| &beyond.members)
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|beyond| beyond.absent.contains(&name))
    }
}

/// Where in a model something is: `schema lab, table Image, column URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the model") } else { f.write_str(&self.0) }
    }
}

/// Why a document is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is not JSON, or nested too deeply.
    #[error("the model is not JSON that can be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A member is of the wrong type.
    #[error("in the model, {place} has {found} for {member:?}, where {wanted} is wanted")]
    WrongType {
        /// Whose member it is.
        place: Place,
        /// The member.
        member: &'static str,
        /// What is there.
        found: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
    /// Something is no JSON object.
    #[error("in the model, {place} is {found}, where an object is wanted")]
    NoObject {
        /// What it is.
        place: Place,
        /// What is there.
        found: &'static str,
    },
    /// A member that nothing works without is missing.
    #[error("in the model, {place} has no {member:?}")]
    Missing {
        /// Whose member it is.
        place: Place,
        /// The member.
        member: &'static str,
    },
    /// A schema or table is listed under one name and calls itself by another.
    #[error("in the model, {place} says that its {member:?} is {name:?}")]
    OtherName {
        /// Where it is listed.
        place: Place,
        /// The member.
        member: &'static str,
        /// The other name.
        name: String,
    },
}
