//! Puts aside what does not fit in memory: a temporary file that has no name, so that nothing of it
//! can be left behind, whatever becomes of the run.
//!
//! It is written once and read once, compressed by the fastest level of zstd: rows of a log shrink
//! to a tenth, which is less to write than it is to compress.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

/// zstd's level.
const LEVEL: i32 = 1;

/// Bytes that are taken from the decoder at once; rows are read in small pieces.
const STEP: usize = 32 * 1024;

/// A file being written.
pub struct Spill {
    encoder: zstd::stream::write::Encoder<'static, File>,
}

/// A file that was written.
pub struct Spilled {
    file: File,
}

impl Spill {
    /// A new file where the system wants temporary files (`TMPDIR`).
    ///
    /// # Errors
    /// Fails when it cannot be made.
    pub fn new() -> io::Result<Self> {
        Ok(Spill { encoder: zstd::stream::write::Encoder::new(tempfile::tempfile()?, LEVEL)? })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write_all(bytes)
    }

    /// Ends writing.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn finish(self) -> io::Result<Spilled> {
        Ok(Spilled { file: self.encoder.finish()? })
    }
}

impl Spilled {
    /// Reads the bytes from the first on.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub fn read(mut self) -> io::Result<impl Read> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::with_capacity(STEP, zstd::stream::read::Decoder::new(self.file)?))
    }
}
