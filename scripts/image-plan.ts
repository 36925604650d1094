import { hash } from 'node:crypto'
import type { Architecture } from '../schemas/fargate.ts'
import type { Command } from './command.ts'

/** What `npm run images` does, as values: which files count, which tag they give, which commands follow. */
export const imageNames = ['controller', 'worker'] as const
export type ImageName = (typeof imageNames)[number]

export const dockerfileOf = (name: ImageName): string => `Dockerfile.${name}`

/** docker needs its buildx, podman and buildah build by themselves. In the order in which they are looked for. */
export const builders = ['docker', 'podman', 'buildah'] as const
export type Builder = (typeof builders)[number]

const platforms: Readonly<Record<Architecture, string>> = { x86_64: 'linux/amd64', arm64: 'linux/arm64' }
export const platformOf = (architecture: Architecture): string => platforms[architecture]

/** Files and folders of this repository that a Dockerfile copies: with the Dockerfile itself, all that an image is made of. */
export function copiedPaths(dockerfile: string): string[] {
  const paths = dockerfile.split('\n').flatMap((line) => {
    const [instruction, ...words] = line.trim().split(/\s+/)
    if (instruction !== 'COPY' || words.some((word) => word.startsWith('--from='))) return []
    return words.filter((word) => !word.startsWith('--')).slice(0, -1)
  })
  return inOrder([...new Set(paths)], (path) => path)
}

export type SourceFile = { path: string; content: Uint8Array }

/**
 * The tag of an image: what it is made of, in twenty characters. The same sources, base and platforms give the same tag on every
 * machine, so that what is in the repository already is never built again; times, modes and the order of files do not count.
 */
export function contentTag(
  files: readonly SourceFile[],
  recipe: { dockerfile: string; platforms: readonly string[]; nodeImage: string | undefined },
): string {
  const sorted = inOrder(files, ({ path }) => path)
  const parts = [
    recipe.dockerfile,
    recipe.nodeImage ?? '',
    inOrder(recipe.platforms, (platform) => platform),
    sorted.map(({ path, content }) => [path, hash('sha256', content)]),
  ]
  return hash('sha256', JSON.stringify(parts)).slice(0, 20)
}

/** By code unit: a locale would make another order, and another tag, on another machine. */
const inOrder = <T>(items: readonly T[], textOf: (item: T) => string): T[] =>
  [...items].sort((a, b) => (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0))

export type Build = {
  name: ImageName
  /** Repository and tag. */
  reference: string
  platforms: readonly string[]
  /** Instead of the base that the Dockerfile names. */
  nodeImage?: string | undefined
  /** A file with the registry's settings for npm; it is in no layer. */
  npmrc?: string | undefined
}

/** Build and push, with each of the three builders. */
export function buildCommands(builder: Builder, build: Build): Command[] {
  const { reference, platforms: wanted } = build
  switch (builder) {
    case 'docker':
      return [
        {
          program: 'docker',
          // Without provenance the tag is the image, and not a list with one image in it.
          args: [
            'buildx',
            'build',
            ...flagsOf(build),
            '--provenance=false',
            '--tag',
            reference,
            '--push',
            '.',
          ],
        },
      ]
    case 'podman':
    case 'buildah': {
      // The form of Docker is the one that knows health checks.
      const make = ['build', '--format', 'docker', ...flagsOf(build)]
      return wanted.length === 1
        ? [
            { program: builder, args: [...make, '--tag', reference, '.'] },
            { program: builder, args: ['push', reference] },
          ]
        : [
            { program: builder, args: [...make, '--manifest', reference, '.'] },
            { program: builder, args: ['manifest', 'push', '--all', reference, `docker://${reference}`] },
          ]
    }
    default:
      return builder satisfies never
  }
}

/** Whether a builder can be used here: the client of Docker is often there without what builds. */
export const probeCommand = (builder: Builder): Command => ({
  program: builder,
  args: builder === 'docker' ? ['buildx', 'version'] : ['--version'],
})

const flagsOf = ({ name, platforms: wanted, nodeImage, npmrc }: Build): string[] => [
  ...['--file', dockerfileOf(name), '--platform', wanted.join(',')],
  ...(nodeImage === undefined ? [] : ['--build-arg', `NODE_IMAGE=${nodeImage}`]),
  ...(npmrc === undefined ? [] : ['--secret', `id=npmrc,src=${npmrc}`]),
]

/** Where images go and which account remembers them. */
export type Registry = { accountId: string; region: string }

export const registryHost = ({ accountId, region }: Registry): string =>
  `${accountId}.dkr.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`

const aws = (region: string, ...args: string[]): Command => ({
  program: 'aws',
  args: [...args, '--region', region],
})

export const accountCommand = (region: string): Command =>
  aws(region, 'sts', 'get-caller-identity', '--query', 'Account', '--output', 'text')

/** The password goes from one program to the other and is seen nowhere. */
export const loginCommand = (builder: Builder, registry: Registry): Command => ({
  program: builder,
  args: ['login', '--username', 'AWS', '--password-stdin', registryHost(registry)],
  input: aws(registry.region, 'ecr', 'get-login-password'),
})

export const findImageCommand = (repository: string, tag: string, { region }: Registry): Command =>
  aws(
    region,
    ...['ecr', 'describe-images', '--repository-name', repository, '--image-ids', `imageTag=${tag}`],
    ...['--query', 'imageDetails[0].imageDigest', '--output', 'text'],
  )

export const readParameterCommand = (name: string, { region }: Registry): Command =>
  aws(region, 'ssm', 'get-parameter', '--name', name, '--query', 'Parameter.Value', '--output', 'text')

export const writeParameterCommand = (name: string, value: string, { region }: Registry): Command =>
  aws(region, 'ssm', 'put-parameter', '--name', name, '--type', 'String', '--value', value, '--overwrite')

/** What the answer of describe-images means; `aws` says which error it was only in its text. */
export function imageIsThere(
  code: number,
  complained: string,
): 'there' | 'missing' | 'no repository' | 'failed' {
  if (code === 0) return 'there'
  if (complained.includes('ImageNotFoundException')) return 'missing'
  if (complained.includes('RepositoryNotFoundException')) return 'no repository'
  return 'failed'
}
