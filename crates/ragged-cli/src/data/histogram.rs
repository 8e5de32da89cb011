//! A histogram of the lengths, as text and as SVG.

use std::io::Write;

use plotters::prelude::*;

/// The largest number of bars.
const MAX_BARS: usize = 20;
/// The width of the longest bar of text, in columns.
const BAR_WIDTH: usize = 40;

/// The number of sequences by length, in bins of equal width.
pub(super) struct Histogram {
    /// The first and the last length of each bin, and the number of sequences.
    bins: Vec<(usize, usize, usize)>,
}

impl Histogram {
    pub(super) fn of(lengths: &[usize]) -> Self {
        let min = lengths.iter().copied().min().unwrap_or(0);
        let max = lengths.iter().copied().max().unwrap_or(0);
        let width = (max - min + 1).div_ceil(MAX_BARS);
        let mut bins: Vec<_> = (min..=max)
            .step_by(width)
            .map(|first| (first, (first + width - 1).min(max), 0))
            .collect();
        for length in lengths {
            bins[(length - min) / width].2 += 1;
        }
        Self { bins }
    }

    fn largest_count(&self) -> usize {
        self.bins.iter().map(|&(_, _, count)| count).max().unwrap_or(0).max(1)
    }

    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let digits = self.bins.last().map_or(1, |bin| bin.1.to_string().len());
        for &(first, last, count) in &self.bins {
            let range = match first == last {
                true => format!("{first:>digits$}{:width$}", "", width = digits + 1),
                false => format!("{first:>digits$}-{last:<digits$}"),
            };
            // Rounded up, so that a bin with one sequence has a bar.
            let bar = (count * BAR_WIDTH).div_ceil(self.largest_count());
            let gap = if bar > 0 { " " } else { "" };
            writeln!(out, "  {range}  {}{gap}{count}", "#".repeat(bar))?;
        }
        Ok(())
    }

    /// Draws the histogram as SVG.
    pub(super) fn svg(&self, title: &str) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (800, 400)).into_drawing_area();
            area.fill(&WHITE)?;
            let first = self.bins.first().map_or(0, |bin| bin.0) as f64;
            let last = self.bins.last().map_or(0, |bin| bin.1) as f64 + 1.0;
            let mut chart = ChartBuilder::on(&area)
                .caption(title, ("sans-serif", 18))
                .margin(16)
                .x_label_area_size(44)
                .y_label_area_size(64)
                .build_cartesian_2d(first..last, 0.0..self.largest_count() as f64 * 1.05)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_desc("length (steps)")
                .y_desc("sequences")
                .x_label_formatter(&|length| format!("{length:.0}"))
                .y_label_formatter(&|count| format!("{count:.0}"))
                .light_line_style(WHITE)
                .label_style(("sans-serif", 13))
                .draw()?;
            chart.draw_series(self.bins.iter().map(|&(first, last, count)| {
                let corners = [(first as f64, 0.0), (last as f64 + 1.0, count as f64)];
                let mut bar = Rectangle::new(corners, RGBColor(31, 119, 180).filled());
                bar.set_margin(0, 0, 1, 1);
                bar
            }))?;
            area.present()?;
        }
        Ok(svg)
    }
}
