use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A member with owned text.
type Row = (String, Option<String>, Option<String>);

fn items(rows: &[Row]) -> Vec<Item<'_>> {
    rows.iter()
        .map(|(id, stratum, group)| Item { id, stratum: stratum.as_deref(), group: group.as_deref() })
        .collect()
}

fn part(name: &str, size: Size) -> PartSpec {
    PartSpec { name: name.to_owned(), size }
}

fn three(a: f64, b: f64) -> Vec<PartSpec> {
    vec![part("train", Size::Rest), part("val", Size::Fraction(a)), part("test", Size::Fraction(b))]
}

/// `count` members; strata of unlike sizes; about four members to a group.
fn rows(count: usize) -> Vec<Row> {
    (0..count)
        .map(|n| {
            let stratum = ["ja", "nej", "nej", "nej", "kanske", "nej", "ja"][n * n % 7];
            (format!("1-{n:04X}"), Some(stratum.to_owned()), Some(format!("P{}", n * 31 % (count / 4 + 1))))
        })
        .collect()
}

/// The division as text: one digit for each member in the order of ids, `-` for none.
fn picture(partition: &Partition) -> String {
    partition.parts.iter().map(|part| part.map_or("-".to_owned(), |part| part.to_string())).collect()
}

fn counts(partition: &Partition) -> Vec<u64> {
    partition.report.parts.iter().map(|part| part.members).collect()
}

fn refusal(parts: Vec<PartSpec>) -> PartitionError {
    SplitPlan::new(parts, 1).unwrap_err()
}

#[test]
fn divisions_are_fixed_for_ever() {
    let rows = rows(40);
    let items = items(&rows);
    let plan = SplitPlan::new(three(0.2, 0.1), 42).unwrap();
    let divide = |plan: SplitPlan| picture(&plan.divide(&items).unwrap());
    assert_eq!(divide(plan.clone()), "2000011110000000020200000000001010100201");
    assert_eq!(divide(plan.clone().stratified(Missing::Error)), "2000011120000000020110000000000010100201");
    assert_eq!(divide(plan.clone().grouped(Missing::Error)), "2010010000020100100000201001000002010010");
    assert_eq!(
        divide(plan.stratified(Missing::Error).grouped(Missing::Error)),
        "2000000111020000001110200000011102000000"
    );
    let sample = subsample(&items, Size::Count(7), 42, None, None).unwrap();
    assert_eq!(picture(&sample), "-----------00-00---------0-------0-0----");
}

#[test]
fn fractions_are_rounded_so_that_all_members_are_placed() {
    let third = Size::Fraction(1.0 / 3.0);
    let plan = SplitPlan::new(vec![part("a", third), part("b", third), part("c", third)], 1).unwrap();
    for (count, expected) in [(3, [1, 1, 1]), (10, [4, 3, 3]), (11, [4, 4, 3]), (4000, [1334, 1333, 1333])] {
        let rows = rows(count);
        let partition = plan.divide(&items(&rows)).unwrap();
        assert_eq!(counts(&partition), expected);
        assert_eq!(partition.report.left_out, 0);
    }
    let sixth = (0..6).map(|n| part(&n.to_string(), Size::Fraction(1.0 / 6.0))).collect();
    let rows = rows(8);
    assert_eq!(counts(&SplitPlan::new(sixth, 1).unwrap().divide(&items(&rows)).unwrap()), [2, 2, 1, 1, 1, 1]);
}

#[test]
fn counts_fractions_and_the_rest_go_together() {
    let rows = rows(100);
    let parts = vec![
        part("a", Size::Count(7)),
        part("b", Size::Rest),
        part("c", Size::Fraction(0.255)),
        part("d", Size::Count(1)),
    ];
    let partition = SplitPlan::new(parts, 9).unwrap().divide(&items(&rows)).unwrap();
    assert_eq!(counts(&partition), [7, 67, 25, 1]);
    let parts = vec![part("a", Size::Fraction(0.5)), part("b", Size::Count(20))];
    let partition = SplitPlan::new(parts, 9).unwrap().divide(&items(&rows)).unwrap();
    assert_eq!((counts(&partition), partition.report.left_out), (vec![50, 20], 30));
    assert_eq!(partition.parts.iter().filter(|part| part.is_none()).count(), 30);
}

