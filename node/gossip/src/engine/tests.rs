use super::*;

#[test]
fn a_moved_record_is_delivered_in_its_new_slot_last() {
    let incarnation = |server: &str| Incarnation {
        server: server.into(),
        generation: 1,
    };
    let noticed = |server: &str, slot: u32, version| {
        let id = chitchat_id(&incarnation(server));
        (id, slot_key(SlotId(slot)), version, String::new())
    };
    // Moved from slot 7 to slot 2, which was free again, and noted in any order.
    let ordered = in_order_of_publication(vec![
        noticed("Hill", 2, 30),
        noticed("Hill", 7, 5),
        noticed("Smith", 1, 9),
        noticed("Smith", 3, 8),
    ]);
    let of = |server: &str| -> Vec<u64> {
        let id = chitchat_id(&incarnation(server));
        let of_one = ordered.iter().filter(|(other, ..)| *other == id);
        of_one.map(|(_, _, version, _)| *version).collect()
    };
    assert_eq!(of("Hill"), [5, 30]);
    assert_eq!(of("Smith"), [8, 9]);
}
