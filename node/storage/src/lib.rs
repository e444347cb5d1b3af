//! The disk of a server: its store and its data folder.
//!
//! The store holds the delta groups of gossip, by publisher and slot, each as it was published. To load it is to merge
//! all of them, in any order. Nothing here decides which records are published or merged.
//!
//! Begin with [`store`], the interface. [`fjall_store`] is the store on disk and detects damage; [`data_folder`] is the
//! folder it is in; by [`writer`] a server writes to it without waiting; [`modelled`] is the disk of tests and
//! simulations.

#![forbid(unsafe_code)]

pub mod data_folder;
pub mod error;
pub mod fjall_store;
pub mod modelled;
pub mod purging;
pub mod store;
pub mod writer;

pub use data_folder::{DataFolder, DataFolderError};
pub use error::StoreError;
pub use fjall_store::database::FILES_OPEN_MAX;
pub use fjall_store::{FjallStore, FloorChange};
pub use modelled::{CommitFault, Crash, ModelledDisk, ModelledStore};
pub use purging::{PurgeEnd, PurgeReply, purging};
pub use store::{FILLERS, LoadReport, Store, StoredGroup, Write};
pub use writer::{
    CloseError, QueueLimits, SYNC_BUCKET_ENDS_MS, StorageTask, StorageThread, StorageWriter,
    StoreObserver, SyncPolicy, SyncState, Ticket, WriteRefused, WriterFigures,
};