#[test]
fn sizes_that_cannot_be_had_are_refused() {
    assert_eq!(refusal(vec![]), PartitionError::NoParts);
    assert_eq!(refusal(vec![part("", Size::Rest)]), PartitionError::NoName);
    let twice = refusal(vec![part("a", Size::Rest), part("a", Size::Count(1))]);
    assert_eq!(twice, PartitionError::RepeatedName("a".into()));
    let rests = refusal(vec![part("a", Size::Rest), part("b", Size::Rest)]);
    assert_eq!(rests, PartitionError::TwoRests("a".into(), "b".into()));
    assert_eq!(refusal(vec![part("a", Size::Count(0))]), PartitionError::NoSize("a".into()));
    for fraction in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-12] {
        assert!(matches!(
            refusal(vec![part("a", Size::Fraction(fraction))]),
            PartitionError::BadFraction { .. }
        ));
    }
    let above = refusal(vec![part("a", Size::Fraction(0.7)), part("b", Size::Fraction(0.4))]);
    assert_eq!(above.to_string(), "the parts' fractions add up to 1.1, which is above 1");
}

#[test]
fn parts_that_the_members_cannot_fill_are_refused() {
    let rows = rows(10);
    let items = items(&rows);
    let divide = |parts| SplitPlan::new(parts, 1).unwrap().divide(&items).unwrap_err();
    let many = vec![part("a", Size::Count(8)), part("b", Size::Fraction(0.3))];
    assert_eq!(divide(many), PartitionError::TooFewMembers { asked: 11, members: 10 });
    let most = vec![part("a", Size::Count(u64::MAX)), part("b", Size::Count(u64::MAX))];
    assert!(matches!(divide(most), PartitionError::TooFewMembers { .. }));
    let empty = PartitionError::EmptyPart { part: "val".into(), members: 10 };
    assert_eq!(divide(three(0.01, 0.5)), empty);
    let rest = vec![part("a", Size::Count(10)), part("b", Size::Rest)];
    assert_eq!(divide(rest), PartitionError::EmptyPart { part: "b".into(), members: 10 });
    assert_eq!(SplitPlan::new(three(0.1, 0.1), 1).unwrap().divide(&[]), Err(PartitionError::NoMembers));
    let groups = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")].map(|(id, group)| Item {
        id,
        stratum: None,
        group: Some(group),
    });
    let plan = SplitPlan::new(three(0.25, 0.25), 1).unwrap().grouped(Missing::Error);
    assert_eq!(plan.divide(&groups), Err(PartitionError::TooFewGroups { groups: 2, parts: 3 }));
}

#[test]
fn a_member_given_twice_is_refused() {
    let item = Item { id: "1-A", stratum: None, group: None };
    let again = SplitPlan::new(three(0.3, 0.3), 1).unwrap().divide(&[item, Item { id: "1-B", ..item }, item]);
    assert_eq!(again, Err(PartitionError::RepeatedMember("1-A".into())));
}

#[test]
fn members_without_a_stratum_are_refused_dropped_or_a_stratum_of_their_own() {
    let mut rows = rows(60);
    rows.iter_mut().step_by(5).for_each(|row| row.1 = None);
    let items = items(&rows);
    let plan = |missing| SplitPlan::new(three(0.25, 0.25), 3).unwrap().stratified(missing).divide(&items);
    let error = plan(Missing::Error).unwrap_err();
    assert_eq!(error.to_string(), "12 members have no value to stratify by, such as 1-0000");
    let dropped = plan(Missing::Drop).unwrap();
    assert_eq!((dropped.report.members, dropped.report.dropped, dropped.report.left_out), (48, 12, 0));
    assert_eq!(counts(&dropped), [24, 12, 12]);
    assert!(dropped.parts.iter().step_by(5).all(Option::is_none));
    let included = plan(Missing::Include).unwrap();
    assert_eq!(included.report.strata.iter().filter(|stratum| stratum.stratum.is_none()).count(), 1);
    assert_eq!(included.report.strata[0].parts, [6, 3, 3]);
}

