//! One record, and the total order of the records of a client.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::location::{InvalidLocation, Location};
use crate::operands::Operands;
use crate::quantized::{NOWHERE, QuantizedLocation};
use crate::report_time::{InvalidTime, NANOSECONDS_PER_SECOND, ReportTime};

/// The longest client ID, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 8_192;

/// The longest server name, in bytes.
pub const SERVER_NAME_BYTES_MAX: usize = 64;

/// A tombstone outlives the floor of expiry by this many nanoseconds, two hours: the floors of servers differ, and one
/// whose floor is behind by less must not take in a location that the tombstone has replaced.
pub const TOMBSTONE_SLACK_NS: i64 = 2 * 3_600 * NANOSECONDS_PER_SECOND;

/// The name of a server of the herd, shared between the records that it heard.
pub type ServerName = Arc<str>;

/// Whether `byte` is one of the six white space bytes of the protocol: space, tab, CR, LF, FF, VT.
#[must_use]
pub const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c | 0x0b)
}

/// Why four texts do not make a record. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// An empty client ID, or one of more than [`CLIENT_ID_BYTES_MAX`] bytes.
    #[error("client id is empty or longer than {CLIENT_ID_BYTES_MAX} bytes")]
    ClientLength,
    /// A client ID with white space in it, which no line could carry.
    #[error("client id holds white space")]
    ClientBlank,
    /// An empty server name, or one of more than [`SERVER_NAME_BYTES_MAX`] bytes.
    #[error("server name is empty or longer than {SERVER_NAME_BYTES_MAX} bytes")]
    ServerLength,
    /// A server name that is not printable ASCII without spaces.
    #[error("server name is not printable ASCII")]
    ServerText,
    /// See [`InvalidLocation`].
    #[error(transparent)]
    Location(#[from] InvalidLocation),
    /// See [`InvalidTime`].
    #[error(transparent)]
    Time(#[from] InvalidTime),
}

/// A report, the server that heard it, and the time on that server's clock. Or a **tombstone**: the record that a
/// `FORGET` writes, which has no location.
///
/// Location and time are kept as the client wrote them, since replies copy them byte for byte. The
/// three texts share one allocation: a herd holds millions of records.
#[derive(Clone)]
pub struct Record {
    /// Client ID, location and time, end to end.
    text: Box<[u8]>,
    client_len: u16,
    /// 0 for a tombstone, and for no other.
    location_len: u8,
    /// In bytes that would else be padding. Of a tombstone it is any.
    quantized: QuantizedLocation,
    server: ServerName,
    time: ReportTime,
    received_ns: i64,
}

impl Record {
    /// Makes a record from the operands of an `IAMAT`, the server that heard it, and that server's
    /// clock at receipt in nanoseconds since the epoch.
    ///
    /// # Errors
    /// Every text is checked, since a record may come from a peer or a file: see [`InvalidRecord`].
    pub fn new(
        client: &[u8],
        location: &[u8],
        time: &[u8],
        server: ServerName,
        received_ns: i64,
    ) -> Result<Self, InvalidRecord> {
        check_server(&server)?;
        let operands = Operands::check(client, location, time)?;
        Ok(Record::of(&operands, server, received_ns))
    }

    /// Makes a tombstone of this time, from the server that heard the `FORGET` and that server's clock then.
    ///
    /// # Errors
    /// As [`Record::new`].
    pub fn tombstone(
        client: &[u8],
        time: ReportTime,
        server: ServerName,
        received_ns: i64,
    ) -> Result<Self, InvalidRecord> {
        Record::tombstone_of(client, time.to_text().as_bytes(), server, received_ns)
    }

    /// As [`Record::tombstone`], with the text of its time, which is kept.
    ///
    /// # Errors
    /// As [`Record::new`].
    pub fn tombstone_of(
        client: &[u8],
        time: &[u8],
        server: ServerName,
        received_ns: i64,
    ) -> Result<Self, InvalidRecord> {
        check_server(&server)?;
        let operands = Operands::tombstone(client, time)?;
        Ok(Record::of(&operands, server, received_ns))
    }

    /// Makes a record from operands that are checked already. So must the server's name be: it is
    /// this server's own, or one that a decoder has checked for all records of its group.
    #[must_use]
    pub fn of(operands: &Operands<'_>, server: ServerName, received_ns: i64) -> Self {
        let (client, location) = (operands.client(), operands.location());
        let text = [client, location, operands.time()].concat();
        Record {
            text: text.into_boxed_slice(),
            // Both fit: the checks bound them.
            client_len: client.len() as u16,
            location_len: location.len() as u8,
            quantized: operands.quantized().unwrap_or(NOWHERE),
            server,
            time: operands.sent(),
            received_ns,
        }
    }

    /// Assigns the content of another record of the same client, in the present allocation if the texts are as long,
    /// which they mostly are.
    #[inline]
    pub(crate) fn assign(&mut self, record: &BorrowedRecord<'_>) {
        let operands = &record.operands;
        let (location, time) = (operands.location(), operands.time());
        let location_start = self.location_start();
        debug_assert_eq!(self.client(), operands.client(), "BUG: another client");
        if self.text.len() != location_start + location.len() + time.len() {
            *self = record.to_record();
            return;
        }
        let texts = &mut self.text[location_start..];
        texts[..location.len()].copy_from_slice(location);
        texts[location.len()..].copy_from_slice(time);
        self.location_len = location.len() as u8;
        self.quantized = operands.quantized().unwrap_or(NOWHERE);
        // A name that stays is not counted anew: all processors share its counter.
        if self.server != *record.server {
            self.server = ServerName::clone(record.server);
        }
        self.time = operands.sent();
        self.received_ns = record.received_ns;
    }

    /// The record as one that is borrowed.
    #[must_use]
    #[inline]
    pub fn borrowed(&self) -> BorrowedRecord<'_> {
        let operands = Operands {
            client: self.client(),
            location: self.location_text(),
            time: self.time_text(),
            sent: self.time,
            quantized: self.quantized(),
        };
        BorrowedRecord {
            operands,
            server: &self.server,
            received_ns: self.received_ns,
        }
    }

    /// The client ID.
    #[must_use]
    #[inline]
    pub fn client(&self) -> &[u8] {
        &self.text[..self.location_start()]
    }

    /// Whether the record says that the client is forgotten, and not where it is.
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.location_len == 0
    }

    /// The location as the client wrote it; empty for a tombstone.
    #[must_use]
    #[inline]
    pub fn location_text(&self) -> &[u8] {
        &self.text[self.location_start()..self.time_start()]
    }

    /// The time as the client wrote it.
    #[must_use]
    #[inline]
    pub fn time_text(&self) -> &[u8] {
        &self.text[self.time_start()..]
    }

    /// The parsed location; `None` for a tombstone.
    #[must_use]
    pub fn location(&self) -> Option<Location<'_>> {
        Location::parse(self.location_text()).ok()
    }

    /// About where that is; `None` for a tombstone.
    #[must_use]
    #[inline]
    pub fn quantized(&self) -> Option<QuantizedLocation> {
        (!self.is_tombstone()).then_some(self.quantized)
    }

    /// The parsed time.
    #[must_use]
    #[inline]
    pub fn time(&self) -> ReportTime {
        self.time
    }

    /// The time that a [floor](crate::LocationMap::raise_floor) has to pass before the record leaves: see
    /// [`BorrowedRecord::expires_ns`].
    #[must_use]
    #[inline]
    pub fn expires_ns(&self) -> i64 {
        expires_ns(self.time, self.is_tombstone())
    }

    /// The server that heard the report.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// A copy that shares `server`, the name of the same server, instead of the one that this record shares.
    #[must_use]
    pub fn copy_with(&self, server: ServerName) -> Record {
        debug_assert_eq!(server, self.server, "BUG: another server");
        Record {
            text: self.text.clone(),
            client_len: self.client_len,
            location_len: self.location_len,
            quantized: self.quantized,
            server,
            time: self.time,
            received_ns: self.received_ns,
        }
    }

    /// That server's clock at receipt, in nanoseconds since the epoch.
    #[must_use]
    pub fn received_ns(&self) -> i64 {
        self.received_ns
    }

    /// Clock at receipt less the client's time, in nanoseconds. Two `i64` may differ by more than
    /// an `i64` holds.
    #[must_use]
    pub fn difference_ns(&self) -> i128 {
        i128::from(self.received_ns) - i128::from(self.time.ns())
    }

    /// Bytes that the three texts and the server's name take.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.text.len() + self.server.len()
    }

    /// Bytes that the three texts take, in one allocation.
    #[must_use]
    #[inline]
    pub fn texts_bytes(&self) -> usize {
        self.text.len()
    }

    /// The total order of the records of one client: see [`BorrowedRecord::order`].
    #[must_use]
    #[inline]
    pub fn order(&self, other: &Self) -> Ordering {
        self.borrowed().order(&other.borrowed())
    }

    /// The first and the last byte of the texts.
    pub(crate) fn text_ends(&self) -> (Option<u8>, Option<u8>) {
        (self.text.first().copied(), self.text.last().copied())
    }

    fn location_start(&self) -> usize {
        usize::from(self.client_len)
    }

    fn time_start(&self) -> usize {
        self.location_start() + usize::from(self.location_len)
    }
}

