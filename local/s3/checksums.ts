import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The checksum algorithms of S3 that can be computed here. S3 also has XXHASH3, XXHASH64 and XXHASH128. */
export const CHECKSUM_ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512'] as const

export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number]

/** FULL_OBJECT covers the bytes of the object, COMPOSITE the checksums of its parts (S3 user guide, Checking object integrity). */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

export type Checksum = { algorithm: ChecksumAlgorithm; type: ChecksumType; value: string }

export type RunningChecksum = { update(bytes: Uint8Array): void; digest(): Buffer }

export function startChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case 'CRC32':
      return crc32Bit((bytes, crc) => crc32(bytes, crc))
    case 'CRC32C':
      return crc32Bit(updateCrc32c)
    case 'CRC64NVME':
      return crc64Nvme()
    case 'SHA1':
    case 'SHA256':
    case 'SHA512': {
      const hash = createHash(algorithm.toLowerCase())
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    }
    default:
      return algorithm satisfies never
  }
}

/** The checksum of the parts' checksums, as a multipart object of type COMPOSITE has it: `<base64>-<parts>`. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, partValues: readonly string[]): string {
  const checksum = startChecksum(algorithm)
  for (const value of partValues) checksum.update(Buffer.from(value, 'base64'))
  return `${checksum.digest().toString('base64')}-${partValues.length}`
}

/** The entity tag of a multipart object: the MD5 of the parts' MD5s and the number of parts. */
export function multipartEtag(partEtags: readonly string[]): string {
  const hash = createHash('md5')
  for (const etag of partEtags) hash.update(etag, 'hex')
  return `${hash.digest('hex')}-${partEtags.length}`
}

/** What a multipart upload gets when it names an algorithm but no type (S3 API reference, CreateMultipartUpload). */
export function defaultMultipartType(algorithm: ChecksumAlgorithm): ChecksumType {
  return algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE'
}

/** Only CRCs can cover a whole multipart object, and CRC64NVME can cover nothing else. */
export function supportsType(algorithm: ChecksumAlgorithm, type: ChecksumType): boolean {
  return type === 'FULL_OBJECT' ? algorithm.startsWith('CRC') : algorithm !== 'CRC64NVME'
}

export function parseAlgorithm(name: string): ChecksumAlgorithm | undefined {
  return CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === name.toUpperCase())
}

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

function crc32Bit(update: (bytes: Uint8Array, crc: number) => number): RunningChecksum {
  let crc = 0
  return {
    update: (bytes) => {
      crc = update(bytes, crc)
    },
    digest: () => {
      const digest = Buffer.alloc(4)
      digest.writeUInt32BE(crc)
      return digest
    },
  }
}

/** Castagnoli's polynomial, reflected. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

function updateCrc32c(bytes: Uint8Array, before: number): number {
  let crc = ~before
  for (const byte of bytes) crc = (CRC32C_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The reflected polynomial of CRC-64/NVME. Numbers have no 64 bits, so the table is kept in two halves. */
const CRC64_POLYNOMIAL = 0x9a6c9329ac4bc9b5n
const CRC64_TABLE = BigUint64Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte)
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ CRC64_POLYNOMIAL : crc >> 1n
  return crc
})
const CRC64_HIGH = Uint32Array.from(CRC64_TABLE, (crc) => Number(crc >> 32n))
const CRC64_LOW = Uint32Array.from(CRC64_TABLE, (crc) => Number(crc & 0xffffffffn))

function crc64Nvme(): RunningChecksum {
  let high = 0xffffffff
  let low = 0xffffffff
  return {
    update: (bytes) => {
      for (const byte of bytes) {
        const index = (low ^ byte) & 0xff
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0)
        high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0)
      }
    },
    digest: () => {
      const digest = Buffer.alloc(8)
      digest.writeUInt32BE(~high >>> 0, 0)
      digest.writeUInt32BE(~low >>> 0, 4)
      return digest
    },
  }
}
