//! The plot of the forecasts on the test data at the end of a run.

use std::collections::BTreeMap;

use ragged_datasets::{DataLoader, Dataset, LoaderConfig, Subset, Target};
use ragged_models::Model;

use crate::error::{Error, Result};
use crate::objective::run_objective::RunObjective;
use crate::predict::batch::predict_batch;
use crate::run::datasets::Datasets;
use crate::run::forecast_plot::{self, PANELS, Panel};
use crate::run::run_dir::RunDir;

/// Writes `forecast.svg`, if the run makes forecasts: the last test window of the first series.
pub(crate) fn draw_forecasts(
    run: &RunDir,
    name: &str,
    model: &Model,
    data: &Datasets,
    objective: &RunObjective,
) -> Result<()> {
    let Some(windows) = &data.forecast else { return Ok(()) };
    let names = windows.target_names();
    let mut last = BTreeMap::new();
    for index in 0..windows.len() {
        windows.origin(index).map(|(series, _)| last.insert(series, index));
    }
    let series = PANELS.div_ceil(names.len());
    let chosen: Vec<(usize, usize)> = last.into_iter().take(series).collect();
    let indices: Vec<usize> = chosen.iter().map(|&(_, index)| index).collect();
    let subset = Subset::new(data.test.clone(), indices)?;
    let loader = DataLoader::new(subset, LoaderConfig::new(series))?;
    let (model, mut rows) = (model.prepare()?, vec![]);
    for batch in loader.epoch(0) {
        predict_batch(&model, objective.outputs(), data.targets(), 1, &batch?, &mut rows)?;
    }
    let per_value = objective.outputs().kind.per_value();
    let mut panels = vec![];
    for (&(series, index), row) in chosen.iter().zip(&rows) {
        let history = windows.history(index)?;
        let Target::StepValues(targets) = windows.get(0, index)?.target else { continue };
        let title =
            windows.id(index).map_or_else(|| format!("series {}", series + 1), String::from);
        for (k, target) in names.iter().enumerate() {
            let value = |step: &[f32]| f64::from(step[k]);
            let predicted = row.values.iter().skip(history.len());
            panels.push(Panel {
                title: format!("{title}: {target}"),
                history: history.iter().map(|step| value(step)).collect(),
                truth: targets.steps().skip(history.len()).map(value).collect(),
                predicted: predicted
                    .map(|outputs| outputs[k * per_value..(k + 1) * per_value].to_vec())
                    .collect(),
            });
        }
    }
    let title = format!("{name}: forecasts of the test data");
    let svg = forecast_plot::forecast(&title, &objective.outputs().kind, &panels);
    let path = run.path().join("forecast.svg");
    run.write("forecast.svg", &svg.map_err(|source| Error::Plot { path, source })?)
}
