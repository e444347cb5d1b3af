//! The operands of an `IAMAT`, and those of a tombstone, checked once.

use crate::location::Location;
use crate::quantized::QuantizedLocation;
use crate::record::{CLIENT_ID_BYTES_MAX, InvalidRecord, is_blank};
use crate::report_time::ReportTime;

/// The operands of an `IAMAT`, borrowed as the client wrote them, each checked once. Or those of a tombstone, which has
/// no location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operands<'a> {
    pub(crate) client: &'a [u8],
    /// Empty for a tombstone; no location is.
    pub(crate) location: &'a [u8],
    pub(crate) time: &'a [u8],
    pub(crate) sent: ReportTime,
    pub(crate) quantized: Option<QuantizedLocation>,
}

impl<'a> Operands<'a> {
    /// Checks all three.
    ///
    /// # Errors
    /// See [`InvalidRecord`]; the client ID is looked at first, then the location.
    pub fn check(
        client: &'a [u8],
        location: &'a [u8],
        time: &'a [u8],
    ) -> Result<Self, InvalidRecord> {
        if client.iter().copied().any(is_blank) {
            return Err(InvalidRecord::ClientBlank);
        }
        Operands::of_fields(client, location, time)
    }

    /// As [`Operands::check`] for fields of a line, which hold no white space: that is not looked for again.
    ///
    /// # Errors
    /// See there.
    pub fn of_fields(
        client: &'a [u8],
        location: &'a [u8],
        time: &'a [u8],
    ) -> Result<Self, InvalidRecord> {
        check_field(client)?;
        let quantized = Some(Location::parse(location)?.quantized());
        Ok(Operands {
            client,
            location,
            time,
            sent: ReportTime::parse(time)?,
            quantized,
        })
    }

    /// Checks the operands of a tombstone.
    ///
    /// # Errors
    /// See [`InvalidRecord`]; the client ID is looked at first.
    pub fn tombstone(client: &'a [u8], time: &'a [u8]) -> Result<Self, InvalidRecord> {
        if client.iter().copied().any(is_blank) {
            return Err(InvalidRecord::ClientBlank);
        }
        check_field(client)?;
        Ok(Operands {
            client,
            location: &[],
            time,
            sent: ReportTime::parse(time)?,
            quantized: None,
        })
    }

    /// Whether these are of a tombstone.
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.location.is_empty()
    }

    /// The client ID: any bytes but white space.
    #[must_use]
    #[inline]
    pub fn client(&self) -> &'a [u8] {
        self.client
    }

    /// The location's text; it parses as a [`Location`], unless it is that of a tombstone: then it is empty.
    #[must_use]
    #[inline]
    pub fn location(&self) -> &'a [u8] {
        self.location
    }

    /// About where that is; `None` for a tombstone.
    #[must_use]
    #[inline]
    pub fn quantized(&self) -> Option<QuantizedLocation> {
        self.quantized
    }

    /// The time's text.
    #[must_use]
    #[inline]
    pub fn time(&self) -> &'a [u8] {
        self.time
    }

    /// The time.
    #[must_use]
    #[inline]
    pub fn sent(&self) -> ReportTime {
        self.sent
    }
}

/// Checks the length of a client ID without white space.
fn check_field(client: &[u8]) -> Result<(), InvalidRecord> {
    debug_assert!(!client.iter().copied().any(is_blank), "BUG: not a field");
    if client.is_empty() || client.len() > CLIENT_ID_BYTES_MAX {
        return Err(InvalidRecord::ClientLength);
    }
    Ok(())
}
