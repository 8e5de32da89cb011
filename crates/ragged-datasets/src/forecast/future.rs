//! The steps after the end of each series.

use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::forecast::config::ForecastConfig;
use crate::forecast::error::ForecastError;
use crate::forecast::parts::name;
use crate::forecast::roles::Roles;
use crate::forecast::windows::{Forecast, Window};
use crate::in_memory::InMemory;

impl Forecast {
    /// Creates a data set with one example per series: the horizon after its end, which is the last step with a target.
    ///
    /// The values of columns that are known in advance are read from the steps after the end. Where there are no such
    /// columns, the series may end with its history.
    ///
    /// # Errors
    ///
    /// Those of the options and columns as [`split`](Self::split); [`ForecastError::NoHistory`] for a series without a
    /// target, [`ForecastError::FutureValues`] for one in which a column that is known in advance ends before the
    /// horizon.
    ///
    /// ```
    /// use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
    /// use ragged_datasets::{Dataset, Forecast, ForecastConfig};
    ///
    /// let csv = CsvColumns { targets: Some(vec![]), ..Default::default() };
    /// let options = ReadOptions { csv, ..Default::default() };
    /// let table = b"demand,price\n12,2\n13,1.5\n,1.5\n,2\n";
    /// let series = formats::parse(table, Format::Csv, &options, None)?;
    /// let config = ForecastConfig { known: vec!["price".into()], ..ForecastConfig::new(10, 2) };
    /// let future = Forecast::future(series, &config)?;
    /// let example = future.get(0, 0)?;
    /// assert_eq!(example.sequence.row(1), Some(&[13.0, 1.5, 0.0][..]));
    /// let step = example.sequence.row(2).unwrap();
    /// assert!(step[0].is_nan());
    /// assert_eq!(step[1..], [1.5, 1.0]);
    /// # Ok::<(), ragged_datasets::Error>(())
    /// ```
    pub fn future(series: impl Into<Arc<InMemory>>, config: &ForecastConfig) -> Result<Self> {
        config.check()?;
        let series = series.into();
        let (roles, horizon) = (Arc::new(Roles::new(&series, config)?), config.horizon);
        let features = series.features();
        let (mut windows, mut longer) = (vec![], vec![]);
        for (index, example) in series.examples().iter().enumerate() {
            let values = example.sequence.values();
            let end = roles.end(values);
            if end == 0 {
                let names: Vec<String> =
                    roles.target_names().map(|name| format!("`{name}`")).collect();
                let (series, targets) = (name(&series, index), names.join(" or "));
                return Err(ForecastError::NoHistory { series, targets }.into());
            }
            let after = example.sequence.len() - end;
            let steps = &values[end * features..];
            let short = |column: usize| {
                let mut values = steps.iter().skip(column).step_by(features).take(horizon);
                let got = values.position(|value| value.is_nan()).unwrap_or(after);
                (got < horizon).then_some((roles.names[column].clone(), got))
            };
            let numbers = (0..features).filter(|&column| roles.known[column]).find_map(short);
            let categories = roles.categories.first().filter(|_| after < horizon);
            if let Some((column, got)) = numbers.or(categories.map(|c| (c.clone(), after))) {
                let series = name(&series, index);
                return Err(ForecastError::FutureValues { series, column, got, horizon }.into());
            }
            if after > horizon {
                longer.push((index, after));
            }
            windows.push(Window { series: index, origin: end });
        }
        let notes = longer.first().map(|&(first, after)| {
            format!(
                "forecast: {} of {} series have more than {horizon} steps after their last target, first series {} \
                 with {after}: the first {horizon} are predicted",
                longer.len(),
                series.len(),
                name(&series, first)
            )
        });
        let sizes = (config.window, horizon);
        let future = Self::new(&series, &roles, sizes, windows, &Arc::new(vec![]));
        Ok(future.with_notes(notes.into_iter().collect()))
    }
}
