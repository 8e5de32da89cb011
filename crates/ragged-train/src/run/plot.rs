//! The plots of a run: the losses over the epochs, and the confusion matrix.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::fit::record::EpochRecord;
use crate::objective::confusion_matrix::ConfusionMatrix;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TRAIN: RGBColor = RGBColor(31, 119, 180);
const VALID: RGBColor = RGBColor(214, 96, 20);

/// Draws the losses over the epochs as SVG and marks the epoch `best`.
pub(crate) fn losses(
    title: &str,
    unit: &str,
    records: &[EpochRecord],
    best: usize,
) -> Result<String, Failure> {
    let series = |of: fn(&EpochRecord) -> Option<f64>| -> Vec<(f64, f64)> {
        let point = |r: &EpochRecord| Some((r.epoch as f64, of(r)?));
        records.iter().filter_map(point).filter(|(_, loss)| loss.is_finite()).collect()
    };
    let train = series(|r| Some(r.train.loss));
    let valid = series(|r| Some(r.valid.as_ref()?.loss));
    let (points, colour) = if valid.is_empty() { (&train, TRAIN) } else { (&valid, VALID) };
    let mark = points.iter().find(|(epoch, _)| *epoch == best as f64).map(|&point| Mark {
        point,
        colour,
        label: format!("best epoch: {best}, loss {}", number(point.1)),
    });
    let last = records.last().map_or(1.0, |r| r.epoch as f64);
    let curve = |name: &str, points, colour| Curve { name: name.into(), points, colour };
    let curves = [curve("training", train, TRAIN), curve("validation", valid, VALID)];
    chart(Some(title), &format!("loss ({unit})"), last, &curves, mark)
}

/// The colours of up to eight curves, which people with a colour-vision deficiency can tell apart (Okabe and Ito
/// 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 150, 150),
];

/// Draws the monitored loss of several runs over the epochs as SVG: that on the validation data, or on the training
/// data where there are none. Colours repeat after eight runs.
///
/// # Errors
///
/// Errors of the drawing library.
pub fn curves(runs: &[(String, Vec<EpochRecord>)]) -> Result<String, Failure> {
    let points = |records: &[EpochRecord]| -> Vec<(f64, f64)> {
        let point = |record: &EpochRecord| (record.epoch as f64, record.monitored().loss);
        records.iter().map(point).filter(|(_, loss)| loss.is_finite()).collect()
    };
    let curve = |(k, (name, records)): (usize, &(String, Vec<EpochRecord>))| Curve {
        name: name.clone(),
        points: points(records),
        colour: COLOURS[k % COLOURS.len()],
    };
    let curves: Vec<_> = runs.iter().enumerate().map(curve).collect();
    let last = curves.iter().flat_map(|curve| &curve.points).fold(1.0f64, |a, b| a.max(b.0));
    chart(None, "loss", last, &curves, None)
}

/// A line with its name.
struct Curve {
    name: String,
    /// (epoch, loss).
    points: Vec<(f64, f64)>,
    colour: RGBColor,
}

/// A point of a curve with a circle around it.
struct Mark {
    point: (f64, f64),
    colour: RGBColor,
    label: String,
}

/// Draws curves from epoch 1 to `last` as SVG, each with its name and colour. The axis of the loss is logarithmic
/// where the largest loss is more than 20 times the smallest one.
fn chart(
    title: Option<&str>,
    label: &str,
    last: f64,
    curves: &[Curve],
    mark: Option<Mark>,
) -> Result<String, Failure> {
    let all = || curves.iter().flat_map(|curve| &curve.points).map(|&(_, loss)| loss);
    let (least, most) = all().fold((f64::INFINITY, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
    let logarithmic = least > 0.0 && most / least > 20.0;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (800, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let label = format!("{label}{}", if logarithmic { ", logarithmic" } else { "" });
        let mut builder = ChartBuilder::on(&area);
        if let Some(title) = title {
            builder.caption(title, ("sans-serif", 18));
        }
        builder.margin(16).x_label_area_size(44).y_label_area_size(72);
        // The linear and the logarithmic axis have different types, so this cannot be a function.
        macro_rules! draw {
            ($axis:expr) => {{
                let mut chart = builder.build_cartesian_2d(1.0..last.max(2.0), $axis)?;
                chart
                    .configure_mesh()
                    .x_desc("epoch")
                    .y_desc(label)
                    .x_label_formatter(&|epoch| format!("{epoch:.0}"))
                    .y_label_formatter(&|loss| number(*loss))
                    .max_light_lines(0)
                    .label_style(("sans-serif", 13))
                    .draw()?;
                for Curve { name, points, colour } in curves.iter().filter(|c| !c.points.is_empty())
                {
                    let style = colour.stroke_width(2);
                    chart
                        .draw_series(LineSeries::new(points.iter().copied(), style))?
                        .label(name)
                        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
                }
                if let Some(Mark { point, colour, label }) = mark {
                    let style = colour.stroke_width(2);
                    chart
                        .draw_series([Circle::new(point, 6, style)])?
                        .label(label)
                        .legend(move |(x, y)| Circle::new((x + 9, y), 5, style));
                }
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperRight)
                    .background_style(WHITE.mix(0.85))
                    .border_style(BLACK.mix(0.3))
                    .label_font(("sans-serif", 13))
                    .draw()?;
            }};
        }
        if logarithmic {
            let (low, high) = (least / 1.3, most * 1.3);
            draw!((low..high).log_scale().with_key_points(log_ticks(low, high)));
        } else {
            draw!(0.0f64.min(least)..(most * 1.05).max(f64::MIN_POSITIVE));
        }
        area.present()?;
    }
    Ok(svg)
}

/// Returns the values to label on a logarithmic axis from `low` to `high`, both positive: 1, 2 and 5
/// times the powers of ten, or a subset of the powers of ten where those would be more than 12 labels.
pub fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let ticks = |factors: &[f64], every: usize| -> Vec<f64> {
        let decades = decades.clone().filter(|k| k.rem_euclid(every as i32) == 0);
        let ticks = decades.flat_map(|k| factors.iter().map(move |factor| factor * 10f64.powi(k)));
        ticks.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let fine = ticks(&[1.0, 2.0, 5.0], 1);
    if fine.len() <= 12 { fine } else { ticks(&[1.0], decades.clone().count().div_ceil(12)) }
}

/// Formats a value with four significant digits, without an exponent where that is short.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&size) {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').into()
        } else {
            text
        }
    } else {
        format!("{value:.1e}")
    }
}

