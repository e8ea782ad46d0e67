//! A dataset divided into parts, or a sample drawn from it, as new datasets that say how they were made.

use serde_json::{Value as Json, json};

use super::super::selection::{member_rids, memberships};
use super::super::{Catalog, CatalogError, Change};
use super::command::missing_name;
use super::members::element_table;
use super::view::NOW;
use super::{DatasetRef, View};
use crate::model::{Model, Rid, Table};
use crate::partition::{Item, Method, Missing, PartSpec, Partition, Report, Size, SplitPlan};
use crate::tabular::Value;
use crate::version::DatasetName;

/// Which members, and how they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// The element table; may be left out where all members are of one.
    pub table: Option<String>,
    /// The path to the value of which each part gets its share: a column (`Grade`), one of a row referred to
    /// (`Subject.Sex`), or a feature's newest value (`feature:Quality.Grade`).
    pub stratify: Option<String>,
    /// The path to the value whose members stay together.
    pub group: Option<String>,
    /// Members without such a value.
    pub missing: Missing,
    /// The same seed gives the same parts.
    pub seed: u64,
    /// How members are drawn.
    pub method: Method,
}

/// A division to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitOptions {
    /// The parts, in order.
    pub parts: Vec<PartSpec>,
    /// Which members, and how.
    pub draw: Draw,
    /// The name of the dataset around the parts, with which theirs begin too. Else it is `NAME-split`, and theirs begin with
    /// that of the divided dataset.
    pub parent: Option<DatasetName>,
    /// What the dataset around the parts is.
    pub description: Option<String>,
    /// Whether only to say what would come of it.
    pub dry_run: bool,
}

/// A sample to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleOptions {
    /// How many.
    pub size: Size,
    /// Which members, and how.
    pub draw: Draw,
    /// The sample's name; else it is `NAME-sample`.
    pub name: Option<DatasetName>,
    /// What the sample is.
    pub description: Option<String>,
    /// Whether only to say what would come of it.
    pub dry_run: bool,
}

/// A dataset that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub name: DatasetName,
    /// Its id.
    pub rid: Rid,
    /// Its types.
    pub types: Vec<String>,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct SplitReport {
    /// The dataset, or version, that was divided.
    pub source: DatasetRef,
    /// The element table.
    pub table: String,
    /// The dataset around the parts; the sample itself.
    pub made: Made,
    /// The parts in order; none for a sample.
    pub parts: Vec<Made>,
    /// How the members came to lie.
    pub report: Report,
    /// All that is needed to do it again, as it stands in the description of [`SplitReport::made`].
    pub record: Json,
}

impl Catalog {
    /// Divides a dataset's members: makes a dataset of type `Split`, and nested in it one for each part, with its role
    /// (Training, Testing, Validation) by the part's name. The dataset itself stays as it is.
    pub fn split_dataset(
        &mut self,
        source: &DatasetRef,
        options: &SplitOptions,
    ) -> Result<SplitReport, CatalogError> {
        let schema = self.domain_schema().to_owned();
        let command = options.command(source);
        let split = |change: &mut Change<'_>| {
            let drawing = Drawing::of(&change.view(), source, &options.draw)?;
            let partition = drawing.divide(&options.parts, &options.draw)?;
            let record = drawing.record("split", &options.parts, &options.draw, change);
            let base = options.parent.as_ref().unwrap_or(&source.name);
            let parent = match &options.parent {
                Some(name) => name.clone(),
                None => format!("{}-split", source.name).parse()?,
            };
            let about = options.description.clone().unwrap_or_else(|| {
                let names: Vec<&str> = options.parts.iter().map(|part| part.name.as_str()).collect();
                format!("The {} rows of {source} in parts: {}", drawing.element.table_name, names.join(", "))
            });
            let made = change.make(
                &parent,
                &described(&about, &record),
                &[("Split", "Split into nested datasets")],
            )?;
            let mut parts = Vec::new();
            for (index, part) in options.parts.iter().enumerate() {
                let name: DatasetName = format!("{base}-{}", part.name).parse()?;
                let mut types = role(&part.name).to_vec();
                types.push(("Split_Partition", "A part of a split dataset"));
                let child = change.make(&name, &format!("The part {} of {parent}", part.name), &types)?;
                let rids = drawing.part(&partition, index);
                change.add_members(&schema, &child.rid, &drawing.element, &rids)?;
                change.nest(&made.rid, &child.rid)?;
                parts.push(child);
            }
            change.note_input(&drawing)?;
            Ok(drawing.report(source, made, parts, partition, record))
        };
        if options.dry_run { self.rehearse(split) } else { self.change(&command, split) }
    }

    /// Draws a sample of a dataset's members: makes a dataset of type `Subsample`.
    pub fn sample_dataset(
        &mut self,
        source: &DatasetRef,
        options: &SampleOptions,
    ) -> Result<SplitReport, CatalogError> {
        let schema = self.domain_schema().to_owned();
        let command = options.command(source);
        let sample = |change: &mut Change<'_>| {
            let drawing = Drawing::of(&change.view(), source, &options.draw)?;
            let parts = [PartSpec { name: "sample".into(), size: options.size }];
            let partition = drawing.divide(&parts, &options.draw)?;
            let record = drawing.record("subsample", &parts, &options.draw, change);
            let name = match &options.name {
                Some(name) => name.clone(),
                None => format!("{}-sample", source.name).parse()?,
            };
            let about = options.description.clone().unwrap_or_else(|| format!("A sample of {source}"));
            let types = [("Subsample", "A sample of another dataset")];
            let made = change.make(&name, &described(&about, &record), &types)?;
            change.add_members(&schema, &made.rid, &drawing.element, &drawing.part(&partition, 0))?;
            change.note_input(&drawing)?;
            Ok(drawing.report(source, made, Vec::new(), partition, record))
        };
        if options.dry_run { self.rehearse(sample) } else { self.change(&command, sample) }
    }
}

