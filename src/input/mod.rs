//! Where bytes come from: files, directories, standard input, compressed or not.
//!
//! [`source`] finds the inputs and puts them in order, [`rotation`] knows how rotated files are
//! named, [`decompress`] opens them by content, [`feed`] cuts what it reads into chunks that begin
//! and end at records, [`follow`] reads logs while they are written, [`seek`] finds the part of a file
//! that holds a time window. Only this room
//! opens files. It knows offsets, not lines, and nothing of events but where they are and when.

pub mod decompress;
pub mod feed;
pub mod follow;
mod gzip;
mod pipe;
pub mod rotation;
pub mod seek;
pub mod source;
