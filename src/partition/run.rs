//! Makes a division: checks the members, works out the sizes, places the members and counts.

use super::groups::{Groups, assign};
use super::rank::{Kind, rank};
use super::strata::{Table, shares};
use super::{
    Item, Method, Missing, PartCount, Partition, PartitionError, Report, SplitPlan, StratumCount, numpy,
    sizes,
};

/// A member that takes part: its rank, its index among the items, and its stratum's index.
struct Member {
    rank: u128,
    item: u32,
    stratum: u32,
}

pub(super) fn divide(plan: &SplitPlan, items: &[Item]) -> Result<Partition, PartitionError> {
    let number = u32::try_from(items.len()).map_err(|_| PartitionError::TooManyMembers(items.len()))?;
    let mut members = members(plan, items)?;
    let total = members.len() as u64;
    let strata = Strata::of(plan, items, &mut members);
    let mut placing =
        Placing { items, columns: vec![None; items.len()], groups: Vec::new(), largest_group: 0 };
    let asked = match plan.method {
        Method::DerivaMl if plan.strata.is_some() || plan.groups.is_some() => {
            return Err(PartitionError::PlainOnly);
        }
        Method::DerivaMl => {
            let asked = numpy::sizes(&plan.parts, total)?;
            let order = numpy::shuffled(plan.seed, number);
            placing.deal(order.into_iter(), &asked);
            asked
        }
        Method::Ranked => {
            let asked = sizes::resolve(&plan.parts, total)?;
            let wanted = shares(&strata.sizes, &asked);
            if plan.groups.is_some() {
                placing.groups(plan.seed, &members, &wanted, &asked)?;
            } else {
                placing.strata(&members, &wanted);
            }
            asked
        }
    };
    Ok(placing.finish(plan, &members, &strata, &asked))
}

/// The members that take part, by rank. Refuses an id that is given twice.
fn members(plan: &SplitPlan, items: &[Item]) -> Result<Vec<Member>, PartitionError> {
    let missing = |value: fn(&Item) -> bool| {
        let lacking = items.iter().filter(|item| value(item));
        let first = lacking.clone().map(|item| item.id).min();
        first.map(|example| (example.to_owned(), lacking.count() as u64))
    };
    if plan.strata == Some(Missing::Error)
        && let Some((example, count)) = missing(|item| item.stratum.is_none())
    {
        return Err(PartitionError::MissingStratum { example, count });
    }
    if plan.groups == Some(Missing::Error)
        && let Some((example, count)) = missing(|item| item.group.is_none())
    {
        return Err(PartitionError::MissingGroup { example, count });
    }
    let mut members: Vec<Member> = (0..)
        .zip(items)
        .map(|(item, one)| Member { rank: rank(plan.seed, Kind::Member, one.id), item, stratum: 0 })
        .collect();
    let id = |member: &Member| items[member.item as usize].id;
    members.sort_unstable_by(|a, b| (a.rank, id(a)).cmp(&(b.rank, id(b))));
    if let Some([twice, ..]) = members.windows(2).find(|pair| id(&pair[0]) == id(&pair[1])) {
        return Err(PartitionError::RepeatedMember(id(twice).to_owned()));
    }
    members.retain(|member| {
        let item = &items[member.item as usize];
        !(plan.strata == Some(Missing::Drop) && item.stratum.is_none()
            || plan.groups == Some(Missing::Drop) && item.group.is_none())
    });
    Ok(members)
}

/// The strata by rank; one nameless stratum unless stratified.
struct Strata<'a> {
    names: Vec<Option<&'a str>>,
    sizes: Vec<u64>,
}

impl<'a> Strata<'a> {
    /// Finds the strata and writes their indices into the members.
    fn of(plan: &SplitPlan, items: &[Item<'a>], members: &mut [Member]) -> Self {
        if plan.strata.is_none() {
            return Self { names: vec![None], sizes: vec![members.len() as u64] };
        }
        let stratum = |member: &Member| items[member.item as usize].stratum;
        let mut names: Vec<Option<&str>> = members.iter().map(stratum).collect();
        names.sort_unstable();
        names.dedup();
        let mut ranked: Vec<(u128, Option<&str>, usize)> = (0..)
            .zip(&names)
            .map(|(index, name)| {
                let kind = if name.is_some() { Kind::Stratum } else { Kind::Missing };
                (rank(plan.seed, kind, name.unwrap_or_default()), *name, index)
            })
            .collect();
        ranked.sort_unstable();
        let mut place = vec![0; names.len()];
        for (index, &(_, _, sorted)) in (0..).zip(&ranked) {
            place[sorted] = index;
        }
        let mut sizes = vec![0; names.len()];
        for member in members {
            // Every name was collected above.
            let sorted = names.binary_search(&stratum(member)).unwrap_or(0);
            member.stratum = place[sorted];
            sizes[member.stratum as usize] += 1;
        }
        Self { names: ranked.into_iter().map(|(_, name, _)| name).collect(), sizes }
    }
}

/// A group's name, or the id of a member that is a group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey<'a> {
    Named(&'a str),
    Alone(&'a str),
}

/// A member's group, stratum and index.
type Keyed<'a> = (GroupKey<'a>, u32, u32);

/// A group's members, and its rank.
type Chunk<'a> = (&'a [Keyed<'a>], u128);

/// Where the items go.
struct Placing<'a> {
    items: &'a [Item<'a>],
    /// The column of each item that takes part.
    columns: Vec<Option<usize>>,
    /// The groups in each column; empty unless grouped.
    groups: Vec<u64>,
    largest_group: u64,
}

