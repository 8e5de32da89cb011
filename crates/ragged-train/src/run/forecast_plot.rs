//! The plot of forecasts: the history of a few series, the predicted values with their interval, and the truth.

use plotters::coord::Shift;
use plotters::prelude::*;
use ragged_transforms::OutputKind;

use crate::run::plot::number;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The largest number of forecasts in a plot.
pub(crate) const PANELS: usize = 4;

/// One forecast.
pub(crate) struct Panel {
    pub(crate) title: String,
    /// The values before the forecast; NaN where they are missing.
    pub(crate) history: Vec<f64>,
    /// The values that were to be predicted; empty if they are unknown.
    pub(crate) truth: Vec<f64>,
    /// The prediction for each step, as the outputs are for one value.
    pub(crate) predicted: Vec<Vec<f64>>,
}

const HISTORY: RGBColor = RGBColor(90, 90, 90);
const TRUTH: RGBColor = RGBColor(0, 0, 0);
const FORECAST: RGBColor = RGBColor(0, 114, 178);

const WIDTH: i32 = 800;
const HEADER: i32 = 64;
const PANEL: i32 = 220;

/// The standard normal quantile of 0.9, so that an interval has the probability 0.8.
const NORMAL_QUANTILE: f64 = 1.2816;

/// Returns the ends of the interval from the outputs for a value.
type Ends = fn(&[f64]) -> (f64, f64);

/// What is drawn of the outputs for one value.
struct Drawn {
    /// The position of the value itself: the value, the mean or the median. `None` without a median.
    point: Option<usize>,
    name: String,
    /// The name of the interval, and its ends.
    interval: Option<(String, Ends)>,
}

impl Drawn {
    fn of(kind: &OutputKind) -> Self {
        let ends: Ends = |outputs| (outputs[0], outputs[outputs.len() - 1]);
        match kind {
            // Forecasts have no heads.
            OutputKind::Value | OutputKind::Heads(_) => {
                Self { point: Some(0), name: "forecast".into(), interval: None }
            }
            OutputKind::LogRate => {
                Self { point: Some(0), name: "expected count".into(), interval: None }
            }
            OutputKind::Logit => {
                Self { point: Some(0), name: "probability of a 1".into(), interval: None }
            }
            OutputKind::Gaussian => {
                let name = "80 % interval".to_string();
                let ends: Ends = |outputs| {
                    let half = NORMAL_QUANTILE * outputs[1];
                    (outputs[0] - half, outputs[0] + half)
                };
                Self { point: Some(0), name: "mean".into(), interval: Some((name, ends)) }
            }
            OutputKind::Quantiles(quantiles) => {
                let median = quantiles.iter().position(|q| *q == 0.5);
                let range = match quantiles.as_slice() {
                    [first, .., last] => Some((format!("quantiles {first} to {last}"), ends)),
                    _ => None,
                };
                let (point, name) = match (median, quantiles.as_slice()) {
                    (None, [only]) => (Some(0), format!("quantile {only}")),
                    (median, _) => (median, "median".into()),
                };
                Self { point, name, interval: range }
            }
        }
    }
}

/// Draws forecasts as SVG, one below the other, at most [`PANELS`].
pub(crate) fn forecast(
    title: &str,
    kind: &OutputKind,
    panels: &[Panel],
) -> Result<String, Failure> {
    let panels = &panels[..panels.len().min(PANELS)];
    let drawn = Drawn::of(kind);
    let mut svg = String::new();
    {
        let height = HEADER + PANEL * panels.len() as i32 + 12;
        let area =
            SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        let style = ("sans-serif", 18).into_font().into_text_style(&area);
        area.draw_text(title, &style, (16, 12))?;
        legend(&area, &drawn, panels.iter().any(|panel| !panel.truth.is_empty()))?;
        let (_, mut rest) = area.split_vertically(HEADER);
        for (k, panel) in panels.iter().enumerate() {
            let (here, below) = rest.split_vertically(PANEL);
            draw(&here, panel, &drawn, k + 1 == panels.len())?;
            rest = below;
        }
        area.present()?;
    }
    Ok(svg)
}

/// Names the colours, in one line below the title.
fn legend(
    area: &DrawingArea<SVGBackend, Shift>,
    drawn: &Drawn,
    with_truth: bool,
) -> Result<(), Failure> {
    let style = ("sans-serif", 13).into_font().into_text_style(area);
    let (mut x, y) = (16, 46);
    let write = |name: &str, x: &mut i32| -> Result<(), Failure> {
        area.draw_text(name, &style, (*x + 24, y - 7))?;
        *x += 44 + 7 * name.chars().count() as i32;
        Ok(())
    };
    area.draw(&PathElement::new([(x, y), (x + 18, y)], HISTORY.stroke_width(1)))?;
    write("history", &mut x)?;
    if with_truth {
        area.draw(&PathElement::new([(x, y), (x + 18, y)], TRUTH.stroke_width(1)))?;
        area.draw(&Circle::new((x + 9, y), 2, TRUTH.filled()))?;
        write("truth", &mut x)?;
    }
    if drawn.point.is_some() {
        area.draw(&PathElement::new([(x, y), (x + 18, y)], FORECAST.stroke_width(2)))?;
        write(&drawn.name, &mut x)?;
    }
    if let Some((name, _)) = &drawn.interval {
        area.draw(&Rectangle::new([(x, y - 6), (x + 18, y + 6)], FORECAST.mix(0.22).filled()))?;
        write(name, &mut x)?;
    }
    Ok(())
}

