//! The roles of the columns of a table, by their names.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};
use crate::formats::collect::Collector;
use crate::formats::column::Role;
use crate::formats::decimal::Decimal;
use crate::formats::feature_names::list;
use crate::formats::number::shown;
use crate::formats::time::TimeForm;

/// The role of each column of a table, by its name in the header.
///
/// ```
/// use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
///
/// let csv = CsvColumns { series: Some("id".into()), delimiter: ';', ..Default::default() };
/// let options = ReadOptions { csv, ..Default::default() };
/// let table = b"id;speed;target\na;1.5;walk\na;2.5;walk\nb;9;run\n";
/// let data = formats::parse(table, Format::Csv, &options, None)?;
/// assert_eq!(data.examples()[0].sequence.values(), [1.5, 2.5]);
/// assert_eq!(data.ids().map(<[String]>::len), Some(2));
/// # Ok::<(), ragged_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvColumns {
    /// The name of the series. Default `series_id`; without such a column, the file is one series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The time, a number or a date. Default `time`; without such a column, the rows are in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The features. Default all columns without another role. A target cannot be a feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The categories: texts, each of which is a token of the step. An empty cell is a category of its own. Default
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// The targets. Default `target` and all columns whose names begin with `target_`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The separator of cells, one ASCII character. Default `,`.
    pub delimiter: char,
}

impl Default for CsvColumns {
    fn default() -> Self {
        Self {
            series: None,
            time: None,
            features: None,
            categories: None,
            targets: None,
            delimiter: ',',
        }
    }
}

/// The columns by index.
pub(super) struct Columns {
    pub(super) series: Option<usize>,
    pub(super) time: Option<usize>,
    pub(super) features: Vec<usize>,
    pub(super) categories: Vec<usize>,
    pub(super) targets: Vec<usize>,
    /// A last column without a name, whose cells must be empty.
    pub(super) trailing: Option<usize>,
    /// The number of columns at the beginning that number the rows.
    numbering: usize,
}

const SERIES: &str = "series_id";
const TIME: &str = "time";
const TARGET: &str = "target";

/// Whether a column of this name has another role than a feature by default.
pub(super) fn is_role(name: &str) -> bool {
    let name = normalised(name);
    name == SERIES || name == TIME || is_target(&name) || is_numbering(&name)
}

/// Returns a name in lower case, with `_` between words.
fn normalised(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

fn is_target(normalised: &str) -> bool {
    normalised == TARGET || normalised.starts_with("target_")
}

/// Whether a table library writes its row numbers under this name.
fn is_numbering(name: &str) -> bool {
    let rest = name.to_lowercase().replace('_', " ");
    name.is_empty() || rest.strip_prefix("unnamed: ").is_some_and(|n| Decimal::parse(n).is_some())
}

/// The header of a table.
struct Header<'a> {
    names: Vec<&'a str>,
    /// The columns by their names.
    index: HashMap<&'a str, usize>,
    line: usize,
}