/// A record whose texts are borrowed, from a line or from a group: nothing is allocated for it unless
/// a map keeps it.
#[derive(Clone, Copy, Debug)]
pub struct BorrowedRecord<'a> {
    operands: Operands<'a>,
    server: &'a ServerName,
    received_ns: i64,
}

impl<'a> BorrowedRecord<'a> {
    /// The parts of which [`Record::of`] makes a record.
    #[must_use]
    #[inline]
    pub fn of(operands: Operands<'a>, server: &'a ServerName, received_ns: i64) -> Self {
        BorrowedRecord {
            operands,
            server,
            received_ns,
        }
    }

    /// The same, on its own.
    #[must_use]
    pub fn to_record(&self) -> Record {
        Record::of(
            &self.operands,
            ServerName::clone(self.server),
            self.received_ns,
        )
    }

    /// The client ID.
    #[must_use]
    #[inline]
    pub fn client(&self) -> &'a [u8] {
        self.operands.client()
    }

    /// See [`Record::is_tombstone`].
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.operands.is_tombstone()
    }

    /// About where it was; `None` for a tombstone.
    #[must_use]
    #[inline]
    pub fn quantized(&self) -> Option<QuantizedLocation> {
        self.operands.quantized()
    }

    /// The time that a [floor](crate::LocationMap::raise_floor) has to pass before the record leaves, in nanoseconds
    /// since the epoch: its own time, or [`TOMBSTONE_SLACK_NS`] later for a tombstone.
    #[must_use]
    #[inline]
    pub fn expires_ns(&self) -> i64 {
        expires_ns(self.time(), self.is_tombstone())
    }

    /// The parsed time.
    #[must_use]
    #[inline]
    pub fn time(&self) -> ReportTime {
        self.operands.sent()
    }

    /// The server that heard the report.
    #[must_use]
    pub fn server(&self) -> &'a ServerName {
        self.server
    }

    /// That server's clock at receipt, in nanoseconds since the epoch.
    #[must_use]
    pub fn received_ns(&self) -> i64 {
        self.received_ns
    }

    /// Clock at receipt less the client's time, in nanoseconds. Two `i64` may differ by more than
    /// an `i64` holds.
    #[must_use]
    pub fn difference_ns(&self) -> i128 {
        i128::from(self.received_ns) - i128::from(self.time().ns())
    }

    /// The total order of the records of one client; the greatest is the client's current one.
    ///
    /// Time first, then a tombstone is greater than a location, then the server's name, the location's
    /// bytes, the time's bytes (`1.5` and `1.50` are one time in two texts), and last the smaller
    /// difference is the greater record: so a client's retry, heard later with all else equal, changes
    /// nothing. Any two servers that hold the same records pick the same one.
    #[must_use]
    #[inline]
    pub fn order(&self, other: &BorrowedRecord<'_>) -> Ordering {
        let (own, others) = (&self.operands, &other.operands);
        self.time()
            .cmp(&other.time())
            .then_with(|| self.is_tombstone().cmp(&other.is_tombstone()))
            .then_with(|| self.server.cmp(other.server))
            .then_with(|| own.location().cmp(others.location()))
            .then_with(|| own.time().cmp(others.time()))
            .then_with(|| other.received_ns.cmp(&self.received_ns))
    }
}

