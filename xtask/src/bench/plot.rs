//! A plot of time against size, both on logarithmic scales: what costs in proportion is a straight line.

/// One line of a plot: its name, and its points of files and seconds.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 500.0;
const BOTTOM: f64 = 360.0;
/// Told apart by all eyes, and on paper by their dashes.
const STYLES: [(&str, &str); 5] =
    [("#0072b2", ""), ("#d55e00", "6 3"), ("#009e73", "2 3"), ("#cc79a7", "8 3 2 3"), ("#555555", "1 4")];

/// The plot as SVG, `across` what is counted from left to right, from `from.0` to `to.0` files and `from.1` to `to.1` seconds, which are powers of ten.
pub fn svg(title: &str, across: &str, from: (f64, f64), to: (f64, f64), lines: &[Line]) -> String {
    let x = |files: f64| LEFT + (files / from.0).log10() / (to.0 / from.0).log10() * (RIGHT - LEFT);
    let y = |seconds: f64| BOTTOM - (seconds / from.1).log10() / (to.1 / from.1).log10() * (BOTTOM - TOP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for files in decades(from.0, to.0) {
        let at = x(files);
        out.push_str(&format!(
            "<path d=\"M{at:.1} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"378\" text-anchor=\"middle\">{files}</text>\n"
        ));
    }
    for seconds in decades(from.1, to.1) {
        let at = y(seconds);
        out.push_str(&format!(
            "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/><text x=\"62\" y=\"{:.1}\" text-anchor=\"end\">{seconds}</text>\n",
            at + 4.0
        ));
    }
    out.push_str(&format!("<text x=\"285\" y=\"402\" text-anchor=\"middle\">{across}</text>\n"));
    out.push_str("<text x=\"20\" y=\"20\">seconds</text>\n");
    let mut labels: Vec<f64> = Vec::new();
    for (line, (colour, dashes)) in lines.iter().zip(STYLES) {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(files, seconds)| format!("{:.1},{:.1}", x(*files), y(*seconds)))
            .collect();
        out.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\n",
            points.join(" ")
        ));
        if let Some((files, seconds)) = line.points.last() {
            let mut at = y(*seconds) + 4.0;
            // Names of lines that end close together stand below each other.
            while labels.iter().any(|other| (other - at).abs() < 13.0) {
                at += 13.0;
            }
            labels.push(at);
            out.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>\n",
                x(*files) + 8.0,
                at,
                line.name
            ));
        }
    }
    out + "</svg>\n"
}

fn decades(from: f64, to: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(from), |value| Some(value * 10.0))
        .take_while(move |value| *value <= to * 1.001)
}
