//! The meaning of OpenStreetMap's tags for a place. Overpass and imports read them alike.

/// The keys for Overpass: it is asked for elements with a name and one of these.
pub(super) const KIND_KEYS: [&str; 6] = [
    "amenity", "shop", "tourism", "leisure", "historic", "railway",
];

/// The keys for an extract: more kinds, because they cost no server anything. A highway is a place only as a node,
/// such as a bus stop; other highways are streets.
pub(super) const NODE_KEYS: [&str; 15] = [
    "amenity",
    "shop",
    "tourism",
    "leisure",
    "historic",
    "railway",
    "office",
    "craft",
    "healthcare",
    "emergency",
    "public_transport",
    "place",
    "natural",
    "man_made",
    "highway",
];

/// The same for ways and relations.
pub(super) fn outline_keys() -> &'static [&'static str] {
    NODE_KEYS.split_last().map_or(&[], |(_, others)| others)
}

/// The makers of the data, as its licence demands.
pub(super) const ATTRIBUTION: &str = "© <a href=\"https://www.openstreetmap.org/copyright\">\
     OpenStreetMap contributors</a>";

/// The beginning of ids of places from OpenStreetMap.
pub(super) const ID_PREFIX: &str = "osm:";

/// The tags that matter, of one element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OsmTags {
    /// Its name.
    pub(super) name: String,
    /// The values of the keys, in their order, words only.
    pub(super) types: Vec<String>,
    /// Street and number, and city, as far as they are tagged; may be empty.
    pub(super) vicinity: String,
}

impl OsmTags {
    /// Looks the tags up with `get`; `None` if they have no name or none of `keys`.
    pub(super) fn read<'a>(keys: &[&str], get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let name = get("name").map(str::trim).filter(|name| !name.is_empty())?;
        let mut types: Vec<String> = Vec::new();
        let mut is_place = false;
        for &key in keys {
            let Some(value) = get(key) else {
                continue;
            };
            is_place = true;
            for word in value.split(';').map(str::trim) {
                // `shop=yes` says that it is a shop, and no more.
                let word = if word == "yes" { key } else { word };
                let blank = |c: char| c.is_whitespace() || c.is_control() || c == ',';
                if !word.is_empty() && !word.contains(blank) && !types.iter().any(|w| w == word) {
                    types.push(word.to_owned());
                }
            }
        }
        is_place.then(|| OsmTags {
            name: name.to_owned(),
            types,
            vicinity: address(&get),
        })
    }
}

fn address<'a>(get: impl Fn(&str) -> Option<&'a str>) -> String {
    let part = |key| get(key).map(str::trim).filter(|text| !text.is_empty());
    let street = part("addr:street").map(|street| match part("addr:housenumber") {
        Some(number) => format!("{street} {number}"),
        None => street.to_owned(),
    });
    match (street, part("addr:city")) {
        (Some(street), Some(city)) => format!("{street}, {city}"),
        (Some(street), None) => street,
        (None, Some(city)) => city.to_owned(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[(&str, &'static str)]) -> Option<OsmTags> {
        OsmTags::read(&KIND_KEYS, |key| {
            tags.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
        })
    }

    #[test]
    fn streets_are_no_places() {
        assert!(NODE_KEYS.starts_with(&KIND_KEYS));
        assert!(!outline_keys().contains(&"highway") && outline_keys().contains(&"man_made"));
    }

    #[test]
    fn places_have_a_name_and_a_kind() {
        let cafe = read(&[
            ("name", " Café A "),
            ("shop", "yes;bakery"),
            ("amenity", "cafe;fast food;cafe"),
            ("addr:street", "Katu"),
            ("addr:housenumber", "1"),
            ("addr:city", "Helsinki"),
        ]);
        let expected = OsmTags {
            name: "Café A".to_owned(),
            types: ["cafe", "shop", "bakery"].map(str::to_owned).into(),
            vicinity: "Katu 1, Helsinki".to_owned(),
        };
        assert_eq!(cafe, Some(expected));
        assert_eq!(read(&[("amenity", "bench")]), None);
        assert_eq!(
            read(&[("name", "Main Street"), ("highway", "residential")]),
            None
        );
        assert_eq!(read(&[("name", " "), ("shop", "yes")]), None);
    }
}