/// Draws the confusion matrix as SVG. Each row is a true class; a cell is shaded by its fraction of
/// the row.
pub(crate) fn confusion(
    title: &str,
    labels: &[String],
    confusion: &ConfusionMatrix,
) -> Result<String, Failure> {
    let n = confusion.classes();
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1) as i32;
    let cell = (600 / n.max(1) as i32).clamp(14, 56);
    let side = cell * n as i32;
    let (left, top) = (46 + 8 * widest.min(24), 64);
    let bottom = 30 + if widest > 3 { 7 * widest.min(24) } else { 16 };
    let mut svg = String::new();
    {
        let size = ((left + side + 24).max(360) as u32, (top + side + bottom) as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        text(&area, title, (left, 12), 16, Align::Left)?;
        text(&area, "true class by row, predicted class by column", (left, 36), 12, Align::Left)?;
        for truth in 0..n {
            let y = top + cell * truth as i32;
            let label = labels.get(truth).map_or("", String::as_str);
            text(&area, label, (left - 8, y + cell / 2 - 7), 13, Align::Right)?;
            let support = confusion.score(truth).support.max(1);
            for predicted in 0..n {
                let (x, count) =
                    (left + cell * predicted as i32, confusion.count(truth, predicted));
                let fraction = count as f64 / support as f64;
                let colour = if truth == predicted { TRAIN } else { VALID };
                let corners = [(x, y), (x + cell, y + cell)];
                area.draw(&Rectangle::new(corners, colour.mix(fraction).filled()))?;
                area.draw(&Rectangle::new(corners, BLACK.mix(0.15)))?;
                if count > 0 && cell >= 20 {
                    let at = (x + cell / 2, y + cell / 2 - 7);
                    text(&area, &count.to_string(), at, 13, Align::Centre)?;
                }
            }
        }
        for predicted in 0..n {
            let at = (left + cell * predicted as i32 + cell / 2, top + side + 8);
            let label = labels.get(predicted).map_or("", String::as_str);
            let align = if widest > 3 { Align::Rotated } else { Align::Centre };
            text(&area, label, at, 13, align)?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// The alignment of a text relative to its point.
enum Align {
    Left,
    Centre,
    Right,
    /// Rotated, reading downwards.
    Rotated,
}

fn text(
    area: &DrawingArea<SVGBackend, Shift>,
    text: &str,
    at: (i32, i32),
    size: i32,
    align: Align,
) -> Result<(), Failure> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let font = ("sans-serif", size).into_font();
    let (font, h) = match align {
        Align::Left => (font, HPos::Left),
        Align::Centre => (font, HPos::Center),
        Align::Right => (font, HPos::Right),
        Align::Rotated => (font.transform(FontTransform::Rotate90), HPos::Left),
    };
    let style = font.into_text_style(area).color(&BLACK).pos(Pos::new(h, VPos::Top));
    Ok(area.draw_text(text, &style, at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::metrics::Metrics;

    fn record(epoch: usize, train: f64, valid: Option<f64>) -> EpochRecord {
        let metrics = |loss| Metrics { loss, others: vec![] };
        EpochRecord {
            epoch,
            updates: epoch as u64,
            lr: 0.1,
            grad_norm: 1.0,
            largest_grad_norm: 1.0,
            train: metrics(train),
            valid: valid.map(metrics),
        }
    }

    #[test]
    fn losses_have_axes_a_legend_and_a_marked_epoch() {
        let records = [record(1, 90.0, Some(80.0)), record(2, 3.0, Some(2.5))];
        let svg = losses("sums", "mean squared error", &records, 2).unwrap();
        for part in ["epoch", "loss (mean squared error), logarithmic", "training", "validation"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(svg.contains("best epoch: 2, loss 2.5"));
        // One epoch without validation and with a loss of zero.
        let svg = losses("one", "nats", &[record(1, 0.0, None)], 1).unwrap();
        assert!(svg.contains("best epoch: 1") && !svg.contains("validation"));
    }

    #[test]
    fn a_logarithmic_axis_has_few_labels_and_none_twice() {
        assert_eq!(log_ticks(0.3, 21.0), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!(log_ticks(1.0, 100.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        for (low, high) in [(1e-6, 1e3), (1e-30, 1e30), (0.9, 25.0)] {
            let ticks = log_ticks(low, high);
            assert!((3..=13).contains(&ticks.len()), "{ticks:?}");
            assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
        }
        let records = [record(1, 900.0, None), record(2, 0.9, None)];
        let svg = losses("sums", "mean squared error", &records, 2).unwrap();
        let labels: Vec<&str> =
            svg.lines().filter(|line| *line == "10" || *line == "100").collect();
        assert_eq!(labels, ["10", "100"]);
    }

    #[test]
    fn values_are_short() {
        let cases = [(0.0, "0"), (0.25, "0.25"), (1234.56, "1235"), (12.0, "12"), (2e-7, "2.0e-7")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
