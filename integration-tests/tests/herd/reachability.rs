//! The spread of reports while two servers are down.

use herd_integration_tests::Herd;

use crate::{NAMES, TIME, UCLA};

/// The servers that the loss of these two cuts off from the other two.
fn cut_off(down: [&str; 2]) -> Option<&'static str> {
    match down {
        ["Jaquez", "Smith"] => Some("Hill"),
        ["Hill", "Singleton"] => Some("Jaquez"),
        ["Smith", "Singleton"] => Some("Campbell"),
        _ => None,
    }
}

fn pairs() -> Vec<[&'static str; 2]> {
    let later = |first: usize| NAMES.iter().skip(first + 1);
    NAMES
        .iter()
        .enumerate()
        .flat_map(|(position, &one)| later(position).map(move |&other| [one, other]))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_two_servers_may_be_down() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 10);
    let mut herd = Herd::five().await;
    let mut reported = Vec::new();
    for down in pairs {
        for name in down {
            herd.server_mut(name).kill();
        }
        let survivors = NAMES.into_iter().filter(|name| !down.contains(name));
        let survivors: Vec<&str> = survivors.collect();
        let apart = |one: &str, other: &str| {
            let lonely = cut_off(down);
            one != other && (lonely == Some(one) || lonely == Some(other))
        };
        // The links of the second round could have carried the first too.
        for round in 1..=2 {
            let mut lines = Vec::new();
            for &from in &survivors {
                let id = format!("{}-{}-{from}-{round}", down[0], down[1]);
                let line = herd.client(from).await.report(&id, UCLA, TIME).await;
                lines.push((from, id, line));
            }
            for (from, id, line) in &lines {
                for &at in survivors.iter().filter(|&&at| !apart(from, at)) {
                    herd.knows(at, id, line).await;
                }
            }
            for (from, id, _) in lines {
                for &at in survivors.iter().filter(|&&at| apart(from, at)) {
                    let found = herd.client(at).await.find(&id).await;
                    assert_eq!(found, None, "{down:?} are down, {from} told {at}");
                }
                reported.push(id);
            }
        }
        for name in down {
            herd.server_mut(name).restart().await;
        }
        herd.agree(&NAMES, &reported).await;
    }
    assert_eq!(reported.len(), 10 * 3 * 2);
}
