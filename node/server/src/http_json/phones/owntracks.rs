//! OwnTracks in HTTP mode (<https://owntracks.org/booklet/tech/http/>, <https://owntracks.org/booklet/tech/json/>).

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use herd_crdt::{Record, is_blank};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::friends::PREFIX;
use super::outcome::worth_telling;
use crate::http_json::answer;
use crate::http_json::api::HttpApi;
use crate::http_json::body;
use crate::http_json::caller::Caller;
use crate::http_json::problem::{Fault, Problem};
use crate::http_json::query::Query;
use crate::http_json::report::ReportTexts;

/// What an app sends, as far as it matters here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "_type")]
    kind: Option<String>,
    topic: Option<String>,
    #[serde(borrow)]
    lat: Option<&'a RawValue>,
    #[serde(borrow)]
    lon: Option<&'a RawValue>,
    #[serde(borrow)]
    tst: Option<&'a RawValue>,
}

/// A friend.
#[derive(Debug, PartialEq, Serialize)]
struct Friend {
    _type: &'static str,
    /// Two characters that a map shows, of which no two friends have the same.
    tid: String,
    lat: f64,
    lon: f64,
    /// In whole seconds, as the apps want it.
    tst: i64,
    topic: String,
}

/// Takes in a location, and tells of the friends.
pub(super) async fn owntracks(
    State(api): State<Arc<HttpApi>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::small(body).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(nothing());
    }
    let message: Message<'_> = serde_json::from_slice(&body)
        .map_err(|error| Problem::malformed(vec![Fault::of("body", &error)]))?;
    if message.kind.as_deref() != Some("location") {
        return Ok(nothing());
    }
    let client = client(&headers, message.topic.as_deref(), &uri)?;
    let number = |value: Option<&'_ RawValue>| value.map(|value| value.get().to_owned());
    let [latitude, longitude] = [message.lat, message.lon].map(number);
    let time = number(message.tst);
    let texts = ReportTexts::of_numbers(client.into(), [latitude, longitude], time);
    let taken = match texts {
        Ok(texts) => api.take_in_texts(&caller, &texts).await.map(|_| ()),
        Err(problem) => Err(problem),
    };
    taken.or_else(worth_telling)?;
    let friends = api.friends.newest(&api.service, &caller.principal).await;
    Ok(answer::json(&told(&friends)))
}

fn nothing() -> Response {
    answer::json(&[(); 0])
}

/// The client, `owntracks/<user>/<device>`: from the headers of the app, else from the topic, else from the address.
fn client(headers: &HeaderMap, topic: Option<&str>, uri: &Uri) -> Result<Vec<u8>, Problem> {
    let header = |name| headers.get(name).map(|value| value.as_bytes().to_vec());
    let in_headers = header("x-limit-u").zip(header("x-limit-d"));
    let in_topic = topic.and_then(|topic| {
        let (user, device) = topic.strip_prefix(PREFIX)?.split_once('/')?;
        Some((user.as_bytes().to_vec(), device.as_bytes().to_vec()))
    });
    let mut query = Query::of(uri).bounded()?;
    let in_address = query.take("u").zip(query.take("d"));
    let is_whole = |(user, device): &(Vec<u8>, Vec<u8>)| !user.is_empty() && !device.is_empty();
    let mut named = [in_headers, in_topic, in_address].into_iter().flatten();
    let Some((user, device)) = named.find(is_whole) else {
        let wanted =
            "is missing; set user and device in the app, or add ?u=USER&d=DEVICE to its address";
        return Err(Problem::malformed(vec![Fault::new("topic", wanted)]));
    };
    let mut client = [PREFIX.as_bytes(), &user, b"/", &device].concat();
    // People give their phones names with blanks in them, and no ID has any.
    for byte in client.iter_mut().filter(|byte| is_blank(**byte)) {
        *byte = b'_';
    }
    Ok(client)
}

