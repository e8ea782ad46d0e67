//! How tables hang together by their foreign keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ForeignKey, Model, Table};

/// For each table the tables that it refers to and that are still to come, and whether a row must refer to
/// one (no column of the foreign key may be NULL). Tables go by their place in the order of names.
type Waiting = Vec<BTreeMap<usize, bool>>;

impl Model {
    /// The foreign keys by which two tables refer to each other: the first's to the second, then the second's
    /// to the first.
    #[must_use]
    pub fn foreign_keys_between<'m>(&self, first: &'m Table, second: &'m Table) -> Vec<&'m ForeignKey> {
        let refers = |from: &'m Table, to: &'m Table| {
            let keys = from.foreign_keys.iter();
            keys.filter(|key| key.refers_to(&to.schema_name, &to.table_name)).collect::<Vec<_>>()
        };
        let mut found = refers(first, second);
        if first.qualified_name() != second.qualified_name() {
            found.extend(refers(second, first));
        }
        found
    }

    /// Every table after those that it refers to, so that rows can be loaded in this order. Where tables
    /// refer to each other in a circle, a reference is left open that may be NULL if there is one. Otherwise
    /// the order is by schema and name. References to tables that are not there count for nothing.
    #[must_use]
    pub fn load_order(&self) -> Vec<&Table> {
        let mut tables: Vec<&Table> = self.tables().collect();
        tables.sort_by_key(|table| (&table.schema_name, &table.table_name));
        let mut waiting = references(&tables);
        let mut referring: Vec<Vec<usize>> = vec![Vec::new(); tables.len()];
        for (from, to) in waiting.iter().enumerate() {
            to.keys().for_each(|to| referring[*to].push(from));
        }
        let mut left: BTreeSet<usize> = (0..tables.len()).collect();
        let mut ready: BTreeSet<usize> =
            left.iter().copied().filter(|table| waiting[*table].is_empty()).collect();
        let mut order = Vec::with_capacity(tables.len());
        while let Some(start) = left.first().copied() {
            let Some(next) = ready.pop_first() else {
                let (from, to) = open_reference(&waiting, start);
                waiting[from].remove(&to);
                ready.extend(waiting[from].is_empty().then_some(from));
                continue;
            };
            left.remove(&next);
            order.push(tables[next]);
            for from in &referring[next] {
                if waiting[*from].remove(&next).is_some() && waiting[*from].is_empty() {
                    ready.insert(*from);
                }
            }
        }
        order
    }
}

fn references(tables: &[&Table]) -> Waiting {
    let place: HashMap<(&str, &str), usize> = tables
        .iter()
        .enumerate()
        .map(|(at, table)| ((table.schema_name.as_str(), table.table_name.as_str()), at))
        .collect();
    let required = |table: &Table, key: &ForeignKey| {
        let mut columns = key.foreign_key_columns.iter();
        columns.all(|from| table.column(&from.column_name).is_some_and(|column| !column.nullok))
    };
    let of = |(at, table): (usize, &&Table)| {
        let mut found = BTreeMap::new();
        for key in &table.foreign_keys {
            let to = key.referenced_table().and_then(|name| place.get(&name));
            if let Some(to) = to.filter(|to| **to != at) {
                *found.entry(*to).or_insert(false) |= required(table, key);
            }
        }
        found
    };
    tables.iter().enumerate().map(of).collect()
}

/// A reference of a circle, where every table waits for another: one that may be NULL, else the one of the
/// first table.
fn open_reference(waiting: &Waiting, start: usize) -> (usize, usize) {
    let mut path = vec![start];
    let mut at = HashMap::from([(start, 0)]);
    let mut table = start;
    while let Some(next) = waiting[table].keys().next().copied() {
        if let Some(begin) = at.get(&next) {
            path.drain(..begin);
            path.push(next);
            break;
        }
        at.insert(next, path.len());
        path.push(next);
        table = next;
    }
    let references = path.windows(2).map(|pair| (pair[0], pair[1]));
    references
        .min_by_key(|(from, to)| (waiting[*from].get(to) == Some(&true), *from))
        .unwrap_or((start, start))
}
