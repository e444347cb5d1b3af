//! What comes before gossip: the store, which may be on a disk that hangs, and the first handshakes.

use std::sync::Arc;

use futures_util::future::select_all;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::super::lasting::Lasting;
use super::super::storing::{LoadInto, StorageState, StoreLoad, StoreSource, StoreWatch};
use super::super::timing::{FIRST_HANDSHAKES_WAIT, STORE_READ_MAX, STORE_READ_STOPPING_MAX};
use super::Replication;
use super::incarnations::next_verdict;
use herd_replica::receiving::Known;
use herd_storage::StoreError;

impl Replication {
    /// Reads the store into the map. If that fails the server goes on without one; if the disk hangs, without what
    /// is left, which is returned.
    pub(super) async fn open_store(
        &self,
        store: Option<StoreSource>,
        stop: &CancellationToken,
    ) -> Option<StoreLoad> {
        let until = async {
            tokio::select! {
                biased;
                () = sleep(STORE_READ_MAX) => {}
                () = async {
                    stop.cancelled().await;
                    sleep(STORE_READ_STOPPING_MAX).await;
                } => {}
            }
        };
        let mut load = match StoreLoad::begin(store?) {
            Ok(load) => load,
            Err(error) => {
                self.store_failed(error);
                self.parts.locations.loading().end();
                return None;
            }
        };
        let all = {
            let mut lasting = self.lasting.lock().await;
            load.merge_read(&mut self.load_into(&mut lasting.known), until)
                .await
        };
        if !all {
            error!(
                "the disk of the store hangs, or is slow: gossip starts without what is there. Until it answers nothing is kept \
                 on disk, and who asks for a client may be answered late or not from it"
            );
            return Some(load);
        }
        self.finish_store(load).await;
        None
    }

    fn load_into<'a>(&'a self, known: &'a mut Known) -> LoadInto<'a> {
        let Known {
            membership, feed, ..
        } = known;
        LoadInto {
            format: self.group_format,
            expires: self.expires,
            locations: &self.parts.locations,
            membership,
            feed,
        }
    }

    /// All of the store is read: the rest of it goes into the map, and from now on it is written to.
    pub(super) async fn finish_store(&self, load: StoreLoad) {
        let observer = StoreWatch {
            acknowledgements: self.parts.acknowledgements.clone(),
            store: Arc::downgrade(&self.parts.store),
        };
        let mut lasting = self.lasting.lock().await;
        let Lasting { known, store } = &mut *lasting;
        let into = &mut self.load_into(known);
        match load.finish(into, Box::new(observer)).await {
            Ok(opened) => {
                let me = &self.parts.links.view.me;
                if let Some(generation) = opened.report.greatest_own_generation(me) {
                    self.parts.links.exceed_generation(generation);
                }
                known.feed.open();
                store.open(opened.writer.clone());
                self.parts.acknowledgements.note_store_opened();
                self.parts
                    .store
                    .opened(opened.writer, opened.report.floor_ns);
                *self.driver.lock() = Some(opened.driver);
            }
            Err(error) => self.store_failed(error),
        }
        self.parts.locations.loading().end();
    }

    /// The store cannot be used, or not any more.
    pub(super) fn store_failed(&self, error: StoreError) {
        error!(%error, "the store cannot be used; this server goes on from memory and its neighbours");
        self.parts.acknowledgements.note_disk_failed();
        self.parts
            .store
            .set_state(StorageState::Failed(Arc::new(error)));
    }

    /// Waits a little for all links, so that the first incarnation is greater than what neighbours
    /// remember of this server.
    pub(super) async fn first_handshakes(&self) {
        let all_up = async {
            for neighbour in self.parts.links.neighbours() {
                let _ = neighbour
                    .status()
                    .wait_for(|status| status.up.is_some())
                    .await;
            }
        };
        let all_up_or_late = async {
            let _ = timeout(FIRST_HANDSHAKES_WAIT, all_up).await;
        };
        self.exceed_what_is_said(all_up_or_late).await;
    }

    /// Without the store only neighbours may know a generation that ours has to exceed, should our clock have gone back: waits
    /// until one has shaken hands, which nothing published would reach before, or the store is read after all.
    pub(super) async fn any_generation_known(&self, late: &mut Option<StoreLoad>) {
        let Some(load) = late else {
            return;
        };
        let any_up = async {
            let up = self.parts.links.neighbours().iter().map(|neighbour| {
                Box::pin(async {
                    let mut status = neighbour.status();
                    let _ = status.wait_for(|status| status.up.is_some()).await;
                })
            });
            match up.collect::<Vec<_>>() {
                none if none.is_empty() => std::future::pending().await,
                up => {
                    let _ = select_all(up).await;
                }
            }
        };
        let known = async {
            tokio::select! {
                biased;
                () = any_up => {}
                () = load.gather() => {}
            }
        };
        self.exceed_what_is_said(known).await;
    }

    /// Exceeds the generations that neighbours say they know, until something has come to pass.
    async fn exceed_what_is_said(&self, until: impl Future<Output = ()>) {
        let mut verdicts = self.parts.links.verdict();
        tokio::pin!(until);
        loop {
            tokio::select! {
                biased;
                // A handshake that comes to pass may have said it.
                said = next_verdict(&mut verdicts, 0) => self.parts.links.exceed_generation(said.known()),
                () = &mut until => break,
            }
        }
    }
}

/// Resolves when the store is read; never, without one.
pub(super) async fn gathered(late: &mut Option<StoreLoad>) {
    match late {
        Some(load) => load.gather().await,
        None => std::future::pending().await,
    }
}
