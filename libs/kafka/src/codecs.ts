import { gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import { promisify } from 'node:util'
import { lz4Compress, lz4Decompress, snappyCompress, snappyDecompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'

/**
 * A batch that is larger than this when decompressed is not read. Kafka takes a megabyte by default; what becomes 64 of
 * it is an accident or an attack, and a fetch of several would fill the memory.
 */
export const MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

/** Snappy as Java's clients write it: this header and two versions, then blocks, each with its length (snappy-java). */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16
const LENGTH_BYTES = 4

const LZ4_DESCRIPTOR_AT = 4
const LZ4_HAS_BLOCK_CHECKSUM = 0x10
const LZ4_HAS_CONTENT_SIZE = 0x08
const LZ4_IS_STORED = 0x80000000
/** Largest block by the code in the descriptor (LZ4 frame format, "BD byte"). */
const LZ4_BLOCK_BYTES: Readonly<Record<number, number>> = {
  4: 65_536,
  5: 262_144,
  6: 1_048_576,
  7: 4_194_304,
}

/** kafkajs's Encoder, of which only the bytes are needed. */
interface Encoded {
  readonly buffer: Buffer
}

interface Codec {
  compress(encoder: Encoded): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

const limit = { maxOutputLength: MAX_DECOMPRESSED_BYTES }
const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes

type Compression = keyof typeof kafkajs.CompressionCodecs

const CODECS: readonly (readonly [Compression, Codec])[] = [
  [GZIP, codecOf(promisify(gzip), (bytes) => promisify(gunzip)(bytes, limit))],
  [ZSTD, codecOf(promisify(zstdCompress), (bytes) => promisify(zstdDecompress)(bytes, limit))],
  [
    Snappy,
    codecOf(
      (bytes) => Promise.resolve(snappyCompress(bytes)),
      (bytes) => Promise.resolve(snappy(bytes)),
    ),
  ],
  [
    LZ4,
    codecOf(
      (bytes) => Promise.resolve(lz4Compress(bytes)),
      (bytes) => Promise.resolve(lz4(bytes)),
    ),
  ],
]

/**
 * Lets kafkajs read what outside producers compress. By itself it knows gzip only, without a bound, and one batch of
 * another kind crashes its consumer again and again.
 */
export function registerCodecs(): void {
  for (const [type, codec] of CODECS) kafkajs.CompressionCodecs[type] = () => codec
}

function codecOf(
  compress: (bytes: Buffer) => Promise<Buffer>,
  decompress: (bytes: Buffer) => Promise<Buffer>,
): Codec {
  return {
    compress: ({ buffer }) => compress(buffer),
    decompress: async (bytes) => {
      try {
        return await decompress(bytes)
      } catch {
        // Whatever is thrown here would crash the consumer at this batch for ever.
        return unreadableRecords()
      }
    },
  }
}

function snappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyBlock(bytes, 0)
  const blocks: Buffer[] = []
  let size = 0
  for (let at = XERIAL_HEADER_BYTES; at + LENGTH_BYTES <= bytes.length;) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at)
    const block = snappyBlock(bytes.subarray(at + LENGTH_BYTES, end), size)
    blocks.push(block)
    size += block.length
    at = end
  }
  return Buffer.concat(blocks)
}

/** A block begins with the length of what it holds, as a variable-length integer (Snappy format description, 1). */
function snappyBlock(bytes: Buffer, before: number): Buffer {
  let [length, shift] = [0, 0]
  for (const byte of bytes.subarray(0, 5)) {
    length += (byte & 0x7f) * 2 ** shift
    shift += 7
    if (byte < 0x80) break
  }
  check(before + length)
  return Buffer.from(snappyDecompress(bytes))
}

function lz4(bytes: Buffer): Buffer {
  check(lz4Bound(bytes))
  return Buffer.from(lz4Decompress(bytes))
}

/** The most that a frame can hold: its blocks, each full. */
function lz4Bound(bytes: Buffer): number {
  const flags = bytes.readUInt8(LZ4_DESCRIPTOR_AT)
  const blockBytes = LZ4_BLOCK_BYTES[(bytes.readUInt8(LZ4_DESCRIPTOR_AT + 1) >> 4) & 7] ?? 0
  const checksumBytes = flags & LZ4_HAS_BLOCK_CHECKSUM ? LENGTH_BYTES : 0
  let at = LZ4_DESCRIPTOR_AT + 3 + (flags & LZ4_HAS_CONTENT_SIZE ? 8 : 0)
  let bound = 0
  while (at + LENGTH_BYTES <= bytes.length) {
    const word = bytes.readUInt32LE(at)
    if (word === 0) break
    const stored = word >= LZ4_IS_STORED ? word - LZ4_IS_STORED : word
    bound += word >= LZ4_IS_STORED ? stored : blockBytes
    at += LENGTH_BYTES + stored + checksumBytes
  }
  return bound
}

function check(bytes: number): void {
  if (bytes > MAX_DECOMPRESSED_BYTES) throw new Error('larger than MAX_DECOMPRESSED_BYTES')
}

/** Length, attributes, time, offset 0 of the batch, no key, no value, no headers (Kafka protocol guide, "Record"). */
const EMPTY_RECORD = Buffer.from([12, 0, 0, 0, 1, 1, 0])
/** More than a batch of any client has; kafkajs reads as many as the batch says. */
const MAX_RECORDS = 1_000_000

/**
 * What stands for a batch that cannot be read: records without a value, all at the offset of the batch's first. The
 * repeats are dropped, and the one that is left is an unreadable record like any other: it is moved to the rejected ones.
 */
const unreadableRecords = (): Buffer => Buffer.alloc(EMPTY_RECORD.length * MAX_RECORDS, EMPTY_RECORD)
