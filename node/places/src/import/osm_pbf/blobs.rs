//! The blobs of an extract, one after the other, within the format's own bounds.

use std::io::{ErrorKind, Read};

use flate2::read::ZlibDecoder;
use prost::Message;

use super::super::error::ImportError;
use super::messages::{Blob, BlobHeader, HeaderBlock, PrimitiveBlock};

/// The longest header of a blob, in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The longest blob, in bytes, packed or not.
const BLOB_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The contents of a blob.
pub(super) enum Block {
    /// The header of the extract.
    Header(HeaderBlock),
    /// Elements.
    Data(PrimitiveBlock),
    /// Something else, to be passed over.
    Unknown,
}

/// Reads blobs. Nothing more comes after an error.
pub(super) struct Blobs<R> {
    input: R,
    ended: bool,
}

impl<R: Read> Blobs<R> {
    pub(super) fn new(input: R) -> Self {
        Blobs {
            input,
            ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<Block>, ImportError> {
        let mut length = [0; 4];
        if !self.fill(&mut length)? {
            return Ok(None);
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > HEADER_BYTES_MAX {
            return Err(damaged("the header of a block is too long"));
        }
        let header = BlobHeader::decode(&*self.take(length)?).map_err(undecodable)?;
        let length = usize::try_from(header.data_bytes).ok();
        let length = length.filter(|&length| length <= BLOB_BYTES_MAX);
        let length = length.ok_or_else(|| damaged("a block is too long"))?;
        let bytes = self.take(length)?;
        let decode = |bytes: &[u8]| -> Result<Vec<u8>, ImportError> {
            unpack(Blob::decode(bytes).map_err(undecodable)?)
        };
        Ok(Some(match header.kind.as_str() {
            "OSMHeader" => {
                Block::Header(HeaderBlock::decode(&*decode(&bytes)?).map_err(undecodable)?)
            }
            "OSMData" => {
                Block::Data(PrimitiveBlock::decode(&*decode(&bytes)?).map_err(undecodable)?)
            }
            _ => Block::Unknown,
        }))
    }

    /// Fills `buffer`; false at the end of the input.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, ImportError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(damaged("it is cut off")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, ImportError> {
        let mut bytes = Vec::new();
        let limit = length as u64;
        self.input.by_ref().take(limit).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(damaged("it is cut off"));
        }
        Ok(bytes)
    }
}

impl<R: Read> Iterator for Blobs<R> {
    type Item = Result<Block, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let block = self.read().transpose();
        self.ended = !matches!(block, Some(Ok(_)));
        block
    }
}

fn unpack(blob: Blob) -> Result<Vec<u8>, ImportError> {
    match (blob.raw, blob.zlib) {
        (Some(raw), _) => Ok(raw),
        (None, Some(packed)) => {
            let mut bytes = Vec::new();
            let limit = BLOB_BYTES_MAX as u64 + 1;
            let unpacked = ZlibDecoder::new(&*packed)
                .take(limit)
                .read_to_end(&mut bytes);
            unpacked.map_err(|_| damaged("a block cannot be unpacked"))?;
            if bytes.len() > BLOB_BYTES_MAX {
                return Err(damaged("a block is too long when unpacked"));
            }
            Ok(bytes)
        }
        (None, None) => Err(damaged(
            "a block is packed in another way than zlib; pack the extract with zlib",
        )),
    }
}

fn damaged(what: &str) -> ImportError {
    ImportError::NotOsmPbf(what.to_owned())
}

fn undecodable(error: prost::DecodeError) -> ImportError {
    ImportError::NotOsmPbf(error.to_string())
}
