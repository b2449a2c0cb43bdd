//! One binary holds every integration test: it links once.
