//! The columns of a table by index.

use crate::error::Result;
use crate::formats::collect::Collector;
use crate::formats::column::Role;
use crate::formats::number::shown;
use crate::formats::table::column_type::ColumnType;
use crate::formats::table::header::Header;
use crate::formats::table::roles::Roles;
use crate::formats::table::time_features::TimeFeature;
use crate::formats::time::TimeForm;

/// The columns by index.
pub(in crate::formats) struct Columns {
    pub(in crate::formats) series: Option<usize>,
    pub(in crate::formats) time: Option<usize>,
    pub(in crate::formats) features: Vec<usize>,
    pub(in crate::formats) categories: Vec<usize>,
    /// The column of texts, each of which is a sequence.
    pub(in crate::formats) text: Option<usize>,
    /// The static columns of numbers, then those of categories.
    pub(in crate::formats) statics: (Vec<usize>, Vec<usize>),
    pub(in crate::formats) time_features: Vec<TimeFeature>,
    pub(in crate::formats) targets: Vec<usize>,
    /// A last column without a name, whose cells must be empty.
    pub(in crate::formats) trailing: Option<usize>,
    numbering: usize,
    ignored: Vec<usize>,
}

/// The name of the column of the tokens of texts, as in the other formats that have texts.
pub(in crate::formats) const TOKENS: &str = "tokens";

impl Columns {
    /// Assigns the inputs, of which each has a type, and orders them as in the files before.
    pub(in crate::formats) fn new(
        header: &Header,
        roles: Roles,
        types: &[ColumnType],
        time_features: &[TimeFeature],
        into: &mut Collector,
    ) -> Result<Self> {
        let names = &header.names;
        let of = |wanted: ColumnType| -> Vec<usize> {
            let inputs = roles.inputs.iter().zip(types).filter(|(_, got)| **got == wanted);
            inputs.map(|((column, _), _)| *column).collect()
        };
        let (features, mut categories) = (of(ColumnType::Number), of(ColumnType::Category));
        let texts = of(ColumnType::Text);
        let text = texts.first().copied();
        if let (Some(text), Some(feature)) = (text, time_features.first()) {
            let got = feature.name();
            let reason =
                format!("csv.time_features has `{got}`: expected none, as a text has no times");
            return Err(header.at(text).error(reason));
        }
        if let Some(text) = text {
            let name = shown(names[text]);
            let others = texts[1..].iter().chain(&features).chain(&categories).chain(&roles.time);
            if let Some(&other) = others.min() {
                let other_name = shown(names[other]);
                let reason = format!(
                    "column `{name}` has a text in each row, which is a whole sequence: expected csv.types to say \
                     that `{other_name}` is static or ignored"
                );
                return Err(header.at(other).error(reason));
            }
        }
        let named = |columns: &[usize]| -> Vec<String> {
            columns.iter().map(|&column| names[column].to_string()).collect()
        };
        let features = match text {
            // A text has no features, in any format.
            Some(_) => vec![],
            None => {
                let made = time_features.iter().flat_map(|feature| feature.names());
                let all = named(&features).into_iter().chain(made.map(ToString::to_string));
                let order = into.order(&all.collect::<Vec<_>>());
                let order = order.map_err(|reason| header.at(0).error(reason))?;
                // Those of the times are the last ones in every file.
                order.into_iter().filter_map(|k| features.get(k).copied()).collect()
            }
        };
        let place = |column: &usize| into.tokens().place(names[*column]);
        categories.sort_by_cached_key(place);
        let tokens = if text.is_some() { vec![TOKENS.to_string()] } else { named(&categories) };
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        into.tokens().check(&tokens).map_err(|reason| header.at(0).error(reason))?;
        let mut statics = (of(ColumnType::StaticNumber), of(ColumnType::StaticCategory));
        statics.0.sort_by_cached_key(|&column| {
            into.statics().place(names[column]).0.unwrap_or(usize::MAX)
        });
        statics.1.sort_by_cached_key(|&column| {
            into.statics().place(names[column]).1.unwrap_or(usize::MAX)
        });
        let checked = into.statics().check(&named(&statics.0), &named(&statics.1));
        checked.map_err(|reason| header.at(0).error(reason))?;
        let made = time_features.len();
        if features.is_empty() && categories.is_empty() && text.is_none() && made == 0 {
            let reason =
                "expected at least one column that changes from step to step, got static ones";
            return Err(header.at(0).error(reason));
        }
        let targets = if into.wants_targets() { roles.targets } else { vec![] };
        let order = match targets.is_empty() && into.is_training() {
            true => Ok(vec![]),
            false => into.targets().order(&named(&targets), false),
        };
        let order = order.map_err(|reason| header.at(0).error(reason))?;
        let targets = order.into_iter().map(|k| targets[k]).collect();
        let Roles { series, time, trailing, numbering, ignored, .. } = roles;
        Ok(Self {
            series,
            time,
            features,
            categories,
            text,
            statics,
            time_features: time_features.to_vec(),
            targets,
            trailing,
            numbering,
            ignored,
        })
    }

    /// Records the roles of all columns.
    pub(super) fn describe(&self, names: &[&str], times: Option<TimeForm>, into: &mut Collector) {
        let times = times.map_or("", TimeForm::plural);
        let made: Vec<&str> =
            self.time_features.iter().flat_map(|feature| feature.names()).copied().collect();
        let times = match made.is_empty() || self.time.is_none() {
            true => times.to_string(),
            false => format!("{times}, of which the features {} are made", made.join(", ")),
        };
        let times = times.as_str();
        let mut input = vec![None; names.len()];
        for (k, &column) in self.features.iter().enumerate() {
            input[column] = Some((Role::Feature(k), ""));
        }
        for (k, &column) in self.categories.iter().enumerate() {
            input[column] = Some((Role::Token(k), "a category of each step"));
        }
        if let Some(column) = self.text {
            input[column] = Some((Role::Token(0), "a text, the sequence"));
        }
        for (k, &column) in self.statics.0.iter().enumerate() {
            input[column] = Some((Role::Static(k), "a number of each series"));
        }
        for (k, &column) in self.statics.1.iter().enumerate() {
            let k = self.statics.0.len() + k;
            input[column] = Some((Role::Static(k), "a category of each series"));
        }
        for (column, name) in names.iter().enumerate() {
            let (role, content) = match input[column] {
                Some(input) => input,
                None if Some(column) == self.series => (Role::Id, ""),
                None if Some(column) == self.time => (Role::Time, times),
                None if self.targets.contains(&column) => (Role::Target, ""),
                None if column < self.numbering => (Role::LeftOut, "the numbers of the rows"),
                None if self.ignored.contains(&column) => (Role::LeftOut, "by csv.types"),
                None => (Role::LeftOut, ""),
            };
            let unnamed = format!("(column {})", column + 1);
            into.column(if name.is_empty() { &unnamed } else { name }, role, content);
        }
    }
}
