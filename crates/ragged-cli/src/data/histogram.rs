//! How long the sequences are, as a picture.

use plotters::prelude::*;

/// Most bars.
const BARS: usize = 20;
/// The width of the longest bar in a terminal.
const WIDTH: usize = 40;

/// Sequences by length, in bins of equal width.
pub(super) struct Histogram {
    /// The shortest length of each bin, the longest, and how many sequences are between.
    bins: Vec<(usize, usize, usize)>,
}

impl Histogram {
    pub(super) fn of(lengths: &[usize]) -> Self {
        let least = lengths.iter().copied().min().unwrap_or(0);
        let most = lengths.iter().copied().max().unwrap_or(0);
        let width = (most - least + 1).div_ceil(BARS);
        let mut bins: Vec<_> = (least..=most)
            .step_by(width)
            .map(|first| (first, (first + width - 1).min(most), 0))
            .collect();
        for length in lengths {
            bins[(length - least) / width].2 += 1;
        }
        Self { bins }
    }

    fn most(&self) -> usize {
        self.bins.iter().map(|&(_, _, count)| count).max().unwrap_or(0).max(1)
    }

    pub(super) fn print(&self) {
        let digits = self.bins.last().map_or(1, |bin| bin.1.to_string().len());
        for &(first, last, count) in &self.bins {
            let range = match first == last {
                true => format!("{first:>digits$}{:width$}", "", width = digits + 1),
                false => format!("{first:>digits$}-{last:<digits$}"),
            };
            // A bin with one sequence still shows.
            let bar = (count * WIDTH).div_ceil(self.most());
            println!("  {range}  {}{}{count}", "#".repeat(bar), if bar > 0 { " " } else { "" });
        }
    }

    /// The same as SVG.
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
                .build_cartesian_2d(first..last, 0.0..self.most() as f64 * 1.05)?;
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
