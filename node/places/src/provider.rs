//! The interface between the server and a provider of places.

use bytes::Bytes;

/// One question to a provider, for the places near a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearbyQuery {
    /// The point.
    pub center: herd_crdt::Coordinates,
    /// How far from it a place may be, in metres on the sphere.
    pub radius_m: f64,
    /// The most results wanted.
    pub results_max: usize,
}

/// A provider of places.
#[async_trait::async_trait]
pub trait Places: Send + Sync + 'static {
    /// The answer if it can be had at once without waiting, else `None`; then ask
    /// [`nearby`](Places::nearby).
    ///
    /// The answer is the JSON text of a Nearby Search reply, cut to `results_max`, with its status
    /// inside.
    fn nearby_at_once(&self, query: &NearbyQuery) -> Option<Bytes>;

    /// Always gives a Nearby Search reply; failures are told in its `status` and `error_message`.
    async fn nearby(&self, query: NearbyQuery) -> Bytes;
}

const ZERO_RESULTS: &str = r#"{
   "html_attributions": [],
   "results": [],
   "status": "ZERO_RESULTS"
}"#;

/// The reply that names no place.
#[must_use]
pub fn zero_results() -> Bytes {
    Bytes::from_static(ZERO_RESULTS.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::reply::NearbyReply;
    use super::*;

    #[test]
    fn zero_results_is_the_empty_reply() {
        assert_eq!(zero_results(), NearbyReply::default().to_json());
    }
}
