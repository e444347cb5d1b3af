//! Certificates that change while a server runs: read again, checked, and taken in place of those
//! before, or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::TlsError;
use super::error::in_one_line;
use super::files::date;
use super::trust::now_s;
use herd_clock::clock::SharedClock;

/// How often files are looked at. By content: in Kubernetes a link is swapped, and times say little.
pub const RELOAD_GAP: Duration = Duration::from_secs(2);

/// How long before its end a certificate is warned about, unless its whole time is less than three times as long.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The part of its whole time that is left when a certificate of a shorter time is warned about.
const WARNED_PART: i64 = 3;

/// How often it is warned about then.
const EXPIRY_WARNING_GAP: Duration = Duration::from_secs(24 * 3_600);

/// Something that is made from files, and made again when they change.
pub trait Material: Send + Sync + 'static {
    /// The content of the files.
    type Texts: PartialEq + Send + Sync;
    /// The material that is made of it.
    type Ready: Send + Sync;

    /// Its purpose, in the words of the log.
    const FOR: &'static str;

    /// The consequence while it is out of its time, in the words of the log.
    const OUT_OF_TIME: &'static str;

    /// Reads the files.
    ///
    /// # Errors
    /// Every file that cannot be read.
    fn read(&self) -> Result<Self::Texts, Vec<TlsError>>;

    /// Checks the read files, and makes the material ready. Material that is only out of its time is made as ready as
    /// it can be, with that fault.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn prepare(
        &self,
        texts: &Self::Texts,
        clock: &SharedClock,
    ) -> Result<Self::Ready, Vec<TlsError>>;

    /// Why it is over or has not begun, if that is so.
    fn out_of_time(ready: &Self::Ready) -> Option<&str>;

    /// The first and the last second of the certificate, since the POSIX epoch.
    fn validity_s(ready: &Self::Ready) -> (i64, i64);

    /// When it has to be made ready again although no file has changed.
    fn stale_s(ready: &Self::Ready) -> i64;
}

/// The newest that could be used, and its changes.
pub struct Live<M: Material> {
    material: M,
    clock: SharedClock,
    current: watch::Sender<Arc<M::Ready>>,
    loaded: Mutex<M::Texts>,
    /// Changes that were taken.
    reloads: AtomicU64,
    /// Changes that could not be used.
    failures: AtomicU64,
}

impl<M: Material> std::fmt::Debug for Live<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("for", &M::FOR).finish()
    }
}

