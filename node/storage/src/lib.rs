//! What a server keeps on disk, and how.
//!
//! The store holds what gossip carries: delta groups, by publisher and slot, each as it was
//! published. To load it is to merge all of them, in any order. See [`store`] for what a store does,
//! [`fjall_store`] for the one on disk and what damage it detects, [`data_folder`] for the folder
//! it is in, [`writer`] for how a server writes to one without waiting, and [`modelled`] for the
//! disk of tests and simulations.

#![forbid(unsafe_code)]

pub mod data_folder;
pub mod error;
pub mod fjall_store;
pub mod modelled;
pub mod store;
pub mod writer;

pub use data_folder::{DataFolder, DataFolderError};
pub use error::StoreError;
pub use fjall_store::database::FILES_OPEN_MAX;
pub use fjall_store::{FjallStore, FloorChange};
pub use modelled::{CommitFault, Crash, ModelledDisk, ModelledStore};
pub use store::{LoadReport, Store, StoredGroup, Write};
pub use writer::{
    CloseError, QueueLimits, SYNC_BUCKET_ENDS_MS, StorageTask, StorageThread, StorageWriter,
    StoreObserver, SyncPolicy, SyncState, Ticket, WriteRefused, WriterFigures,
};