impl Columns {
    /// Assigns the roles to the columns of the header in a line, and orders the features as in the files before.
    pub(super) fn find(
        names: &[&str],
        line: usize,
        csv: &CsvColumns,
        into: &mut Collector,
    ) -> Result<Self> {
        let mut header = Header { names: names.to_vec(), index: HashMap::new(), line };
        header.check(csv)?;
        let header = header;
        let names = &header.names;
        let numbering = header.numbering(csv, into);
        let trailing = names.last().is_some_and(|name| name.is_empty()) && numbering < names.len();
        let trailing = trailing.then(|| names.len() - 1);
        if trailing.is_some() {
            let number = names.len();
            into.note(format!("column {number} has no name and no content, and is left out"));
        }
        let is_left_out = |column: usize| column < numbering || Some(column) == trailing;
        let series = header.one(&csv.series, SERIES, into)?;
        let time = header.one(&csv.time, TIME, into)?;
        let targets: Vec<usize> = match &csv.targets {
            // Columns that are not read may be absent.
            Some(targets) if !into.wants_targets() => {
                targets.iter().filter_map(|name| header.find(name)).collect()
            }
            Some(targets) => {
                targets.iter().map(|name| header.require(name)).collect::<Result<_>>()?
            }
            None => header.default_targets(into),
        };
        let mut is_target = vec![false; names.len()];
        targets.iter().for_each(|&column| is_target[column] = true);
        let has_role =
            |column: usize| Some(column) == series || Some(column) == time || is_target[column];
        let categories = csv.categories.iter().flatten().map(|name| header.require(name));
        let categories = categories.collect::<Result<Vec<_>>>()?;
        if let Some(&column) = categories.iter().find(|&&column| has_role(column)) {
            let name = shown(names[column]);
            let reason = format!("column `{name}` has another role: expected other categories");
            return Err(header.at(column).error(reason));
        }
        let taken = |column: usize| has_role(column) || categories.contains(&column);
        let features: Vec<usize> = match &csv.features {
            Some(features) => {
                let features = features.iter().map(|name| header.require(name));
                let features = features.collect::<Result<Vec<_>>>()?;
                if let Some(&column) = features.iter().find(|&&column| is_target[column]) {
                    let name = shown(names[column]);
                    let reason = format!("column `{name}` is a target: expected other features");
                    return Err(header.at(column).error(reason));
                }
                features
            }
            None => {
                let all = 0..names.len();
                let features = all.filter(|&column| !taken(column) && !is_left_out(column));
                let features: Vec<usize> = features.collect();
                if let Some(&column) = features.iter().find(|&&column| names[column].is_empty()) {
                    let number = column + 1;
                    let reason = format!("column {number} has no name: expected a name for each");
                    return Err(header.at(column).error(reason));
                }
                if series.is_none() {
                    header.check_ids(&features, into)?;
                }
                if targets.is_empty() && csv.targets.is_none() && into.wants_targets() {
                    header.note_labels(&features, into);
                }
                features
            }
        };
        if features.is_empty() && categories.is_empty() {
            return Err(header.at(0).error("expected at least one column of features, got none"));
        }
        let feature_names: Vec<String> =
            features.iter().map(|&column| names[column].to_string()).collect();
        let order = into.order(&feature_names).map_err(|reason| header.at(0).error(reason))?;
        let features = order.into_iter().map(|k| features[k]).collect();
        let category_names: Vec<&str> = categories.iter().map(|&column| names[column]).collect();
        into.tokens().check(&category_names).map_err(|reason| header.at(0).error(reason))?;
        let targets = if into.wants_targets() { targets } else { vec![] };
        Ok(Self { series, time, features, categories, targets, trailing, numbering })
    }

    /// Records the roles of all columns.
    pub(super) fn describe(&self, names: &[&str], times: Option<TimeForm>, into: &mut Collector) {
        let times = times.map_or("", TimeForm::plural);
        let mut input = vec![None; names.len()];
        for (k, &column) in self.features.iter().enumerate() {
            input[column] = Some((Role::Feature(k), ""));
        }
        for (k, &column) in self.categories.iter().enumerate() {
            input[column] = Some((Role::Token(k), "categories"));
        }
        for (column, name) in names.iter().enumerate() {
            let (role, content) = match input[column] {
                Some(input) => input,
                None if Some(column) == self.series => (Role::Id, ""),
                None if Some(column) == self.time => (Role::Time, times),
                None if self.targets.contains(&column) => (Role::Target, ""),
                None if column < self.numbering => (Role::LeftOut, "the numbers of the rows"),
                None => (Role::LeftOut, ""),
            };
            let unnamed = format!("(column {})", column + 1);
            into.column(if name.is_empty() { &unnamed } else { name }, role, content);
        }
    }
}

