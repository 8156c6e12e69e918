//! One chart as SVG, drawn by hand: axes with units, lines or steps, marks.
//!
//! Colours are the page's classes, so that one drawing serves light and dark.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
/// Room for labels: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (72.0, 16.0, 14.0, 44.0);

/// How values become places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Log,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How.
    pub scale: Scale,
    /// First value.
    pub min: f64,
    /// Last value.
    pub max: f64,
    /// Values that are named.
    pub ticks: Vec<(f64, String)>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From the bottom up.
    pub y: Axis,
    /// Each in a colour of its own.
    pub series: Vec<Series>,
    /// Upright lines, named.
    pub marks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to what is reached.
    pub fn linear(label: &str, max: f64) -> Axis {
        let step = nice_step(max.max(1e-9) / 5.0);
        let max = (max.max(1e-9) / step).ceil() * step;
        let ticks = (0..=(max / step).round() as usize).map(|tick| tick as f64 * step);
        let ticks = ticks.map(|value| (value, plain(value))).collect();
        Axis { label: label.to_owned(), scale: Scale::Linear, min: 0.0, max, ticks }
    }

    /// Whole powers of ten around what is there.
    pub fn log(label: &str, min: f64, max: f64) -> Axis {
        let low = min.max(1e-9).log10().floor() as i32;
        let high = (max.max(1e-9).log10().ceil() as i32).max(low + 1);
        let ticks = (low..=high).map(|power| (10f64.powi(power), plain(10f64.powi(power)))).collect();
        let (min, max) = (10f64.powi(low), 10f64.powi(high));
        Axis { label: label.to_owned(), scale: Scale::Log, min, max, ticks }
    }

    /// 0 to 1 within the axis.
    fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => {
                let (low, high) = (self.min.log10(), self.max.log10());
                (value.max(self.min).log10() - low) / (high - low)
            }
        };
        place.clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 times a power of ten.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

/// A tick's number.
fn plain(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => {
            let text = format!("{v:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Text that may stand in a page.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Chart {
    /// As a figure with its legend.
    pub fn figure(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("writing to a string does not fail");
        out
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (left, right, top, bottom) = MARGIN;
        let across = left + self.x.place(x) * (WIDTH - left - right);
        (across, HEIGHT - bottom - self.y.place(y) * (HEIGHT - top - bottom))
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let title = escape(&self.title);
        writeln!(out, "<figure><figcaption>{title}</figcaption>")?;
        writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">")?;
        self.write_axes(out)?;
        for (x, what) in &self.marks {
            let (across, top) = self.at((*x, self.y.max));
            let bottom = HEIGHT - MARGIN.3;
            writeln!(
                out,
                "<line class=\"mark\" x1=\"{across:.1}\" x2=\"{across:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
                 <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                across + 4.0,
                top + 10.0,
                escape(what)
            )?;
        }
        for (number, series) in self.series.iter().enumerate() {
            self.write_series(out, number, series)?;
        }
        writeln!(out, "</svg>\n<div class=\"legend\">")?;
        for (number, series) in self.series.iter().enumerate() {
            writeln!(out, "<span><i class=\"c{number}\"></i>{}</span>", escape(&series.name))?;
        }
        writeln!(out, "</div></figure>")
    }

    fn write_axes(&self, out: &mut String) -> std::fmt::Result {
        let (left, right, top, bottom) = MARGIN;
        for (value, text) in &self.y.ticks {
            let (_, y) = self.at((self.x.min, *value));
            let (end, text) = (WIDTH - right, escape(text));
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"y\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                left - 6.0,
                y + 4.0
            )?;
        }
        for (value, text) in &self.x.ticks {
            let (x, y) = self.at((*value, self.y.min));
            let text = escape(text);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{y:.1}\"/>\
                 <text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{text}</text>",
                y + 15.0
            )?;
        }
        let middle = (top + HEIGHT - bottom) / 2.0;
        writeln!(
            out,
            "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"x\" transform=\"translate(14 {middle:.1}) rotate(-90)\">{}</text>",
            (left + WIDTH - right) / 2.0,
            HEIGHT - 8.0,
            escape(&self.x.label),
            escape(&self.y.label)
        )
    }

    fn write_series(&self, out: &mut String, number: usize, series: &Series) -> std::fmt::Result {
        let places: Vec<String> = series
            .points
            .iter()
            .map(|point| {
                let (x, y) = self.at(*point);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        writeln!(out, "<polyline class=\"s{number}\" points=\"{}\"/>", places.join(" "))?;
        // Few points can be pointed at; thousands would only make the page large.
        if series.points.len() <= 400 {
            for point in &series.points {
                let (x, y) = self.at(*point);
                let name = escape(&series.name);
                writeln!(
                    out,
                    "<circle class=\"s{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"><title>{name}: {} at {}</title></circle>",
                    plain(point.1),
                    plain(point.0)
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_begin_and_end_at_round_numbers() {
        let linear = Axis::linear("IOPS", 4_321.0);
        assert_eq!((linear.max, linear.ticks.len()), (5_000.0, 6));
        assert_eq!(linear.ticks[1].1, "1k");
        let log = Axis::log("ms", 0.03, 7.0);
        assert_eq!((log.min, log.max), (0.01, 10.0));
        assert_eq!(
            log.ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>(),
            ["0.01", "0.1", "1", "10"]
        );
        assert!((log.place(0.1) - 1.0 / 3.0).abs() < 1e-9);
    }
}
