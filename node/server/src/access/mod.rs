//! Access: tokens and their rights.
//!
//! Off unless a tokens file is [set](crate::settings::Setting::Tokens). With one, a client says `AUTH TOKEN` before
//! it reports or asks, and an HTTP request carries the same token. The file holds hashes only, each with its scopes;
//! it is read again when it changes, and a token that is no longer in it opens nothing from then on.

mod current;
mod id_patterns;
mod line;
mod principal;
mod session;
mod statistics;
mod token;
mod tokens;

pub use current::Access;
pub use id_patterns::{IdPatterns, InvalidPattern};
pub use line::grant_line;
pub use principal::Principal;
pub use session::{AccessSession, LineVerdict};
pub use statistics::AccessStatistics;
pub use token::{InvalidToken, Token, TokenHash};
pub use tokens::{Grant, TOKENS_FILE_BYTES_MAX, Tokens, TokensFault, TokensFileError};

/// The command word with which a client shows its token.
pub const AUTH_WORD: &[u8] = b"AUTH";
