//! The extent of the layer's checks.

#![forbid(unsafe_code)]

/// The extent of the layer's checks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Checks {
    /// Everything.
    #[default]
    Full,
    /// Everything but the data path: posts and polls go straight to the provider, so that a run can
    /// measure the provider.
    Lifetimes,
    /// Nothing: the consumer gets the provider's own objects, with the provider's own tables, so that a run
    /// can measure creates and closes too.
    None,
}
