//! From values to the report, without any datastore.