/// The friends as the apps read them. An ID that is no text is left out.
fn told(friends: &[Record]) -> Vec<Friend> {
    let mut taken = HashSet::new();
    let friend = |record: &Record| {
        let topic = str::from_utf8(record.client()).ok()?.to_owned();
        let place = record.location()?.coordinates();
        Some(Friend {
            _type: "location",
            tid: initials(&topic, &mut taken),
            lat: place.latitude_degrees,
            lon: place.longitude_degrees,
            tst: record.time().ns().div_euclid(1_000_000_000),
            topic,
        })
    };
    friends.iter().filter_map(friend).collect()
}

/// The last two letters or digits of a topic, as the apps choose them, or others if a friend has these already.
fn initials(topic: &str, taken: &mut HashSet<String>) -> String {
    const DIGITS: [u8; 36] = *b"0123456789abcdefghijklmnopqrstuvwxyz";
    let letters: Vec<char> = topic.chars().filter(char::is_ascii_alphanumeric).collect();
    let own: String = letters[letters.len().saturating_sub(2)..].iter().collect();
    let others = DIGITS.iter().flat_map(|&first| {
        DIGITS
            .iter()
            .map(move |&second| String::from_utf8_lossy(&[first, second]).into_owned())
    });
    let mut candidates = std::iter::once(own).chain(others);
    // There are more than friends.
    let free = candidates.find(|candidate| candidate.len() == 2 && !taken.contains(candidate));
    let free = free.unwrap_or_default();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        headers: &[(&'static str, &'static str)],
        topic: Option<&str>,
        query: &str,
    ) -> Option<String> {
        let headers = headers.iter().map(|&(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, axum::http::HeaderValue::from_static(value))
        });
        let headers = HeaderMap::from_iter(headers);
        let uri = format!("/owntracks?{query}").parse().unwrap();
        let client = client(&headers, topic, &uri).ok()?;
        Some(String::from_utf8(client).unwrap())
    }

    #[test]
    fn a_client_is_a_user_and_a_device() {
        let own = [("x-limit-u", "ada"), ("x-limit-d", "my phone")];
        let topic = Some("owntracks/bob/tracker");
        assert_eq!(
            named(&own, topic, "u=c&d=d").as_deref(),
            Some("owntracks/ada/my_phone")
        );
        assert_eq!(
            named(&own[..1], topic, "u=c&d=d").as_deref(),
            Some("owntracks/bob/tracker")
        );
        assert_eq!(
            named(&[], Some("other/bob/x"), "u=c&d=d").as_deref(),
            Some("owntracks/c/d")
        );
        let empty = [("x-limit-u", ""), ("x-limit-d", "phone")];
        assert_eq!(
            named(&empty, topic, "").as_deref(),
            Some("owntracks/bob/tracker")
        );
        assert_eq!(
            named(&empty, Some("owntracks/bob/"), "u=c&d=d").as_deref(),
            Some("owntracks/c/d")
        );
        assert_eq!(named(&[], None, "u=c"), None);
        assert_eq!(named(&[], None, "u=&d=d"), None);
    }

    #[test]
    fn no_two_friends_have_the_same_initials() {
        let record = |client: String| {
            Record::new(client.as_bytes(), b"+1.5-2", b"-0.5", "Hill".into(), 0).unwrap()
        };
        let mut records: Vec<Record> = (0..99)
            .map(|user| record(format!("owntracks/{user}/phone")))
            .collect();
        records.push(record("owntracks/é/ü".to_owned()));
        let friends = told(&records);
        let distinct: HashSet<&String> = friends.iter().map(|friend| &friend.tid).collect();
        assert_eq!(distinct.len(), 100);
        assert!(friends.iter().all(|friend| friend.tid.len() == 2));
        let first = Friend {
            _type: "location",
            tid: "ne".to_owned(),
            lat: 1.5,
            lon: -2.0,
            tst: -1,
            topic: "owntracks/0/phone".to_owned(),
        };
        assert_eq!(friends[0], first);
    }
}
