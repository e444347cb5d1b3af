//! The result of a load for people.

use std::fmt::{self, Display, Formatter};

use super::latency::Percentiles;
use super::report::{BenchReport, KindReport, LoadReport};

/// A number with a comma between thousands.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits.as_str()),
    };
    let mut grouped = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The columns of a table of latencies.
pub(super) const LATENCY_HEAD: &str = "      p50       p90       p99     p99.9       max      mean";

/// Latencies in milliseconds, below [`LATENCY_HEAD`].
pub(super) fn latency_columns(told: &Percentiles) -> String {
    let all = [
        told.p50_us,
        told.p90_us,
        told.p99_us,
        told.p999_us,
        told.max_us,
        told.mean_us,
    ];
    let columns: Vec<String> = all.iter().map(|us| format!("{:>9.3}", us / 1e3)).collect();
    columns.join(" ")
}

impl Display for BenchReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.load)?;
        let early = if self.stopped_early {
            ", stopped early"
        } else {
            ""
        };
        writeln!(f, "measured for {:.2} s{early}", self.measured_s)?;
        writeln!(f)?;
        writeln!(f, "           requests   a second   latency in ms:")?;
        writeln!(f, "                                {LATENCY_HEAD}")?;
        for (name, kind) in [
            ("IAMAT", &self.iamat),
            ("WHATSAT", &self.whatsat),
            ("NEARBY", &self.nearby),
        ] {
            if kind.count > 0 {
                write_kind(f, name, kind)?;
            }
        }
        writeln!(f)?;
        self.write_pace(f)?;
        self.write_errors(f)
    }
}

fn write_kind(f: &mut Formatter<'_>, name: &str, kind: &KindReport) -> fmt::Result {
    let (count, per_second) = (grouped(kind.count as f64), grouped(kind.per_second));
    let latency = latency_columns(&kind.latency);
    writeln!(f, "{name:<8} {count:>10} {per_second:>10}   {latency}")
}

impl BenchReport {
    fn write_pace(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.not_sent > 0 {
            writeln!(
                f,
                "TOO SLOW: {} requests were due and never sent; the servers answered too slowly \
                 for this rate",
                grouped(self.not_sent as f64)
            )?;
        }
        if self.sent_late > 0 {
            writeln!(
                f,
                "BEHIND: the load generator itself sent {} requests more than {} ms late ({:.1} ms \
                 at most); the delay is in the latencies",
                grouped(self.sent_late as f64),
                BenchReport::LATE_MS,
                self.sent_late_max_ms
            )?;
        }
        Ok(())
    }

    fn write_errors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "no errors");
        }
        let errors = &self.errors;
        write!(
            f,
            "ERRORS: {} refused, {} wrong, {} lost with their connection, {} unanswered; {} failed \
             connections, {} given up",
            errors.refused,
            errors.wrong,
            errors.lost,
            errors.unanswered,
            errors.connections_failed,
            errors.connections_given_up
        )?;
        for sample in &errors.samples {
            write!(f, "\n  {sample}")?;
        }
        Ok(())
    }
}

impl Display for LoadReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let loop_kind = match self.rate {
            Some(rate) => format!("{} requests a second", grouped(rate)),
            None => "as fast as they answer".to_owned(),
        };
        write!(
            f,
            "{} at {}: {} connections, {} deep, {loop_kind}, {} clients",
            self.protocol,
            self.servers.join(", "),
            self.connections,
            self.pipeline,
            grouped(self.clients as f64),
        )?;
        if self.skew > 0.0 {
            write!(f, " (skew {})", self.skew)?;
        }
        if let Some(search) = &self.search {
            let radius = search
                .radius_km
                .map_or("any".to_owned(), |km| km.to_string());
            let (percent, limit) = (self.look_ups_percent, search.limit);
            return write!(f, ", {percent} % searches ({radius} km, {limit} clients)");
        }
        if self.look_ups_percent > 0.0 {
            write!(
                f,
                ", {} % look-ups ({} km, {} places)",
                self.look_ups_percent, self.radius_km, self.results
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::super::tally::Tally;
    use super::*;

    #[test]
    fn thousands_have_commas() {
        for (number, text) in [
            (0.0, "0"),
            (999.4, "999"),
            (1_000.0, "1,000"),
            (-12_345.0, "-12,345"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn errors_and_a_missed_pace_are_shown() {
        let mut tally = Tally::default();
        tally.reports.good.record(2_500_000);
        let clean = BenchReport::new(&plan(), &tally).to_string();
        assert!(
            clean.contains("no errors") && clean.contains("2.5"),
            "{clean}"
        );
        assert!(
            !clean.contains("WHATSAT") && !clean.contains("BEHIND"),
            "{clean}"
        );
        tally.errors.refused = 3;
        tally.errors.sample(|| "refused: ? x".to_owned());
        tally.missed = 4;
        tally.sent_late(50_000_000);
        let unclean = BenchReport::new(&plan(), &tally).to_string();
        for text in [
            "ERRORS: 3 refused",
            "  refused: ? x",
            "TOO SLOW: 4",
            "BEHIND",
        ] {
            assert!(unclean.contains(text), "{unclean}");
        }
    }
}