impl<'a> Placing<'a> {
    /// Gives each column in turn as many items as its size.
    fn deal(&mut self, mut order: impl Iterator<Item = u32>, sizes: &[u64]) {
        for (column, &size) in sizes.iter().enumerate() {
            for item in order.by_ref().take(usize::try_from(size).unwrap_or(usize::MAX)) {
                self.columns[item as usize] = Some(column);
            }
        }
    }

    fn strata(&mut self, members: &[Member], wanted: &Table) {
        let mut by_stratum: Vec<&Member> = members.iter().collect();
        by_stratum.sort_by_key(|member| member.stratum);
        for (row, members) in by_stratum.chunk_by(|a, b| a.stratum == b.stratum).enumerate() {
            self.deal(members.iter().map(|member| member.item), wanted.row(row));
        }
    }

    fn groups(
        &mut self,
        seed: u64,
        members: &[Member],
        wanted: &Table,
        sizes: &[u64],
    ) -> Result<(), PartitionError> {
        let mut keyed: Vec<Keyed> =
            members.iter().map(|member| (self.key(member), member.stratum, member.item)).collect();
        keyed.sort_unstable();
        let mut chunks: Vec<Chunk> = keyed
            .chunk_by(|a, b| a.0 == b.0)
            .map(|chunk| match chunk[0].0 {
                GroupKey::Named(name) => (chunk, rank(seed, Kind::Group, name)),
                GroupKey::Alone(id) => (chunk, rank(seed, Kind::Member, id)),
            })
            .collect();
        let parts = sizes.len() - 1;
        if chunks.len() < parts {
            return Err(PartitionError::TooFewGroups { groups: chunks.len() as u64, parts: parts as u64 });
        }
        // The sort is stable, so that equal ranks go by name.
        chunks.sort_by_key(|&(chunk, rank)| (std::cmp::Reverse(chunk.len()), rank));
        self.largest_group = chunks.first().map_or(0, |(chunk, _)| chunk.len() as u64);
        self.groups = vec![0; sizes.len()];
        let columns = assign(&gather(&chunks), wanted, sizes);
        for ((chunk, _), column) in chunks.iter().zip(columns) {
            self.groups[column] += 1;
            chunk.iter().for_each(|&(_, _, item)| self.columns[item as usize] = Some(column));
        }
        Ok(())
    }

    fn key(&self, member: &Member) -> GroupKey<'a> {
        let item = &self.items[member.item as usize];
        item.group.map_or(GroupKey::Alone(item.id), GroupKey::Named)
    }

    fn finish(self, plan: &SplitPlan, members: &[Member], strata: &Strata, asked: &[u64]) -> Partition {
        let left_out = plan.parts.len();
        let mut counts = Table { columns: asked.len(), cells: vec![0; strata.sizes.len() * asked.len()] };
        for member in members {
            if let Some(column) = self.columns[member.item as usize] {
                counts.cells[member.stratum as usize * asked.len() + column] += 1;
            }
        }
        let report = Report {
            members: members.len() as u64,
            left_out: counts.column(left_out),
            dropped: (self.items.len() - members.len()) as u64,
            parts: (plan.parts.iter().zip(asked).enumerate())
                .map(|(column, (part, &asked))| PartCount {
                    name: part.name.clone(),
                    asked,
                    members: counts.column(column),
                    groups: self.groups.get(column).copied().unwrap_or(0),
                })
                .collect(),
            strata: if plan.strata.is_some() { stratum_counts(strata, &counts) } else { Vec::new() },
            groups: self.groups.iter().sum(),
            largest_group: self.largest_group,
            deviation: (0..left_out).map(|part| counts.column(part).abs_diff(asked[part])).max().unwrap_or(0),
            stratum_deviation: if plan.strata.is_some() { deviation(strata, &counts, asked) } else { 0.0 },
        };
        let parts =
            self.columns.into_iter().map(|column| column.filter(|&column| column != left_out)).collect();
        Partition { parts, report }
    }
}

/// The groups as plain arrays, each group's cells by stratum.
fn gather(chunks: &[Chunk]) -> Groups {
    let mut groups = Groups { starts: vec![0], ..Groups::default() };
    for &(chunk, rank) in chunks {
        groups.ranks.push(rank);
        groups.sizes.push(chunk.len() as u64);
        for cell in chunk.chunk_by(|a, b| a.1 == b.1) {
            groups.cells.push((cell[0].1, u32::try_from(cell.len()).unwrap_or(u32::MAX)));
        }
        groups.starts.push(groups.cells.len());
    }
    groups
}

fn stratum_counts(strata: &Strata, counts: &Table) -> Vec<StratumCount> {
    let parts = counts.columns - 1;
    let mut list: Vec<StratumCount> = (strata.names.iter().zip(&strata.sizes).enumerate())
        .map(|(row, (name, &members))| StratumCount {
            stratum: name.map(str::to_owned),
            members,
            parts: counts.row(row)[..parts].to_vec(),
            rare: members < parts as u64,
        })
        .collect();
    list.sort_by(|a, b| a.stratum.cmp(&b.stratum));
    list
}

/// The largest distance of a part's count from the exact share.
fn deviation(strata: &Strata, counts: &Table, asked: &[u64]) -> f64 {
    let total: u64 = asked.iter().sum();
    let mut largest = 0.0_f64;
    for (row, &size) in strata.sizes.iter().enumerate() {
        for (&count, &asked) in counts.row(row).iter().zip(asked).take(asked.len() - 1) {
            let share = size as f64 * asked as f64 / total as f64;
            largest = largest.max((count as f64 - share).abs());
        }
    }
    largest
}
