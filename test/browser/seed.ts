import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Attempt, HistoryEntry, Job } from '../../schemas/job.ts'
import type { FileRole, Manifest } from '../../schemas/manifest.ts'
import { acceptedJob, statusAt, type TestHttp } from '../support/http.ts'
import type { TestAws } from '../support/local-aws.ts'

/** One job of each sort, the way a busy afternoon looks. */
export async function seed(aws: TestAws, http: TestHttp): Promise<void> {
  const nowMs = Date.now()
  const at = (s: number): string => new Date(nowMs + s * 1000).toISOString()
  const arn = (id: string): string =>
    `arn:aws:ecs:us-east-1:000000000000:task/jobs/${id.repeat(32).slice(0, 32)}`
  const attempt = (n: number, fromS: number, more: Partial<Attempt> = {}): Attempt => ({
    n,
    launches: 1,
    runner: 'ecs',
    capacity: 'on-demand',
    taskDefinition: 'worker:7',
    cpu: 2048,
    memory: 4096,
    launchedAt: at(fromS),
    ...more,
  })
  const history = (
    ...entries: [s: number, phase: Job['phase'], reason: string, message?: string, rule?: string][]
  ): HistoryEntry[] =>
    entries.map(([s, phase, reason, message, rule]) => ({
      at: at(s),
      phase,
      reason,
      ...(message === undefined ? {} : { message }),
      ...(rule === undefined ? {} : { rule }),
    }))
  const put = (jobId: string, s: number, more: Parameters<typeof acceptedJob>[0]): Promise<void> =>
    http.put(acceptedJob({ jobId, createdAt: at(s), ...more }, nowMs + s * 1000))

  await put('subtitles-talk-9c01', -90, {
    kind: 'subtitles',
    phase: 'Running',
    reason: 'WaitingForChildren',
    pipeline: {
      steps: [
        {
          name: 'audio',
          begunAt: at(-88),
          endedAt: at(-50),
          children: [
            {
              jobId: 'subtitles-talk-9c01-extract-audio-1',
              kind: 'extract-audio',
              state: 'succeeded',
              costUsd: 0.0007,
            },
          ],
        },
        {
          name: 'transcript',
          begunAt: at(-50),
          children: [{ jobId: 'subtitles-talk-9c01-transcription-1', kind: 'transcription', state: 'put' }],
        },
      ],
    },
    history: history([-88, 'Running', 'Step-audio'], [-50, 'Running', 'Step-transcript']),
  })
  await put('subtitles-talk-9c01-transcription-1', -50, {
    kind: 'transcription',
    phase: 'Pending',
    reason: 'Queued',
    settings: {
      ...acceptedJob({ jobId: 'any' }, nowMs).settings,
      parent: 'subtitles-talk-9c01/0123456789abcdefghij',
    },
  })
  await put('transcode-wedding-3f2a9c01d2e4b5a6', -260, {
    phase: 'Running',
    reason: 'TaskRunning',
    fence: 'uid/2/2',
    launching: { attempt: 2, launch: 2, clientToken: 't', launchedAt: at(-120) },
    taskArn: arn('3f2a9c01'),
    claim: { taskArn: arn('3f2a9c01'), at: at(-84) },
    progress: { beat: 17, percent: 43.4, stage: 'encode', etaS: 97, at: at(-2) },
    counts: { failed: 1, infra: 0 },
    lastAttempt: 2,
    costUsd: 0.002331,
    attempts: [
      attempt(1, -255, {
        costUsd: 0.002331,
        startedAt: at(-225),
        stoppedAt: at(-140),
        taskArn: arn('ab12'),
        logStream: 'task/worker/first',
        outcome: {
          class: 'failed',
          exitCode: 75,
          stopCode: 'EssentialContainerExited',
          reason: 'STALLED: ffmpeg made no progress for too long and was stopped.',
        },
      }),
      attempt(2, -120, { startedAt: at(-90), taskArn: arn('3f2a9c01'), logStream: 'task/worker/second' }),
    ],
    history: history(
      [-259, 'Pending', 'Queued'],
      [-255, 'Starting', 'Admitted'],
      [-224, 'Running', 'TaskRunning'],
      [
        -139,
        'Pending',
        'Backoff',
        'STALLED: ffmpeg made no progress for too long and was stopped.',
        'failurePolicy[0]: retry',
      ],
      [-120, 'Starting', 'Admitted'],
      [-89, 'Running', 'TaskRunning'],
    ),
  })
  await put('nightly-report-2026-11-22', -900, {
    kind: 'container',
    spec: { params: { taskDefinition: 'report' } },
    phase: 'Running',
    reason: 'TaskRunning',
    fence: 'uid/1/1',
    taskArn: arn('77aa'),
    launching: { attempt: 1, launch: 1, clientToken: 't', launchedAt: at(-890) },
    lastAttempt: 1,
    attempts: [
      attempt(1, -890, {
        startedAt: at(-860),
        cpu: 256,
        memory: 512,
        capacity: 'spot',
        taskArn: arn('77aa'),
      }),
    ],
  })
  await put('transcode-lecture-12-90ab', -40, {
    phase: 'Starting',
    reason: 'TaskStarting',
    fence: 'uid/1/1',
    taskArn: arn('90ab'),
    launching: { attempt: 1, launch: 1, clientToken: 't', launchedAt: at(-21) },
    lastAttempt: 1,
    attempts: [attempt(1, -21, { taskArn: arn('90ab') })],
  })
  await put('transcode-unwanted-5511', -300, {
    phase: 'Stopping',
    reason: 'Cancel',
    spec: { input: { bucket: 'uploads', key: 'unwanted.mov' }, cancel: true },
    stopping: { reason: 'Cancel', at: at(-4) },
    fence: 'uid/1/1',
    taskArn: arn('5511'),
    launching: { attempt: 1, launch: 1, clientToken: 't', launchedAt: at(-200) },
    lastAttempt: 1,
    attempts: [attempt(1, -200, { startedAt: at(-160), taskArn: arn('5511') })],
  })
  await http.put({
    jobId: 'from-the-console',
    kind: 'transcode',
    phase: 'Submitted',
    createdAt: at(0),
    spec: {},
  })
  for (let index = 1; index <= 4; index += 1)
    await put(`transcode-episode-${index}-c0de`, -200 + index * 5, { reason: 'Queued' })
  await put('transcode-flaky-input-77', -500, {
    reason: 'Backoff',
    notBefore: at(75),
    counts: { failed: 2, infra: 1 },
    message: 'Exit code 70: A fault of the worker.',
    lastAttempt: 3,
    attempts: [
      attempt(3, -100, { outcome: { class: 'failed', exitCode: 70, reason: 'A fault of the worker' } }),
    ],
  })
  await put('archive-2019', -7200, {
    reason: 'Suspended',
    spec: { input: { bucket: 'uploads', key: 'archive.mkv' }, suspend: true },
    settings: { queue: 'batch' },
  })
  await put('transcode-holiday-video-8c11', -86_000, {
    phase: 'Failed',
    reason: 'PermanentFailure',
    message: 'INPUT_TRUNCATED: The input ends before it should; the upload was probably cut off.',
    finishedAt: at(-85_000),
    counts: { failed: 1, infra: 0 },
    lastAttempt: 1,
    attempts: [
      attempt(1, -85_900, {
        startedAt: at(-85_860),
        stoppedAt: at(-85_002),
        outcome: {
          class: 'failed',
          exitCode: 65,
          stopCode: 'EssentialContainerExited',
          reason: 'INPUT_TRUNCATED: The input ends before it should; the upload was probably cut off.',
        },
      }),
    ],
    history: history(
      [-85_999, 'Pending', 'Queued'],
      [-85_900, 'Starting', 'Admitted'],
      [-85_860, 'Running', 'TaskRunning'],
      [
        -85_000,
        'Failed',
        'PermanentFailure',
        'INPUT_TRUNCATED: The input ends before it should; the upload was probably cut off.',
      ],
    ),
  })
  await put('typo', -4000, {
    phase: 'Failed',
    reason: 'InvalidSpec',
    message: 'spec.priority: 12 is not allowed: must be at most 9',
    finishedAt: at(-4000),
  })
  await put('transcode-old-trailer-44', -9000, {
    phase: 'Cancelled',
    reason: 'Cancelled',
    finishedAt: at(-8000),
  })
  await put('transcode-keynote-2026-d1f0', -3600, {
    phase: 'Succeeded',
    reason: 'Done',
    finishedAt: at(-1800),
    lastAttempt: 1,
    progress: { beat: 60, percent: 100, stage: 'publish', at: at(-1801) },
    report: { fence: 'uid/1/1', outcome: 'done', exitCode: 0, at: at(-1801) },
    result: { master: 'results/transcode-keynote-2026-d1f0/master.m3u8', renditions: 4, durationS: 1812.4 },
    attempts: [
      attempt(1, -3500, {
        startedAt: at(-3460),
        stoppedAt: at(-1800),
        taskArn: arn('d1f0'),
        logStream: 'task/worker/keynote',
        outcome: { class: 'success', exitCode: 0, stopCode: 'EssentialContainerExited', reason: 'Done' },
      }),
    ],
    history: history(
      [-3599, 'Pending', 'Queued'],
      [-3500, 'Starting', 'Admitted'],
      [-3460, 'Running', 'TaskRunning'],
      [-1800, 'Succeeded', 'Done'],
    ),
  })
  await publish(aws, 'transcode-keynote-2026-d1f0', at(-1801))
  await log(aws, 'task/worker/keynote', nowMs - 3_450_000)
  await log(aws, 'task/worker/first', nowMs - 220_000)
  await http.publish(
    statusAt(nowMs, {
      costs: [
        { day: at(0).slice(0, 10), queue: 'default', attempts: 12, costUsd: 1.234567 },
        { day: at(0).slice(0, 10), queue: 'batch', attempts: 3, costUsd: 0.0042 },
        { day: at(-2 * 86_400).slice(0, 10), queue: 'default', attempts: 40, costUsd: 3 },
        { day: at(-20 * 86_400).slice(0, 10), queue: 'default', attempts: 40, costUsd: 100 },
      ],
      phases: {
        Submitted: 1,
        Pending: 6,
        Starting: 1,
        Running: 2,
        Stopping: 1,
        Succeeded: 1,
        Failed: 2,
        Cancelled: 1,
      },
      limits: { running: 4, maxRunning: 100, vcpu: 6, maxVcpu: 6 },
      queues: [
        { name: 'default', running: 4, vcpu: 6, waitingFor: 'VcpuLimit' },
        { name: 'batch', running: 0, vcpu: 0, maxRunning: 1 },
      ],
      pacers: { runTask: 20, stopTask: 19, describeTasks: 14, listTasks: 6 },
      lastPollAt: at(-6),
      lastSweepAt: at(-130),
      lastScanAt: at(-30_000),
      intake: { created: 41, duplicate: 3, rubbish: 1 },
      attention: [
        {
          jobId: 'archive-2019',
          why: 'An edit of its spec is ignored: spec.queue: "fast" is not allowed: must be one of: default, batch',
        },
      ],
    }),
  )
}

