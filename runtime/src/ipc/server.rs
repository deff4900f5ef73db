//! The server's side of IPC: wait, dispatch, answer.
