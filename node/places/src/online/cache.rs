//! Answers that are kept for a while, for providers whose terms allow it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Answer;
use super::question::Question;

/// Longer answers are not kept, so that the number of entries bounds the memory: 64 KiB each.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The kept answers, bounded in number and age. The oldest makes room.
#[derive(Debug)]
pub struct AnswerCache {
    entries_max: usize,
    age_max: Duration,
    by_question: HashMap<Question, CachedAnswer>,
    /// In the order of age; a question that was answered again since is there twice.
    by_age: VecDeque<(Instant, Question)>,
}

#[derive(Debug)]
struct CachedAnswer {
    since: Instant,
    answer: Arc<Answer>,
}

impl AnswerCache {
    /// An empty cache of at most `entries_max` answers, none older than `age_max`.
    #[must_use]
    pub fn new(entries_max: usize, age_max: Duration) -> Self {
        AnswerCache {
            entries_max,
            age_max,
            by_question: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    /// The kept answer, if it is not too old.
    #[must_use]
    pub fn get(&self, question: &Question, now: Instant) -> Option<Arc<Answer>> {
        let entry = self.by_question.get(question)?;
        let age = now.saturating_duration_since(entry.since);
        (age < self.age_max).then(|| Arc::clone(&entry.answer))
    }

    /// Keeps an answer.
    pub fn insert(&mut self, question: Question, answer: Arc<Answer>, now: Instant) {
        if self.entries_max == 0 || answer.byte_count() > ANSWER_BYTES_MAX {
            return;
        }
        self.by_age.push_back((now, question));
        self.by_question
            .insert(question, CachedAnswer { since: now, answer });
        while let Some(&(since, oldest)) = self.by_age.front() {
            let too_old = now.saturating_duration_since(since) >= self.age_max;
            let too_many = self.by_age.len() > self.entries_max;
            if !too_old && !too_many {
                break;
            }
            self.by_age.pop_front();
            let same = |entry: &CachedAnswer| entry.since == since;
            if self.by_question.get(&oldest).is_some_and(same) {
                self.by_question.remove(&oldest);
            }
        }
    }

    /// How many answers it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_question.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_question.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::Coordinates;

    use super::super::super::provider::NearbyQuery;
    use super::*;

    fn question(number: u32) -> Question {
        let query = NearbyQuery {
            center: Coordinates {
                latitude_degrees: 1.0,
                longitude_degrees: 2.0,
            },
            radius_m: f64::from(number),
            results_max: 5,
        };
        Question::rounded(&query)
    }

    fn answer() -> Arc<Answer> {
        Arc::new(Answer::of_places(Vec::new(), Vec::new(), true))
    }

    #[test]
    fn answers_are_kept_for_a_while_and_the_oldest_makes_room() {
        let start = Instant::now();
        let age_max = Duration::from_secs(60);
        let mut cache = AnswerCache::new(3, age_max);
        for number in 0..4 {
            let now = start + Duration::from_secs(number.into());
            cache.insert(question(number), answer(), now);
        }
        let now = start + Duration::from_secs(4);
        assert_eq!(cache.len(), 3);
        assert!(cache.get(&question(0), now).is_none());
        assert!(cache.get(&question(1), now).is_some());
        assert!(
            cache
                .get(&question(1), start + Duration::from_secs(61))
                .is_none()
        );
        assert!(
            cache
                .get(&question(2), start + Duration::from_secs(61))
                .is_some()
        );
        // Answers that are too old go with the next insert.
        cache.insert(question(9), answer(), start + Duration::from_secs(63));
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.by_age.len(), 1);
    }

    #[test]
    fn an_answer_that_is_renewed_stays() {
        let start = Instant::now();
        let mut cache = AnswerCache::new(2, Duration::from_secs(60));
        for second in 0..100 {
            cache.insert(question(1), answer(), start + Duration::from_secs(second));
            assert!(cache.by_age.len() <= 2);
        }
        let now = start + Duration::from_secs(120);
        assert!(cache.get(&question(1), now).is_some());
    }

    #[test]
    fn long_answers_are_not_kept() {
        let now = Instant::now();
        let mut cache = AnswerCache::new(2, Duration::from_secs(60));
        let long = Answer::of_places(vec!["x".repeat(ANSWER_BYTES_MAX + 1)], Vec::new(), true);
        cache.insert(question(1), Arc::new(long), now);
        assert!(cache.is_empty());
    }
}
