//! The types of columns by their cells, where neither a name nor the configuration says what a column is.

use std::collections::HashSet;

use crate::error::{Location, Result};
use crate::formats::number::shown;
use crate::formats::table::cell::{Cell, Row, Rows};
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::header::Header;
use crate::formats::table::roles::Roles;

/// The number of different texts up to which a column is a category, however few rows there are.
const FEW: usize = 20;

/// What is known of the cells of a column.
#[derive(Default)]
struct Evidence {
    /// The line and text of the first cell that is a number, and of the first that is none, with its location.
    number: Option<(usize, String)>,
    text: Option<(Location, String)>,
    /// Whether the first cell that is not missing is a number.
    starts_with_number: bool,
    distinct: HashSet<String>,
    /// The number of texts.
    texts: usize,
    /// Whether any text has white space.
    spaces: bool,
}

impl Evidence {
    fn add(&mut self, cell: Cell, number: usize, location: Location) {
        if cell.is_missing() {
            return;
        }
        let text = cell.text();
        if cell.is_number() {
            self.starts_with_number |= self.text.is_none();
            self.number.get_or_insert_with(|| (number, shown(&text)));
            return;
        }
        self.text.get_or_insert_with(|| (location, shown(&text)));
        self.texts += 1;
        self.spaces |= text.contains(char::is_whitespace);
        if !self.distinct.contains(text.as_ref()) {
            self.distinct.insert(text.into_owned());
        }
    }
}

/// Returns the types of the inputs whose types are not given, with a note on each that is not a number.
///
/// # Errors
///
/// An error that names the option for a column that may be of several types.
pub(in crate::formats) fn infer(
    mut rows: impl Rows,
    header: &Header,
    roles: &Roles,
) -> Result<Vec<(usize, ColumnType, String)>> {
    let open = roles.open();
    let mut evidence: Vec<Evidence> = open.iter().map(|_| Evidence::default()).collect();
    while let Some(row) = rows.next()? {
        for (seen, &column) in evidence.iter_mut().zip(&open) {
            // Whatever follows a number must be one: the reader of the values checks that.
            if !seen.starts_with_number {
                seen.add(row.cell(column)?, row.number(), row.location(column));
            }
        }
        if evidence.iter().all(|seen| seen.starts_with_number) {
            break;
        }
    }
    let mut types = vec![];
    for (seen, column) in evidence.into_iter().zip(open) {
        let name = shown(header.names[column]);
        if roles.inputs.contains(&(column, Some(ColumnType::Static))) {
            let inferred = match seen.starts_with_number || seen.text.is_none() {
                true => ColumnType::StaticNumber,
                false => ColumnType::StaticCategory,
            };
            types.push((column, inferred, String::new()));
            continue;
        }
        let (at, text) = match seen.text {
            // Also where all cells are missing.
            None => {
                types.push((column, ColumnType::Number, String::new()));
                continue;
            }
            Some(first) => first,
        };
        if roles.lacks_targets {
            let reason = format!(
                "expected a number, got `{text}`: targets are in a column `target`, or in those that \
                 csv.targets names; data.read.csv.types says if `{name}` is a category, a text or ignored"
            );
            return Err(at.error(reason));
        }
        if let Some((other, number)) = seen.number {
            let unit = header.unit().name();
            let reason = format!(
                "column `{name}` has texts, such as `{text}`, and numbers, such as `{number}` in {unit} {other}: \
                 expected data.read.csv.types to say if it is a category or ignored"
            );
            return Err(at.error(reason));
        }
        let distinct = seen.distinct.len();
        let ambiguous = |reason: String| {
            let expected =
                "expected data.read.csv.types to say if it is a category, a text or ignored";
            Err(at.error(format!("column `{name}` {reason}: {expected}")))
        };
        if roles.series.is_none() && roles.time.is_none() {
            let only = roles.inputs.len() == 1;
            if only && (seen.spaces || name.eq_ignore_ascii_case("text")) {
                let note = "texts, one sequence for each row, as it is the only input".to_string();
                types.push((column, ColumnType::Text, note));
                continue;
            }
            if only || seen.spaces {
                let reason =
                    "may have one sequence or one step in each row, as no column names the series";
                return ambiguous(reason.into());
            }
        }
        if distinct > FEW && distinct * 2 > seen.texts {
            return ambiguous(format!("has {distinct} different texts in {} cells", seen.texts));
        }
        types.push((
            column,
            ColumnType::Category,
            format!("a category of {distinct} different texts"),
        ));
    }
    Ok(types)
}
