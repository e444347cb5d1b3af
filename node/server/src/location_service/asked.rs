//! How questions are answered: at once if that is possible.

use std::pin::Pin;

/// An answer that something has to be waited for.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The answer to a question.
pub enum Asked<T> {
    /// Here it is.
    Now(T),
    /// It takes a while: a provider of places is asked, or many clients are looked at.
    Later(Later<T>),
    /// The store is still read, and may hold the answer: as [`Asked::Later`].
    AfterLoading(Later<T>),
}

impl<T: Send + 'static> Asked<T> {
    /// The same with another answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'static) -> Asked<U> {
        match self {
            Asked::Now(answer) => Asked::Now(change(answer)),
            Asked::Later(later) => Asked::Later(Box::pin(async { change(later.await) })),
            Asked::AfterLoading(later) => {
                Asked::AfterLoading(Box::pin(async { change(later.await) }))
            }
        }
    }
}

impl<T> Asked<T> {
    /// Waits for it.
    pub async fn answer(self) -> T {
        match self {
            Asked::Now(answer) => answer,
            Asked::Later(later) | Asked::AfterLoading(later) => later.await,
        }
    }
}