/// The type that says what a part is for.
fn role(part: &str) -> &'static [(&'static str, &'static str)] {
    match part.to_lowercase().as_str() {
        "train" | "training" => &[("Training", "For training models")],
        "test" | "testing" => &[("Testing", "For testing models")],
        "val" | "valid" | "validation" => &[("Validation", "For validating models during training")],
        _ => &[],
    }
}

/// A description that ends with the record, as a block of code that Markdown shows as it is.
fn described(about: &str, record: &Json) -> String {
    format!("{about}\n\n```json\n{record}\n```")
}

/// The members to draw from.
struct Drawing {
    source: Rid,
    number: i64,
    /// The version's row, where a version is drawn from.
    version: Option<DatasetRef>,
    element: Table,
    rids: Vec<String>,
    strata: Option<Vec<Option<String>>>,
    groups: Option<Vec<Option<String>>>,
}

impl Drawing {
    fn of(view: &View<'_>, source: &DatasetRef, draw: &Draw) -> Result<Self, CatalogError> {
        let (rid, number) = view.moment_of(source)?;
        if number == NOW {
            view.check_living(&rid)?;
        }
        let model = if number == NOW { view.model.clone().into_owned() } else { view.model_at(number)? };
        let element = element_of(view, &model, source, &rid, draw, number)?;
        let mut rids = Vec::new();
        for membership in memberships(&model) {
            if membership.element.qualified_name() == element.qualified_name() {
                let sql = member_rids(&membership, rid.as_str(), number, &view.aliases);
                rids.extend(view.texts(&sql, ())?);
            }
        }
        rids.sort_unstable();
        rids.dedup();
        let values = |path: &Option<String>| {
            let Some(path) = path else { return Ok(None) };
            let values = view.values(&model, &element, path, number)?;
            let of_members = rids.iter().map(|rid| values.get(rid).cloned()).collect();
            Ok::<_, CatalogError>(Some(of_members))
        };
        let (strata, groups) = (values(&draw.stratify)?, values(&draw.group)?);
        let version = source.version.is_some().then(|| source.clone());
        Ok(Self { source: rid, number, version, element, rids, strata, groups })
    }