impl Header<'_> {
    /// Returns the location of a cell.
    fn at(&self, column: usize) -> Location {
        Location::Line { line: self.line, column: column + 1 }
    }

    /// Checks that the row consists of distinct names.
    fn check(&mut self, csv: &CsvColumns) -> Result<()> {
        let names = &self.names;
        let others: Vec<char> = [',', ';', '\t', '|']
            .into_iter()
            .filter(|&c| c != csv.delimiter && names.len() == 1 && names[0].contains(c))
            .collect();
        if let [other] = others[..] {
            let expected = csv.delimiter;
            let reason = format!(
                "expected names separated by {expected:?}, got {other:?}: set csv.delimiter"
            );
            return Err(self.at(0).error(reason));
        }
        let numbers = names.iter().filter(|name| Decimal::parse(name).is_some()).count();
        let roles = names.iter().any(|name| !name.is_empty() && is_role(name));
        let lists = [&csv.features, &csv.categories, &csv.targets];
        let chosen = csv.series.is_some() || lists.iter().any(|list| list.is_some());
        if let (1.., false) = (numbers, roles || chosen)
            && let Some(column) = names.iter().position(|name| Decimal::parse(name).is_some())
        {
            let got = shown(names[column]);
            let reason =
                format!("expected a header with the names of the columns, got the number `{got}`");
            return Err(self.at(column).error(reason));
        }
        for (column, name) in names.iter().enumerate() {
            if name.contains('\0') {
                return Err(self
                    .at(column)
                    .error("expected a name, got a text with a null character"));
            }
            if self.index.insert(name, column).is_some() && !name.is_empty() {
                let reason = format!("column `{}` occurs twice", shown(name));
                return Err(self.at(column).error(reason));
            }
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    fn require(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| {
            let known = list(self.names.iter().copied());
            self.at(0).error(format!("expected a column `{}`, got {known}", shown(name)))
        })
    }

    /// Returns the column with a role: the one that is asked for, or the one with its usual name,
    /// perhaps in another case.
    fn one(
        &self,
        name: &Option<String>,
        usual: &str,
        into: &mut Collector,
    ) -> Result<Option<usize>> {
        if let Some(name) = name {
            return self.require(name).map(Some);
        }
        if let Some(column) = self.find(usual) {
            return Ok(Some(column));
        }
        let similar = |column: &usize| normalised(self.names[*column]) == usual;
        let similar: Vec<usize> = (0..self.names.len()).filter(similar).collect();
        match similar[..] {
            [] => Ok(None),
            [column] => {
                into.note(format!("column `{}` is read as `{usual}`", shown(self.names[column])));
                Ok(Some(column))
            }
            [first, second, ..] => {
                let (a, b) = (shown(self.names[first]), shown(self.names[second]));
                let reason = format!("expected one column `{usual}`, got `{a}` and `{b}`");
                Err(self.at(second).error(reason))
            }
        }
    }

    /// Returns the columns whose names are `target` or begin with `target_`, in any case.
    fn default_targets(&self, into: &mut Collector) -> Vec<usize> {
        let mut targets = vec![];
        for (column, name) in self.names.iter().enumerate() {
            if is_target(&normalised(name)) {
                if !is_target(name) {
                    into.note(format!("column `{}` is read as a target", shown(name)));
                }
                targets.push(column);
            }
        }
        targets
    }

    /// Returns the number of columns at the beginning that number the rows.
    fn numbering(&self, csv: &CsvColumns, into: &mut Collector) -> usize {
        let lists = [&csv.features, &csv.categories, &csv.targets].into_iter().flatten().flatten();
        let asked: Vec<&String> = lists.chain(&csv.series).chain(&csv.time).collect();
        let numbers = |name: &&&str| is_numbering(name) && asked.iter().all(|asked| asked != *name);
        let count = self.names.iter().take_while(numbers).count();
        // A file of one such column has no other content.
        let count = if count == self.names.len() { 0 } else { count };
        for name in &self.names[..count] {
            into.note(match *name {
                "" => "column 1 has no name and is left out, as the numbers of the rows".into(),
                name => format!("column `{}` is left out, as the numbers of the rows", shown(name)),
            });
        }
        count
    }

    /// Refuses a column that is likely to name the series, if no column does so.
    fn check_ids(&self, features: &[usize], into: &mut Collector) -> Result<()> {
        for &column in features {
            let name = self.names[column];
            let normalised = normalised(name);
            if ["id", "series", "seriesid", "sequence", "sequence_id"].contains(&&*normalised) {
                let name = shown(name);
                let reason = format!(
                    "expected the names of the series in a column `{SERIES}`, got `{name}`: set \
                     csv.series to `{name}`, or csv.features if it is a feature"
                );
                return Err(self.at(column).error(reason));
            }
            if normalised.ends_with("_id") {
                into.note(format!(
                    "column `{}` is read as a feature, and the file as one series, as there is no \
                     column `{SERIES}`",
                    shown(name)
                ));
            }
        }
        Ok(())
    }

    /// Notes features that are likely to be targets, if there is no column of targets.
    fn note_labels(&self, features: &[usize], into: &mut Collector) {
        for &column in features {
            let name = self.names[column];
            if ["label", "labels", "class", "classes", "y"].contains(&&*normalised(name)) {
                into.note(format!(
                    "column `{}` is read as a feature, as targets are in columns `{TARGET}` unless \
                     csv.targets names others",
                    shown(name)
                ));
            }
        }
    }
}

/// Returns an error of a delimiter that is not one byte.
pub(super) fn delimiter(csv: &CsvColumns) -> Result<u8> {
    u8::try_from(csv.delimiter).ok().filter(u8::is_ascii).ok_or_else(|| {
        let (got, expected) = (csv.delimiter.to_string(), "one ASCII character".into());
        Error::Choice { name: "csv.delimiter", got, expected }
    })
}
