//! Two engines, and the bytes between them.

mod classes;
mod hostile;
mod pipe;
mod startup;
mod timers;
