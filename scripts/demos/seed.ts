import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { openTracker, type Tracker } from '../../test/torrents/tracker.ts'
import { type ReadTorrent, readTorrent } from '../../worker/torrent/metainfo.ts'
import { downloadFrom } from '../demo-peer.ts'
import type { Demo, Stage } from './demo.ts'
import { putPublic } from './torrent.ts'

const patienceMs = 60_000

let tracker: Tracker
let torrent: ReadTorrent
let seeding = ''

export const demo: Demo = {
  // Any free port, and peers and trackers on this machine.
  configuration: { SEEDING_PORT: '0', PRIVATE_SOURCES: '127.0.0.1/32' },
  async start(stage) {
    await requireClient()
    tracker = await openTracker()
    stage.atEnd(() => tracker.close())
    const { path: _path, ...input } = await putPublic(stage)
    const made = await makeTorrent(stage, input)
    torrent = readTorrent(await readOutput(stage, made))
    stage.say(`torrent            ${made}, infohash ${torrent.infohash}`)
    const { jobId } = await stage.ask<{ jobId: string }>('/jobs', {
      kind: 'seed',
      spec: { input: { bucket: 'outputs', key: made }, params: { duration: 50, ratio: 1 } },
    })
    seeding = jobId
    return jobId
  },
  async meanwhile({ say }) {
    const signal = AbortSignal.timeout(patienceMs)
    let port: number | undefined
    while (port === undefined) {
      await sleep(200, undefined, { signal })
      port = tracker.announcements.find(({ event }) => event === 'started')?.port
    }
    say(`peer               the tracker knows of port ${port}; downloading from there`)
    const content = await downloadFrom(port, torrent, signal)
    say(`peer               has all ${content.length} bytes, every piece compared with its hash`)
  },
  async check({ ask, say }) {
    const { job } = await ask<{
      job: { result?: { endedBy?: string; uploadedBytes?: number; ratio?: number } }
    }>(`/jobs/${seeding}`)
    const { endedBy, uploadedBytes, ratio } = job.result ?? {}
    say(`seeded             ${uploadedBytes} bytes, ratio ${ratio}, ended by ${endedBy}`)
    if (endedBy !== 'ratio') throw new Error(`it ended by ${endedBy}, and not by its ratio`)
    if (!tracker.announcements.some(({ event }) => event === 'stopped'))
      throw new Error('the tracker heard no goodbye')
  },
}

/** @throws Error that says what to install */
const requireClient = async (): Promise<void> => {
  await promisify(execFile)('transmission-daemon', ['--version']).catch(() => {
    throw new Error(
      'Seeding needs transmission-daemon, which is not here. On Debian and Ubuntu: apt-get install transmission-daemon',
    )
  })
}

const makeTorrent = async ({ ask }: Stage, input: { bucket: string; key: string }): Promise<string> => {
  const { jobId } = await ask<{ jobId: string }>('/jobs', {
    kind: 'torrent',
    spec: { input, params: { trackers: [tracker.url] } },
  })
  const endMs = Date.now() + patienceMs
  while (Date.now() < endMs) {
    const { job } = await ask<{ job: { phase: string; message?: string } }>(`/jobs/${jobId}`)
    if (job.phase === 'Failed') throw new Error(job.message ?? 'the torrent could not be made')
    if (job.phase === 'Succeeded') {
      const { files } = await ask<{ files: { key: string }[] }>(`/jobs/${jobId}/outputs`)
      return files.find(({ key }) => key.endsWith('.torrent'))?.key ?? ''
    }
    await sleep(200)
  }
  throw new Error(`the torrent was not made within ${patienceMs / 1000} s`)
}

const readOutput = async ({ endpoint }: Stage, key: string): Promise<Buffer> => {
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  try {
    const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
    return Buffer.from((await body?.transformToByteArray()) ?? [])
  } finally {
    s3.destroy()
  }
}