#[test]
fn members_without_a_group_are_refused_dropped_or_alone() {
    let mut rows = rows(60);
    rows.iter_mut().step_by(5).for_each(|row| row.2 = None);
    let items = items(&rows);
    let plan = |missing| SplitPlan::new(three(0.25, 0.25), 3).unwrap().grouped(missing).divide(&items);
    assert_eq!(
        plan(Missing::Error),
        Err(PartitionError::MissingGroup { example: "1-0000".into(), count: 12 })
    );
    assert_eq!(plan(Missing::Drop).unwrap().report.dropped, 12);
    let names: BTreeSet<_> = rows.iter().filter_map(|row| row.2.as_ref()).collect();
    assert_eq!(plan(Missing::Include).unwrap().report.groups, names.len() as u64 + 12);
}

#[test]
fn rare_strata_are_reported_and_placed_in_proportion() {
    let rows: Vec<Row> = (0..1000).map(|n| (format!("1-{n:04}"), Some(format!("s{n}")), None)).collect();
    let partition = SplitPlan::new(three(0.15, 0.05), 5)
        .unwrap()
        .stratified(Missing::Error)
        .divide(&items(&rows))
        .unwrap();
    assert_eq!(counts(&partition), [800, 150, 50]);
    assert!(partition.report.strata.iter().all(|stratum| stratum.rare));
    assert!(partition.report.stratum_deviation < 1.0);
}

#[test]
fn few_groups_fill_all_parts() {
    for seed in 0..50 {
        let rows: Vec<Row> =
            (0..100).map(|n| (format!("1-{n:04}"), None, Some(format!("P{}", n / 20)))).collect();
        let plan = SplitPlan::new(three(0.1, 0.1), seed).unwrap().grouped(Missing::Error);
        assert_eq!(counts(&plan.divide(&items(&rows)).unwrap()), [60, 20, 20]);
    }
}

#[test]
fn added_members_move_few_others() {
    let rows = rows(2200);
    let all = items(&rows);
    let (old, whole) = (&all[..2000], &all[..]);
    for (grouped, limit) in [(false, 60), (true, 250)] {
        let mut plan = SplitPlan::new(three(0.2, 0.1), 11).unwrap();
        if grouped {
            plan = plan.grouped(Missing::Error);
        }
        let (before, after) = (plan.divide(old).unwrap(), plan.divide(whole).unwrap());
        let moved = before.parts.iter().zip(&after.parts).filter(|(before, after)| before != after).count();
        assert!(moved <= limit, "{moved} of 2000 moved, grouped: {grouped}");
    }
}

#[test]
fn a_larger_sample_contains_the_smaller() {
    let rows = rows(500);
    let items = items(&rows);
    let sample = |size| subsample(&items, Size::Count(size), 8, None, None).unwrap().parts;
    let (small, large) = (sample(20), sample(90));
    assert!(small.iter().zip(&large).all(|(small, large)| small.is_none() || large.is_some()));
}

#[test]
fn the_draw_of_deriva_ml_cuts_a_shuffle_of_numpy() {
    let rows = rows(10);
    let plan = SplitPlan::new(
        vec![
            part("Training", Size::Rest),
            part("Testing", Size::Fraction(0.25)),
            part("Validation", Size::Count(1)),
        ],
        42,
    );
    let plan = plan.unwrap().method(Method::DerivaMl);
    // Shuffled, they are 5 6 0 7 3 2 4 | 9 1 | 8; a quarter of 10 is 2, halves to even.
    assert_eq!(picture(&plan.divide(&items(&rows)).unwrap()), "0100000021");
    assert_eq!(plan.grouped(Missing::Drop).divide(&items(&rows)), Err(PartitionError::PlainOnly));
}

/// Members with strata and groups, some without, and some sizes.
fn cases() -> impl Strategy<Value = (Vec<Row>, Vec<PartSpec>, u64)> {
    let name = |prefix: char, number: usize| {
        prop::option::weighted(0.9, (0..number).prop_map(move |n| format!("{prefix}{n}")))
    };
    let row = (name('s', 6), name('g', 25));
    let rows = prop::collection::vec(row, 1..120).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(n, (stratum, group))| (format!("1-{n:X}"), stratum, group))
            .collect()
    });
    let size = prop_oneof![
        (1..30_u64).prop_map(Size::Count),
        (0.05..0.4).prop_map(Size::Fraction),
        (0.05..0.4).prop_map(Size::Fraction),
    ];
    let parts = (prop::collection::vec(size, 1..5), any::<bool>()).prop_map(|(mut sizes, rest)| {
        if rest {
            sizes.push(Size::Rest);
        }
        sizes.into_iter().enumerate().map(|(n, size)| part(&format!("p{n}"), size)).collect()
    });
    (rows, parts, any::<u64>())
}

