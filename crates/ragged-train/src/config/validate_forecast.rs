//! The checks of the section `[data.forecast]`.

use ragged_datasets::TargetKind;
use ragged_datasets::synthetic::SyntheticTask;
use ragged_datasets::transforms::TransformConfig;

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::error::{Error, Result};

impl ExperimentConfig {
    /// Checks the section about forecasts, and that no other key contradicts it.
    pub(super) fn validate_forecast(&self) -> Result<()> {
        let (data, train) = (&self.data, &self.train);
        let Some(forecast) = &data.forecast else {
            let none = |task: SyntheticTask| task.target_kind() == TargetKind::NONE;
            if data.synthetic.as_ref().is_some_and(|synthetic| none(synthetic.task)) {
                let message =
                    "data.synthetic.task has no target: expected also a section data.forecast";
                return Err(ConfigError::conflict("data.synthetic.task", message).into());
            }
            return Ok(());
        };
        forecast.check().map_err(forecast_error)?;
        let conflicts = [
            ("data.dataset", data.is_sums(), "a file, or dataset synthetic"),
            ("data.valid", data.valid.is_some(), "valid_fraction, as series are split in time"),
            (
                "data.read.task",
                data.read.task.is_some(),
                "none, as data.forecast.targets are predicted",
            ),
            (
                "data.read.csv.targets",
                data.read.csv.targets.is_some(),
                "none, as data.forecast.targets names them",
            ),
            ("train.bptt_steps", train.bptt_steps > 0, "0, as windows are whole sequences"),
        ];
        if let Some((key, _, expected)) = conflicts.into_iter().find(|(_, given, _)| *given) {
            let what = match key {
                "data.dataset" => format!("data.dataset is {}", data.dataset),
                _ => format!("{key} is given"),
            };
            let message =
                format!("{what}, but there is a section data.forecast: expected {expected}");
            return Err(ConfigError::conflict(key, message).into());
        }
        if let Some(synthetic) = &data.synthetic {
            let what = [
                ("data.synthetic.redraw", synthetic.redraw, "is true", "false"),
                (
                    "data.synthetic.held_out_lengths",
                    synthetic.held_out_lengths.is_some(),
                    "is given",
                    "none",
                ),
            ];
            if let Some((key, _, is, expected)) = what.into_iter().find(|(_, given, ..)| *given) {
                let message = format!(
                    "{key} {is}, but data.forecast splits the same series in time: expected {expected}"
                );
                return Err(ConfigError::conflict(key, message).into());
            }
        }
        let transforms = data.transforms.iter().flatten();
        if transforms.clone().any(|t| matches!(t, TransformConfig::Truncate { .. })) {
            let message = "data.transforms has truncate, which would cut the steps to predict: expected a smaller \
                           data.forecast.window";
            return Err(ConfigError::conflict("data.transforms", message).into());
        }
        let fills = |t: &TransformConfig| {
            matches!(t, TransformConfig::MeanFill | TransformConfig::ForwardFill)
        };
        if !transforms.clone().any(fills) {
            let message = "data.transforms fills no missing values, but the columns that are not known in advance are \
                           missing in the steps to predict: expected also mean-fill or forward-fill";
            return Err(ConfigError::conflict("data.transforms", message).into());
        }
        Ok(())
    }
}

/// Returns the error of an option or column of the section with its key.
pub(crate) fn forecast_error(error: ragged_datasets::Error) -> Error {
    use ragged_datasets::Error as E;
    let option = match &error {
        E::Size { name, .. } | E::Number { name, .. } => Some(*name),
        E::Forecast(error) => error.option(),
        _ => None,
    };
    match option {
        None => error.into(),
        Some(option) => {
            let message = format!("data.forecast.{error}");
            ConfigError::conflict(format!("data.forecast.{option}"), message).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_a_forecast_is_named() {
        let check = |data: &str, rest: &str, message: &str| {
            let text = format!(
                "{rest}\n[data]\ndataset = \"x.csv\"\n{data}\n[data.forecast]\nwindow = 3\nhorizon = 2\n"
            );
            let error = ExperimentConfig::parse(&text, &[]).unwrap_err().to_string();
            assert!(error.ends_with(message), "{error}");
        };
        let is = "but there is a section data.forecast: expected";
        check(
            "valid = \"y.csv\"",
            "",
            &format!("data.valid is given, {is} valid_fraction, as series are split in time"),
        );
        check(
            "read = { task = \"regression\" }",
            "",
            "expected none, as data.forecast.targets are predicted",
        );
        check(
            "read = { csv = { targets = [\"x\"] } }",
            "",
            "expected none, as data.forecast.targets names them",
        );
        check("", "[train]\nbptt_steps = 3", "expected 0, as windows are whole sequences");
        check(
            "transforms = [{ name = \"standardize\" }]",
            "",
            "expected also mean-fill or forward-fill",
        );
        let cut =
            "transforms = [{ name = \"mean-fill\" }, { name = \"truncate\", max_length = 3 }]";
        check(cut, "", "expected a smaller data.forecast.window");

        let check = |text: &str, message: &str| {
            let error = ExperimentConfig::parse(text, &[]).unwrap_err().to_string();
            assert!(error.ends_with(message), "{error}");
        };
        let sums = "[data.forecast]\nwindow = 3\nhorizon = 2\n";
        check(
            sums,
            "data.dataset is variable-sums, but there is a section data.forecast: expected a file, or dataset \
             synthetic",
        );
        let synthetic = format!("[data.synthetic]\ntask = {{ name = \"seasonal\" }}\n{sums}");
        check(
            &synthetic,
            "data.synthetic.redraw is true, but data.forecast splits the same series in time: expected false",
        );
        let seasonal = synthetic.replace(sums, "");
        check(
            &seasonal,
            "data.synthetic.task has no target: expected also a section data.forecast",
        );
        let zero = "[data]\ndataset = \"x.csv\"\n[data.forecast]\nwindow = 0\nhorizon = 2\n";
        check(zero, "line 4, column 10: data.forecast.window is 0: expected 1 to 268435456");
        let share = format!("{}test_fraction = 1\n", zero.replace('0', "3"));
        check(&share, "data.forecast.test_fraction is 1: expected a number above 0 and below 1");
        let missing = "[data]\ndataset = \"x.csv\"\n[data.forecast]\nwindow = 3\n";
        check(missing, "missing key `data.forecast.horizon`");
        let typo = format!("{missing}horizen = 2\n");
        check(&typo, "unknown key `data.forecast.horizen`; did you mean `data.forecast.horizon`?");
    }
}