/** A picture without a file: an SVG is one for a browser. */
const picture =
  '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360"><defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#284b8c"/><stop offset="1" stop-color="#d8753a"/></linearGradient></defs><rect width="640" height="360" fill="url(#g)"/><circle cx="450" cy="120" r="56" fill="#ffe9b0"/></svg>'

export async function publish(aws: TestAws, jobId: string, finishedAt: string): Promise<void> {
  const prefix = `results/${jobId}/`
  const files: [name: string, role: FileRole, contentType: string, text: string][] = [
    ['master.m3u8', 'master', 'application/vnd.apple.mpegurl', '#EXTM3U'],
    ['poster.svg', 'poster', 'image/svg+xml', picture],
    ['metadata.json', 'metadata', 'application/json', '{}'],
    ...['1080p', '720p', '480p', '360p'].flatMap((name): [string, FileRole, string, string][] => [
      [`${name}/playlist.m3u8`, 'playlist', 'application/vnd.apple.mpegurl', '#EXTM3U'],
      [`${name}/init.mp4`, 'init', 'video/mp4', 'init'],
      ...Array.from({ length: 12 }, (_, index): [string, FileRole, string, string] => [
        `${name}/segment-${String(index).padStart(5, '0')}.m4s`,
        'segment',
        'video/iso.segment',
        'x'.repeat(index + 1),
      ]),
    ]),
  ]
  const { s3 } = aws.clients()
  const manifest: Manifest = {
    schemaVersion: 1,
    jobId,
    kind: 'transcode',
    fence: 'uid/1/1',
    finishedAt,
    files: files.map(([name, role, contentType, text]) => ({
      key: prefix + name,
      bytes: role === 'segment' ? 1_812_000 : text.length,
      sha256: createHash('sha256').update(text).digest('hex'),
      contentType,
      role,
    })),
  }
  const put = (name: string, body: string, type: string) =>
    s3.send(new PutObjectCommand({ Bucket: 'outputs', Key: prefix + name, Body: body, ContentType: type }))
  for (const [name, , contentType, text] of files) await put(name, text, contentType)
  await put('manifest.json', JSON.stringify(manifest), 'application/json')
}

async function log(aws: TestAws, stream: string, fromMs: number): Promise<void> {
  const file = join(aws.configuration.LOCAL_DATA_DIR, 'ecs/logs', `${stream}.log`)
  const line = (s: number, level: number, msg: string, more = {}) =>
    JSON.stringify({ level, time: fromMs + s * 1000, ...more, msg })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(
    file,
    [
      line(0, 30, 'claimed', { fence: 'uid/1/1' }),
      line(1, 30, 'downloading', { key: 'keynote.mp4', bytes: 812_231_123 }),
      'ffmpeg version 7.0 Copyright (c) 2000-2024 the FFmpeg developers',
      line(9, 30, 'encoding', { renditions: ['1080p', '720p', '480p', '360p'], seconds: 1812.4 }),
      line(44, 40, 'progress is slow', { percent: 3 }),
      '<script>alert("a log line")</script>',
      line(1600, 50, 'an upload was tried again', { status: 503 }),
      line(1650, 30, 'done'),
      '',
    ].join('\n'),
  )
}
