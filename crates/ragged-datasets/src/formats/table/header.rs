//! The header of a table: the names of its columns, and the roles that they suggest.

use std::collections::HashMap;

use crate::error::{Location, Result};
use crate::formats::collect::Collector;
use crate::formats::decimal::Decimal;
use crate::formats::feature_names::list;
use crate::formats::number::shown;
use crate::formats::table::cell::Unit;
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::csv_columns::CsvColumns;

pub(in crate::formats) const SERIES: &str = "series_id";
pub(in crate::formats) const TIME: &str = "time";
const TARGET: &str = "target";

/// Whether a column of this name has another role than a feature by default.
pub(in crate::formats) fn is_role(name: &str) -> bool {
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
pub(in crate::formats) struct Header<'a> {
    pub(in crate::formats) names: Vec<&'a str>,
    /// The columns by their names.
    index: HashMap<&'a str, usize>,
    /// The line of the names in a text.
    line: Option<usize>,
}

impl<'a> Header<'a> {
    /// Takes the names of a line of a text.
    pub(in crate::formats) fn of_line(
        names: Vec<&'a str>,
        line: usize,
        csv: &CsvColumns,
    ) -> Result<Self> {
        let mut header = Self { names, index: HashMap::new(), line: Some(line) };
        header.check_line(csv)?;
        header.check()?;
        Ok(header)
    }

    /// Takes the names of the columns of a binary file.
    pub(in crate::formats) fn of_names(names: Vec<&'a str>) -> Result<Self> {
        let mut header = Self { names, index: HashMap::new(), line: None };
        header.check()?;
        Ok(header)
    }

    /// Returns the location of a name.
    pub(in crate::formats) fn at(&self, column: usize) -> Location {
        match self.line {
            Some(line) => Location::Line { line, column: column + 1 },
            None => Location::Column(column + 1),
        }
    }

    /// Returns what the numbers of rows count.
    pub(in crate::formats) fn unit(&self) -> Unit {
        if self.line.is_some() { Unit::Line } else { Unit::Row }
    }

    /// Checks that a line consists of names.
    fn check_line(&self, csv: &CsvColumns) -> Result<()> {
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
        let lists = [&csv.features, &csv.targets];
        let listed = lists.iter().any(|list| list.is_some()) || !csv.types.is_empty();
        let chosen = csv.series.is_some() || listed;
        if let (1.., false) = (numbers, roles || chosen)
            && let Some(column) = names.iter().position(|name| Decimal::parse(name).is_some())
        {
            let got = shown(names[column]);
            let reason =
                format!("expected a header with the names of the columns, got the number `{got}`");
            return Err(self.at(column).error(reason));
        }
        Ok(())
    }

    /// Checks that the names are distinct.
    fn check(&mut self) -> Result<()> {
        for (column, name) in self.names.iter().enumerate() {
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

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn require(&self, name: &str) -> Result<usize> {
        self.find(name).ok_or_else(|| {
            let known = list(self.names.iter().copied());
            self.at(0).error(format!("expected a column `{}`, got {known}", shown(name)))
        })
    }

    /// Returns the column with a role: the one that is asked for, or the one with its usual name,
    /// perhaps in another case.
    pub(super) fn one(
        &self,
        name: &Option<String>,
        usual: &str,
        types: &[Option<ColumnType>],
        into: &mut Collector,
    ) -> Result<Option<usize>> {
        if let Some(name) = name {
            return self.require(name).map(Some);
        }
        let untyped = |column: &usize| types[*column].is_none();
        if let Some(column) = self.find(usual).filter(untyped) {
            return Ok(Some(column));
        }
        let similar = |column: &usize| untyped(column) && normalised(self.names[*column]) == usual;
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
    pub(super) fn default_targets(
        &self,
        types: &[Option<ColumnType>],
        into: &mut Collector,
    ) -> Vec<usize> {
        let mut targets = vec![];
        for (column, name) in self.names.iter().enumerate() {
            if types[column].is_none() && is_target(&normalised(name)) {
                if !is_target(name) {
                    into.note(format!("column `{}` is read as a target", shown(name)));
                }
                targets.push(column);
            }
        }
        targets
    }

    /// Returns the number of columns at the beginning that number the rows.
    pub(super) fn numbering(&self, csv: &CsvColumns, into: &mut Collector) -> usize {
        let lists = [&csv.features, &csv.targets].into_iter().flatten().flatten();
        let asked = lists.chain(&csv.series).chain(&csv.time).chain(csv.types.keys());
        let asked: Vec<&String> = asked.collect();
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
    pub(super) fn check_ids(&self, features: &[usize], into: &mut Collector) -> Result<()> {
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
    pub(super) fn note_labels(&self, features: &[usize], into: &mut Collector) {
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