impl<M: Material> Live<M> {
    /// Reads and checks it for the first time. Material that is only out of its time is accepted: see
    /// [`Live::out_of_time`].
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(material: M, clock: SharedClock) -> Result<Arc<Self>, Vec<TlsError>> {
        let texts = material.read()?;
        let ready = material.prepare(&texts, &clock)?;
        Ok(Arc::new(Live {
            material,
            clock,
            current: watch::Sender::new(Arc::new(ready)),
            loaded: Mutex::new(texts),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    /// The material in use.
    pub fn current(&self) -> Arc<M::Ready> {
        self.current.borrow().clone()
    }

    /// The material in use, and its changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<M::Ready>> {
        self.current.subscribe()
    }

    /// The clock that certificates are checked by.
    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// When the certificate in use ends, in seconds since the POSIX epoch.
    pub fn expires_s(&self) -> i64 {
        self.validity_s().1
    }

    /// The first and the last second of the certificate in use, since the POSIX epoch.
    pub fn validity_s(&self) -> (i64, i64) {
        M::validity_s(&self.current.borrow())
    }

    /// The reason why the material in use was out of its time when it was loaded, which is possible at the start only.
    pub fn out_of_time(&self) -> Option<String> {
        M::out_of_time(&self.current.borrow()).map(str::to_owned)
    }

    /// How many changes were taken.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How many changes could not be used.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Follows the files until told to stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut look = FileLook::default();
        let mut warned: Option<Instant> = None;
        loop {
            let due = warned.is_none_or(|at| at.elapsed() >= EXPIRY_WARNING_GAP);
            if due && self.warn_of_expiry() {
                warned = Some(Instant::now());
            }
            tokio::select! {
                () = sleep(RELOAD_GAP) => {}
                () = stop.cancelled() => return,
            }
            let live = self.clone();
            // A disk that hangs holds up no task but this one.
            let looked = tokio::task::spawn_blocking(move || {
                let changed = live.look(&mut look);
                (look, changed)
            });
            let changed;
            (look, changed) = tokio::select! {
                looked = looked => match looked {
                    Ok(looked) => looked,
                    Err(error) => {
                        error!(%error, "BUG: looking at certificates panicked");
                        (FileLook::default(), false)
                    }
                },
                () = stop.cancelled() => return,
            };
            if changed {
                warned = None;
            }
        }
    }

    /// One look at the files. Whether something new is in use.
    fn look(&self, look: &mut FileLook<M::Texts>) -> bool {
        let texts = match self.material.read() {
            Ok(texts) => texts,
            Err(errors) => {
                look.seen = None;
                return self.fail(look, in_one_line(&errors));
            }
        };
        let stale = M::stale_s(&self.current.borrow()) < now_s(&self.clock);
        if *self.loaded.lock() == texts && !stale {
            *look = FileLook::default();
            return false;
        }
        // Files are replaced one after the other: a state that does not last for two looks may be half of the change.
        if look.seen.as_ref() != Some(&texts) {
            look.seen = Some(texts);
            return false;
        }
        match self.material.prepare(&texts, &self.clock) {
            Ok(ready) if M::out_of_time(&ready).is_some() => {
                let reason = M::out_of_time(&ready).unwrap_or_default().to_owned();
                self.fail(look, reason)
            }
            Ok(ready) => {
                let until = date(M::validity_s(&ready).1);
                *self.loaded.lock() = texts;
                self.current.send_replace(Arc::new(ready));
                self.reloads.fetch_add(1, Ordering::Relaxed);
                info!(until, "new certificates for {} are in use", M::FOR);
                *look = FileLook::default();
                true
            }
            Err(errors) => self.fail(look, in_one_line(&errors)),
        }
    }

    /// Logs a fault once, until there is another one.
    fn fail(&self, look: &mut FileLook<M::Texts>, reason: String) -> bool {
        // A single look may have met files that were just being replaced.
        if look.failed.as_ref() != Some(&reason) {
            look.failed = Some(reason);
            look.told = false;
        } else if !look.told {
            look.told = true;
            self.failures.fetch_add(1, Ordering::Relaxed);
            error!(
                reason,
                "new certificates for {} cannot be used; those before stay in use",
                M::FOR
            );
        }
        false
    }

    /// Warns if the end is near, or if the material in use is out of its time. Returns whether it did.
    fn warn_of_expiry(&self) -> bool {
        if let Some(reason) = self.out_of_time() {
            error!(
                reason,
                "the certificates for {} are not in their time: {}. Put new ones in their place (`herd certs renew`), \
                 which are taken without a restart; is the clock right?",
                M::FOR,
                M::OUT_OF_TIME
            );
            return true;
        }
        let ((begins_s, expires_s), now_s) = (self.validity_s(), now_s(&self.clock));
        let left_s = expires_s.saturating_sub(now_s);
        let lifetime_s = expires_s.saturating_sub(begins_s);
        let warning_s = i64::try_from(EXPIRY_WARNING.as_secs()).unwrap_or(i64::MAX);
        // A certificate of a few days is renewed some hours before its end.
        let warning_s = warning_s.min(lifetime_s / WARNED_PART);
        if left_s < 0 {
            error!(
                since = date(expires_s),
                "the certificate for {} has expired",
                M::FOR
            );
        } else if left_s < warning_s {
            let days = left_s / (24 * 3_600);
            warn!(
                on = date(expires_s),
                days,
                "the certificate for {} expires soon",
                M::FOR
            );
        }
        left_s < warning_s
    }
}

/// The findings since new files were taken.
struct FileLook<T> {
    /// The content of the files at the last look.
    seen: Option<T>,
    /// The fault at the last look.
    failed: Option<String>,
    /// Whether the log has it.
    told: bool,
}

impl<T> Default for FileLook<T> {
    fn default() -> Self {
        FileLook {
            seen: None,
            failed: None,
            told: false,
        }
    }
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
