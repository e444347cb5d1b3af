//! Why a request is not carried out.

use super::catalogue::CommandEntry;

/// Why a request breaks a rule. Nothing was changed. The texts are those of Redis where Redis has the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// There is no such command. Its name is repeated, its operands are not: one may be a token.
    #[error("ERR unknown command '{0}'")]
    Unknown(String),
    /// A command of Redis that is not one of herd.
    #[error("ERR '{command}' is not a command of herd: {instead}")]
    NotOffered {
        /// The command.
        command: &'static str,
        /// What to do in its place.
        instead: &'static str,
    },
    /// There is no such subcommand.
    #[error("ERR unknown subcommand '{0}'")]
    Subcommand(String),
    /// The number of operands is not one that the command takes.
    #[error("ERR wrong number of arguments for '{}' command", .0.name)]
    Arity(&'static CommandEntry),
    /// The number of operands is not one that this subcommand takes.
    #[error("ERR wrong number of arguments for '{0}' command")]
    SubcommandArity(&'static str),
    /// The operands do not follow the command's grammar.
    #[error("ERR syntax error")]
    Syntax,
    /// A coordinate is no number.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// A radius is no number.
    #[error("ERR need numeric radius")]
    NotRadius,
    /// A width is no number.
    #[error("ERR need numeric width")]
    NotWidth,
    /// A height is no number.
    #[error("ERR need numeric height")]
    NotHeight,
    /// A radius is below zero.
    #[error("ERR radius cannot be negative")]
    NegativeRadius,
    /// A width or height is below zero.
    #[error("ERR height or width cannot be negative")]
    NegativeBox,
    /// A number is not whole.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// A coordinate is beyond its range.
    #[error("ERR invalid longitude,latitude pair {0}")]
    Pair(String),
    /// A unit is not known.
    #[error("ERR unsupported unit provided. please use M, KM, FT, MI")]
    Unit,
    /// A limit is not positive.
    #[error("ERR COUNT must be > 0")]
    Count,
    /// A limit is beyond what is answered at a time.
    #[error("ERR COUNT is more than {0}, the most that herd answers at a time")]
    CountMax(usize),
    /// `ANY` stands without `COUNT`.
    #[error("ERR the ANY argument requires COUNT argument")]
    AnyWithoutCount,
    /// There is not exactly one center.
    #[error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH")]
    Center,
    /// There is not exactly one shape.
    #[error("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH")]
    Shape,
    /// There are no geohashes.
    #[error(
        "ERR WITHHASH is not offered: herd keeps the exact location, not a geohash; use WITHCOORD"
    )]
    WithHash,
    /// The client cannot be one.
    #[error(
        "ERR key and member, with a '/' between them, are the ID of a client: at most {0} bytes, none of them white space"
    )]
    Client(usize),
    /// A location is too long.
    #[error("ERR longitude and latitude have more than {0} bytes together")]
    LocationLength(usize),
    /// A version of the protocol is not spoken.
    #[error("NOPROTO unsupported protocol version")]
    Protocol,
    /// A version of the protocol is no number.
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolNumber,
    /// A database is not there: there is one.
    #[error("ERR DB index is out of range")]
    Database,
    /// A name of a client cannot be one.
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    ClientName,
    /// A name of a client is too long.
    #[error("ERR a client name has at most {0} bytes")]
    ClientNameLength(usize),
}
