//! Controlled rounding: how many members of each stratum go to each part.

use std::collections::VecDeque;

/// A table of whole numbers, one row for each stratum and one column for each part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) columns: usize,
    pub(super) cells: Vec<u64>,
}

impl Table {
    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }

    /// The sum of a column.
    pub(super) fn column(&self, column: usize) -> u64 {
        self.cells.iter().skip(column).step_by(self.columns).sum()
    }
}

/// Rounds the table of `strata[s] * parts[p] / n`, where `n` is the sum of either, so that every cell goes to
/// one of its two neighbouring whole numbers, and the rows and columns add up to `strata` and `parts`
/// exactly.
///
/// Row after row, what is left after rounding down goes to the columns that are the most behind; a later
/// repair moves single units along chains of columns. A table with such sums always has such a rounding, and
/// the chains find it, since a flow that can be increased has an augmenting path.
pub(super) fn shares(strata: &[u64], parts: &[u64]) -> Table {
    let total: u64 = parts.iter().sum();
    let mut table = Rounding {
        strata,
        parts,
        total,
        table: Table { columns: parts.len(), cells: Vec::with_capacity(strata.len() * parts.len()) },
        behind: vec![0; parts.len()],
    };
    (0..strata.len()).for_each(|row| table.round(row));
    while table.repair() {}
    table.table
}

struct Rounding<'a> {
    strata: &'a [u64],
    parts: &'a [u64],
    total: u64,
    table: Table,
    /// For each column, how much it has yet to get of what the rows so far owe it, in units of `1/total`.
    behind: Vec<i128>,
}

impl Rounding<'_> {
    /// The exact cell: its whole part, and what is left in units of `1/total`.
    fn exact(&self, row: usize, column: usize) -> (u64, u64) {
        let product = u128::from(self.strata[row]) * u128::from(self.parts[column]);
        let total = u128::from(self.total.max(1));
        // Both are at most the stratum's size and the total.
        (u64::try_from(product / total).unwrap_or(0), u64::try_from(product % total).unwrap_or(0))
    }

    fn round(&mut self, row: usize) {
        let exact: Vec<(u64, u64)> = (0..self.parts.len()).map(|column| self.exact(row, column)).collect();
        let mut open = Vec::new();
        for (column, &(floor, left)) in exact.iter().enumerate() {
            self.table.cells.push(floor);
            self.behind[column] += i128::from(left);
            if left > 0 {
                open.push(column);
            }
        }
        let units = self.strata[row] - exact.iter().map(|(floor, _)| floor).sum::<u64>();
        open.sort_by_key(|&column| (std::cmp::Reverse(self.behind[column]), column));
        for &column in open.iter().take(usize::try_from(units).unwrap_or(usize::MAX)) {
            self.add(row, column);
        }
    }

    fn add(&mut self, row: usize, column: usize) {
        self.table.cells[row * self.parts.len() + column] += 1;
        self.behind[column] -= i128::from(self.total);
    }

    /// Moves one unit from a column with too many to one with too few, along the shortest chain; false when
    /// done.
    fn repair(&mut self) -> bool {
        let columns = self.parts.len();
        let mut came: Vec<Option<(usize, usize)>> = vec![None; columns];
        let mut seen: Vec<bool> = self.behind.iter().map(|behind| *behind < 0).collect();
        let mut queue: VecDeque<usize> = (0..columns).filter(|&column| seen[column]).collect();
        while let Some(from) = queue.pop_front() {
            if self.behind[from] > 0 {
                self.shift(&came, from);
                return true;
            }
            for to in 0..columns {
                if !seen[to]
                    && let Some(row) = self.link(from, to)
                {
                    (seen[to], came[to]) = (true, Some((from, row)));
                    queue.push_back(to);
                }
            }
        }
        false
    }

    /// The first row whose unit can move from one column to the other.
    fn link(&self, from: usize, to: usize) -> Option<usize> {
        (0..self.strata.len()).find(|&row| {
            let (floor, _) = self.exact(row, from);
            let (other, left) = self.exact(row, to);
            self.table.row(row)[from] > floor && left > 0 && self.table.row(row)[to] == other
        })
    }

    fn shift(&mut self, came: &[Option<(usize, usize)>], end: usize) {
        let mut to = end;
        while let Some((from, row)) = came[to] {
            self.table.cells[row * self.parts.len() + from] -= 1;
            self.behind[from] += i128::from(self.total);
            self.add(row, to);
            to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_come_out_uneven_are_repaired() {
        let table = shares(&[3, 7, 14, 4], &[10, 2, 2, 7, 7]);
        assert_eq!(
            table.cells.chunks(5).collect::<Vec<_>>(),
            [[1, 0, 0, 1, 1], [2, 1, 1, 1, 2], [5, 1, 1, 4, 3], [2, 0, 0, 1, 1]]
        );
    }
}
