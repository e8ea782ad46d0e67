//! Whole groups to parts: each by its rank, then a few moves that bring the sizes near to what was asked.

use super::strata::Table;

/// At most this many rounds of moves; two or three are usual.
const ROUNDS: usize = 16;
/// Exchanges look at all pairs, so only this many groups are exchanged, in at most so many exchanges.
const EXCHANGED_GROUPS: usize = 2000;
const EXCHANGES: usize = 24;

/// The groups, largest first and those of one size by rank: for each its rank, and its members of each
/// stratum.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) ranks: Vec<u128>,
    pub(super) sizes: Vec<u64>,
    /// Where each group's cells begin, and the end of the last.
    pub(super) starts: Vec<usize>,
    /// A stratum and how many members of it.
    pub(super) cells: Vec<(u32, u32)>,
}

impl Groups {
    fn cells(&self, group: usize) -> &[(u32, u32)] {
        &self.cells[self.starts[group]..self.starts[group + 1]]
    }
}

/// The column of each group. `wanted` has the strata's shares of the columns, `sizes` the columns' sizes; the
/// last column is that of no part, and the only one that may stay empty. There must be as many groups as
/// other columns.
pub(super) fn assign(groups: &Groups, wanted: &Table, sizes: &[u64]) -> Vec<usize> {
    let total: u64 = sizes.iter().sum();
    let mut state = State::new(groups, wanted, sizes);
    for group in 0..groups.ranks.len() {
        state.put(group, column_of(groups.ranks[group], sizes, total));
    }
    state.fill();
    for _ in 0..ROUNDS {
        if !state.move_round() {
            break;
        }
    }
    if groups.ranks.len() <= EXCHANGED_GROUPS {
        for _ in 0..EXCHANGES {
            if !state.exchange() {
                break;
            }
        }
    }
    state.columns
}

/// The column that holds a rank's place, when the columns lie on the range of ranks in order and in
/// proportion.
fn column_of(rank: u128, sizes: &[u64], total: u64) -> usize {
    let place = ((rank >> 64) * u128::from(total)) >> 64;
    let mut end = 0;
    sizes
        .iter()
        .position(|size| {
            end += u128::from(*size);
            place < end
        })
        .unwrap_or(sizes.len() - 1)
}

struct State<'a> {
    groups: &'a Groups,
    /// Groups in each column.
    held: Vec<usize>,
    /// For each column, its members less those asked.
    over: Vec<i128>,
    /// The same for each stratum, row by row.
    stratum_over: Vec<i128>,
    /// How much a stratum's deviations count.
    weights: Vec<i128>,
    columns: Vec<usize>,
    /// Columns that may hold groups: all, or all but the last.
    open: usize,
}

impl<'a> State<'a> {
    fn new(groups: &'a Groups, wanted: &Table, sizes: &[u64]) -> Self {
        let total: u64 = sizes.iter().sum();
        let strata = wanted.cells.chunks(wanted.columns);
        Self {
            groups,
            held: vec![0; sizes.len()],
            over: sizes.iter().map(|size| -i128::from(*size)).collect(),
            stratum_over: wanted.cells.iter().map(|cell| -i128::from(*cell)).collect(),
            weights: strata.map(|row| i128::from(total / row.iter().sum::<u64>().max(1))).collect(),
            columns: vec![usize::MAX; groups.ranks.len()],
            open: sizes.len() - usize::from(sizes.last() == Some(&0)),
        }
    }

    fn put(&mut self, group: usize, column: usize) {
        self.columns[group] = column;
        self.held[column] += 1;
        self.change(group, column, 1);
    }

    fn shift(&mut self, group: usize, to: usize) {
        let from = self.columns[group];
        self.held[from] -= 1;
        self.change(group, from, -1);
        self.put(group, to);
    }

    fn change(&mut self, group: usize, column: usize, sign: i128) {
        self.over[column] += sign * i128::from(self.groups.sizes[group]);
        for &(stratum, members) in self.groups.cells(group) {
            self.stratum_over[stratum as usize * self.over.len() + column] += sign * i128::from(members);
        }
    }

    /// Half of what a move adds to the sum of squared deviations.
    fn cost(&self, group: usize, to: usize) -> i128 {
        let from = self.columns[group];
        let size = i128::from(self.groups.sizes[group]);
        let strata = self.groups.cells(group).iter().map(|&(stratum, members)| {
            let row = stratum as usize * self.over.len();
            let members = i128::from(members);
            self.weights[stratum as usize]
                * members
                * (members + self.stratum_over[row + to] - self.stratum_over[row + from])
        });
        size * (size + self.over[to] - self.over[from]) + strata.sum::<i128>()
    }

    /// Whether a group can leave its column without leaving a part empty.
    fn may_leave(&self, group: usize) -> bool {
        let column = self.columns[group];
        column + 1 == self.held.len() || self.held[column] > 1
    }

    /// Gives each part that has no group the one whose move costs least.
    fn fill(&mut self) {
        for column in 0..self.held.len() - 1 {
            if self.held[column] == 0 {
                let movable = (0..self.columns.len()).filter(|&group| self.may_leave(group));
                if let Some(group) = movable.min_by_key(|&group| self.cost(group, column)) {
                    self.shift(group, column);
                }
            }
        }
    }

    /// Moves each group, in order, to where it lowers the cost the most; false if none does.
    fn move_round(&mut self) -> bool {
        let mut moved = false;
        for group in 0..self.columns.len() {
            let others = (0..self.open).filter(|&to| to != self.columns[group]);
            let best = others.map(|to| (self.cost(group, to), to)).min();
            if let Some((cost, to)) = best
                && cost < 0
                && self.may_leave(group)
            {
                self.shift(group, to);
                moved = true;
            }
        }
        moved
    }

    /// Makes the exchange of two groups that lowers the cost the most, the first such; false if none does.
    fn exchange(&mut self) -> bool {
        let mut best = (0, 0, 0);
        for group in 0..self.columns.len() {
            let from = self.columns[group];
            for to in (0..self.open).filter(|&to| to != from) {
                let cost = self.cost(group, to);
                self.shift(group, to);
                for other in (group + 1..self.columns.len()).filter(|&other| self.columns[other] == to) {
                    best = best.min((cost + self.cost(other, from), group, other));
                }
                self.shift(group, from);
            }
        }
        let (cost, group, other) = best;
        if cost < 0 {
            let (from, to) = (self.columns[group], self.columns[other]);
            self.shift(group, to);
            self.shift(other, from);
        }
        cost < 0
    }
}
