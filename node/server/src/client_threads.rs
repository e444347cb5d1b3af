//! The threads that serve clients, and do nothing else.

use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::debug;

/// How nice threads are that serve connections which send many commands at a time. Where cores are short, a thread with
/// one command to answer interrupts such a one, instead of waiting until its slice of time is over, which takes 3 ms.
const BULK_NICE: i32 = 10;

/// Two sets of threads. With one thread for each core for all connections, or with other work on these threads,
/// replies wait for a core, and threads wake each other for every few commands. Connections that send many commands
/// at a time keep threads busy anyway, so there is one more for them; and they are separate, so that interactive
/// connections never queue behind bulk ones.
#[derive(Debug)]
pub struct ClientThreads {
    prompt: Runtime,
    bulk: Runtime,
}

/// Where connections run.
#[derive(Clone, Debug)]
pub struct ClientHandles {
    /// Those of clients that send a little at a time.
    pub prompt: Handle,
    /// Those of clients that send many commands at a time.
    pub bulk: Handle,
}

impl ClientThreads {
    /// So many threads, and for bulk one more; `None` is one for each core but one.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(threads: Option<usize>) -> io::Result<Self> {
        let threads = threads.unwrap_or_else(|| {
            let cores = available_parallelism().map_or(1, NonZeroUsize::get);
            cores.saturating_sub(1).max(1)
        });
        debug!(threads, bulk = threads + 1, "threads that serve clients");
        Ok(ClientThreads {
            prompt: runtime(threads, "clients", None)?,
            bulk: runtime(threads + 1, "clients-bulk", Some(BULK_NICE))?,
        })
    }

    /// Where connections run.
    #[must_use]
    pub fn handles(&self) -> ClientHandles {
        ClientHandles {
            prompt: self.prompt.handle().clone(),
            bulk: self.bulk.handle().clone(),
        }
    }

    /// Ends the threads without waiting for the tasks that still run on them.
    pub fn shutdown_background(self) {
        self.prompt.shutdown_background();
        self.bulk.shutdown_background();
    }
}

fn runtime(threads: usize, name: &str, nice: Option<i32>) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .on_thread_start(move || {
            // Of the calling thread alone. A system that refuses it gives bulk the same share as others.
            if let Some(nice) = nice
                && let Err(error) = setpriority_process(None, nice)
            {
                debug!(%error, nice, "cannot lower a thread's priority");
            }
        })
        .enable_all()
        .build()
}
