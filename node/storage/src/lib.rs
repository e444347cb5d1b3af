//! The disk of a server: its store and its data folder.
//!
//! The store holds the delta groups of gossip, by publisher and slot, each as it was
//! published. To load it is to merge all of them, in any order. See [`store`] for the interface,
//! [`fjall_store`] for the one on disk and the damage that it detects, [`data_folder`] for the folder
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
