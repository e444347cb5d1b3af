//! Bytes to frames of a link: what is read is written, and read as the same again.

use bytes::BytesMut;
use herd_node::replication::link::frame::Frame;

pub(super) fn run(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(&BytesMut::from(bytes)) else {
        return;
    };
    let Ok(written) = frame.encode() else {
        panic!("a frame that was read cannot be written");
    };
    if matches!(frame, Frame::Gossip(_)) {
        // chitchat keeps what it read in tables without an order.
        assert!(Frame::decode(&BytesMut::from(&written[..])).is_ok());
        return;
    }
    match Frame::decode(&BytesMut::from(&written[..])) {
        Ok(again) => assert_eq!(format!("{again:?}"), format!("{frame:?}")),
        Err(error) => panic!("a frame of ours is not read: {error}"),
    }
}
