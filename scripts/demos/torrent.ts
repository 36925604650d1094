import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { readTorrent } from '../../worker/torrent/metainfo.ts'
import { hashPieces } from '../../worker/torrent/pieces.ts'
import type { Demo, Stage } from './demo.ts'

const sampleName = 'a set of bytes.bin'

/** Puts a file, or a made one, where everybody's files lie. @returns where it is */
export const putPublic = async ({
  endpoint,
  file,
  scratch,
  say,
}: Stage): Promise<{ bucket: string; key: string; path: string }> => {
  const path = file ?? join(scratch, sampleName)
  if (file === undefined) await writeFile(path, randomBytes(8_000_000))
  const { size } = await stat(path)
  const address = { bucket: 'uploads', key: `public/${randomBytes(3).toString('hex')}/${basename(path)}` }
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  try {
    await s3.send(
      new PutObjectCommand({
        ...{ Bucket: address.bucket, Key: address.key },
        ...{ Body: createReadStream(path), ContentLength: size },
      }),
    )
  } finally {
    s3.destroy()
  }
  say(`uploaded           ${address.key}, ${size} bytes`)
  return { ...address, path }
}

let uploaded = ''

export const demo: Demo = {
  async start(stage) {
    const { path, ...input } = await putPublic(stage)
    uploaded = path
    const { jobId } = await stage.ask<{ jobId: string }>('/jobs', {
      kind: 'torrent',
      spec: {
        input,
        params: { webSeedBase: 'https://cdn.example.com/', trackers: ['udp://tracker.example.com:1337'] },
      },
    })
    return jobId
  },
  hint: '(open the .torrent, or paste magnet.txt)',
  async check({ say }, folder) {
    const name = (await readdir(folder)).find((file) => file.endsWith('.torrent')) ?? ''
    const torrent = readTorrent(await readFile(join(folder, name)))
    const content = await readFile(uploaded)
    const hasher = hashPieces(content.length, torrent.pieceLength)
    hasher.update(content)
    if (!hasher.digest().equals(torrent.pieces))
      throw new Error(`${name} is not of the file that was uploaded`)
    say(`infohash           ${torrent.infohash}`)
    say(
      `pieces             ${torrent.pieces.length / 20} of ${torrent.pieceLength} bytes, each compared with the file`,
    )
    say(`web seed           ${torrent.webSeeds.join(', ')}`)
  },
}
