//! A plot of training times over the share of real steps in the padded batch.

use std::path::Path;

use plotters::prelude::*;
use ragged_train::run::log_ticks;

use crate::bench::problem::{Mode, Pass, Shape};
use crate::bench::report::Row;
use crate::failure::Failure;

/// Packed and padded: `ragged` in full colours, PyTorch in lighter ones.
const COLOURS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 96, 20),
    RGBColor(140, 185, 222),
    RGBColor(240, 180, 140),
];

/// Returns the shapes of the sweep: `seed100` with 10% to 100% real steps.
pub(super) fn shapes() -> Result<Vec<Shape>, Failure> {
    let shape = |real: usize| {
        let text = format!("B64,T50,I7,H100,R{real}");
        Shape::parse(&text, &text)
    };
    [10, 25, 40, 50, 60, 75, 90, 100].into_iter().map(shape).collect()
}

/// Draws the training times over the share of real steps and writes the SVG to `path`.
pub(super) fn draw(path: &Path, rows: &[Row]) -> Result<(), Failure> {
    let trained =
        |mode| rows.iter().filter(move |row: &&Row| row.pass == Pass::Train && row.mode == mode);
    let ours = |mode| trained(mode).map(|r| (100.0 * r.valid_fraction, r.ours_ms)).collect();
    let theirs = |mode| {
        let point = |r: &Row| Some((100.0 * r.valid_fraction, r.pytorch_ms?));
        trained(mode).filter_map(point).collect()
    };
    let lines: [(&str, Vec<(f64, f64)>); 4] = [
        ("ragged, packed", ours(Mode::Packed)),
        ("ragged, padded", ours(Mode::Padded)),
        ("PyTorch, packed", theirs(Mode::Packed)),
        ("PyTorch, padded", theirs(Mode::Padded)),
    ];
    let svg = picture(&lines).map_err(|error| Failure::Failed(format!("plot: {error}")))?;
    std::fs::write(path, svg)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

fn picture(lines: &[(&str, Vec<(f64, f64)>); 4]) -> Result<String, Box<dyn std::error::Error>> {
    let times = lines.iter().flat_map(|(_, points)| points).map(|&(_, ms)| ms);
    let (least, most) = times.fold((f64::INFINITY, 0.0f64), |(a, b), ms| (a.min(ms), b.max(ms)));
    let (low, high) = (least * 0.8, most * 1.25);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (800, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("Training step of an LSTM, B 64, T 50, I 7, H 100", ("sans-serif", 18))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(
                0.0..100.0,
                (low..high).log_scale().with_key_points(log_ticks(low, high)),
            )?;
        chart
            .configure_mesh()
            .x_desc("real steps (%)")
            .y_desc("milliseconds per step, logarithmic")
            .max_light_lines(0)
            .x_label_formatter(&|percent| format!("{percent:.0}"))
            .y_label_formatter(&|ms| format!("{ms}"))
            .label_style(("sans-serif", 13))
            .draw()?;
        for ((name, points), colour) in lines.iter().zip(COLOURS) {
            if points.is_empty() {
                continue;
            }
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}
