//! Where bytes come from: files, directories, archives, standard input, compressed or not.
//!
//! `walk` finds the inputs and puts them in order, [`source`] says what one is; [`rotation`] knows how
//! rotated files are named, `origin` whose log a path stands for, `copies` what is there twice.
//! `archive` lists what archives hold, with `tar` and `zip`. [`decompress`] opens streams by
//! content, [`feed`] cuts what it reads into chunks that begin and end at records, [`block`] does so with
//! plain files, [`seek`] finds the part of a file that holds a time window, [`follow`] reads logs while they
//! are written. [`spill`] puts aside what does not fit in memory. Only this room opens files. It knows offsets,
//! not lines, and nothing of events but where they are and when.

mod archive;
pub mod block;
mod copies;
pub mod decompress;
pub mod feed;
pub mod follow;
mod gzip;
mod origin;
mod pipe;
pub mod rotation;
pub mod section;
pub mod manifests;
pub mod seek;
mod shelf;
mod skip;
pub mod source;
pub mod spill;
mod tar;
mod walk;
mod zip;
