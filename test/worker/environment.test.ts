import { describe, expect, test } from 'vitest'
import { readEnvironment } from '../../worker/environment.ts'

const complete = {
  JOB_ID: 'wedding-42',
  FENCE: 'abcdefghij0123456789/1/1',
  JOBS_TABLE: 'jobs',
  OUTPUTS_BUCKET: 'outputs',
  AWS_REGION: 'us-east-1',
  ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1:4566/v4/abc',
}

describe('the environment of a task', () => {
  test('is complete with six variables; WORK_DIR is /tmp', () => {
    expect(readEnvironment(complete)).toMatchObject({ ...complete, WORK_DIR: '/tmp' })
  })

  test.each(Object.keys(complete))('without %s the task ends with 78 and names it', (name) => {
    expect(() => readEnvironment({ ...complete, [name]: undefined })).toThrow(
      expect.objectContaining({
        code: 'ENVIRONMENT_INVALID',
        exitCode: 78,
        message: expect.stringContaining(`${name} is not set`),
      }),
    )
  })

  test('every variable that is wrong is named', () => {
    expect(() => readEnvironment({ ...complete, JOB_ID: '', AWS_ENDPOINT_URL: 'nowhere' })).toThrow(
      /JOB_ID.*AWS_ENDPOINT_URL/,
    )
  })
})
