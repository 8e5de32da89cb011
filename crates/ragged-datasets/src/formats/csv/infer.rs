//! The types of columns by their cells, where neither a name nor the configuration says what a column is.

use std::collections::HashSet;
use std::io::BufRead;

use crate::error::{Location, Result};
use crate::formats::csv::column_type::ColumnType;
use crate::formats::csv::header::Header;
use crate::formats::csv::roles::Roles;
use crate::formats::csv::rows::Rows;
use crate::formats::decimal::Decimal;
use crate::formats::number::{has_separators, is_missing, number, shown};

/// The number of different texts up to which a column is a category, however few rows there are.
const FEW: usize = 20;

/// What is known of the cells of a column.
#[derive(Default)]
struct Evidence {
    /// The line and text of the first cell that is a number, and of the first that is none.
    number: Option<(usize, String)>,
    text: Option<(usize, String)>,
    /// Whether the first cell that is not missing is a number.
    starts_with_number: bool,
    distinct: HashSet<String>,
    /// The number of texts.
    texts: usize,
    /// Whether any text has white space.
    spaces: bool,
}

impl Evidence {
    fn add(&mut self, cell: &str, line: usize) {
        if is_missing(cell) {
            return;
        }
        let place = || Some((line, shown(cell)));
        if is_number(cell) {
            self.starts_with_number |= self.text.is_none();
            self.number = self.number.take().or_else(place);
            return;
        }
        self.text = self.text.take().or_else(place);
        self.texts += 1;
        self.spaces |= cell.contains(char::is_whitespace);
        if !self.distinct.contains(cell) {
            self.distinct.insert(cell.to_string());
        }
    }
}

/// Whether a cell is a number, or would be one in another notation or of a smaller size. The reader of numbers explains
/// what is wrong with it.
fn is_number(cell: &str) -> bool {
    number(cell).is_ok()
        || Decimal::parse(cell).is_some()
        || has_separators(cell)
        || cell.parse::<f64>().is_ok()
}

/// Returns the types of the inputs whose types are not given, with a note on each that is not a number.
///
/// # Errors
///
/// An error that names the option for a column that may be of several types.
pub(super) fn infer<R: BufRead>(
    mut rows: Rows<R>,
    header: &Header,
    roles: &Roles,
) -> Result<Vec<(usize, ColumnType, String)>> {
    let open = roles.open();
    let mut evidence: Vec<Evidence> = open.iter().map(|_| Evidence::default()).collect();
    while let Some(cells) = rows.next()? {
        for (seen, &column) in evidence.iter_mut().zip(&open) {
            // Whatever follows a number must be one: the reader of the values checks that.
            if !seen.starts_with_number {
                seen.add(cells.text(column)?, cells.line);
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
        let (line, text) = match seen.text {
            // Also where all cells are missing.
            None => {
                types.push((column, ColumnType::Number, String::new()));
                continue;
            }
            Some(first) => first,
        };
        let at = Location::Line { line, column: column + 1 };
        if roles.lacks_targets {
            let reason = format!(
                "expected a number, got `{text}`: targets are in a column `target`, or in those that \
                 csv.targets names; data.read.csv.types says if `{name}` is a category, a text or ignored"
            );
            return Err(at.error(reason));
        }
        if let Some((other, number)) = seen.number {
            let reason = format!(
                "column `{name}` has texts, such as `{text}`, and numbers, such as `{number}` in line {other}: \
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
