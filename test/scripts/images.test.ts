import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { printed } from '../../scripts/command.ts'
import {
  buildCommands,
  contentTag,
  copiedPaths,
  imageIsThere,
  imageNames,
  loginCommand,
  registryHost,
} from '../../scripts/image-plan.ts'
import { type Answer, type FakePrograms, fakePrograms } from './fake-programs.ts'

const file = (path: string, text: string) => ({ path, content: Buffer.from(text) })
const recipe = { dockerfile: 'FROM scratch', platforms: ['linux/arm64'], nodeImage: undefined }
const files = [file('a.ts', 'one'), file('b/c.ts', 'two')]

describe('the tag of an image', () => {
  const tag = contentTag(files, recipe)
  test('is a valid tag of twenty characters', () => expect(tag).toMatch(/^[0-9a-f]{20}$/))
  test('does not depend on the order in which a machine lists files', () =>
    expect(contentTag([...files].reverse(), recipe)).toBe(tag))
  test.each([
    ['a changed file', contentTag([file('a.ts', 'one!'), file('b/c.ts', 'two')], recipe)],
    ['a renamed file', contentTag([file('a2.ts', 'one'), file('b/c.ts', 'two')], recipe)],
    ['a new file', contentTag([...files, file('d.ts', '')], recipe)],
    ['a moved border between two files', contentTag([file('a.ts', 'onetwo'), file('b/c.ts', '')], recipe)],
    ['another Dockerfile', contentTag(files, { ...recipe, dockerfile: 'FROM other' })],
    ['another base', contentTag(files, { ...recipe, nodeImage: 'node:local' })],
    ['another platform', contentTag(files, { ...recipe, platforms: ['linux/amd64'] })],
  ])('changes with %s', (_, other) => expect(other).not.toBe(tag))
  test('is the same for the same platforms in another order', () => {
    const both = ['linux/arm64', 'linux/amd64']
    expect(contentTag(files, { ...recipe, platforms: both })).toBe(
      contentTag(files, { ...recipe, platforms: [...both].reverse() }),
    )
  })
})

test.each([
  ['COPY a b /app/', ['a', 'b']],
  ['COPY --chown=1:1 a /app/', ['a']],
  ['COPY --from=build /app /app', []],
  ['# COPY a /b', []],
  ['COPY b /x\nRUN true\nCOPY a /y\nCOPY b /z', ['a', 'b']],
])('of %j the files of this repository are %j', (dockerfile, paths) =>
  expect(copiedPaths(dockerfile)).toEqual(paths),
)

test('the ignore file lets through what the Dockerfiles copy, and nothing else', () => {
  const lines = readFileSync('.dockerignore', 'utf8').split('\n')
  const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const folders = lines.filter((line) => /^[a-z]+\/\*$/.test(line)).map((line) => line.slice(0, -2))
  const copied = imageNames.flatMap((name) => copiedPaths(readFileSync(`Dockerfile.${name}`, 'utf8')))
  expect(lines).toContain('*')
  // A folder of which only some files are let through stands there twice: opened, and emptied.
  expect(new Set(allowed.filter((path) => !folders.includes(path)))).toEqual(new Set(copied))
})

