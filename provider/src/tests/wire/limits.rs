//! Limits against peers that open connections and say nothing.
