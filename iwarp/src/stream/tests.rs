//! Two engines, and the bytes between them.

mod hostile;
mod pipe;
mod startup;
mod timers;
