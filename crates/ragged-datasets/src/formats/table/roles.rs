//! The roles of the columns of a table, as far as the configuration and the names of the columns say.

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::number::shown;
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::csv_columns::CsvColumns;
use crate::formats::table::header::{Header, SERIES, TIME};

/// The columns by index.
pub(in crate::formats) struct Roles {
    pub(in crate::formats) series: Option<usize>,
    pub(in crate::formats) time: Option<usize>,
    pub(in crate::formats) targets: Vec<usize>,
    /// Whether there are no targets although the configuration does not say so.
    pub(in crate::formats) lacks_targets: bool,
    /// The inputs of the model, each with its type if it is given.
    pub(in crate::formats) inputs: Vec<(usize, Option<ColumnType>)>,
    /// A last column without a name, whose cells must be empty.
    pub(in crate::formats) trailing: Option<usize>,
    /// The number of columns at the beginning that number the rows.
    pub(in crate::formats) numbering: usize,
    /// The columns that the configuration leaves out.
    pub(in crate::formats) ignored: Vec<usize>,
}

impl Roles {
    /// Finds the columns of all roles.
    pub(in crate::formats) fn find(
        header: &Header,
        csv: &CsvColumns,
        into: &mut Collector,
    ) -> Result<Self> {
        let names = &header.names;
        let types = given_types(header, csv, into)?;
        let typed = |wanted: ColumnType| -> Vec<usize> {
            (0..names.len()).filter(|&column| types[column] == Some(wanted)).collect()
        };
        let numbering = header.numbering(csv, into);
        let trailing = names.last().is_some_and(|name| name.is_empty()) && numbering < names.len();
        let trailing = trailing.then(|| names.len() - 1);
        if trailing.is_some() {
            let number = names.len();
            into.note(format!("column {number} has no name and no content, and is left out"));
        }
        // A type takes a column out of the role that its name suggests.
        let untyped = |column: &usize| types[*column].is_none();
        let series = header.one(&csv.series, SERIES, &types, into)?;
        let time = match typed(ColumnType::Time)[..] {
            [] => header.one(&csv.time, TIME, &types, into)?,
            [column] => match &csv.time {
                Some(other) if header.find(other) != Some(column) => {
                    let (name, other) = (shown(names[column]), shown(other));
                    let reason =
                        format!("expected one column of times, got `{name}` and `{other}`");
                    return Err(header.at(column).error(reason));
                }
                _ => Some(column),
            },
            [_, second, ..] => {
                let name = shown(names[second]);
                let reason = format!("expected one column of times, got `{name}` too");
                return Err(header.at(second).error(reason));
            }
        };
        let mut targets: Vec<usize> = match &csv.targets {
            // Columns that are not read may be absent.
            Some(targets) if !into.wants_targets() => {
                targets.iter().filter_map(|name| header.find(name)).collect()
            }
            Some(targets) => {
                targets.iter().map(|name| header.require(name)).collect::<Result<_>>()?
            }
            None => header.default_targets(&types, into),
        };
        let given = (0..names.len()).filter(|&k| types[k].is_some_and(ColumnType::is_target));
        let given = given.filter(|column| into.wants_targets() && !targets.contains(column));
        let given: Vec<usize> = given.collect();
        targets.extend(given);
        let listed = series.iter().chain(&time).chain(&targets);
        for &column in listed {
            let same = match types[column] {
                None => true,
                Some(ColumnType::Time) => Some(column) == time,
                Some(given) if given.is_target() => {
                    targets.contains(&column) && Some(column) != series
                }
                Some(_) => false,
            };
            if let (false, Some(got)) = (same, types[column]) {
                let name = shown(names[column]);
                let reason =
                    format!("column `{name}` has another role: expected no type, got {got}");
                return Err(header.at(column).error(reason));
            }
        }
        let is_left_out = |column: usize| column < numbering || Some(column) == trailing;
        for &column in &targets {
            if let Some(given @ (ColumnType::TargetNumber | ColumnType::TargetCategory)) =
                types[column]
            {
                into.targets().declare(names[column], given == ColumnType::TargetNumber);
            }
        }
        let has_role = |column: usize| {
            Some(column) == series || Some(column) == time || targets.contains(&column)
        };
        let is_input = |column: usize| types[column].is_some_and(ColumnType::is_input);
        let inputs: Vec<usize> = match &csv.features {
            Some(features) => {
                let features = features.iter().map(|name| header.require(name));
                let mut inputs = features.collect::<Result<Vec<_>>>()?;
                if let Some(&column) = inputs.iter().find(|column| targets.contains(column)) {
                    let name = shown(names[column]);
                    let reason = format!("column `{name}` is a target: expected other features");
                    return Err(header.at(column).error(reason));
                }
                let given = inputs.clone();
                let others = (0..names.len()).filter(|column| !given.contains(column));
                inputs.extend(others.filter(|&column| is_input(column)));
                inputs
            }
            None => {
                let free = |column: usize| match types[column] {
                    Some(given) => given.is_input(),
                    None => !has_role(column) && !is_left_out(column),
                };
                let inputs: Vec<usize> = (0..names.len()).filter(|&column| free(column)).collect();
                if let Some(&column) = inputs.iter().find(|&&column| names[column].is_empty()) {
                    let number = column + 1;
                    let reason = format!("column {number} has no name: expected a name for each");
                    return Err(header.at(column).error(reason));
                }
                let open: Vec<usize> = inputs.iter().copied().filter(untyped).collect();
                if series.is_none() {
                    header.check_ids(&open, into)?;
                }
                if targets.is_empty() && csv.targets.is_none() && into.wants_targets() {
                    header.note_labels(&open, into);
                }
                inputs
            }
        };
        if inputs.is_empty() {
            return Err(header.at(0).error("expected at least one column of features, got none"));
        }
        let inputs = inputs.into_iter().map(|column| (column, types[column])).collect();
        let ignored = typed(ColumnType::Ignored);
        let lacks_targets = targets.is_empty() && csv.targets.is_none();
        Ok(Self { series, time, targets, lacks_targets, inputs, trailing, numbering, ignored })
    }

    /// Returns the inputs whose types are not given, or not entirely.
    pub(in crate::formats) fn open(&self) -> Vec<usize> {
        let is_open = |given: Option<ColumnType>| matches!(given, None | Some(ColumnType::Static));
        let open = self.inputs.iter().filter(|(_, given)| is_open(*given));
        open.map(|(column, _)| *column).collect()
    }
}

/// Returns the types of the configuration for the columns of a header.
fn given_types(
    header: &Header,
    csv: &CsvColumns,
    into: &Collector,
) -> Result<Vec<Option<ColumnType>>> {
    let mut types = vec![None; header.names.len()];
    for (name, &given) in &csv.types {
        let unread = match given {
            ColumnType::Ignored => true,
            given if given.is_target() => !into.wants_targets(),
            _ => false,
        };
        match header.find(name) {
            Some(column) => types[column] = Some(given),
            // Columns that are not read may be absent from later files.
            None if unread && !into.is_training() => {}
            None => drop(header.require(name)?),
        }
    }
    Ok(types)
}
