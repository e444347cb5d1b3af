//! The parts of a running server, and the effect of the end of one on the others.

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::ServerError;
use herd_replication::run::ReplicationEnd;

/// A part of a server.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Http,
    Frontend,
    Control,
    Expiry,
    Page,
    Certificates,
    Access,
    /// It opens files anew when it is asked to, and ends when the server stops.
    Files,
    /// It tells the service manager how the server is, and ends when the server is told to stop.
    ServiceManager,
}

/// The end of a part.
enum PartEnd {
    Of(Part),
    OfReplication(ReplicationEnd),
}

/// The tasks of all parts.
pub(super) struct Parts {
    tasks: JoinSet<PartEnd>,
    shutdown: CancellationToken,
    last: CancellationToken,
}

impl Parts {
    /// None yet, of a server that `shutdown` tells to stop.
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Parts {
            tasks: JoinSet::new(),
            shutdown,
            last: CancellationToken::new(),
        }
    }

    /// Tells parts to stop.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Stops replication and its helpers. They end last, because replication passes on the last reports of the
    /// frontend.
    pub(super) fn last(&self) -> CancellationToken {
        self.last.clone()
    }

    pub(super) fn spawn(&mut self, part: Part, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            PartEnd::Of(part)
        });
    }

    /// The same on other threads.
    pub(super) fn spawn_on(
        &mut self,
        threads: &Handle,
        part: Part,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = async move {
            task.await;
            PartEnd::Of(part)
        };
        self.tasks.spawn_on(task, threads);
    }

    pub(super) fn spawn_replication(
        &mut self,
        task: impl Future<Output = ReplicationEnd> + Send + 'static,
    ) {
        self.tasks
            .spawn(async { PartEnd::OfReplication(task.await) });
    }

    /// Waits until all parts have ended, replication last.
    ///
    /// # Errors
    /// One ended before the server was told to stop; the others run on.
    pub(super) async fn watch(&mut self) -> Result<(), ServerError> {
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.map_err(|_| ServerError::Panicked)?;
            if let PartEnd::OfReplication(ReplicationEnd::Superseded) = ended {
                return Err(ServerError::Superseded);
            }
            if !self.shutdown.is_cancelled()
                && let Some(name) = name(&ended)
            {
                return Err(ServerError::Ended(name));
            }
            if let PartEnd::Of(Part::Frontend) = ended {
                self.last.cancel();
            }
        }
        Ok(())
    }

    /// Ends those that are left at once.
    pub(super) async fn cut_off(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A part that ends only when the server stops, in words.
fn name(ended: &PartEnd) -> Option<&'static str> {
    Some(match ended {
        PartEnd::OfReplication(_) => "replication",
        PartEnd::Of(Part::Http) => "the HTTP server",
        PartEnd::Of(Part::Frontend) => "the frontend",
        PartEnd::Of(Part::Control) => "the control socket",
        PartEnd::Of(Part::Certificates) => "watching certificates",
        PartEnd::Of(Part::Expiry) => "expiry",
        PartEnd::Of(Part::Page) => "the live page",
        PartEnd::Of(Part::Access) => "following the tokens file",
        PartEnd::Of(Part::Files | Part::ServiceManager) => return None,
    })
}
