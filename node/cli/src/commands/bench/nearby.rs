//! The options of `herd bench nearby`.

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::load::{CommonArgs, per_mille};
use herd_bench::{Movement, Plan, SearchPlan};

/// Searches for clients around the middles of 24 cities, where the clients are; all are reported once before.
#[derive(Clone, Debug, Args)]
pub(super) struct NearbyArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// How many of a hundred requests are searches (NEARBY POINT); the others are reports
    #[arg(long, value_name = "PERCENT", default_value = "100", value_parser = per_mille)]
    searches: u64,
    /// The radius of searches in km, or `*`
    #[arg(long, value_name = "KM", default_value = "10", value_parser = radius)]
    radius: Radius,
    /// The most clients of a search
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: u32,
    /// Clients drive this number of metres straight on between two reports; without this they jump around their city
    #[arg(long, value_name = "METRES")]
    drive: Option<f64>,
}

/// A radius in km; none is no bound.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Radius(Option<f64>);

fn radius(text: &str) -> Result<Radius, String> {
    match text {
        "*" => Ok(Radius(None)),
        _ => text
            .parse()
            .map(|km| Radius(Some(km)))
            .map_err(|error| format!("{error}")),
    }
}

impl NearbyArgs {
    pub(super) async fn run(self, stop: CancellationToken) -> u8 {
        let NearbyArgs {
            common,
            searches: look_ups_per_mille,
            radius: Radius(radius_km),
            limit,
            drive,
        } = self;
        let movement = drive.map_or(Movement::Jump, Movement::Drive);
        let search = Some(SearchPlan {
            radius_km,
            limit,
            movement,
        });
        let plan = |plan| Plan {
            look_ups_per_mille,
            search,
            ..plan
        };
        common.run(plan, stop).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radius_is_a_number_or_a_star() {
        assert_eq!(radius("*"), Ok(Radius(None)));
        assert_eq!(radius("2.5"), Ok(Radius(Some(2.5))));
        assert!(radius("far").is_err());
    }
}
