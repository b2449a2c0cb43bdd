//! The scan: the book, a rule pack and the tenants become signals, near misses and a count of every reason.

pub mod book;
pub mod feeds;
pub mod inputs;
pub mod judge;
pub mod routes;
pub mod windows;
