import { isUploadKind, kinds, uploadKinds } from '../../schemas/kinds/index.ts'
import type { Problem } from '../../schemas/problems.ts'
import { resolveSettings } from '../intake/resolve.ts'
import { type UploadRules, uploadCommands } from '../intake/uploads.ts'
import type { Policy } from '../policy.ts'

/** An upload that somebody asks a link for. */
export type AskedUpload = {
  bucket: string
  key: string
  filename: string
  /** Absent: what uploads like it become. */
  kind: string | undefined
  /** Absent where nobody said it. */
  bytes: number | undefined
}

/** Amazon S3 user guide, uploading objects: what one PUT may have. */
const putBytesMax = 5 * 1024 ** 3

/** What an upload may become in this installation. */
export const openUploadKinds = (policy: Policy): readonly string[] =>
  uploadKinds.filter((kind) => refusalOf(kind, policy) === undefined)

/** Everything that keeps an upload from becoming its job: said before anybody uploads gigabytes for nothing. */
export function uploadProblems(asked: AskedUpload, rules: UploadRules, policy: Policy): Problem[] {
  return [tooLarge(asked), kindProblem(asked, policy) ?? rulesProblem(asked, rules, policy)].filter(
    (problem) => problem !== undefined,
  )
}

const tooLarge = ({ bucket, kind, bytes }: AskedUpload): Problem | undefined =>
  bytes === undefined || bytes <= putBytesMax
    ? undefined
    : {
        field: 'bytes',
        value: String(bytes),
        rule: `must be at most ${putBytesMax} (5 GiB): S3 takes no more in one PUT; send the file in parts, as aws s3 cp to s3://${bucket}/${kind === undefined ? '' : `${kind}/`} does`,
      }

function kindProblem({ kind }: AskedUpload, policy: Policy): Problem | undefined {
  if (kind === undefined) return undefined
  return isUploadKind(kind)
    ? refusalOf(kind, policy)
    : {
        field: 'kind',
        value: JSON.stringify(kind),
        rule: `must be one of: ${openUploadKinds(policy).join(', ')}`,
      }
}

/** Why no job of a kind is accepted here, in the words of acceptance itself; undefined: it is. */
function refusalOf(kind: string, policy: Policy): Problem | undefined {
  const resolved = resolveSettings('new', kind, { input: { bucket: 'any', key: 'any' } }, policy)
  return resolved.is === 'invalid' ? resolved.problems.find(({ field }) => field === 'kind') : undefined
}

/** What the rules say of it, which decide about every upload, whatever kind was asked for. */
function rulesProblem(asked: AskedUpload, rules: UploadRules, policy: Policy): Problem | undefined {
  const { bucket, key, kind, bytes } = asked
  const commands = uploadCommands(
    { bucket, key, etag: undefined, versionId: undefined, sequencer: undefined, bytes },
    rules,
  )
  const made = commands.flatMap((command) => (command.do === 'submit' ? [command.kind] : []))
  const wanted = made.filter((one) => kind === undefined || one === kind)
  if (wanted.length > 0) {
    const refusals = wanted.map((one) => refusalOf(one, policy))
    return refusals.includes(undefined) ? undefined : refusals[0]
  }
  const [command] = commands
  const problem = command.do === 'ignore' ? ignoredProblem(command.why, asked, rules) : otherKind(made, kind)
  return bytes === undefined && areAboutSizes(rules)
    ? { ...problem, rule: `${problem.rule}; or bytes must be given, because some rules look at the size` }
    : problem
}

const otherKind = (made: readonly string[], kind: string | undefined): Problem => ({
  field: 'kind',
  value: JSON.stringify(kind),
  rule: `must be ${made.join(' or ')}: that is what the rules for uploads (UPLOAD_TRIGGERS) make of it`,
})

function ignoredProblem(
  why: Extract<ReturnType<typeof uploadCommands>[number], { do: 'ignore' }>['why'],
  { filename, kind }: AskedUpload,
  rules: UploadRules,
): Problem {
  const name = { field: 'filename', value: JSON.stringify(filename).slice(0, 100) }
  switch (why) {
    case 'NoDefaultKind':
      return { field: 'kind', value: 'nothing', rule: 'must be given: uploads here have no default kind' }
    case 'OtherSuffix': {
      const suffixes = rules.defaultKind === undefined ? [] : kinds[rules.defaultKind].uploadSuffixes
      return { ...name, rule: `must end in ${suffixes.join(', ')}, or kind must be given` }
    }
    case 'AccessCheck':
      return {
        ...name,
        rule: 'must be another name: with this one Amazon Transcribe tries whether it may write',
      }
    case 'Trigger':
    case 'Folder':
    case 'Output':
      return {
        ...(kind === undefined ? name : { field: 'kind', value: JSON.stringify(kind) }),
        rule: 'must be another one: the rules for uploads (UPLOAD_TRIGGERS) make no job of such a file',
      }
    default:
      throw why satisfies never
  }
}

const areAboutSizes = ({ triggers = [] }: UploadRules): boolean =>
  triggers.some(({ minBytes, maxBytes }) => minBytes !== undefined || maxBytes !== undefined)
