//! Vocabulary, resources, validation and the types of the socket API