fn plans(parts: &[PartSpec], seed: u64) -> Vec<SplitPlan> {
    let Ok(plan) = SplitPlan::new(parts.to_vec(), seed) else { return Vec::new() };
    let all = [Missing::Drop, Missing::Include];
    let stratified: Vec<SplitPlan> = all.iter().map(|&missing| plan.clone().stratified(missing)).collect();
    let grouped = all.iter().flat_map(|&missing| {
        let stratified = stratified.iter().map(move |plan| plan.clone().grouped(missing));
        stratified.chain([plan.clone().grouped(missing)])
    });
    [plan.clone()].into_iter().chain(stratified.clone()).chain(grouped).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn divisions_keep_their_promises((rows, parts, seed) in cases(), turn in any::<prop::sample::Index>()) {
        let items = items(&rows);
        for plan in plans(&parts, seed) {
            let Ok(partition) = plan.divide(&items) else { continue };
            let report = &partition.report;
            let placed: u64 = counts(&partition).iter().sum();
            prop_assert_eq!(placed + report.left_out + report.dropped, rows.len() as u64);
            for (index, part) in report.parts.iter().enumerate() {
                let held = partition.parts.iter().filter(|part| **part == Some(index)).count();
                prop_assert_eq!(held as u64, part.members);
                prop_assert!(part.members > 0);
            }
            if plan.groups.is_none() {
                prop_assert_eq!(report.deviation, 0);
                prop_assert!(report.stratum_deviation < 1.0);
            }
            for stratum in &report.strata {
                let here: u64 = stratum.parts.iter().sum();
                prop_assert!(here <= stratum.members);
            }
            if plan.groups.is_some() {
                let mut homes = BTreeMap::new();
                for (item, part) in items.iter().zip(&partition.parts) {
                    let kept = !(plan.strata == Some(Missing::Drop) && item.stratum.is_none());
                    if let (Some(group), true) = (item.group, kept) {
                        prop_assert_eq!(homes.entry(group).or_insert(*part), part);
                    }
                }
            }
            let mut turned = items.clone();
            turned.rotate_left(turn.index(items.len()));
            turned[..items.len() / 2].reverse();
            let again = plan.divide(&turned).unwrap();
            prop_assert_eq!(&again.report, report);
            let homes: BTreeMap<&str, _> = turned.iter().map(|item| item.id).zip(again.parts).collect();
            prop_assert!(items.iter().zip(&partition.parts).all(|(item, part)| homes[item.id] == *part));
        }
    }

    #[test]
    fn shares_are_rounded_to_a_neighbour_and_add_up(
        strata in prop::collection::vec(0..40_u64, 1..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let total: u64 = strata.iter().sum();
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(40 * 30) as u64 % (total + 1)).collect();
        cuts.extend([0, total]);
        cuts.sort_unstable();
        let parts: Vec<u64> = cuts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let table = strata::shares(&strata, &parts);
        for (row, &size) in strata.iter().enumerate() {
            prop_assert_eq!(table.row(row).iter().sum::<u64>(), size);
            for (&cell, &part) in table.row(row).iter().zip(&parts) {
                let floor = size * part / total.max(1);
                prop_assert!(cell == floor || cell == floor + 1 && size * part % total > 0);
            }
        }
        for (column, &part) in parts.iter().enumerate() {
            prop_assert_eq!(table.column(column), part);
        }
    }
}

#[test]
fn other_seeds_give_other_divisions() {
    let rows = rows(200);
    let items = items(&rows);
    for index in 0..plans(&three(0.2, 0.2), 0).len() {
        let pictures: BTreeSet<String> = (0..20)
            .map(|seed| picture(&plans(&three(0.2, 0.2), seed)[index].divide(&items).unwrap()))
            .collect();
        assert_eq!(pictures.len(), 20);
    }
}
