import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { synthesized } from '../support/synthesized.ts'

const { output } = synthesized('dev')
const outputOf = (name: string) => String(output[name]?.value)

test('scripts find everything they need under a name that stays', () => {
  expect(Object.keys(output)).toEqual(
    expect.arrayContaining([
      'jobs_queue_url',
      'jobs_queue_arn',
      'jobs_dlq_url',
      'task_events_queue_url',
      'jobs_table',
      'control_table',
      'uploads_bucket',
      'outputs_bucket',
      'cluster',
      'controller_service',
      'controller_log_group',
      'task_log_group',
      'controller_repository_url',
      'worker_repository_url',
      'controller_image_parameter',
      'worker_image_parameter',
      'status_command',
      'next_command',
    ]),
  )
})

test('the next command is to make images, until there are some', () => {
  expect(outputOf('next_command')).toMatch(/== "none".* \? "npm run images.*" : "npm run smoke"\}$/)
})

test('the status command is a line that a shell understands and Terraform does not take for its own', async () => {
  expect(outputOf('status_command')).not.toContain('${')
  const words =
    'printf() { command printf "$@"; }; aws() { echo "aws $*" >&2; case "$2" in list-tasks) echo arn:aws:ecs:us-east-1:1:task/dev-jobs/abc;; describe-tasks) echo abc-123;; esac; }; '
  const { stderr } = await promisify(execFile)('bash', ['-c', words + outputOf('status_command')])
  expect(stderr.trim().split('\n').at(-1)).toBe(
    'aws ssm start-session --region us-east-1 --target ecs:dev-jobs_abc_abc-123 --document-name AWS-StartPortForwardingSession --parameters portNumber=8080,localPortNumber=8080',
  )
})
