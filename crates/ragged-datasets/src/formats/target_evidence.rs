//! What the targets of all sequences say about their kind, without the targets themselves.

use std::borrow::Cow;

use crate::error::Result;
use crate::formats::column_evidence::{Class, ColumnEvidence, Counts, First};
use crate::formats::field::{Field, RawTarget};
use crate::formats::series_changes::SeriesChanges;
use crate::formats::target_names::TargetNames;

/// A summary of targets, to which each target is added when it is read.
///
/// Its size is that of the columns of targets and their distinct names. [`task::decide`](crate::formats::task::decide)
/// and [`parts::decide`](crate::formats::parts::decide) decide from it what is predicted.
#[derive(Debug, Default)]
pub(super) struct TargetEvidence {
    /// Whether the task says that targets are numbers, or that they are classes.
    numbers: Option<bool>,
    /// Whether the kind of the targets is known, so that nothing is decided.
    is_known: bool,
    /// The columns of targets that have names: those of tables, and of objects.
    named: Vec<ColumnEvidence>,
    /// The columns of other targets.
    unnamed: Vec<ColumnEvidence>,
    /// Where the next target begins in the order of all fields.
    next: u64,
    forms: Forms,
    changes: SeriesChanges,
}

/// Which forms of targets occur.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Forms {
    /// Any target.
    pub(super) any: bool,
    /// A list of fields, or one for each step.
    pub(super) lists: bool,
    /// A list of more than one field.
    pub(super) long_lists: bool,
    /// A list of lists.
    pub(super) lists_of_lists: bool,
    /// An object.
    pub(super) objects: bool,
    /// An object of lists.
    pub(super) objects_of_lists: bool,
    /// The cells of several rows of a table.
    pub(super) rows_of_cells: bool,
    /// The index of the first file with a target without a name.
    pub(super) unnamed: Option<usize>,
    /// The number of values of the first target that has any, with one target per sequence, or else 0.
    pub(super) width: usize,
    /// The number of values per step of the first list of lists or series of cells that has any, or else 0.
    pub(super) step_width: usize,
}

impl TargetEvidence {
    /// Starts with what the task says, if it is given: whether targets are numbers.
    pub(super) fn new(numbers: Option<bool>) -> Self {
        Self { numbers, ..Self::default() }
    }

    /// Starts the summary of targets of a known kind, of which only the changes within series matter.
    pub(super) fn of_known_kind() -> Self {
        Self { is_known: true, ..Self::default() }
    }

    /// Adds the next target, of the file with this index.
    pub(super) fn add(&mut self, file: usize, target: &RawTarget, names: &TargetNames) {
        let forms = &mut self.forms;
        forms.any |= !matches!(target, RawTarget::None);
        let (mut width, mut step_width) = (0, 0);
        match target {
            RawTarget::None => {}
            RawTarget::One(field) => {
                width = 1;
                self.add_list(file, std::slice::from_ref(field), names);
            }
            RawTarget::Many(fields) => {
                (forms.lists, width) = (true, fields.len());
                forms.long_lists |= fields.len() > 1;
                self.add_list(file, fields, names);
            }
            RawTarget::Rows(rows) => {
                forms.lists_of_lists = true;
                forms.unnamed.get_or_insert(file);
                width = rows.first().map_or(0, Vec::len);
                step_width = width;
                self.add_rows(file, rows, Form::Unnamed, names);
            }
            RawTarget::Column(rows) => {
                forms.rows_of_cells |= rows.len() > 1;
                step_width = rows.first().map_or(0, Vec::len);
                width = if self.changes.add(file, rows) { step_width } else { 0 };
                self.add_rows(file, rows, Form::Cells, names);
            }
            RawTarget::Named { rows, listed, .. } => {
                forms.objects = true;
                forms.objects_of_lists |= listed;
                width = rows.first().map_or(0, Vec::len);
                self.add_rows(file, rows, Form::Object, names);
            }
        }
        let forms = &mut self.forms;
        forms.width = if forms.width == 0 { width } else { forms.width };
        forms.step_width = if forms.step_width == 0 { step_width } else { forms.step_width };
    }

    /// Adds fields of one column without a name.
    fn add_list(&mut self, file: usize, fields: &[Field], names: &TargetNames) {
        self.forms.unnamed.get_or_insert(file);
        if !self.is_known {
            self.add_column(file, 0, (self.next..).zip(fields), Form::Unnamed, names);
            self.next += fields.len() as u64;
        }
    }

