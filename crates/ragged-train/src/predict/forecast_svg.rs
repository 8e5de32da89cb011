//! Forecasts as a plot.

use std::path::Path;

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};
use crate::predict::predictions::Predictions;
use crate::run::forecast_plot::{self, PANELS, Panel};

impl Predictions {
    /// Draws the first forecasts to an SVG file, completely or not at all: the history, the predicted values, and their
    /// interval where there are quantiles or standard deviations. Other predictions than forecasts give an empty plot.
    ///
    /// # Errors
    ///
    /// [`Error::Plot`] where the drawing library fails, [`Error::Io`] where the file cannot be written.
    pub fn write_forecast_svg(&self, title: &str, path: &Path) -> Result<()> {
        let per_value = self.kind.per_value();
        let series = self.rows.iter().enumerate().filter(|(_, row)| !row.history.is_empty());
        let panels = series.flat_map(|(index, row)| {
            let number = || format!("series {}", self.first + index);
            let title = row.id.clone().unwrap_or_else(number);
            self.names.iter().enumerate().map(move |(k, name)| Panel {
                title: format!("{title}: {name}"),
                history: row.history.iter().map(|step| step[k]).collect(),
                truth: vec![],
                predicted: row
                    .values
                    .iter()
                    .map(|outputs| outputs[k * per_value..(k + 1) * per_value].to_vec())
                    .collect(),
            })
        });
        let panels: Vec<Panel> = panels.take(PANELS).collect();
        let svg = forecast_plot::forecast(title, &self.kind, &panels);
        let svg = svg.map_err(|source| Error::Plot { path: path.to_path_buf(), source })?;
        write_atomically(path, svg.as_bytes())
    }
}
