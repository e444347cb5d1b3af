//! Ids of places whose file gives them none: the same place gets the same id in every import.

/// An id made of the position, in degrees with 7 decimals as tables keep it, and of the CRC-32 of the name, behind the
/// prefix of the source.
pub(super) fn derived_id(prefix: &str, (latitude, longitude): (f64, f64), name: &str) -> String {
    let name = crc32fast::hash(name.as_bytes());
    format!("{prefix}{latitude:.7},{longitude:.7},{name:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_ids_of_their_own() {
        let id = derived_id("city:", (60.17, 24.94), "Café");
        assert!(id.starts_with("city:60.1700000,24.9400000,"), "{id}");
        assert_eq!(id, derived_id("city:", (60.17, 24.94), "Café"));
        assert_ne!(id, derived_id("city:", (60.17, 24.94), "Bar"));
        assert!(!id.contains(' '));
    }
}
