import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateRepositoryCommand,
  DescribeRepositoriesCommand,
  ECRClient,
  PutImageCommand,
} from '@aws-sdk/client-ecr'
import { ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import type { Demo, Stage } from './demo.ts'

const region = 'us-east-1'
const repository = 'demo'
const family = 'demo-container'

/**
 * What stands in the image of the user. It knows of us what its environment says: where to write, and as which job. With a
 * manifest of its own its files are outputs like any others.
 */
const program = `
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
const require = createRequire(${JSON.stringify(resolve(import.meta.dirname, '../../package.json'))})
const { PutObjectCommand, S3Client } = require('@aws-sdk/client-s3')
const { AWS_ENDPOINT_URL: endpoint, BUCKET, FENCE, JOB_ID, OUTPUT } = process.env
const s3 = new S3Client({ endpoint, region: '${region}', forcePathStyle: true })
const put = (key, Body, ContentType) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body, ContentType }))
const text = 'Written by a container that knows nothing of this system.\\n'
console.log(JSON.stringify({ message: 'writing ' + OUTPUT + 'hello.txt' }))
await put(OUTPUT + 'hello.txt', text, 'text/plain')
const file = {
  key: OUTPUT + 'hello.txt', bytes: text.length, contentType: 'text/plain', role: 'page',
  sha256: createHash('sha256').update(text).digest('hex'),
}
const finishedAt = new Date().toISOString()
const manifest = { schemaVersion: 1, jobId: JOB_ID, kind: 'container', fence: FENCE, finishedAt, files: [file] }
await put(OUTPUT + 'manifest.json', JSON.stringify(manifest), 'application/json')
`

export const demo: Demo = {
  async start(stage) {
    const { endpoint, say, atEnd } = stage
    const [ecs, ecr] = [new ECSClient({ endpoint, region }), new ECRClient({ endpoint, region })]
    atEnd(async () => {
      ecs.destroy()
      ecr.destroy()
    })
    const id = randomBytes(3).toString('hex')
    const registryId = await repositoryOf(ecr)
    const image = `${registryId}.dkr.ecr.${region}.amazonaws.com/${repository}:${id}`
    const { taskDefinition } = await ecs.send(
      new RegisterTaskDefinitionCommand({
        family,
        ...{ cpu: '256', memory: '512', networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'] },
        containerDefinitions: [{ name: 'main', image, stopTimeout: 2 }],
      }),
    )
    const definition = `${family}:${taskDefinition?.revision}`
    say(`task definition    ${definition}, image ${image}`)
    const early = await submit(stage, `too-early-${id}`, definition)
    say(`before its push    Failed: ${await endOf(stage, early)}`)
    const imageManifest = JSON.stringify({ schemaVersion: 2, demo: id })
    await ecr.send(new PutImageCommand({ repositoryName: repository, imageTag: id, imageManifest }))
    say('pushed it          (a name and a digest: local tasks are child processes, and pull nothing)')
    return submit(stage, `container-${id}`, definition)
  },
  hint: '(hello.txt, and the manifest that the container wrote itself)',
  async check(_stage, folder) {
    const text = await readFile(join(folder, 'hello.txt'), 'utf8')
    if (!text.startsWith('Written by a container')) throw new Error(`hello.txt says ${JSON.stringify(text)}`)
  },
}

/** @returns the account whose registry it is in */
async function repositoryOf(ecr: ECRClient): Promise<string> {
  await ecr.send(new CreateRepositoryCommand({ repositoryName: repository })).catch((error: Error) => {
    if (error.name !== 'RepositoryAlreadyExistsException') throw error
  })
  const { repositories } = await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [repository] }))
  return repositories?.[0]?.registryId ?? ''
}

async function submit({ ask }: Stage, jobId: string, taskDefinition: string): Promise<string> {
  const environment = { BUCKET: 'outputs', OUTPUT: `results/${jobId}/` } satisfies Record<string, string>
  const command = [process.execPath, '--input-type=module', '--eval', program]
  const params = { taskDefinition, command, environment }
  await ask('/jobs', { jobId, kind: 'container', spec: { params } })
  return jobId
}

/** Why a job that must not run has failed. @throws when it is something else */
async function endOf({ ask }: Stage, jobId: string): Promise<string> {
  for (;;) {
    const { job } = await ask<{ job: { phase: string; reason?: string; message?: string } }>(`/jobs/${jobId}`)
    if (job.phase === 'Failed' && job.reason === 'ImageMissing') return job.message ?? ''
    if (!['Submitted', 'Pending'].includes(job.phase)) throw new Error(`${jobId} is ${JSON.stringify(job)}`)
    await sleep(100)
  }
}
