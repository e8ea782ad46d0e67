//! A bag's files shared out among the tasks of a job array, the same by every task that looks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use super::list::WantedList;

/// One share of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: u32,
    count: u32,
}

/// A text or environment that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ShardError {
    #[error("{0:?} is no shard: write it as 3/64, from 1/64 to 64/64, or auto")]
    NotAShard(String),
    #[error(
        "no scheduler's variables tell which shard this is; looked for {}",
        "SLURM_ARRAY_TASK_ID, SLURM_PROCID, PMI_RANK, OMPI_COMM_WORLD_RANK and RANK with their counts"
    )]
    NoScheduler,
    #[error("{variables} do not make a shard: {index:?} of {count:?}")]
    BadVariables {
        /// Their names.
        variables: String,
        /// The first one's value.
        index: String,
        /// The second one's value.
        count: String,
    },
}

/// The variables of schedulers and launchers: this task's number, the number of tasks, and the least number of a task.
/// Launchers inside a job come before the job's own array.
const VARIABLES: [(&str, &str, Option<&str>); 5] = [
    ("RANK", "WORLD_SIZE", None),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", None),
    ("PMI_RANK", "PMI_SIZE", None),
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", Some("SLURM_ARRAY_TASK_MIN")),
    ("SLURM_PROCID", "SLURM_NTASKS", None),
];

/// How far the numbers of a SLURM array's tasks are apart.
const ARRAY_STEP: &str = "SLURM_ARRAY_TASK_STEP";

impl Shard {
    /// The share `index`, from 0, of `count`; `None` where there is no such one.
    #[must_use]
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// The shard that a scheduler's or launcher's variables name: those of torchrun, Open MPI, PMI, and a SLURM array or
    /// step. Of two that are set, the one with more than one task counts.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ShardError> {
        let mut alone = None;
        for (index, count, least) in VARIABLES {
            let (Some(index_text), Some(count_text)) = (variable(index), variable(count)) else { continue };
            let parse = || -> Option<Self> {
                let number = |name: Option<&str>, absent| {
                    name.and_then(variable).map_or(Some(absent), |text| text.parse::<u32>().ok())
                };
                let from_least = index_text.parse::<u32>().ok()?.checked_sub(number(least, 0)?)?;
                let step = number(least.map(|_| ARRAY_STEP), 1)?;
                Self::new(from_least.checked_div(step)?, count_text.parse().ok()?)
            };
            match parse() {
                Some(shard) if shard.count > 1 => return Ok(shard),
                Some(shard) => alone = alone.or(Some(shard)),
                None => {
                    return Err(ShardError::BadVariables {
                        variables: format!("{index} and {count}"),
                        index: index_text,
                        count: count_text,
                    });
                }
            }
        }
        alone.ok_or(ShardError::NoScheduler)
    }

    /// Counted from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    /// Parses `3/64`, counted from 1.
    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parse = || {
            let (index, count) = text.split_once('/')?;
            Self::new(index.trim().parse::<u32>().ok()?.checked_sub(1)?, count.trim().parse().ok()?)
        };
        parse().ok_or_else(|| ShardError::NotAShard(text.to_owned()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

/// The share of each file of a list: the longest first, each to the share with the least so far (LPT). It depends on
/// `fetch.txt` alone, so that every task comes to the same.
pub(super) fn assign(list: &WantedList<'_>, count: u32) -> Vec<u32> {
    let lengths: Vec<Option<u64>> = list.indices().map(|index| list.file(index).1).collect();
    let known: Vec<u64> = lengths.iter().flatten().copied().collect();
    // A file of unknown length counts as one of middling length.
    let middling = known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(0);
    // Every file costs something, however short it is.
    let costs: Vec<u64> =
        lengths.iter().map(|length| length.unwrap_or(middling).saturating_add(64 << 10)).collect();
    let mut order: Vec<usize> = list.indices().collect();
    order.sort_by_key(|index| Reverse(costs[*index]));
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> = (0..count).map(|shard| Reverse((0, shard))).collect();
    let mut shards = vec![0; list.len()];
    for index in order {
        if let Some(Reverse((load, shard))) = loads.pop() {
            shards[index] = shard;
            loads.push(Reverse((load.saturating_add(costs[index]), shard)));
        }
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(variables: &[(&str, &str)]) -> Result<Shard, ShardError> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Shard::from_environment(&|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!("1/4".parse(), Ok(Shard { index: 0, count: 4 }));
        assert_eq!("64/64".parse::<Shard>().unwrap().to_string(), "64/64");
        for bad in ["", "0/4", "5/4", "1", "1/0", "a/b", "1/4/2", "-1/4"] {
            assert_eq!(bad.parse::<Shard>(), Err(ShardError::NotAShard(bad.into())));
        }
    }

    #[test]
    fn schedulers_tell_which_shard_it_is() {
        let array =
            [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "8"), ("SLURM_ARRAY_TASK_MIN", "1")];
        assert_eq!(auto(&array), Ok(Shard { index: 2, count: 8 }));
        // `--array=10-20:5`
        let strided = [
            ("SLURM_ARRAY_TASK_ID", "20"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
            ("SLURM_ARRAY_TASK_MIN", "10"),
            ("SLURM_ARRAY_TASK_STEP", "5"),
        ];
        assert_eq!(auto(&strided), Ok(Shard { index: 2, count: 3 }));
        // An array task has a step of its own, of one task.
        assert_eq!(
            auto(&[&array[..], &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]].concat()),
            Ok(Shard { index: 2, count: 8 })
        );
        assert_eq!(auto(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]), Ok(Shard { index: 0, count: 1 }));
        assert_eq!(auto(&[("RANK", "5"), ("WORLD_SIZE", "6")]), Ok(Shard { index: 5, count: 6 }));
        assert_eq!(auto(&[("PMI_RANK", "1"), ("PMI_SIZE", "2")]), Ok(Shard { index: 1, count: 2 }));
        assert_eq!(auto(&[]), Err(ShardError::NoScheduler));
        assert!(matches!(auto(&[("RANK", "6"), ("WORLD_SIZE", "6")]), Err(ShardError::BadVariables { .. })));
    }
}
