import { describe, expect, test } from 'vitest'
import { isMeant, type Upload, type UploadRules, uploadCommands } from '../../controller/intake/uploads.ts'
import { triggersSchema } from '../../schemas/triggers.ts'

const manifest: Upload = {
  bucket: 'outputs',
  key: 'results/rec-1/manifest.json',
  etag: 'e1',
  versionId: undefined,
  sequencer: '0055',
  bytes: 1000,
}
const torrentOf = (comment: string) => [{ kind: 'torrent', params: { comment } }]
const triggers = triggersSchema.parse([
  { prefix: '', jobs: [{ kind: 'transcode' }] },
  { bucket: 'outputs', kinds: ['record'], prefix: 'results/live/', jobs: torrentOf('live') },
  { bucket: 'outputs', kinds: ['record', 'transcode'], prefix: 'results/', jobs: torrentOf('all') },
  { bucket: 'outputs', kinds: ['transcode'], prefix: 'results/live/', jobs: torrentOf('too late') },
])
const rules: UploadRules = { triggers, outputsBucket: 'outputs', defaultKind: 'transcode' }

/** What becomes of it, once the object has said the kind of its job. */
const jobsOf = (upload: Partial<Upload>, kind: string | undefined, by: UploadRules = rules): unknown[] =>
  uploadCommands({ ...manifest, ...upload }, by).flatMap((command) => {
    if (command.do !== 'submit') return [command.why]
    return isMeant(command, { metadata: kind === undefined ? {} : { kind } })
      ? [command.spec.params?.comment ?? command.kind]
      : []
  })

describe('a rule for outputs', () => {
  test.each([
    ['takes the manifest of a kind that it names', {}, 'record', ['all']],
    ['of several the first that names the kind', { key: 'results/live/1/manifest.json' }, 'record', ['live']],
    ['another one for another kind', { key: 'results/live/1/manifest.json' }, 'transcode', ['all']],
    ['not of another kind', {}, 'audio', []],
    ['not of a torrent, which would go on for ever', {}, 'torrent', []],
    ['not what says no kind', {}, undefined, []],
    ['not elsewhere', { key: 'work/rec-1/manifest.json' }, 'record', ['Output']],
    ['not another file', { key: 'results/rec-1/0001.ts' }, 'record', ['Output']],
    ['not a file that only ends so', { key: 'results/rec-1/my-manifest.json' }, 'record', ['Output']],
    ['not an upload of that name', { bucket: 'uploads' }, 'record', ['transcode']],
  ])('%s', (_says, upload, kind, expected) => {
    expect(jobsOf(upload, kind)).toEqual(expected)
  })

  test('names the manifest by its etag, also where the bucket keeps versions: our workers may not read those of outputs', () => {
    const [command] = uploadCommands({ ...manifest, versionId: 'v1' }, rules)
    expect(command).toMatchObject({ do: 'submit', spec: { input: { etag: 'e1' } } })
    expect(command).not.toHaveProperty('spec.input.versionId')
  })

  test('starts one job for one manifest, told twice', () => {
    const ids = [1, 2].map(() =>
      uploadCommands(manifest, rules).map((command) => 'jobId' in command && command.jobId),
    )
    expect(ids[0]).toEqual(ids[1])
    expect(ids[0]?.[0]).toMatch(/^torrent-/)
  })
})

test('outputs never become jobs like uploads do: not by their folder, not by default, not by a rule for uploads', () => {
  expect(
    jobsOf({ key: 'transcode/a.mp4' }, 'transcode', { ...rules, triggers: triggers.slice(0, 1) }),
  ).toEqual(['Output'])
})

test('where one bucket is both, what lies in it is an upload', () => {
  const { outputsBucket: _none, ...one } = rules
  expect(jobsOf({ key: 'subtitles/a.mp4' }, undefined, { ...one, triggers: [] })).toEqual(['subtitles'])
})

describe('a rule is refused', () => {
  const rule = { bucket: 'outputs', kinds: ['record'], jobs: [{ kind: 'torrent' }] }
  test.each([
    ['that is fine', {}, 'none'],
    ['for outputs of nobody', { kinds: undefined }, 'must name the kinds'],
    ['for torrents of torrents', { kinds: ['torrent'] }, 'must be one of'],
    ['for a kind without a manifest of its own', { kinds: ['container'] }, 'must be one of'],
    ['that starts something that reads no manifest', { jobs: [{ kind: 'transcode' }] }, 'must be torrent'],
    ['about suffixes', { suffix: '.mp4' }, 'must not stand'],
    ['about sizes', { minBytes: 0 }, 'must not stand'],
    ['for uploads of a kind', { bucket: 'uploads' }, 'only stand in a rule with bucket outputs'],
    ['for another bucket', { bucket: 'theirs' }, 'must be uploads or outputs'],
    [
      'with a presigned web seed',
      { jobs: [{ kind: 'torrent', params: { webSeeds: ['https://x/?Signature=1'] } }] },
      'presigned',
    ],
  ])('%s', (_says, change, says) => {
    const parsed = triggersSchema.safeParse([{ ...rule, ...change }])
    expect(parsed.success ? 'none' : parsed.error.issues.map(({ message }) => message).join()).toContain(says)
  })
})
