//! Messages: calls, replies, receive windows, timeouts.
