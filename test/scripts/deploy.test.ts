import { afterEach, describe, expect, test } from 'vitest'
import { cliActions, cliCommand, whyNotUnder } from '../../scripts/cdktf-plan.ts'
import { printed } from '../../scripts/command.ts'
import { mustDeployAgain, readOutputs, splitOptions } from '../../scripts/deploy-plan.ts'
import { type Answer, type FakePrograms, fakePrograms } from './fake-programs.ts'

const outputs = (controller: string, worker: string): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries({
        region: 'us-east-1',
        jobs_table: 'dev-jobs',
        uploads_bucket: 'u',
        outputs_bucket: 'o',
        controller_image: controller,
        worker_image: worker,
        status_command: 'aws ssm start-session',
      }).map(([name, value]) => [name, { value, type: 'string', sensitive: false }]),
    ),
  )

describe('the command line of cdktf', () => {
  test('is exactly one version, and asks nobody for newer ones', () =>
    expect(printed(cliCommand('deploy', ['--auto-approve']))).toBe(
      'CHECKPOINT_DISABLE=1 npx --yes cdktf-cli@0.21.0 deploy --auto-approve',
    ))

  test.each(['20.19.0', '22.12.0'])('runs on Node %s', (version) =>
    expect(whyNotUnder(version, 'deploy', 'f')).toBeUndefined(),
  )

  test.each(cliActions)('on Node 24, %s says the two ways that do the same', (action) => {
    const why = whyNotUnder('24.1.0', action, 'cdktf.out/stacks/s')
    expect(why).toContain('does not run on Node 24.1.0')
    expect(why).toContain(`-p node@22`)
    expect(why).toMatch(/npm run synth && terraform -chdir=cdktf.out\/stacks\/s init && terraform .* \w+$/)
  })
})

test.each([
  ['nothing', '', undefined],
  ['no outputs', '{}', undefined],
  ['a sentence', 'Warning: No outputs found', undefined],
  ['outputs', outputs('c', 'w'), 'dev-jobs'],
])('what Terraform says: %s', (_, json, table) => expect(readOutputs(json)?.jobs_table).toBe(table))

test.each([
  ['none', 'none', true],
  ['c:0', 'w:1', true],
  ['c:1', 'none', true],
  ['c:1', 'w:0', true],
  ['c:1', 'w:1', false],
])('deployed %s and %s, pushed c:1 and w:1: deploy again is %s', (controller, worker, again) =>
  expect(
    mustDeployAgain(readOutputs(outputs(controller, worker)), { controller: 'c:1', worker: 'w:1' }),
  ).toBe(again),
)

test('options that are not its own go to npm run images', () =>
  expect(splitOptions(['--auto-approve', '--platform', 'linux/amd64'])).toEqual({
    approve: true,
    help: false,
    images: ['--platform', 'linux/amd64'],
  }))

describe('npm run deploy', () => {
  let programs: FakePrograms | undefined
  afterEach(() => programs?.close())
  const aws: Answer[] = [
    { when: 'sts get-caller-identity', say: '123456789012' },
    { when: 'ecr describe-images', say: 'sha256:abc' },
    { when: 'ssm get-parameter', say: 'none' },
  ]
  const steps = async () =>
    (await programs?.calls())
      ?.filter((call) => /^terraform|put-parameter/.test(call))
      .map((call) => call.replace(/-chdir=\S+ /, '').replace(/ --name.*/, '')) ?? []

  test('deploys, brings images, and deploys what they start', async () => {
    programs = await fakePrograms({
      aws,
      docker: [],
      terraform: [{ when: 'output', say: outputs('none', 'none') }],
    })
    const { code, said } = await programs.run('scripts/deploy.ts', ['--auto-approve'])
    expect(code).toBe(0)
    expect(await steps()).toEqual([
      'terraform init -input=false',
      'terraform apply -input=false -auto-approve',
      'aws ssm put-parameter',
      'aws ssm put-parameter',
      'terraform output -json',
      'terraform init -input=false',
      'terraform apply -input=false -auto-approve',
      'terraform output -json',
    ])
    expect(said).toContain('Next: npm run smoke')
  })

  test('asks before the first change and never for the second', async () => {
    programs = await fakePrograms({
      aws,
      docker: [],
      terraform: [{ when: 'output', say: outputs('none', 'none') }],
    })
    await programs.run('scripts/deploy.ts', [])
    expect((await steps()).filter((step) => step.includes('apply'))).toEqual([
      'terraform apply -input=false',
      'terraform apply -input=false -auto-approve',
    ])
  })

  test('a first deployment that fails brings no images', async () => {
    programs = await fakePrograms({ aws, docker: [], terraform: [{ when: 'apply', say: 'denied', code: 1 }] })
    const { code } = await programs.run('scripts/deploy.ts', ['--auto-approve'])
    expect(code).toBe(78)
    expect(await steps()).not.toContain('aws ssm put-parameter')
  })

  test('without credentials it says how to get them, and that nothing else is missing', async () => {
    programs = await fakePrograms({
      aws: [{ when: 'sts', say: 'Unable to locate credentials', code: 253 }],
      docker: [],
      terraform: [],
    })
    const { code, complained } = await programs.run('scripts/deploy.ts', [])
    expect(code).toBe(78)
    expect(complained).toMatch(/No credentials for AWS: Unable to locate credentials\s+Sign in/)
    expect(await steps()).toEqual([])
  })

  test('a mistake in the configuration is said before anything runs', async () => {
    programs = await fakePrograms({ aws, docker: [], terraform: [] })
    const { code, complained } = await programs.run('scripts/deploy.ts', [], { ENVIRONMENT: 'produktion' })
    expect(code).toBe(78)
    expect(complained).toContain('ENVIRONMENT: "produktion" is not allowed')
    expect(await programs.calls()).toEqual([])
  })
})
