//! How a server compresses snapshots: `snapshot.compression.method`, since 3.6.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

/// How a snapshot is compressed. Its name alone says so (`SnapStream.getStreamMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// The stream of snappy-java, which is not the framing format of Snappy.
    Snappy,
}

/// What is in a file.
pub(super) fn opened<'a>(file: impl Read + 'a, compression: Compression) -> Box<dyn Read + 'a> {
    match compression {
        Compression::Plain => Box::new(file),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        Compression::Snappy => Box::new(SnappyJava::new(BufReader::new(file))),
    }
}

/// What `SnappyOutputStream` begins with; two version numbers follow.
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// A block is 32 KiB in ZooKeeper. What is beyond this is no length.
const LONGEST_BLOCK: usize = 4 * 1024 * 1024;

/// Reads what snappy-java's `SnappyOutputStream` wrote: a header, then blocks with their lengths.
struct SnappyJava<R> {
    file: R,
    has_begun: bool,
    block: Vec<u8>,
    taken: usize,
    packed: Vec<u8>,
}

impl<R: BufRead> SnappyJava<R> {
    fn new(file: R) -> Self {
        Self { file, has_begun: false, block: Vec::new(), taken: 0, packed: Vec::new() }
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut header = [0; 16];
        self.file.read_exact(&mut header)?;
        if header[..8] != MAGIC || header[8..] != [0, 0, 0, 1, 0, 0, 0, 1] {
            return Err(broken("no stream of snappy-java"));
        }
        self.has_begun = true;
        Ok(())
    }

    /// Unpacks the next block. False at the end of the file.
    fn next_block(&mut self) -> io::Result<bool> {
        if self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST_BLOCK {
            return Err(broken("a block is longer than any that ZooKeeper writes"));
        }
        self.packed.clear();
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        if self.file.by_ref().take(wanted).read_to_end(&mut self.packed)? != length {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file ends in a block"));
        }
        let unpacked =
            snap::raw::decompress_len(&self.packed).map_err(|_| broken("a bad block"))?;
        if unpacked > LONGEST_BLOCK {
            return Err(broken("a block is longer than any that ZooKeeper writes"));
        }
        self.block.resize(unpacked, 0);
        let decoded = snap::raw::Decoder::new().decompress(&self.packed, &mut self.block);
        let count = decoded.map_err(|error| broken(&error.to_string()))?;
        self.block.truncate(count);
        self.taken = 0;
        Ok(true)
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

impl<R: BufRead> Read for SnappyJava<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.has_begun {
            self.begin()?;
        }
        while self.taken == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = into.len().min(self.block.len() - self.taken);
        into[..count].copy_from_slice(&self.block[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn snappy_java(content: &[u8]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend([0, 0, 0, 1, 0, 0, 0, 1]);
        for block in content.chunks(1000) {
            let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
            file.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
            file.extend(packed);
        }
        file
    }

    fn unpacked(file: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        opened(file, compression).read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn what_was_packed_comes_out() {
        let content: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&content).unwrap();
        let gzip = gzip.finish().unwrap();
        let snappy = snappy_java(&content);
        assert_eq!(unpacked(&content, Compression::Plain).unwrap(), content);
        assert_eq!(unpacked(&gzip, Compression::Gzip).unwrap(), content);
        assert_eq!(unpacked(&snappy, Compression::Snappy).unwrap(), content);
        for at in [0, 9, 17, 30] {
            unpacked(&snappy[..at], Compression::Snappy).unwrap_err();
            unpacked(&gzip[..at], Compression::Gzip).unwrap_err();
        }
        unpacked(&snappy[..snappy.len() - 1], Compression::Snappy).unwrap_err();
        unpacked(&gzip[..gzip.len() - 1], Compression::Gzip).unwrap_err();
    }

    /// A length in the file is no reason to take memory.
    #[test]
    fn lengths_that_no_file_has_are_refused() {
        let mut file = snappy_java(b"");
        file.extend(u32::MAX.to_be_bytes());
        unpacked(&file, Compression::Snappy).unwrap_err();
        let mut file = snappy_java(b"");
        // A block that says that it unpacks to 4 GiB - 1.
        file.extend([0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        unpacked(&file, Compression::Snappy).unwrap_err();
    }
}
