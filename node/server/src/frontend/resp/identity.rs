//! The connection's own commands: its version of RESP, its name, its token.

use herd_protocol::resp::{ClientCommand, Credentials, Encoder, Hello, RespVersion};

use super::refusals::STRANGER;
use crate::access::{AccessSession, Principal};

/// What a connection has said of itself.
#[derive(Debug)]
pub(super) struct Identity {
    /// The number of the connection, as `CLIENT ID` tells it.
    pub(super) number: i64,
    pub(super) version: RespVersion,
    name: Box<[u8]>,
}

/// Why a token opens nothing.
const WRONG_TOKEN: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// A token without need.
const NO_TOKENS: &str = "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                         your configuration is correct?";

impl Identity {
    pub(super) fn new(number: i64) -> Self {
        Identity {
            number,
            version: RespVersion::default(),
            name: Box::default(),
        }
    }

    /// Writes with the connection's version of RESP.
    pub(super) fn encoder<'a>(&self, out: &'a mut Vec<u8>) -> Encoder<'a> {
        Encoder::new(out, self.version)
    }

    /// `HELLO`; says whether it was carried out.
    pub(super) fn hello(
        &mut self,
        hello: &Hello<'_>,
        mut session: Option<&mut AccessSession>,
        out: &mut Vec<u8>,
    ) -> bool {
        if let (Some(credentials), Some(session)) = (&hello.credentials, &mut session)
            && !session.show(Some(credentials.token))
        {
            self.encoder(out).error(WRONG_TOKEN);
            return false;
        }
        if session.is_some_and(|session| session.principal().is_refused_as_stranger()) {
            self.encoder(out).error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
                 <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
                 the same time",
            );
            return false;
        }
        if let Some(name) = hello.name {
            self.name = name.into();
        }
        self.version = hello.version.unwrap_or(self.version);
        let (number, version) = (self.number, self.version.number());
        let mut encoder = self.encoder(out);
        encoder.map(7);
        for (key, text) in [("server", "herd"), ("version", env!("CARGO_PKG_VERSION"))] {
            encoder.bulk(key.as_bytes());
            encoder.bulk(text.as_bytes());
        }
        for (key, value) in [("proto", version), ("id", number)] {
            encoder.bulk(key.as_bytes());
            encoder.integer(value);
        }
        for (key, text) in [("mode", "standalone"), ("role", "master")] {
            encoder.bulk(key.as_bytes());
            encoder.bulk(text.as_bytes());
        }
        encoder.bulk(b"modules");
        encoder.array(0);
        true
    }

    /// `AUTH`; says whether the token opens something.
    pub(super) fn auth(
        &self,
        credentials: &Credentials<'_>,
        session: Option<&mut AccessSession>,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut encoder = self.encoder(out);
        let Some(session) = session else {
            // The user of Redis without a password takes any.
            let is_named = credentials.user.is_some();
            if is_named {
                encoder.status("OK");
            } else {
                encoder.error(NO_TOKENS);
            }
            return is_named;
        };
        let is_known = session.show(Some(credentials.token));
        if is_known {
            encoder.status("OK");
        } else {
            encoder.error(WRONG_TOKEN);
        }
        is_known
    }

    /// `RESET`.
    pub(super) fn reset(&mut self, session: Option<&mut AccessSession>, out: &mut Vec<u8>) {
        *self = Identity::new(self.number);
        if let Some(session) = session {
            session.forget_token();
        }
        self.encoder(out).status("RESET");
    }

    /// `CLIENT`.
    pub(super) fn client(&mut self, command: &ClientCommand<'_>, out: &mut Vec<u8>) {
        match command {
            ClientCommand::Id => self.encoder(out).integer(self.number),
            ClientCommand::GetName if self.name.is_empty() => self.encoder(out).nil(),
            ClientCommand::GetName => self.encoder(out).bulk(&self.name),
            ClientCommand::SetName(name) => {
                self.name = (*name).into();
                self.encoder(out).status("OK");
            }
            ClientCommand::SetInfo => self.encoder(out).status("OK"),
        }
    }

    /// Refuses a client that has to show a token first; says whether it is one.
    pub(super) fn refuses(&self, principal: &Principal, out: &mut Vec<u8>) -> bool {
        let is_refused = principal.is_refused_as_stranger();
        if is_refused {
            self.encoder(out).error(STRANGER);
        }
        is_refused
    }
}
