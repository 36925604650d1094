import { spawn } from 'node:child_process'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

export type Fetched = { exitCode: number | null; output: string; folder: string }

/**
 * Downloads a torrent with aria2, which has nothing in common with what made or seeds it, and leaves as soon as it has everything.
 * Two clients that call each other at once may both hang up, and choose whom to serve every ten seconds only: it has time.
 * @param below where the folder for what comes is made
 * @param timeoutS when it gives up, with an exit code
 * @param signal ends it at once
 */
export const downloadWithAria2 = async (
  torrent: string,
  { below, timeoutS = 150, signal }: { below: string; timeoutS?: number; signal?: AbortSignal },
): Promise<Fetched> => {
  await mkdir(below, { recursive: true })
  const folder = await mkdtemp(join(below, 'aria2-'))
  const port = await freePort()
  const child = spawn(
    'aria2c',
    [
      '--no-conf',
      `--dir=${folder}`,
      `--listen-port=${port}`,
      '--enable-dht=false',
      '--enable-dht6=false',
      '--bt-enable-lpd=false',
      '--enable-peer-exchange=false',
      '--seed-time=0',
      '--check-certificate=false',
      '--console-log-level=notice',
      '--summary-interval=0',
      '--file-allocation=none',
      `--stop=${timeoutS}`,
      torrent,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  signal?.addEventListener('abort', () => child.kill(), { once: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { exitCode, output, folder }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
