//! chitchat's way of writing messages, as its version 0.11 has it: little-endian numbers, texts behind
//! a length of two bytes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::fault::Fault;

/// What every message begins with.
const MAGIC: u16 = 45_139;
/// The version of the form.
const VERSION: u8 = 0;
/// Of an address.
const IPV4: u8 = 4;
/// See [`IPV4`].
const IPV6: u8 = 6;

/// What a message is in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageKind {
    /// Begins a round: a digest.
    Syn = 0,
    /// Answers one: a digest and a delta.
    SynAck = 1,
    /// Ends one, or is a push: a delta.
    Ack = 2,
}

/// Says that the other belongs to another herd. No link carries it, since the handshake says so before.
const BAD_CLUSTER: u8 = 3;

/// The start of a message of this kind.
pub(super) fn header(kind: MessageKind) -> [u8; 4] {
    let [low, high] = MAGIC.to_le_bytes();
    [low, high, VERSION, kind as u8]
}

/// Reads from the front. Copies nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// An incarnation's id as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawId<'a> {
    pub(super) name: &'a str,
    pub(super) generation: u64,
    pub(super) address: SocketAddr,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (&taken, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map_err(|_| Fault::NotText)
    }

    pub(super) fn id(&mut self) -> Result<RawId<'a>, Fault> {
        let name = self.text()?;
        let generation = self.u64()?;
        let ip = match self.byte()? {
            IPV4 => IpAddr::from(self.array::<4>()?),
            IPV6 => IpAddr::from(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(Fault::Address),
        };
        let address = SocketAddr::new(ip, self.u16()?);
        Ok(RawId {
            name,
            generation,
            address,
        })
    }

    /// The start of a message.
    pub(super) fn header(&mut self) -> Result<MessageKind, Fault> {
        if self.u16()? != MAGIC || self.byte()? != VERSION {
            return Err(Fault::NotGossip);
        }
        match self.byte()? {
            0 => Ok(MessageKind::Syn),
            1 => Ok(MessageKind::SynAck),
            2 => Ok(MessageKind::Ack),
            BAD_CLUSTER => Err(Fault::ForeignCluster),
            _ => Err(Fault::NotGossip),
        }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Fault> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Fault::LeftOver)
        }
    }
}
