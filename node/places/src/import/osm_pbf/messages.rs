//! The messages of an extract, as far as they are read: the format's documentation numbers their
//! fields.

use prost::Message;

/// The header before each blob.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BlobHeader {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(int32, tag = "3")]
    pub(super) data_bytes: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Blob {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) raw: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) zlib: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeaderBlock {
    #[prost(string, repeated, tag = "4")]
    pub(super) required_features: Vec<String>,
    /// Seconds since 1970.
    #[prost(int64, optional, tag = "32")]
    pub(super) replication_timestamp: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimitiveBlock {
    #[prost(message, optional, tag = "1")]
    pub(super) string_table: Option<StringTable>,
    #[prost(message, repeated, tag = "2")]
    pub(super) groups: Vec<PrimitiveGroup>,
    /// Nanodegrees of a unit; 100 if it is not there.
    #[prost(int32, optional, tag = "17")]
    pub(super) granularity: Option<i32>,
    /// Nanodegrees.
    #[prost(int64, optional, tag = "19")]
    pub(super) latitude_offset: Option<i64>,
    /// Nanodegrees.
    #[prost(int64, optional, tag = "20")]
    pub(super) longitude_offset: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringTable {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) texts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimitiveGroup {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<Node>,
    #[prost(message, optional, tag = "2")]
    pub(super) dense: Option<DenseNodes>,
    #[prost(message, repeated, tag = "3")]
    pub(super) ways: Vec<Way>,
    #[prost(message, repeated, tag = "4")]
    pub(super) relations: Vec<Relation>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(sint64, optional, tag = "1")]
    pub(super) id: Option<i64>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    #[prost(sint64, optional, tag = "8")]
    pub(super) latitude: Option<i64>,
    #[prost(sint64, optional, tag = "9")]
    pub(super) longitude: Option<i64>,
}

/// Nodes as columns of differences.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DenseNodes {
    #[prost(sint64, repeated, tag = "1")]
    pub(super) ids: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    pub(super) latitudes: Vec<i64>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) longitudes: Vec<i64>,
    /// Key and value of each tag, with a 0 after those of each node; nothing if no node has any.
    #[prost(int32, repeated, tag = "10")]
    pub(super) keys_values: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Way {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    /// Differences.
    #[prost(sint64, repeated, tag = "8")]
    pub(super) nodes: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Relation {
    #[prost(int64, tag = "1")]
    pub(super) id: i64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    /// Differences.
    #[prost(sint64, repeated, tag = "9")]
    pub(super) members: Vec<i64>,
    /// 0 for a node, 1 for a way, 2 for a relation.
    #[prost(int32, repeated, tag = "10")]
    pub(super) member_kinds: Vec<i32>,
}
