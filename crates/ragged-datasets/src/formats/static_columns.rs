//! The static columns of the files of a data set.

use crate::formats::feature_names::list;
use crate::formats::schema::Schema;
use crate::tokens::column::{TextInterner, TokenColumn};
use crate::tokens::statics::StaticColumns;

/// The static columns that all sequences have, with the texts found so far.
#[derive(Debug, Default)]
pub(super) struct StaticNames {
    /// The columns of numbers and of categories of the training data, or those of the first file.
    known: Option<(Vec<String>, Vec<String>)>,
    texts: Vec<TextInterner>,
}

impl StaticNames {
    /// Starts with the columns of the training data, if there are any data before.
    pub(super) fn new(schema: Option<&Schema>) -> Self {
        let mut names = Self::default();
        if let Some(schema) = schema {
            names.set(schema.static_numbers.clone(), schema.static_categories.clone());
        }
        names
    }

    fn set(&mut self, numbers: Vec<String>, categories: Vec<String>) {
        self.texts = categories.iter().map(|_| TextInterner::default()).collect();
        self.known = Some((numbers, categories));
    }

    /// Returns the index of a column of numbers, or of one of categories.
    pub(super) fn place(&self, name: &str) -> (Option<usize>, Option<usize>) {
        let place = |names: &[String]| names.iter().position(|known| known == name);
        self.known
            .as_ref()
            .map_or((None, None), |(numbers, categories)| (place(numbers), place(categories)))
    }

    /// Checks that a file has the columns of the files before. The first one determines them.
    pub(super) fn check(
        &mut self,
        numbers: &[String],
        categories: &[String],
    ) -> Result<(), String> {
        let Some((known_numbers, known_categories)) = &self.known else {
            self.set(numbers.to_vec(), categories.to_vec());
            return Ok(());
        };
        if known_numbers == numbers && known_categories == categories {
            return Ok(());
        }
        let shown = |numbers: &[String], categories: &[String]| {
            if numbers.len() + categories.len() == 0 {
                return "no static columns".to_string();
            }
            let all = numbers.iter().map(String::as_str);
            let kinds = categories.iter().map(|name| format!("{name} (a category)"));
            let all: Vec<String> = all.map(String::from).chain(kinds).collect();
            format!("the static columns {}", list(all.iter().map(String::as_str)))
        };
        let (expected, got) = (shown(known_numbers, known_categories), shown(numbers, categories));
        Err(format!("expected {expected} as in the sequences before, got {got}"))
    }

    /// Returns the index of a text in a column of categories.
    pub(super) fn index(&mut self, column: usize, text: String) -> Result<u32, String> {
        let index = self.texts[column].index(text);
        index.ok_or_else(|| "expected at most 4294967296 different categories".to_string())
    }

    /// Returns the columns with their texts.
    pub(super) fn into_columns(self) -> StaticColumns {
        let (numbers, names) = self.known.unwrap_or_default();
        let categories = names.into_iter().zip(self.texts);
        let categories =
            categories.map(|(name, texts)| TokenColumn { name, texts: texts.into_texts() });
        StaticColumns { numbers, categories: categories.collect() }
    }
}