test.each(imageNames)('the base of the %s image is pinned by its digest, in an argument', (name) => {
  const dockerfile = readFileSync(`Dockerfile.${name}`, 'utf8')
  expect(dockerfile).toMatch(/^ARG NODE_IMAGE=\S+@sha256:[0-9a-f]{64}$/m)
  const bases = [...dockerfile.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(([, base]) => base)
  expect(new Set(bases)).toEqual(new Set([`\${NODE_IMAGE}`, 'scratch']))
})

describe('the commands that build', () => {
  const build = { name: 'worker', reference: 'host/dev-worker:tag', platforms: ['linux/arm64'] } as const
  const both = { ...build, platforms: ['linux/amd64', 'linux/arm64'], npmrc: '/home/me/.npmrc' }
  test.each([
    [
      'docker',
      build,
      [
        'docker buildx build --file Dockerfile.worker --platform linux/arm64 --provenance=false --tag host/dev-worker:tag --push .',
      ],
    ],
    [
      'docker',
      both,
      [
        'docker buildx build --file Dockerfile.worker --platform linux/amd64,linux/arm64 --secret id=npmrc,src=/home/me/.npmrc --provenance=false --tag host/dev-worker:tag --push .',
      ],
    ],
    [
      'buildah',
      { ...build, nodeImage: 'localhost/node' },
      [
        'buildah build --format docker --file Dockerfile.worker --platform linux/arm64 --build-arg NODE_IMAGE=localhost/node --tag host/dev-worker:tag .',
        'buildah push host/dev-worker:tag',
      ],
    ],
    [
      'podman',
      both,
      [
        'podman build --format docker --file Dockerfile.worker --platform linux/amd64,linux/arm64 --secret id=npmrc,src=/home/me/.npmrc --manifest host/dev-worker:tag .',
        'podman manifest push --all host/dev-worker:tag docker://host/dev-worker:tag',
      ],
    ],
  ] as const)('with %s', (builder, wanted, lines) =>
    expect(buildCommands(builder, wanted).map(printed)).toEqual(lines),
  )
})

test('the password of the registry is handed over by a pipe', () => {
  const login = loginCommand('podman', { accountId: '123456789012', region: 'eu-central-1' })
  expect(printed(login)).toBe(
    'aws ecr get-login-password --region eu-central-1 | podman login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
  )
})

test('China has a name of its own', () =>
  expect(registryHost({ accountId: '1', region: 'cn-north-1' })).toBe(
    '1.dkr.ecr.cn-north-1.amazonaws.com.cn',
  ))

test.each([
  [0, '', 'there'],
  [254, 'An error occurred (ImageNotFoundException) when calling ...', 'missing'],
  [254, 'An error occurred (RepositoryNotFoundException) when calling ...', 'no repository'],
  [254, 'An error occurred (AccessDeniedException) when calling ...', 'failed'],
  [127, 'spawn aws ENOENT', 'failed'],
] as const)('exit code %i and "%s" mean: %s', (code, complained, answer) =>
  expect(imageIsThere(code, complained)).toBe(answer),
)

const account = '123456789012'
const awsAnswers = (...first: Answer[]): Answer[] => [
  ...first,
  { when: 'sts get-caller-identity', say: account },
  { when: 'ecr get-login-password', say: 'secret' },
  { when: 'ecr describe-images', say: 'An error occurred (ImageNotFoundException)', code: 254 },
  { when: 'ssm get-parameter', say: 'none' },
]
const script = 'scripts/images.ts'

describe('npm run images', () => {
  let programs: FakePrograms | undefined
  afterEach(() => programs?.close())
  const verbs = async () =>
    (await programs?.calls())?.map((call) => call.split(' ').slice(0, 3).join(' ')) ?? []

  test('builds both, pushes both, and only then writes down what runs', async () => {
    programs = await fakePrograms({ aws: awsAnswers(), docker: [] })
    const { code, said } = await programs.run(script, [], { ENVIRONMENT: 'dev' })
    expect(code).toBe(0)
    const calls = await verbs()
    const builds = calls.filter((call) => call === 'docker buildx build')
    expect(builds).toHaveLength(2)
    expect(calls.slice(-4)).toEqual([
      'aws ssm get-parameter',
      'aws ssm put-parameter',
      'aws ssm get-parameter',
      'aws ssm put-parameter',
    ])
    expect(calls.lastIndexOf('docker buildx build')).toBeLessThan(calls.indexOf('aws ssm put-parameter'))
    const references = (await programs.calls())
      .filter((call) => call.includes('put-parameter'))
      .map((call) => /--value (\S+)/.exec(call)?.[1])
    expect(references).toEqual([
      expect.stringMatching(
        /^123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com\/dev-controller:[0-9a-f]{20}$/,
      ),
      expect.stringMatching(/^123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com\/dev-worker:[0-9a-f]{20}$/),
    ])
    expect(said).toMatch(/controller [0-9a-f]{20}: pushed, runs with the next deployment/)
  })

  test('builds nothing that is there, and still says which one runs', async () => {
    programs = await fakePrograms({
      aws: awsAnswers({ when: 'ecr describe-images', say: 'sha256:abc' }),
      docker: [],
    })
    expect((await programs.run(script, [])).code).toBe(0)
    const calls = await verbs()
    expect(calls).not.toContain('docker buildx build')
    expect(calls).not.toContain('docker login --username')
    expect(calls.filter((call) => call === 'aws ssm put-parameter')).toHaveLength(2)
  })

  test('writes nothing down when a build fails', async () => {
    programs = await fakePrograms({
      aws: awsAnswers(),
      docker: [{ when: '--file Dockerfile.worker', say: 'no space left', code: 1 }],
    })
    const { code, complained } = await programs.run(script, [])
    expect(code).toBe(78)
    expect(complained).toMatch(/This failed \(exit code 1\):\s+docker buildx build --file Dockerfile.worker/)
    expect(await verbs()).not.toContain('aws ssm put-parameter')
  })

  test.each([
    [
      'before the first deployment it says to deploy',
      { when: 'ecr describe-images', say: 'An error occurred (RepositoryNotFoundException)', code: 254 },
      /no repository dev-controller in account 123456789012 yet.*npm run deploy/,
    ],
    [
      'a parameter that Terraform did not make is not made here',
      { when: 'ssm get-parameter', say: 'An error occurred (ParameterNotFound)', code: 254 },
      /no SSM parameter \/dev\/images\/controller yet.*npm run deploy/,
    ],
    [
      'what AWS refuses is said in its own words, with the command',
      { when: 'sts get-caller-identity', say: 'Unable to locate credentials', code: 253 },
      /Unable to locate credentials\s+That was:\s+aws sts get-caller-identity/,
    ],
  ])('%s', async (_, answer, words) => {
    programs = await fakePrograms({ aws: awsAnswers(answer), docker: [] })
    const { code, complained } = await programs.run(script, [])
    expect(code).toBe(78)
    expect(complained).toMatch(words)
    expect(await verbs()).not.toContain('docker buildx build')
  })

  test('the wrong account stops it before anything is asked of it', async () => {
    programs = await fakePrograms({ aws: awsAnswers(), docker: [] })
    const { code, complained } = await programs.run(script, [], { AWS_ACCOUNT_ID: '999999999999' })
    expect(code).toBe(78)
    expect(complained).toContain('belong to account 123456789012; this environment is for 999999999999')
    expect(await verbs()).not.toContain('aws ecr describe-images')
  })

  test('a client of Docker without buildx is no builder', async () => {
    programs = await fakePrograms({
      aws: awsAnswers(),
      docker: [{ when: 'buildx', say: 'unknown command', code: 1 }],
    })
    const { code, complained } = await programs.run(script, ['--builder', 'docker'])
    expect(code).toBe(78)
    expect(complained).toContain('Missing: docker with buildx, to build images')
  })

  test('--dry-run prints every command and runs none', async () => {
    programs = await fakePrograms({ aws: awsAnswers(), docker: [] })
    const { code, said } = await programs.run(script, ['--dry-run', '--platform', 'linux/amd64'])
    expect(code).toBe(0)
    expect(said.split('\n').filter((line) => line.startsWith('docker buildx build'))).toHaveLength(2)
    expect(said).toContain('--platform linux/amd64')
    expect(await verbs()).toEqual(['docker buildx version'])
  })

  test.each([
    [['--platform', 'linux/riscv'], /--platform: "linux\/riscv" is not allowed: must be linux\/amd64/],
    [['--builder', 'kaniko'], /--builder: "kaniko" is not allowed: must be one of: docker, podman, buildah/],
    [['--plattform', 'x'], /Unknown option '--plattform'/],
  ])('%j is refused by name', async (args, words) => {
    programs = await fakePrograms({ aws: awsAnswers(), docker: [] })
    const { code, complained } = await programs.run(script, args)
    expect(code).toBe(78)
    expect(complained).toMatch(words)
  })
})