/// A record that a map may take in: one that it can keep as it is, or one that it must copy.
pub trait Incoming {
    /// Its content.
    fn borrowed(&self) -> BorrowedRecord<'_>;

    /// As one that can be kept.
    fn into_record(self) -> Record;

    /// Takes the place of an older record of the same client.
    fn replace(self, older: &mut Record);
}

impl Incoming for Record {
    fn borrowed(&self) -> BorrowedRecord<'_> {
        Record::borrowed(self)
    }

    fn into_record(self) -> Record {
        self
    }

    fn replace(self, older: &mut Record) {
        *older = self;
    }
}

impl Incoming for BorrowedRecord<'_> {
    fn borrowed(&self) -> BorrowedRecord<'_> {
        *self
    }

    fn into_record(self) -> Record {
        self.to_record()
    }

    fn replace(self, older: &mut Record) {
        older.assign(&self);
    }
}

fn expires_ns(time: ReportTime, is_tombstone: bool) -> i64 {
    if is_tombstone {
        time.ns().saturating_add(TOMBSTONE_SLACK_NS)
    } else {
        time.ns()
    }
}

/// Checks the name of a server.
pub(crate) fn check_server(server: &str) -> Result<(), InvalidRecord> {
    if server.is_empty() || server.len() > SERVER_NAME_BYTES_MAX {
        return Err(InvalidRecord::ServerLength);
    }
    if !server.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(InvalidRecord::ServerText);
    }
    Ok(())
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.client() == other.client() && self.order(other) == Ordering::Equal
    }
}

impl Eq for Record {}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = if self.is_tombstone() {
            &b"forgotten"[..]
        } else {
            self.location_text()
        };
        write!(
            f,
            "{} {} {} heard by {} at {}",
            self.client().escape_ascii(),
            location.escape_ascii(),
            self.time_text().escape_ascii(),
            self.server,
            self.received_ns
        )
    }
}

#[cfg(test)]
mod tests;
