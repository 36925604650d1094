import { describe, expect, it } from 'vitest'
import { type ChecksumAlgorithm, startChecksum } from '../../local/s3/checksums.ts'

describe('startChecksum', () => {
  // The check values that the definitions of these algorithms give for the digits 1 to 9.
  it.each<[ChecksumAlgorithm, string]>([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
    ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
  ])('%s', (algorithm, expected) => {
    const checksum = startChecksum(algorithm)
    for (const piece of ['1234', '', '56789']) checksum.update(Buffer.from(piece))
    expect(checksum.digest().toString('hex')).toBe(expected)
  })
})