    fn add_rows(&mut self, file: usize, rows: &[Vec<Field>], form: Form, names: &TargetNames) {
        if self.is_known {
            return;
        }
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        for k in 0..width {
            let places = (self.next + k as u64..).step_by(width);
            let fields = places.zip(rows).filter_map(|(at, row)| Some((at, row.get(k)?)));
            self.add_column(file, k, fields, form, names);
        }
        self.next += (rows.len() * width) as u64;
    }

    /// Adds the fields of one column of a target, each with its place.
    fn add_column<'a>(
        &mut self,
        file: usize,
        k: usize,
        fields: impl Iterator<Item = (u64, &'a Field)>,
        form: Form,
        names: &TargetNames,
    ) {
        // By the task, or by the type of the column.
        let says = |numbers: bool| [self.numbers, names.declared(k)].contains(&Some(numbers));
        let are_classes = says(false);
        // Without names, several columns are no classes.
        let keeps_labels = (are_classes || !says(true)) && (form != Form::Unnamed || k == 0);
        let columns = if form == Form::Unnamed { &mut self.unnamed } else { &mut self.named };
        if columns.len() <= k {
            columns.resize_with(k + 1, ColumnEvidence::default);
        }
        let column = &mut columns[k];
        let mut previous: Option<(&Field, Class)> = None;
        let mut is_first = true;
        for (ordinal, field) in fields {
            if let Some((before, class)) = previous
                && before.value.is_written_as(&field.value)
            {
                column.count(class);
                continue;
            }
            let class = Class::of(field);
            previous = Some((field, class.0));
            let is_empty = field.is_empty();
            if !is_empty {
                column.add(class, ordinal, file, field);
            }
            if keeps_labels && (!is_empty || form == Form::Unnamed) {
                column.add_label(class.0, field, is_first, are_classes);
            }
            is_first &= is_empty || form != Form::Cells;
        }
    }

    /// Returns which forms of targets occur.
    pub(super) fn forms(&self) -> Forms {
        self.forms
    }

    /// Returns the changes of targets within series of tables.
    pub(super) fn changes(&self) -> &SeriesChanges {
        &self.changes
    }

    /// Returns the changes of targets within series of tables, to check them.
    pub(super) fn changes_mut(&mut self) -> &mut SeriesChanges {
        &mut self.changes
    }

    /// Returns the fields of a target with a name.
    pub(super) fn named(&self, k: usize) -> Option<&ColumnEvidence> {
        self.named.get(k)
    }

    /// Returns the number of columns, with and without names.
    pub(super) fn columns(&self) -> usize {
        self.named.len().max(self.unnamed.len())
    }

    /// Returns the fields of a column, with and without a name.
    pub(super) fn column(&self, k: usize) -> impl Iterator<Item = &ColumnEvidence> {
        [&self.named, &self.unnamed].into_iter().filter_map(move |columns| columns.get(k))
    }

    /// Returns the numbers of fields of a column.
    pub(super) fn counts(&self, k: usize) -> Counts {
        self.column(k).fold(Counts::default(), |all, column| all.with(column.counts()))
    }

    /// Whether all fields are empty cells, or there are none.
    pub(super) fn is_empty(&self) -> bool {
        (0..self.columns()).all(|k| self.column(k).all(ColumnEvidence::is_empty))
    }

    /// Returns the first field of all columns for which `check` has a reason that it does not match, with the reason.
    pub(super) fn first_error(
        &self,
        check: impl Fn(usize, &Field) -> Result<(), String>,
    ) -> Option<(&First, String)> {
        let firsts = (0..self.columns())
            .flat_map(|k| self.column(k).flat_map(ColumnEvidence::firsts).map(move |f| (k, f)));
        let errors = firsts.filter_map(|(k, first)| Some((first, check(k, &first.field).err()?)));
        errors.min_by_key(|(first, _)| first.ordinal)
    }

    /// Returns the labels of all targets, of which some may be equal. With one target per sequence, those of further
    /// rows of a series are left out.
    pub(super) fn labels(&self, per_step: bool) -> Result<impl Iterator<Item = Cow<'_, str>>> {
        let columns = self.named.iter().chain(&self.unnamed);
        let labels = columns.map(|column| column.labels("target", per_step, true));
        Ok(labels.collect::<Result<Vec<_>>>()?.into_iter().flatten())
    }
}

/// What the fields of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The rows of a series of a table.
    Cells,
    /// A value of an object, or a list of them.
    Object,
    Unnamed,
}
