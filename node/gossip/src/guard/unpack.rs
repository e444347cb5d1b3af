//! The blocks of a delta, unpacked within a bound.

use std::io;

use zstd::bulk::Decompressor;

use super::bounds::{BLOCK_BYTES_MAX, DELTA_BYTES_MAX};
use super::fault::Fault;
use super::wire::Reader;

/// The kinds of blocks, as chitchat has them.
const NO_MORE: u8 = 0;
const COMPRESSED: u8 = 1;
const UNCOMPRESSED: u8 = 2;

/// Unpacks blocks. Its room is made once.
pub(super) struct Unpacker {
    decompressor: Decompressor<'static>,
    /// Of [`BLOCK_BYTES_MAX`] bytes.
    block: Vec<u8>,
    /// Of [`DELTA_BYTES_MAX`] bytes at most.
    delta: Vec<u8>,
}

/// The operations of a delta, one behind the other.
pub(super) struct Unpacked<'a> {
    pub(super) bytes: &'a [u8],
    /// There are more blocks than were unpacked.
    pub(super) is_cut: bool,
}

impl Unpacker {
    /// # Errors
    /// If there is no memory for the tables.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Unpacker {
            decompressor: Decompressor::new()?,
            block: Vec::with_capacity(BLOCK_BYTES_MAX),
            delta: Vec::new(),
        })
    }

    /// Unpacks all blocks of a delta, or as many as are within [`DELTA_BYTES_MAX`]; the reader is behind the last
    /// one then.
    pub(super) fn unpack(&mut self, reader: &mut Reader<'_>) -> Result<Unpacked<'_>, Fault> {
        self.delta.clear();
        let mut is_cut = false;
        loop {
            let kind = reader.byte()?;
            if kind == NO_MORE {
                break;
            }
            let length = reader.u16()?;
            let block = reader.take(usize::from(length))?;
            // What lies behind is skipped, so that its end is found.
            is_cut |= self.delta.len() + BLOCK_BYTES_MAX > DELTA_BYTES_MAX;
            match kind {
                COMPRESSED if is_cut => {}
                COMPRESSED => {
                    self.block.clear();
                    self.decompressor
                        .decompress_to_buffer(block, &mut self.block)
                        .map_err(|_| Fault::Block)?;
                    self.delta.extend_from_slice(&self.block);
                }
                UNCOMPRESSED if block.len() > BLOCK_BYTES_MAX => return Err(Fault::Block),
                UNCOMPRESSED if is_cut => {}
                UNCOMPRESSED => self.delta.extend_from_slice(block),
                _ => return Err(Fault::Block),
            }
        }
        Ok(Unpacked {
            bytes: &self.delta,
            is_cut,
        })
    }
}

/// Writes operations in blocks that are not compressed.
pub(super) fn pack<'a>(operations: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    for part in operations.flat_map(|bytes| bytes.chunks(usize::from(u16::MAX))) {
        out.push(UNCOMPRESSED);
        out.extend_from_slice(&(part.len() as u16).to_le_bytes());
        out.extend_from_slice(part);
    }
    out.push(NO_MORE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let packed = zstd::bulk::compress(bytes, 0).unwrap();
        let length = u16::try_from(packed.len()).unwrap();
        [&[COMPRESSED], &length.to_le_bytes()[..], &packed].concat()
    }

    fn unpack(blocks: &[u8]) -> Result<(Vec<u8>, bool, usize), Fault> {
        let mut unpacker = Unpacker::new().unwrap();
        let mut reader = Reader::new(blocks);
        let Unpacked { bytes, is_cut } = unpacker.unpack(&mut reader)?;
        Ok((bytes.to_vec(), is_cut, reader.rest().len()))
    }

    #[test]
    fn blocks_come_back_one_behind_the_other() {
        let mut blocks = compressed(&[7; BLOCK_BYTES_MAX]);
        pack([&b"kiwi"[..], b""].into_iter(), &mut blocks);
        blocks.push(9);
        let (bytes, is_cut, rest) = unpack(&blocks).unwrap();
        assert_eq!(bytes, [&[7; BLOCK_BYTES_MAX][..], b"kiwi"].concat());
        assert_eq!((is_cut, rest), (false, 1));
    }

    #[test]
    fn no_block_unpacks_to_more_than_chitchat_packs() {
        let mut blocks = compressed(&[0; BLOCK_BYTES_MAX + 1]);
        blocks.push(NO_MORE);
        assert_eq!(unpack(&blocks).unwrap_err(), Fault::Block);
        let mut blocks = Vec::new();
        pack([&[0; BLOCK_BYTES_MAX + 1][..]].into_iter(), &mut blocks);
        assert_eq!(unpack(&blocks).unwrap_err(), Fault::Block);
    }

    #[test]
    fn many_blocks_are_unpacked_up_to_the_bound() {
        let block = compressed(&[0; BLOCK_BYTES_MAX]);
        let mut blocks = block.repeat(2_000);
        blocks.push(NO_MORE);
        let (bytes, is_cut, rest) = unpack(&blocks).unwrap();
        assert_eq!((bytes.len(), is_cut, rest), (DELTA_BYTES_MAX, true, 0));
    }

    #[test]
    fn what_is_garbled_or_cut_off_is_refused() {
        let block = compressed(b"kiwi kiwi kiwi kiwi kiwi kiwi kiwi kiwi");
        for length in 0..block.len() {
            assert_eq!(unpack(&block[..length]).unwrap_err(), Fault::CutOff);
        }
        assert_eq!(unpack(&[3, 0, 0, 0]).unwrap_err(), Fault::Block);
        assert_eq!(unpack(&[COMPRESSED, 1, 0, 9, 0]).unwrap_err(), Fault::Block);
    }
}