    fn divide(&self, parts: &[PartSpec], draw: &Draw) -> Result<Partition, CatalogError> {
        let value = |values: &'_ Option<Vec<Option<String>>>, at: usize| -> Option<String> {
            values.as_ref().and_then(|values| values.get(at).cloned().flatten())
        };
        let kept: Vec<(Option<String>, Option<String>)> =
            (0..self.rids.len()).map(|at| (value(&self.strata, at), value(&self.groups, at))).collect();
        let items: Vec<Item<'_>> = self
            .rids
            .iter()
            .zip(&kept)
            .map(|(id, (stratum, group))| Item { id, stratum: stratum.as_deref(), group: group.as_deref() })
            .collect();
        let mut plan = SplitPlan::new(parts.to_vec(), draw.seed)?.method(draw.method);
        if self.strata.is_some() {
            plan = plan.stratified(draw.missing);
        }
        if self.groups.is_some() {
            plan = plan.grouped(draw.missing);
        }
        Ok(plan.divide(&items)?)
    }

    fn part(&self, partition: &Partition, index: usize) -> Vec<String> {
        let placed = self.rids.iter().zip(&partition.parts);
        placed.filter(|(_, part)| **part == Some(index)).map(|(rid, _)| rid.clone()).collect()
    }

    /// All that is needed to do it again.
    fn record(&self, what: &str, parts: &[PartSpec], draw: &Draw, change: &Change<'_>) -> Json {
        let size = |size: Size| match size {
            Size::Count(count) => json!(count),
            Size::Fraction(fraction) => json!(fraction),
            Size::Rest => json!("rest"),
        };
        let parts: Vec<Json> =
            parts.iter().map(|part| json!({"name": part.name, "size": size(part.size)})).collect();
        json!({what: {
            "source": self.source.as_str(),
            "version": self.version.as_ref().and_then(|source| source.version.as_ref()).map(ToString::to_string),
            "snapshot": change.snapshot_before(self.number).map(|snapshot| snapshot.to_string()),
            "table": self.element.qualified_name(),
            "parts": parts,
            "stratify": draw.stratify,
            "group": draw.group,
            "missing": missing_name(draw.missing),
            "seed": draw.seed,
            "method": draw.method.label(),
        }})
    }

    fn report(
        self,
        source: &DatasetRef,
        made: Made,
        parts: Vec<Made>,
        partition: Partition,
        record: Json,
    ) -> SplitReport {
        let (source, table) = (source.clone(), self.element.table_name);
        SplitReport { source, table, made, parts, report: partition.report, record }
    }
}

/// The table whose rows are drawn: the one that is named, or the only one with members.
fn element_of(
    view: &View<'_>,
    model: &Model,
    source: &DatasetRef,
    rid: &Rid,
    draw: &Draw,
    number: i64,
) -> Result<Table, CatalogError> {
    let counts = view.member_counts(rid, number)?;
    if let Some(name) = &draw.table {
        let table = element_table(model, name)?;
        return if counts.iter().any(|count| count.table == table.table_name) {
            Ok(table)
        } else {
            Err(CatalogError::NoMembersOf { name: source.to_string(), table: table.table_name })
        };
    }
    match counts.as_slice() {
        [] => Err(CatalogError::NoMembers(source.name.clone())),
        [only] => element_table(model, &only.table),
        several => Err(CatalogError::SeveralTables {
            name: source.to_string(),
            tables: several.iter().map(|count| count.table.clone()).collect(),
        }),
    }
}

impl Change<'_> {
    /// Makes a dataset with types, whose terms are made where they are missing.
    fn make(
        &mut self,
        name: &DatasetName,
        description: &str,
        types: &[(&str, &str)],
    ) -> Result<Made, CatalogError> {
        let rid = self.create_dataset(name, description)?;
        for (term, meaning) in types {
            self.add_made_type(&rid, term, meaning)?;
        }
        let types = types.iter().map(|(term, _)| (*term).to_owned()).collect();
        Ok(Made { name: name.clone(), rid, types })
    }

    /// Says that this change's execution read the dataset that it drew from, and at which version.
    fn note_input(&mut self, drawing: &Drawing) -> Result<(), CatalogError> {
        let Some(table) = self.model().table("deriva-ml", "Dataset_Execution").cloned() else {
            return Ok(());
        };
        let version = match &drawing.version {
            Some(_) => self.view().version_row(&drawing.source, drawing.number)?,
            None => None,
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let writer = self.writer(&table)?;
        let execution = self.execution();
        let values = writer.row(&[
            ("Dataset", text(drawing.source.as_str())),
            ("Execution", text(execution.as_str())),
            ("Dataset_Version", version.map_or(Value::Null, Value::Text)),
        ]);
        self.insert(&writer, &values).map(drop)
    }
}
