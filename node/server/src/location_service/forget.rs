//! Forgetting a client.

use std::sync::Arc;

use herd_crdt::{Operands, Outcome, ReportTime, ServerName};
use herd_locations::{Forget, Full, TombstonesRead};

use super::asked::Later;
use super::intake::Batch;
use super::locate::wait_for_store;
use crate::access::Principal;

/// A client that is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone<S> {
    /// The server that was told to: this one.
    pub server: S,
    /// The time of the tombstone.
    pub time: ReportTime,
    /// Whether the client was known here.
    pub was_known: bool,
}

/// Why a client was not forgotten. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgetRefusal {
    /// The token does not allow it.
    #[error("the token does not allow to forget this client")]
    Forbidden,
    /// A live server would not understand.
    #[error("a server of the herd is of a release that cannot forget; upgrade it first")]
    Unread,
    /// This server has just started.
    #[error("the server does not know yet whether all others can forget; repeat it in a moment")]
    ReadersUnknown,
    /// The client is not known here, and its ID is none, or longer than is allowed here.
    #[error("the client's id is longer than this server allows")]
    ClientTooLong,
    /// The client is not known here, and there is no room for its tombstone.
    #[error("the server has no room for further clients")]
    Full,
    /// Only the floor of expiry keeps the tombstone out.
    #[error("the floor of expiry is ahead of the server's clock")]
    KeptOut,
}

/// The effect of a request to forget a client.
pub enum Forgetting<'a> {
    /// The tombstone is in the map, and is as safe as the server promises with the ticket of the batch.
    Now(Gone<&'a ServerName>),
    /// The tombstone is in the map, but the store is still read and may hold a later record: the answer comes when that
    /// is forgotten too, and all is as safe as the server promises. `None` if that did not come to be in time, or the
    /// store was not read in time.
    AfterLoading(Later<Option<Gone<ServerName>>>),
}

/// About as many bytes as the texts of a tombstone have besides its client's id.
const TIME_BYTES: usize = "1520023934.918963997".len();

impl<'a> Batch<'a> {
    /// Forgets a client. It is unknown to every later question when this returns.
    ///
    /// # Errors
    /// See [`ForgetRefusal`].
    pub fn forget(
        &mut self,
        principal: &Principal,
        client: &[u8],
    ) -> Result<Forgetting<'a>, ForgetRefusal> {
        self.forget_at(principal, client, self.received_ns)
    }

    /// As [`Batch::forget`], later by this server's clock than all that was [reported](Batch::report_now) or forgotten
    /// this way before.
    ///
    /// # Errors
    /// See [`ForgetRefusal`].
    pub fn forget_now(
        &mut self,
        principal: &Principal,
        client: &[u8],
    ) -> Result<Forgetting<'a>, ForgetRefusal> {
        let time_ns = self.next_time_ns();
        self.forget_at(principal, client, time_ns)
    }

    fn forget_at(
        &mut self,
        principal: &Principal,
        client: &[u8],
        received_ns: i64,
    ) -> Result<Forgetting<'a>, ForgetRefusal> {
        self.check_forget(principal, client)?;
        let service = self.service;
        let is_loading = service.locations.loading().is_running();
        let server = &service.settings.server;
        let forget = Forget {
            client,
            server,
            received_ns,
        };
        let forgotten = self.reports.forget(&forget);
        let forgotten = forgotten.map_err(|_| ForgetRefusal::ClientTooLong)?;
        if forgotten.outcome == Outcome::Expired {
            return Err(ForgetRefusal::KeptOut);
        }
        let gone = Gone {
            server,
            time: forgotten.time,
            was_known: forgotten.was_known,
        };
        Ok(if is_loading {
            Forgetting::AfterLoading(self.forget_again(client, &gone, received_ns))
        } else {
            Forgetting::Now(gone)
        })
    }

    /// Looks at whether a client may be forgotten, and forgets nothing.
    ///
    /// # Errors
    /// See [`ForgetRefusal`].
    pub fn check_forget(&self, principal: &Principal, client: &[u8]) -> Result<(), ForgetRefusal> {
        if !principal.may_forget(client) {
            return Err(ForgetRefusal::Forbidden);
        }
        let is_none = Operands::tombstone(client, b"0").is_err();
        if is_none {
            return Err(ForgetRefusal::ClientTooLong);
        }
        let service = self.service;
        let locations = &service.locations;
        self.check_readers()?;
        // While the store is read, one that is not found may be known all the same.
        if locations.loading().is_running() || locations.held(client).is_some() {
            return Ok(());
        }
        if client.len() > service.settings.client_id_bytes_max {
            return Err(ForgetRefusal::ClientTooLong);
        }
        let texts_bytes = client.len() + TIME_BYTES;
        match locations.full_for(client, texts_bytes, service.settings.room) {
            Some(Full::Clients | Full::Bytes) => Err(ForgetRefusal::Full),
            None => Ok(()),
        }
    }

    /// Whether all live servers would understand.
    fn check_readers(&self) -> Result<(), ForgetRefusal> {
        let service = self.service;
        match service.locations.tombstones_read() {
            TombstonesRead::ByAll => Ok(()),
            TombstonesRead::NotBy(server) => {
                if service.unread_warning.is_due() {
                    tracing::warn!(
                        other = %server,
                        "another server is of a release that cannot forget clients: FORGET is refused until it is upgraded"
                    );
                }
                Err(ForgetRefusal::Unread)
            }
            TombstonesRead::Unknown => {
                if service.unread_warning.is_due() {
                    tracing::warn!(
                        "FORGET is refused until all other servers have said whether they can forget clients, for some \
                         seconds after this one has joined them"
                    );
                }
                Err(ForgetRefusal::ReadersUnknown)
            }
        }
    }

    /// Forgets the client once more, if the store turns out to hold a later record of it: one that a server heard before
    /// this request.
    fn forget_again(
        &self,
        client: &[u8],
        gone: &Gone<&ServerName>,
        received_ns: i64,
    ) -> Later<Option<Gone<ServerName>>> {
        let (time, was_known, since) = (gone.time, gone.was_known, self.since);
        let server = self.service.settings.server.clone();
        let (locations, client) = (Arc::clone(&self.service.locations), client.to_vec());
        let acknowledgements = Arc::clone(&self.service.acknowledgements);
        let after = locations.loading().ask(&client);
        Box::pin(async move {
            if !wait_for_store(&locations, after).await {
                tracing::warn!(
                    "FORGET is refused: the store is still being read, and may hold a later record of the client; repeat it"
                );
                return None;
            }
            let (again, ticket) = {
                let mut reports = locations.begin_reports();
                let forget = Forget {
                    client: &client,
                    server: &server,
                    received_ns,
                };
                let again = reports.forget_held(&forget, |held| {
                    !held.is_tombstone() && held.received_ns() < received_ns
                });
                let again = again.ok().filter(|again| again.outcome.changed());
                // In this order, as at the end of a batch.
                let ticket = acknowledgements.ticket_since(since);
                drop(reports);
                (again, ticket)
            };
            let confirmed = acknowledgements.confirmed(ticket).await;
            confirmed.ok().map(|_| Gone {
                server,
                time: again.map_or(time, |again| again.time),
                was_known: was_known || again.is_some_and(|again| again.was_known),
            })
        })
    }
}
