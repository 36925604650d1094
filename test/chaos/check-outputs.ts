import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { manifestSchema } from '../../schemas/manifest.ts'
import { manifestName } from '../../schemas/resources.ts'
import type { TrueTask } from './tasks.ts'
import type { Asked, Stored } from './users.ts'
import type { World } from './world.ts'

const run = promisify(execFile)
const durationToleranceS = 0.3

/**
 * The outputs of one transcode are there, whole, playable, and belong to the attempt that won. Each sentence is something
 * wrong.
 */
export async function checkOutputs(
  world: World,
  { jobId, wanted }: Asked,
  record: Stored,
  tasks: readonly TrueTask[],
): Promise<string[]> {
  const { s3 } = world.aws.clients()
  const prefix = record.settings?.output ?? `results/${jobId}/`
  const get = async (key: string) => {
    const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: key }))
    return Buffer.from((await body?.transformToByteArray()) ?? [])
  }
  if (record.phase !== 'Succeeded') return []
  const text = await get(`${prefix}${manifestName}`).catch(() => undefined)
  if (text === undefined) return [`${jobId} succeeded, but has no manifest`]
  const manifest = manifestSchema.parse(JSON.parse(text.toString()))
  const { Contents: contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: 'outputs', Prefix: prefix }),
  )
  const stored = new Set(contents.map(({ Key: key = '' }) => key))
  const winner = record.attempts?.find(({ outcome }) => outcome?.class === 'success')
  const fence = tasks.find(({ taskArn }) => taskArn === winner?.taskArn)?.owner.fence
  const complaints = [
    ...(manifest.fence === fence ? [] : [`its manifest is of ${manifest.fence}, but ${fence} won`]),
    ...(record.report?.fence === fence ? [] : [`its report is of ${record.report?.fence}, but ${fence} won`]),
    ...(manifest.files.some(({ role }) => role === 'master')
      ? []
      : ['its manifest names no master playlist']),
  ]
  const folder = join(world.scratch, jobId)
  for (const { key, bytes, sha256 } of manifest.files) {
    if (!stored.has(key)) {
      complaints.push(`${key} is missing`)
      continue
    }
    const content = await get(key)
    if (content.length !== bytes) complaints.push(`${key} has ${content.length} bytes, not ${bytes}`)
    if (createHash('sha256').update(content).digest('hex') !== sha256)
      complaints.push(`${key} has another checksum than the manifest says`)
    const path = join(folder, key.slice(prefix.length))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  const master = manifest.files.find(({ role }) => role === 'master')?.key.slice(prefix.length)
  if (complaints.length === 0 && master !== undefined && wanted.kind === 'transcode') {
    const durationS = await durationOf(world, join(folder, master))
    if (!(Math.abs(durationS - wanted.durationS) <= durationToleranceS))
      complaints.push(`${master} plays for ${durationS} s, not ${wanted.durationS} s`)
  }
  await rm(folder, { recursive: true, force: true })
  return complaints.map((complaint) => `${jobId}: ${complaint}`)
}

async function durationOf({ tools }: World, path: string): Promise<number> {
  const { stdout } = await run(
    tools.ffprobe.path,
    [
      ...['-v', 'error', '-allowed_extensions', 'ALL', '-protocol_whitelist', 'file,crypto,data'],
      ...['-show_entries', 'format=duration', '-of', 'csv=p=0', path],
    ],
    { env: tools.env },
  )
  return Number(stdout.trim())
}