/// Draws one forecast. Step 0 is the last one of the history.
fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    panel: &Panel,
    drawn: &Drawn,
    is_last: bool,
) -> Result<(), Failure> {
    let Panel { title, history, truth, predicted } = panel;
    // A long history would leave no room for the forecast.
    let history = &history[history.len().saturating_sub(4 * predicted.len().max(8))..];
    let point = |outputs: &[f64]| drawn.point.map(|point| outputs[point]);
    let ends = |outputs: &[f64]| drawn.interval.as_ref().map(|(_, ends)| ends(outputs));
    let shown = predicted.iter().flat_map(|outputs| {
        let (low, high) = ends(outputs).unzip();
        [point(outputs), low, high]
    });
    let all = history.iter().chain(truth).copied().map(Some).chain(shown).flatten();
    let finite = all.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = if high > low { 0.06 * (high - low) } else { 0.5 };
    let first = 1.0 - history.len() as f64;
    let last = (predicted.len() as f64).max(first + 1.0);
    let mut builder = ChartBuilder::on(area);
    builder.caption(title, ("sans-serif", 14)).margin_left(8).margin_right(16);
    builder.x_label_area_size(if is_last { 40 } else { 22 }).y_label_area_size(56);
    let mut chart = builder.build_cartesian_2d(first..last, low - margin..high + margin)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&|step| format!("{step:.0}")).y_label_formatter(&|y| number(*y));
    mesh.disable_x_mesh().bold_line_style(BLACK.mix(0.15)).max_light_lines(0);
    mesh.y_labels(5).label_style(("sans-serif", 13));
    if is_last {
        mesh.x_desc("steps after the end of the history");
    }
    mesh.draw()?;
    let at = |k: usize| (k + 1) as f64;
    let bounds: Option<Vec<(f64, f64)>> = predicted.iter().map(|outputs| ends(outputs)).collect();
    if let Some(bounds) = bounds.filter(|bounds| !bounds.is_empty()) {
        let lower = bounds.iter().enumerate().map(|(k, bound)| (at(k), bound.0));
        let upper = bounds.iter().enumerate().map(|(k, bound)| (at(k), bound.1));
        let outline: Vec<_> = lower.chain(upper.rev()).collect();
        chart.draw_series([Polygon::new(outline, FORECAST.mix(0.22))])?;
    }
    chart.draw_series([PathElement::new(
        [(0.5, low - margin), (0.5, high + margin)],
        HISTORY.mix(0.5),
    )])?;
    let past = history.iter().enumerate().map(|(k, &value)| (first + k as f64, value));
    let past: Vec<(f64, f64)> = past.collect();
    for part in past.split(|(_, value)| value.is_nan()).filter(|part| !part.is_empty()) {
        chart.draw_series(LineSeries::new(part.iter().copied(), HISTORY.stroke_width(1)))?;
    }
    // The last value of the history joins the truth to it.
    let joint = past.last().copied().filter(|_| !truth.is_empty());
    let future = truth.iter().enumerate().map(|(k, &value)| (at(k), value));
    let future: Vec<(f64, f64)> = joint.into_iter().chain(future).collect();
    for part in future.split(|(_, value)| value.is_nan()).filter(|part| !part.is_empty()) {
        chart.draw_series(LineSeries::new(part.iter().copied(), TRUTH.stroke_width(1)))?;
    }
    let dots = truth.iter().enumerate().filter(|(_, value)| !value.is_nan());
    chart.draw_series(dots.map(|(k, &value)| Circle::new((at(k), value), 2, TRUTH.filled())))?;
    let line: Option<Vec<f64>> = predicted.iter().map(|outputs| point(outputs)).collect();
    let line = line.into_iter().flatten().enumerate().map(|(k, value)| (at(k), value));
    chart.draw_series(LineSeries::new(line, FORECAST.stroke_width(2)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(predicted: Vec<Vec<f64>>, truth: Vec<f64>) -> Panel {
        let history = vec![1.0, f64::NAN, 3.0, 2.0];
        Panel { title: "a: demand".into(), history, truth, predicted }
    }

    #[test]
    fn a_forecast_has_history_truth_and_interval() {
        let quantiles = OutputKind::Quantiles(vec![0.1, 0.5, 0.9]);
        let predicted = vec![vec![1.0, 2.0, 3.0], vec![1.5, 2.5, 4.0]];
        let panels = [panel(predicted.clone(), vec![2.0, f64::NAN]), panel(predicted, vec![])];
        let svg = forecast("run", &quantiles, &panels).unwrap();
        for part in ["history", "truth", "median", "quantiles 0.1 to 0.9", "a: demand", "<polygon"]
        {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("NaN"), "a missing value has no point");
        let mean = forecast("run", &OutputKind::Gaussian, &[panel(vec![vec![1.0, 0.5]], vec![])]);
        let mean = mean.unwrap();
        assert!(mean.contains("80 % interval") && !mean.contains("truth"));
        let value = forecast("run", &OutputKind::Value, &[panel(vec![vec![1.0]], vec![])]).unwrap();
        assert!(value.contains("forecast") && !value.contains("interval"));
    }

    #[test]
    fn few_or_equal_values_are_drawn_too() {
        let one = OutputKind::Quantiles(vec![0.9]);
        let constant = Panel {
            title: "b".into(),
            history: vec![5.0],
            truth: vec![],
            predicted: vec![vec![5.0]],
        };
        assert!(forecast("run", &one, &[constant]).unwrap().contains("quantile 0.9"));
        let missing =
            Panel { title: "c".into(), history: vec![f64::NAN], truth: vec![], predicted: vec![] };
        assert!(!forecast("run", &one, &[missing]).unwrap().contains("NaN"));
        assert!(forecast("run", &one, &[]).is_ok());
    }
}
