//! The answer to a client when the provider gave none.

use bytes::Bytes;

use super::embedded::EmbeddedPlaces;
use super::online::ProviderError;
use super::provider::NearbyQuery;
use super::reply::NearbyReply;

/// The fallback of an online provider.
#[derive(Clone, Debug)]
pub enum Fallback {
    /// The embedded data, with a note that it does.
    Embedded(EmbeddedPlaces),
    /// Nothing: the client is told of the failure.
    Off,
}

impl Fallback {
    /// The reply in the place of the provider's.
    #[must_use]
    pub fn reply(&self, provider: &str, query: &NearbyQuery, error: &ProviderError) -> Bytes {
        match (self, error) {
            (Fallback::Embedded(embedded), _) => {
                let note = format!("{provider}: {error}; these places are from the embedded data");
                embedded.answer(query, Some(&note))
            }
            (Fallback::Off, ProviderError::InItsOwnWords { reply, .. }) => reply.clone(),
            (Fallback::Off, _) => {
                NearbyReply::failed(error.status(), format!("{provider}: {error}")).to_json()
            }
        }
    }

    /// Whether something answers in the provider's place.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self, Fallback::Embedded(_))
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::Coordinates;
    use serde_json::{Value, json};

    use super::*;

    fn query(latitude_degrees: f64) -> NearbyQuery {
        NearbyQuery {
            center: Coordinates {
                latitude_degrees,
                longitude_degrees: -118.445_127,
            },
            radius_m: 10_000.0,
            results_max: 2,
        }
    }

    fn reply(fallback: &Fallback, latitude_degrees: f64, error: &ProviderError) -> Value {
        let text = fallback.reply("Overpass", &query(latitude_degrees), error);
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn embedded_places_come_with_the_reason() {
        let fallback = Fallback::Embedded(EmbeddedPlaces::new().unwrap());
        let error = ProviderError::Connect("refused".to_owned());
        let note = "Overpass: cannot connect: refused; these places are from the embedded data";
        let found = reply(&fallback, 34.068_93, &error);
        assert_eq!(found["status"], "OK");
        assert_eq!(found["results"].as_array().unwrap().len(), 2);
        assert_eq!(found["info_messages"], json!([note]));
        // Nothing there but ocean.
        let nothing = reply(&fallback, -50.0, &error);
        assert_eq!(nothing["status"], "ZERO_RESULTS");
        assert_eq!(nothing["info_messages"], json!([note]));
    }

    #[test]
    fn without_a_fallback_the_client_gets_an_error() {
        let told = |error: &ProviderError| reply(&Fallback::Off, 34.0, error);
        let often = ProviderError::TooOften {
            retry_after: None,
            reason: "HTTP 429".to_owned(),
        };
        assert_eq!(
            told(&often),
            json!({
                "html_attributions": [],
                "results": [],
                "status": "OVER_QUERY_LIMIT",
                "error_message": "Overpass: it was asked too often: HTTP 429",
            })
        );
        let own = ProviderError::InItsOwnWords {
            error: Box::new(often),
            reply: Bytes::from_static(b"{\"status\":\"OVER_DAILY_LIMIT\"}"),
        };
        assert_eq!(told(&own), json!({"status": "OVER_DAILY_LIMIT"}));
    }
}
