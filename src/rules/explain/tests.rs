//! Small packs, explained.
