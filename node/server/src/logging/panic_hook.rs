//! A panic in the log.

use std::panic;

/// Logs panics like any other error, in the form that was asked for. The hook prints nothing by itself: standard error
/// may be closed, full or stuck, and a panic in a hook ends the process.
pub(super) fn install() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let payload = panic.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let reason = owned.or_else(|| payload.downcast_ref::<&str>().copied());
        let reason = reason.unwrap_or("no message");
        tracing::error!(place, "panicked: {reason}");
    }));
}
